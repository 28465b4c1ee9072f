"""Configuration, requests and answers of the enhanced_vpin engine."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.enhanced_vpin.flash_crash import CrashScale
from nautilus.engines.enhanced_vpin.pin import PinEstimate
from nautilus.engines.enhanced_vpin.recommendation import DEFAULT_RULES, Rule
from nautilus.engines.enhanced_vpin.regression import Regression
from nautilus.engines.enhanced_vpin.trade_costs import HorizonCost
from nautilus.errors import Invalid

SECOND_NS = 1_000_000_000
Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]


class EnhancedVpinConfig(EngineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section `engines.enhanced_vpin` of the configuration."""

    assessment_seconds: Annotated[
        float, Meta(ge=0.1, le=3600, description="How often each instrument is assessed and published.")
    ] = 1.0
    interval_seconds: Annotated[
        float, Meta(ge=0.1, le=86_400, description="Interval over which flow and price change are summed.")
    ] = 5.0
    window: Annotated[int, Meta(ge=10, le=10_000, description="Intervals in a regression.")] = 240
    recent: Annotated[int, Meta(ge=5, le=10_000, description="Intervals that are called recent.")] = 24
    minimum_intervals: Annotated[int, Meta(ge=3, le=10_000, description="Intervals before an estimate is given.")] = 20
    usual_span: Annotated[int, Meta(ge=10, le=1_000_000, description="Intervals in what is usual.")] = 1000
    horizons_seconds: Annotated[
        tuple[Seconds, ...], Meta(min_length=1, max_length=8, description="Horizons of price impact.")
    ] = (1.0, 10.0, 60.0)
    cost_span: Annotated[int, Meta(ge=1, le=1_000_000, description="Trades in the mean cost.")] = 500
    pin_interval_seconds: Annotated[
        float, Meta(ge=1, le=604_800, description="Interval that takes the place of the day in PIN.")
    ] = 60.0
    pin_window: Annotated[int, Meta(ge=10, le=2000, description="Intervals in an estimate of PIN.")] = 120
    pin_minimum: Annotated[int, Meta(ge=5, le=2000, description="Intervals before the first PIN.")] = 20
    pin_every_seconds: Annotated[
        float, Meta(ge=1, le=604_800, description="How often PIN and improved VPIN are estimated.")
    ] = 300.0
    ivpin_window: Annotated[int, Meta(ge=10, le=1000, description="Volume buckets in an improved VPIN.")] = 50
    crash: CrashScale = CrashScale()
    crash_window: Annotated[
        int, Meta(ge=1, le=10_000, description="Intervals whose highest price a fall is measured from.")
    ] = 60
    crash_alert: Annotated[float, Meta(gt=0, le=1, description="Score from which on alerts are sent.")] = 0.7
    rules: Annotated[
        tuple[Rule, ...], Meta(max_length=50, description="What leads from metrics to recommendations.")
    ] = DEFAULT_RULES
    history: Annotated[int, Meta(ge=1, le=100_000, description="Assessments kept for each instrument.")] = 600

    def __post_init__(self) -> None:
        if self.minimum_intervals > self.window:
            raise Invalid("minimum_intervals", f"must not exceed the window of {self.window} intervals")
        if self.pin_minimum > self.pin_window:
            raise Invalid("pin_minimum", f"must not exceed the window of {self.pin_window} intervals")


class LambdaState(msgspec.Struct, frozen=True, kw_only=True):
    """Price impact of net buying.

    Kyle's slope is currency of price per unit traded, Hasbrouck's log return per root of currency, Amihud's ratio the
    absolute return per million of currency traded. `ratio` is what Kyle's slope of the recent intervals is at least,
    two standard errors taken off, relative to that of the whole window.
    """

    instrument_id: str
    interval_seconds: float
    intervals: int
    kyle: Regression | None
    kyle_recent: Regression | None
    ratio: float | None
    hasbrouck: Regression | None
    amihud: float | None


class SpreadState(msgspec.Struct, frozen=True, kw_only=True):
    """Spreads in basis points: quoted now, paid by trades and its split at horizons, and estimated from bars alone.

    The estimates from bars are signed: negative where the bars hold more noise than spread.
    """

    instrument_id: str
    quoted_bps: float | None
    effective_bps: float | None
    effective_ratio: float | None
    horizons: list[HorizonCost]
    trades: int
    bars: int
    roll_bps: float | None
    corwin_schultz_bps: float | None
    abdi_ranaldo_bps: float | None
    edge_bps: float | None


class OrderFlowState(msgspec.Struct, frozen=True, kw_only=True):
    """Order-flow imbalance (lots) and the midpoint's response to it (ticks per lot); imbalance of the best quotes."""

    instrument_id: str
    interval_seconds: float
    last_imbalance_lots: int
    open_imbalance_lots: int
    response: Regression | None
    quote_imbalance: float | None


class PinState(msgspec.Struct, frozen=True, kw_only=True):
    """PIN with intervals of `interval_seconds` in the place of days."""

    instrument_id: str
    ts_event: int
    interval_seconds: float
    estimate: PinEstimate


class CrashState(msgspec.Struct, frozen=True, kw_only=True):
    """Flash-crash score of one instrument; None while too little is known."""

    instrument_id: str
    score: float | None
    components: dict[str, float | None]
    weight_known: float
    alert_active: bool


Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Price = Annotated[float, Meta(gt=0, le=1e12)]


class PinRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of buys and sells of each day."""

    buys: Annotated[list[Count], Meta(min_length=2, max_length=2000)]
    sells: Annotated[list[Count], Meta(min_length=2, max_length=2000)]


_Bars = Meta(min_length=2, max_length=20_000)


class BarsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices of bars in order of time."""

    open: Annotated[list[Price], _Bars]
    high: Annotated[list[Price], _Bars]
    low: Annotated[list[Price], _Bars]
    close: Annotated[list[Price], _Bars]


class SpreadEstimates(msgspec.Struct, frozen=True, kw_only=True):
    """Relative spreads from bars (0.01 is 1%), signed; None where the bars cannot tell."""

    roll: float | None
    corwin_schultz: float | None
    abdi_ranaldo: float | None
    edge: float | None
