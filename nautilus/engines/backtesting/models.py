"""What a backtest is asked, and what it answers."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.analytics import Drawdown, TradeStatistics
from nautilus.engines.base import EngineConfig
from nautilus.model.accounts import AccountState
from nautilus.model.orders import Identifier


class BacktestingConfig(EngineConfig, frozen=True, kw_only=True):
    """Configuration of the backtesting engine."""

    keep_reports: Annotated[int, Meta(ge=1, le=10_000, description="How many reports are kept; the oldest go.")] = 200
    concurrent_runs: Annotated[int, Meta(ge=1, le=64, description="Backtests that may run at once.")] = 2


class BacktestData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The market of a backtest: a recording (`path`: LOBSTER, CSV or Parquet) or the seeded simulated market."""

    kind: Literal["recorded", "simulated"] = "simulated"
    path: Annotated[str, Meta(max_length=4096)] = ""
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 1
    duration_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 600.0


class StrategyChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy of a backtest: its class by the name under which it is registered, and its parameters."""

    strategy: Annotated[str, Meta(min_length=1, max_length=200)]
    strategy_id: Identifier
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class BacktestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backtest. The same request on the same data gives the same report, to the byte."""

    strategies: Annotated[tuple[StrategyChoice, ...], Meta(min_length=1, max_length=20)]
    data: BacktestData = BacktestData()
    initial_cash: Annotated[Decimal, Meta(examples=["1000000"])] = Decimal(1_000_000)
    equity_interval_seconds: Annotated[float, Meta(ge=0.1, le=86_400)] = 1.0
    engines: Annotated[
        tuple[Literal["vpin", "enhanced_vpin", "features", "factor", "ml"], ...],
        Meta(max_length=5, description="Engines beside those that trade, for strategies that listen to them."),
    ] = ("vpin",)


class EquityPoint(msgspec.Struct, frozen=True, array_like=True):
    """Net asset value at one moment (ns UTC), in the account's currency."""

    ts: int
    equity: float


class BacktestFill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, with the rule and the market that made it. Price and quantity in units, not ticks."""

    ts: int
    strategy_id: str
    client_order_id: str
    instrument_id: str
    side: str
    quantity: float
    price: float
    fee: str
    liquidity: str
    rule: str


class OrderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the orders ended."""

    submitted: int
    denied: int
    rejected: int
    filled: int
    canceled: int
    expired: int


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a backtest. `statistics` are of returns per equity interval, annualised by 252 days of 6.5 hours.

    `journal_sha256` is the hash of the run's journal: two runs of one request agree on it. `fills` holds the first
    10,000, `fills_total` their number; `problems` is what went wrong on the way, such as a strategy that raised. A
    statistic without enough data is None.
    """

    run_id: str
    request: BacktestRequest
    data_description: str
    data_sha256: str
    code_version: str
    ts_start: int
    ts_end: int
    market_events: int
    account: AccountState
    orders: OrderCounts
    statistics: dict[str, float | None]
    trades: TradeStatistics
    drawdowns: tuple[Drawdown, ...]
    equity: tuple[EquityPoint, ...]
    fills: tuple[BacktestFill, ...]
    fills_total: int
    problems: tuple[str, ...]
    journal_sha256: str


class BacktestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A finished backtest in a line."""

    run_id: str
    strategies: tuple[str, ...]
    data_description: str
    final_equity: float
    fills: int
    ts_start: int
    ts_end: int
