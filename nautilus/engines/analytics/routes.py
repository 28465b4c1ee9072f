"""HTTP operations of the analytics engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.analytics.batch import evaluate
from nautilus.engines.analytics.models import (
    AccountPerformance,
    DrawdownEntry,
    Execution,
    PerformanceRequest,
    RoundTrips,
    SeriesPerformance,
)
from nautilus.engines.operation import Operation, get, post

if TYPE_CHECKING:
    from nautilus.engines.analytics.engine import AnalyticsEngine

AccountId = Annotated[str, Meta(max_length=64)]


def analytics_routes(engine: "AnalyticsEngine") -> list[Operation]:
    """The operations."""

    async def performance_of(account_id: AccountId) -> AccountPerformance:
        """Performance statistics of an account's NAV."""
        return await engine.performance(account_id)

    async def drawdowns(account_id: AccountId, top: Annotated[int, Meta(ge=1, le=100)] = 10) -> list[DrawdownEntry]:
        """The deepest drawdowns of an account's NAV."""
        return await engine.drawdowns(account_id, top)

    async def round_trips(account_id: AccountId, limit: Annotated[int, Meta(ge=1, le=10_000)] = 100) -> RoundTrips:
        """Closed trades of an account, first in first out, and their statistics."""
        return await engine.round_trips(account_id, limit)

    async def execution(account_id: AccountId) -> Execution:
        """What an account's fills cost against the mid at arrival and at the fill."""
        return engine.execution(account_id)

    async def compute(body: PerformanceRequest) -> dict[str, SeriesPerformance]:
        """Every statistic of the return series sent, and against a benchmark where one is sent."""
        return await engine.accel.run(evaluate, body)

    return [
        post("/performance", compute, scope="read"),
        get("/performance/{account_id}", performance_of),
        get("/drawdowns/{account_id}", drawdowns),
        get("/round-trips/{account_id}", round_trips),
        get("/execution/{account_id}", execution),
    ]
