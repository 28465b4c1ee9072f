"""What the risk engine is configured with, asked and answers."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.risk.breaches import Breach
from nautilus.engines.risk.controls import KillSwitch
from nautilus.engines.risk.gate_rules import GateRules
from nautilus.engines.risk.limits import Limit
from nautilus.engines.risk.tail_risk import TailMethod
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.messages import TradingState
from nautilus.model.orders import Identifier, SubmitOrder

type Confidence = Annotated[float, Meta(gt=0.5, lt=1)]
type Return = Annotated[float, Meta(ge=-1e6, le=1e6)]
type Name = Annotated[str, Meta(max_length=64)]
type Lots = Annotated[int, Meta(ge=1, le=10**15)]
type Ticks = Annotated[int, Meta(ge=1, le=10**12)]


class RiskConfig(EngineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the risk engine."""

    base_currency: Annotated[str, Meta(pattern="^[A-Z]{3,5}$", description="Currency of every limit.")] = "USD"
    currency_rates: Annotated[
        dict[str, Annotated[float, Meta(gt=0, le=1e9)]],
        Meta(description="What a unit of another currency is worth in the base currency, until a quote says more."),
    ] = msgspec.field(default_factory=dict)
    rules: Annotated[GateRules, Meta(description="Bounds on every order.")] = GateRules()
    limits: Annotated[tuple[Limit, ...], Meta(description="Limits that cannot be changed while running.")] = ()
    measure_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="Least time between two measurings of exposures and limits.")
    ] = 1.0
    return_seconds: Annotated[
        float, Meta(gt=0, le=604_800, description="Interval of the returns behind the measures.")
    ] = 1.0
    return_count: Annotated[int, Meta(ge=20, le=100_000, description="How many returns are kept.")] = 2_520
    minimum_returns: Annotated[
        int, Meta(ge=20, le=100_000, description="How many returns a measure of risk needs at least.")
    ] = 100
    metric_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="Least time between two publications of value at risk.")
    ] = 10.0
    method: Annotated[TailMethod, Meta(description="Method of value at risk for limits and metrics.")] = "historical"
    confidence: Annotated[float, Meta(gt=0.5, lt=1, description="Its confidence.")] = 0.99
    horizon_seconds: Annotated[
        float, Meta(gt=0, le=31_536_000, description="Its horizon, by the square root of time from return_seconds.")
    ] = 3_600.0
    decay: Annotated[float, Meta(gt=0, lt=1, description="Decay of exponentially weighted volatility.")] = 0.94
    trading_seconds_per_year: Annotated[
        float, Meta(gt=0, le=31_622_400, description="For annual volatility; 252 days of 6.5 hours.")
    ] = 5_896_800.0


class LiftRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and who says so."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    actor: Name = "api"


class KillRequest(LiftRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and who says so. With `liquidate` every position is closed too, by reduce-only market orders."""

    liquidate: bool = False


class StepRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who changes a breach's status, and a note for the record."""

    actor: Name = "api"
    note: Annotated[str, Meta(max_length=500)] = ""


class StateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trading state by hand: for everything ("global") or one strategy."""

    state: TradingState
    scope: Identifier = "global"
    reason: Annotated[str, Meta(max_length=500)] = ""
    actor: Name = "api"


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as it might be sent. Side is 1 to buy, -1 to sell; prices in ticks, quantity in lots."""

    instrument_id: Name
    side: Side
    quantity_lots: Lots
    account_id: Identifier
    order_type: OrderType = OrderType.MARKET
    price_ticks: Ticks | None = None
    trigger_ticks: Ticks | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    strategy_id: Identifier = "what-if"
    client_order_id: Identifier = "what-if"

    def order(self, now_ns: int) -> SubmitOrder:
        """The order that is asked about."""
        return SubmitOrder(ts_init=now_ns, **msgspec.structs.asdict(self))


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate would answer now; nothing was sent and nothing counted."""

    allowed: bool
    code: str
    reason: str


class CheckEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the gate, and how many commands it has refused since start."""

    code: str
    meaning: str
    denied: int


class RiskState(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force. `states` has every scope, by name, that is not active."""

    trading_state: TradingState
    kill_switch: KillSwitch
    states: dict[str, str]
    restricted: tuple[str, ...]
    base_currency: str
    open_orders: int
    passed: int
    denied: int
    open_breaches: int


class ExposureView(msgspec.Struct, frozen=True, kw_only=True):
    """Worst-case exposure of one scope in the base currency; ratios are None without positive equity."""

    scope: str
    name: str
    gross: float
    net: float
    long_if_bought: float
    short_if_sold: float
    largest_position: float
    initial_margin: float
    equity: float | None
    leverage: float | None


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position and what works on it, in lots; `value` in base currency, signed."""

    account_id: str
    instrument_id: str
    position_lots: int
    open_buy_lots: int
    open_sell_lots: int
    mark_ticks: float
    value: float


class ExposureReport(msgspec.Struct, frozen=True, kw_only=True):
    """Sums by scope, and the positions that they are made of."""

    exposures: list[ExposureView]
    positions: list[PositionView]


class TailRiskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Simple returns, oldest first (0.01 is 1%)."""

    returns: Annotated[list[Return], Meta(min_length=2, max_length=100_000)]
    method: TailMethod = "historical"
    confidence: Confidence = 0.99
    horizon: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    decay: Annotated[float, Meta(gt=0, lt=1)] = 0.94
    paths: Annotated[int, Meta(ge=100, le=1_000_000)] = 100_000
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 0


class BacktestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Returns, and the values at risk (positive losses) that were forecast for them."""

    returns: Annotated[list[Return], Meta(min_length=2, max_length=100_000)]
    value_at_risk: Annotated[list[Return], Meta(min_length=2, max_length=100_000)]
    confidence: Confidence = 0.99


class RestrictedList(msgspec.Struct, frozen=True, kw_only=True):
    """Instruments that may not be traded."""

    instrument_ids: tuple[str, ...]


class StoredRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Limits made while running, and the breaches of all limits, as stored."""

    limits: list[Limit]
    breaches: list[Breach]
