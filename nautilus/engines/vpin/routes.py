"""HTTP operations of the vpin engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.operation import Operation, get, post, put
from nautilus.engines.vpin.compute import compute
from nautilus.engines.vpin.models import (
    BucketFill,
    ComputeRequest,
    ComputeResult,
    InstrumentSettings,
    VpinRow,
    VpinState,
)
from nautilus.model.messages import ToxicityAlert

if TYPE_CHECKING:
    from nautilus.engines.vpin.engine import VpinEngine

Limit = Annotated[int, Meta(ge=1, le=10_000)]
Name = Annotated[str, Meta(max_length=64)]


def vpin_routes(engine: "VpinEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def active() -> list[VpinState]:
        """VPIN of every instrument with a complete bucket, most toxic first."""
        return engine.active()

    async def alerts(instrument_id: Name = "", limit: Limit = 100) -> list[ToxicityAlert]:
        """The last toxicity alerts, newest first."""
        return engine.alerts(instrument_id, limit)

    async def calculate(body: ComputeRequest) -> ComputeResult:
        """VPIN of the trades given."""
        return await engine.accel.run(compute, body)

    async def current(instrument_id: Name) -> VpinState:
        """Latest VPIN of one instrument, by bulk volume and by true sides."""
        return engine.live(instrument_id).state()

    async def history(instrument_id: Name, limit: Limit = 100) -> list[VpinRow]:
        """The last complete buckets of one instrument and the VPIN after each, oldest first."""
        return engine.live(instrument_id).rows(limit)

    async def bucket(instrument_id: Name) -> BucketFill:
        """The bucket being filled and when it is expected to be full."""
        return engine.live(instrument_id).filling()

    async def settings(instrument_id: Name) -> InstrumentSettings:
        """Bucket and thresholds of one instrument."""
        return engine.settings(instrument_id)

    async def configure(instrument_id: Name, body: InstrumentSettings) -> InstrumentSettings:
        """Change bucket and thresholds of one instrument; the bucket being filled keeps its size."""
        return engine.configure(instrument_id, body)

    return [
        get("/active", active),
        get("/alerts", alerts),
        post("/compute", calculate, scope="read"),
        get("/{instrument_id}", current),
        get("/{instrument_id}/history", history),
        get("/{instrument_id}/bucket", bucket),
        get("/{instrument_id}/config", settings),
        put("/{instrument_id}/config", configure),
    ]
