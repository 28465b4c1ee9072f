"""Topics: typed constants that are plain strings at run time, and which message type each family of topics carries.

A topic is dotted: a family, then what it is about (`quote.AAPL.XNAS`). In a pattern `*` stands for one token and a
final `>` for one or more. The type parameter is the type of the message, so that mypy checks both ends.
"""

from typing import TYPE_CHECKING, Any

from nautilus.errors import Invalid
from nautilus.model.enums import MessageType

if TYPE_CHECKING:
    from nautilus.model import messages
    from nautilus.model.instruments import Instrument
    from nautilus.model.market import Bar, BookDelta, BookDepth, Quote, Trade
    from nautilus.model.orders import OrderEvent, OrderFilled

    class Topic[M](str):
        """A topic or pattern of messages of type M."""

        __slots__ = ()

        def _carries(self, message: M) -> M:
            """Messages go in and come out: so M is exactly what is published and what handlers take."""
else:

    class _PlainString:
        def __getitem__(self, _: Any) -> type[str]:
            return str

        def __call__(self, text: str) -> str:
            return text

    Topic = _PlainString()


FAMILIES: dict[str, MessageType] = {
    "instrument": MessageType.MARKET_DATA,
    "quote": MessageType.PRICE_UPDATE,
    "trade": MessageType.TRADE_EXECUTION,
    "book": MessageType.MARKET_DATA,
    "depth": MessageType.MARKET_DATA,
    "bar": MessageType.MARKET_DATA,
    "features": MessageType.FEATURE_VECTOR,
    "vpin": MessageType.VPIN_CALCULATION,
    "toxicity": MessageType.TOXICITY_ALERT,
    "enhanced_vpin": MessageType.VPIN_CALCULATION,
    "flash_crash": MessageType.FLASH_CRASH_ALERT,
    "factor": MessageType.FACTOR_CALCULATION,
    "prediction": MessageType.ML_PREDICTION,
    "signal": MessageType.STRATEGY_SIGNAL,
    "order_request": MessageType.ORDER_REQUEST,
    "order": MessageType.ORDER_EVENT,
    "fill": MessageType.ORDER_EVENT,
    "position": MessageType.POSITION_CHANGE,
    "portfolio": MessageType.PORTFOLIO_UPDATE,
    "margin": MessageType.RISK_METRIC,
    "margin_call": MessageType.MARGIN_CALL,
    "risk_metric": MessageType.RISK_METRIC,
    "risk_alert": MessageType.RISK_ALERT,
    "risk_breach": MessageType.RISK_LIMIT_BREACH,
    "control": MessageType.RISK_ALERT,
    "analytics": MessageType.ANALYTICS_RESULT,
    "health": MessageType.ENGINE_HEALTH,
    "system_alert": MessageType.SYSTEM_ALERT,
    "system_failure": MessageType.SYSTEM_FAILURE,
    "error_alert": MessageType.ERROR_ALERT,
    "performance": MessageType.PERFORMANCE_METRIC,
    "compute": MessageType.GPU_COMPUTATION,
    "backtest_start": MessageType.BACKTEST_START,
    "backtest_progress": MessageType.BACKTEST_PROGRESS,
    "backtest_complete": MessageType.BACKTEST_COMPLETE,
    "backtest_error": MessageType.BACKTEST_ERROR,
    "parameter_optimization": MessageType.PARAMETER_OPTIMIZATION,
    "stress_test": MessageType.STRESS_TEST_RESULT,
}
"""The first token of every topic, and the message type it carries. A family that is not here does not exist."""


def message_type(topic: str) -> MessageType:
    """The message type that a topic carries; raises Invalid for an unknown family."""
    family = topic.partition(".")[0]
    try:
        return FAMILIES[family]
    except KeyError:
        raise Invalid("topic", f"unknown family {family!r} in {topic!r}; known: {', '.join(FAMILIES)}") from None


def instrument(instrument_id: str) -> "Topic[Instrument]":
    """A definition of an instrument, new or changed."""
    return Topic(f"instrument.{instrument_id}")


def quote(instrument_id: str) -> "Topic[Quote]":
    """Best bid and ask."""
    return Topic(f"quote.{instrument_id}")


def trade(instrument_id: str) -> "Topic[Trade]":
    """Executions in the market."""
    return Topic(f"trade.{instrument_id}")


def book(instrument_id: str) -> "Topic[BookDelta]":
    """Changes of price levels."""
    return Topic(f"book.{instrument_id}")


def depth(instrument_id: str) -> "Topic[BookDepth]":
    """The top of the book by level, conflated."""
    return Topic(f"depth.{instrument_id}")


def bar(spec: str, instrument_id: str) -> "Topic[Bar]":
    """Bars of one specification."""
    return Topic(f"bar.{spec}.{instrument_id}")


def features(instrument_id: str) -> "Topic[messages.FeatureVector]":
    """Feature vectors."""
    return Topic(f"features.{instrument_id}")


def vpin(instrument_id: str) -> "Topic[messages.VpinCalculation]":
    """VPIN after each bucket."""
    return Topic(f"vpin.{instrument_id}")


def toxicity(instrument_id: str) -> "Topic[messages.ToxicityAlert]":
    """Toxicity alerts."""
    return Topic(f"toxicity.{instrument_id}")


