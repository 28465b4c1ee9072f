"""The analytics engine's configuration, and what its HTTP operations take and give."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.engines.analytics.drawdowns import Drawdown
from nautilus.engines.analytics.execution_quality import ExecutionQuality
from nautilus.engines.analytics.round_trips import RoundTrip
from nautilus.engines.analytics.trade_statistics import TradeStatistics
from nautilus.engines.base import EngineConfig

SERIES_LIMIT = 500
PERIODS_LIMIT = 100_000
VALUES_LIMIT = 500_000
"""Most returns in one request."""

Return = Annotated[float, Meta(ge=-1e6, le=1e6)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
SeriesOfReturns = Annotated[list[Return | None], Meta(min_length=1, max_length=PERIODS_LIMIT)]


class AnalyticsConfig(EngineConfig, frozen=True, kw_only=True):
    """The analytics engine's section of the configuration."""

    sample_seconds: Annotated[
        float, Meta(ge=0.1, le=86_400, description="How often the NAV of each account is sampled.")
    ] = 60.0
    seconds_per_year: Annotated[
        float, Meta(ge=1e6, le=1e8, description="Clock seconds that count as a year when statistics are annualised.")
    ] = 31_557_600.0
    samples: Annotated[int, Meta(ge=10, le=1_000_000, description="NAV samples kept for each account.")] = 20_000
    round_trips: Annotated[int, Meta(ge=10, le=1_000_000, description="Round trips kept for each account.")] = 10_000


class AccountPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of an account's NAV since it was first sampled; None where there is too little data.

    Returns are of `sample_seconds`, deposits and withdrawals left out, annualised by the clock. Those of `recent` need
    the whole distribution and are of the samples kept.
    """

    account_id: str
    observations: int
    sample_seconds: float
    periods_per_year: float
    equity: float | None
    statistics: dict[str, float | None]
    recent: dict[str, float | None]


class DrawdownEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A drawdown with its times, ns UTC: peak, valley and recovery (None while the peak is not regained)."""

    ts_peak: int
    ts_valley: int
    ts_recovery: int | None
    depth: float
    samples: int


class RoundTrips(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips, newest first, and the statistics of those kept, by currency. `closed` counts all there were.

    `open_legs_dropped` counts entries given up because too many were open: with it the trips are incomplete.
    """

    account_id: str
    closed: int
    open_legs_dropped: int
    statistics: dict[str, TradeStatistics]
    trips: list[RoundTrip]


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Costs of an account's fills, in all and by instrument. Values of different currencies are added as they are."""

    account_id: str
    total: ExecutionQuality
    by_instrument: dict[str, ExecutionQuality]


class PerformanceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Simple returns per period, one list for each series (null where missing), all equally long."""

    returns: Annotated[list[SeriesOfReturns], Meta(min_length=1, max_length=SERIES_LIMIT)]
    names: Annotated[list[Name], Meta(max_length=SERIES_LIMIT)] | None = None
    benchmark: SeriesOfReturns | None = None
    risk_free: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    required_return: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    periods_per_year: Annotated[float, Meta(gt=0, le=1e8)] = 252.0
    cutoff: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    drawdowns: Annotated[int, Meta(ge=0, le=100)] = 5


class SeriesPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of one series; None where not defined. Drawdowns count periods, deepest first."""

    statistics: dict[str, float | None]
    drawdowns: list[Drawdown]
