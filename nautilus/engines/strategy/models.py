"""The strategy engine's configuration, and what its HTTP operations take and give."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.strategy.deployment import DeploymentStatus
from nautilus.model.enums import OrderStatus, OrderType, TimeInForce
from nautilus.model.instruments import InstrumentId
from nautilus.model.orders import Identifier

StrategyName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,39}$", description="Name of a deployment.", examples=["ema-alfa"])
]
ClassName = Annotated[str, Meta(min_length=1, max_length=64, description="Name of a strategy class.")]
OrderId = Annotated[str, Meta(min_length=1, max_length=64)]


class SimulatedVenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the simulated venues behave."""

    entry_latency_us: Annotated[int, Meta(ge=0, le=60_000_000, description="To the venue, microseconds.")] = 1_000
    response_latency_us: Annotated[int, Meta(ge=0, le=60_000_000, description="And back.")] = 500
    latency_sigma: Annotated[
        float, Meta(ge=0, le=3, description="0: constant latency; else spread of the log-normal part (half of it).")
    ] = 0.0
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="Seed of the sampled latency.")] = 1
    queue: Annotated[
        Literal["risk_averse", "probabilistic"], Meta(description="Model of cancellations in the queue.")
    ] = "risk_averse"
    queue_exponent: Annotated[float, Meta(gt=0, le=10, description="Power of the probabilistic model.")] = 2.0
    fees: Annotated[
        Literal["basis_points", "per_unit"], Meta(description="Whether fees are a share of value or an amount a unit.")
    ] = "basis_points"
    maker_fee: Annotated[float, Meta(ge=-1_000, le=1_000, description="For resting orders; negative: rebate.")] = -0.1
    taker_fee: Annotated[float, Meta(ge=-1_000, le=1_000, description="For orders that take liquidity.")] = 0.3
    stop_trigger: Annotated[Literal["quote", "trade", "either"], Meta(description="What triggers stop orders.")] = (
        "either"
    )
    day_end_minutes: Annotated[
        int, Meta(ge=0, le=1439, description="When day orders expire: minutes after midnight UTC.")
    ] = 0


class DeploymentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A strategy that runs from the start. `only_simulated`: not where the market data are real."""

    name: StrategyName
    strategy: ClassName
    config: dict[str, Any] = msgspec.field(default_factory=dict)
    account_id: Identifier | None = None
    only_simulated: bool = False


def _examples() -> tuple[DeploymentConfig, ...]:
    """What trades on the simulated market, so that a first start shows a platform at work."""
    crossing = {"instrument_ids": ["ALFA.SIM", "GOLF.SIM"], "fast": 50, "slow": 200, "trade_lots": 100}
    making = {"instrument_ids": ["BRVO.SIM", "FXTR.SIM"], "order_lots": 50, "max_position_lots": 300}
    return (
        DeploymentConfig(name="ema-cross", strategy="ema_cross", config=crossing, only_simulated=True),
        DeploymentConfig(name="market-maker", strategy="vpin_market_maker", config=making, only_simulated=True),
    )


class StrategyEngineConfig(EngineConfig, frozen=True, kw_only=True):
    """The strategy engine's section of the configuration."""

    account_id: Annotated[Identifier, Meta(description="Account of orders that name none.")] = "main"
    deployments: Annotated[
        tuple[DeploymentConfig, ...], Meta(max_length=200, description="Strategies that run from the start.")
    ] = msgspec.field(default_factory=_examples)
    classes: Annotated[
        dict[str, str], Meta(description='Strategy classes by name, beside the built-in: "package.module:Class".')
    ] = msgspec.field(default_factory=dict)
    venue: SimulatedVenueConfig = SimulatedVenueConfig()
    closed_orders: Annotated[int, Meta(ge=1, le=1_000_000, description="Closed orders kept to be looked at.")] = 5_000
    order_ids: Annotated[int, Meta(ge=1, le=10_000_000, description="Order ids remembered to refuse duplicates.")] = (
        100_000
    )
    fills: Annotated[int, Meta(ge=1, le=1_000_000, description="Fills kept to be looked at.")] = 5_000
    state_seconds: Annotated[
        float, Meta(ge=0.1, le=3600, description="How often the state of running strategies is saved.")
    ] = 10.0


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new deployment; `config` is what the class's configuration schema asks for."""

    name: StrategyName
    strategy: ClassName
    config: Annotated[dict[str, Any], Meta(max_length=200)]
    account_id: Identifier | None = None
    start: bool = True


class StrategyView(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment now. `positions` are net lots by instrument; `error` is the traceback that ended it."""

    name: str
    strategy: str
    status: DeploymentStatus
    account_id: str
    config: dict[str, Any]
    positions: dict[str, int]
    open_orders: int
    error: str
    ts_changed: int


class StrategyClassView(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy class and the JSON Schema of its configuration."""

    name: str
    description: str
    config_schema: dict[str, Any]


class PlaceOrderRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order by hand. Prices and quantity are decimals on the instrument's grid; which prices, the type decides.

    With a `client_order_id` of your own a repeated request gives the same order again.
    """

    instrument_id: InstrumentId
    side: Literal["buy", "sell"]
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expire_ns: Annotated[int, Meta(ge=1, le=2**62)] | None = None
    post_only: bool = False
    reduce_only: bool = False
    client_order_id: Identifier | None = None
    strategy_id: Annotated[StrategyName, Meta(description='Whose order it is: a deployment, or "manual".')] = "manual"
    account_id: Identifier | None = None


class ModifyOrderRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values for an open order; what is not given stays. `quantity` counts what is filled already."""

    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order now. Decimals are exact text, None where the instrument is not known to this node at the moment."""

    client_order_id: str
    venue_order_id: str | None
    strategy_id: str
    account_id: str
    instrument_id: str
    side: Literal["buy", "sell"]
    order_type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    quantity_lots: int
    filled_lots: int
    price_ticks: int | None
    trigger_ticks: int | None
    quantity: Decimal | None
    filled: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None
    average_price: float | None
    post_only: bool
    reduce_only: bool
    expire_ns: int | None
    reason: str
    ts_init: int
    ts_last: int


class FillView(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, with the rule and the market that made it. `fee` is exact text, negative for a rebate."""

    trade_id: str
    client_order_id: str
    venue_order_id: str
    strategy_id: str
    account_id: str
    instrument_id: str
    side: Literal["buy", "sell"]
    quantity_lots: int
    price_ticks: int
    quantity: Decimal | None
    price: Decimal | None
    fee: str
    currency: str
    liquidity: str
    rule: str
    bid_ticks: int | None
    ask_ticks: int | None
    ts_event: int
    ts_init: int


class VenueView(msgspec.Struct, frozen=True, kw_only=True):
    """A venue. What a simulated one assumes is in `assumptions`."""

    name: str
    simulated: bool
    instruments: int
    working_orders: int
    received: int
    refused: int
    trades: int
    assumptions: dict[str, str]