def enhanced_vpin(instrument_id: str) -> "Topic[messages.MicrostructureAssessment]":
    """Microstructure assessments."""
    return Topic(f"enhanced_vpin.{instrument_id}")


def flash_crash(instrument_id: str) -> "Topic[messages.FlashCrashAlert]":
    """Flash-crash alerts."""
    return Topic(f"flash_crash.{instrument_id}")


def factor(name: str) -> "Topic[messages.FactorCalculation]":
    """Values of one factor."""
    return Topic(f"factor.{name}")


def prediction(instrument_id: str) -> "Topic[messages.Prediction]":
    """Predictions of trained models."""
    return Topic(f"prediction.{instrument_id}")


def signal(strategy_id: str) -> "Topic[messages.StrategySignal]":
    """What a strategy wants."""
    return Topic(f"signal.{strategy_id}")


def order(strategy_id: str) -> "Topic[OrderEvent]":
    """Every event of a strategy's orders, fills included."""
    return Topic(f"order.{strategy_id}")


def fill(strategy_id: str) -> "Topic[OrderFilled]":
    """Fills of a strategy's orders."""
    return Topic(f"fill.{strategy_id}")


def position(account_id: str, instrument_id: str) -> "Topic[messages.PositionChange]":
    """Positions as they change."""
    return Topic(f"position.{account_id}.{instrument_id}")


def portfolio(account_id: str) -> "Topic[messages.PortfolioUpdate]":
    """An account as it changes."""
    return Topic(f"portfolio.{account_id}")


def margin(account_id: str) -> "Topic[messages.MarginUpdate]":
    """Margin of an account."""
    return Topic(f"margin.{account_id}")


def margin_call(account_id: str) -> "Topic[messages.MarginCall]":
    """Margin alerts of an account."""
    return Topic(f"margin_call.{account_id}")


def risk_metric(name: str) -> "Topic[messages.RiskMetric]":
    """A measure of risk."""
    return Topic(f"risk_metric.{name}")


def risk_alert(scope: str) -> "Topic[messages.RiskAlert]":
    """Alerts for the risk manager."""
    return Topic(f"risk_alert.{scope}")


def risk_breach(limit_id: str) -> "Topic[messages.RiskLimitBreach]":
    """Breaches of one limit."""
    return Topic(f"risk_breach.{limit_id}")


def analytics(account_id: str) -> "Topic[messages.AnalyticsResult]":
    """Performance statistics of an account."""
    return Topic(f"analytics.{account_id}")


def health(engine: str) -> "Topic[messages.EngineHealth]":
    """Health of one engine."""
    return Topic(f"health.{engine}")


def system_alert(source: str) -> "Topic[messages.SystemAlert]":
    """News about the platform."""
    return Topic(f"system_alert.{source}")


def error_alert(source: str) -> "Topic[messages.ErrorAlert]":
    """Failures of handlers."""
    return Topic(f"error_alert.{source}")


def backtest_progress(run_id: str) -> "Topic[messages.BacktestProgress]":
    """Progress of one backtest."""
    return Topic(f"backtest_progress.{run_id}")


def compute_request(kernel: str) -> "Topic[messages.ComputeRequest]":
    """Kernels to be run by whoever has the devices."""
    return Topic(f"compute.request.{kernel}")


def compute_result(client: str) -> "Topic[messages.ComputeResult]":
    """The answers to one client's requests."""
    return Topic(f"compute.result.{client}")


CONTROL: "Topic[messages.TradingControl]" = Topic("control.trading")
ALL_INSTRUMENTS: "Topic[Instrument]" = Topic("instrument.>")
ALL_QUOTES: "Topic[Quote]" = Topic("quote.>")
ALL_TRADES: "Topic[Trade]" = Topic("trade.>")
ALL_BOOKS: "Topic[BookDelta]" = Topic("book.>")
ALL_DEPTHS: "Topic[BookDepth]" = Topic("depth.>")
ALL_BARS: "Topic[Bar]" = Topic("bar.>")
ALL_FEATURES: "Topic[messages.FeatureVector]" = Topic("features.>")
ALL_VPIN: "Topic[messages.VpinCalculation]" = Topic("vpin.>")
ALL_TOXICITY: "Topic[messages.ToxicityAlert]" = Topic("toxicity.>")
ALL_ENHANCED_VPIN: "Topic[messages.MicrostructureAssessment]" = Topic("enhanced_vpin.>")
ALL_FACTORS: "Topic[messages.FactorCalculation]" = Topic("factor.>")
ALL_PREDICTIONS: "Topic[messages.Prediction]" = Topic("prediction.>")
ALL_ORDERS: "Topic[OrderEvent]" = Topic("order.>")
ALL_FILLS: "Topic[OrderFilled]" = Topic("fill.>")
ALL_SYSTEM_ALERTS: "Topic[messages.SystemAlert]" = Topic("system_alert.>")
ALL_POSITIONS: "Topic[messages.PositionChange]" = Topic("position.>")
ALL_PORTFOLIOS: "Topic[messages.PortfolioUpdate]" = Topic("portfolio.>")
ALL_MARGINS: "Topic[messages.MarginUpdate]" = Topic("margin.>")


def bars(spec: str) -> "Topic[Bar]":
    """Bars of one specification, of every instrument."""
    return Topic(f"bar.{spec}.>")
