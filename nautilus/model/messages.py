"""What engines tell one another: frozen objects, one shape for each message type that is not market data or an order.

Times are nanoseconds UTC. A number that is not defined is None, never NaN.
"""

from typing import Any, Literal

import msgspec

from nautilus.model.accounts import AccountState
from nautilus.model.enums import Side
from nautilus.model.orders import CancelOrder, ModifyOrder, SubmitOrder
from nautilus.model.positions import Position

Severity = Literal["info", "warning", "critical", "emergency"]
TradingState = Literal["active", "reducing", "halted"]
OrderCommand = SubmitOrder | ModifyOrder | CancelOrder


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    ts_event: int


class FeatureVector(_Message, frozen=True, kw_only=True, tag="feature_vector"):
    """Values of a feature set of one instrument at one moment; None while a feature warms up."""

    instrument_id: str
    feature_set: str
    names: tuple[str, ...]
    values: tuple[float | None, ...]


class VpinCalculation(_Message, frozen=True, kw_only=True, tag="vpin_calculation"):
    """VPIN after a completed volume bucket. Volumes in lots; `cdf` is the empirical percentile of `vpin` in [0, 1]."""

    instrument_id: str
    vpin: float
    cdf: float | None
    level: str
    classification: str
    bucket_index: int
    bucket_lots: int
    buy_lots: float
    sell_lots: float


class ToxicityAlert(_Message, frozen=True, kw_only=True, tag="toxicity_alert"):
    """The toxicity level of an instrument's flow rose to or fell from an alert level."""

    instrument_id: str
    level: str
    active: bool
    vpin: float
    cdf: float | None


class MicrostructureAssessment(_Message, frozen=True, kw_only=True, tag="microstructure_assessment"):
    """Enhanced VPIN's view of one instrument: named estimates and the recommendation that follows from `evidence`."""

    instrument_id: str
    metrics: dict[str, float | None]
    recommendation: Literal["normal", "cautious", "reduce_size", "avoid"]
    evidence: tuple[str, ...]


class FlashCrashAlert(_Message, frozen=True, kw_only=True, tag="flash_crash_alert"):
    """A flash-crash score over its alert level, with its components."""

    instrument_id: str
    score: float
    components: dict[str, float | None]


class FactorCalculation(_Message, frozen=True, kw_only=True, tag="factor_calculation"):
    """One factor over the cross-section; None where it is not defined."""

    name: str
    values: dict[str, float | None]


class Prediction(_Message, frozen=True, kw_only=True, tag="ml_prediction"):
    """A trained model's prediction for one instrument; what `value` means is the model's `target`."""

    instrument_id: str
    model: str
    version: int
    target: str
    horizon_bars: int
    value: float
    probability: float | None = None


class StrategySignal(_Message, frozen=True, kw_only=True, tag="strategy_signal"):
    """What a strategy wants and why, before any order."""

    strategy_id: str
    instrument_id: str
    side: Side
    strength: float
    reason: str


class PositionChange(_Message, frozen=True, kw_only=True, tag="position_change"):
    """A position after a fill."""

    position: Position


class PortfolioUpdate(_Message, frozen=True, kw_only=True, tag="portfolio_update"):
    """An account after a fill, a deposit or new marks."""

    account: AccountState


class MarginUpdate(_Message, frozen=True, kw_only=True, tag="margin_update"):
    """Margin of one account under one model; money in the account's currency, `utilization` = requirement / equity."""

    account_id: str
    model: str
    initial_margin: float
    maintenance_margin: float
    excess: float
    utilization: float | None
    minutes_to_margin_call: float | None


class MarginCall(_Message, frozen=True, kw_only=True, tag="margin_call"):
    """Utilisation crossed an alert level (`active`) or fell back below it."""

    account_id: str
    level: Severity
    active: bool
    utilization: float
    required_amount: float
    action: str


class RiskMetric(_Message, frozen=True, kw_only=True, tag="risk_metric"):
    """One measure of risk, such as a value at risk; `scope` is an account, strategy or instrument."""

    name: str
    scope: str
    value: float | None
    confidence: float | None = None
    horizon: str = ""
    observations: int = 0


class RiskAlert(_Message, frozen=True, kw_only=True, tag="risk_alert"):
    """Something a risk manager should see."""

    scope: str
    kind: str
    severity: Severity
    message: str
    value: float | None = None
    threshold: float | None = None


class RiskLimitBreach(_Message, frozen=True, kw_only=True, tag="risk_limit_breach"):
    """A limit was broken or its breach changed state."""

    breach_id: str
    limit_id: str
    kind: str
    scope: str
    value: float
    limit: float
    severity: Literal["minor", "major", "critical", "emergency"]
    status: str
    action: str


class TradingControl(_Message, frozen=True, kw_only=True, tag="trading_control"):
    """The trading state in force, and what is to be done about what is open.

    `scope` is "global" or a strategy id. The strategy engine obeys: "cancel_all" cancels every open order of the scope,
    "liquidate" also closes its positions with reduce-only market orders.
    """

    state: TradingState
    kill_switch: bool
    scope: str = "global"
    action: Literal["none", "cancel_all", "liquidate"] = "none"
    reason: str = ""
    actor: str = ""


class Clearance(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that the gate has passed a command. A venue redeems it with the gate, which honours each one once."""

    clearance_id: int
    command: OrderCommand


class GateDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's answer: a clearance, or a stable code and the reason with the numbers."""

    clearance: Clearance | None = None
    code: str = ""
    reason: str = ""


class AnalyticsResult(_Message, frozen=True, kw_only=True, tag="analytics_result"):
    """Performance statistics of one account so far; None where there is too little data."""

    account_id: str
    observations: int
    statistics: dict[str, float | None]


class EngineHealth(_Message, frozen=True, kw_only=True, tag="engine_health"):
    """An engine's health when it changed."""

    engine: str
    status: Literal["live", "degraded", "down"]
    reasons: tuple[str, ...]


class SystemAlert(_Message, frozen=True, kw_only=True, tag="system_alert"):
    """Something about the platform itself that a person should see."""

    source: str
    severity: Severity
    code: str
    message: str


class ErrorAlert(_Message, frozen=True, kw_only=True, tag="error_alert"):
    """A handler failed; `count` failures of it so far."""

    source: str
    error: str
    count: int


class PerformanceMetric(_Message, frozen=True, kw_only=True, tag="performance_metric"):
    """A measurement of the platform's own speed."""

    source: str
    name: str
    value: float
    unit: str


class BacktestProgress(_Message, frozen=True, kw_only=True, tag="backtest_progress"):
    """How far a backtest is; `status` is the job's."""

    run_id: str
    status: str
    fraction: float
    message: str = ""


class ComputeRequest(_Message, frozen=True, kw_only=True, tag="compute_request"):
    """Ask whoever has the devices to run a kernel; `arguments` are arrays and numbers, arrays read-only."""

    request_id: str
    kernel: str
    arguments: tuple[Any, ...]


class ComputeResult(_Message, frozen=True, kw_only=True, tag="compute_result"):
    """The answer to a request: arrays and the backend that made them, or what went wrong.

    `relative_error` is the stated bound of the difference to the float64 reference.
    """

    request_id: str
    kernel: str
    backend: str = ""
    relative_error: float | None = None
    arrays: tuple[Any, ...] = ()
    error: str = ""
