"""Which type of message each family of topics carries, and which engine speaks there: for who decodes what was sent."""

from typing import Any

from nautilus.errors import Invalid
from nautilus.model import messages
from nautilus.model.enums import EngineType
from nautilus.model.instruments import Instrument
from nautilus.model.market import Bar, BookDelta, BookDepth, Quote, Trade
from nautilus.model.orders import OrderEvent, OrderFilled

TYPES: dict[str, Any] = {
    "instrument": Instrument,
    "quote": Quote,
    "trade": Trade,
    "book": BookDelta,
    "depth": BookDepth,
    "bar": Bar,
    "features": messages.FeatureVector,
    "vpin": messages.VpinCalculation,
    "toxicity": messages.ToxicityAlert,
    "enhanced_vpin": messages.MicrostructureAssessment,
    "flash_crash": messages.FlashCrashAlert,
    "factor": messages.FactorCalculation,
    "prediction": messages.Prediction,
    "signal": messages.StrategySignal,
    "order_request": messages.OrderCommand,
    "order": OrderEvent,
    "fill": OrderFilled,
    "position": messages.PositionChange,
    "portfolio": messages.PortfolioUpdate,
    "margin": messages.MarginUpdate,
    "margin_call": messages.MarginCall,
    "risk_metric": messages.RiskMetric,
    "risk_alert": messages.RiskAlert,
    "risk_breach": messages.RiskLimitBreach,
    "control": messages.TradingControl,
    "analytics": messages.AnalyticsResult,
    "health": messages.EngineHealth,
    "system_alert": messages.SystemAlert,
    "error_alert": messages.ErrorAlert,
    "performance": messages.PerformanceMetric,
    "compute": messages.ComputeRequest | messages.ComputeResult,
    "backtest_progress": messages.BacktestProgress,
}
"""The type (or union of tagged types) of the messages of each family. The others of FAMILIES have no shape yet."""

_ENGINES: dict[str, EngineType] = {
    "instrument": EngineType.MARKETDATA,
    "quote": EngineType.MARKETDATA,
    "trade": EngineType.MARKETDATA,
    "book": EngineType.MARKETDATA,
    "depth": EngineType.MARKETDATA,
    "bar": EngineType.MARKETDATA,
    "features": EngineType.FEATURES,
    "vpin": EngineType.VPIN,
    "toxicity": EngineType.VPIN,
    "enhanced_vpin": EngineType.ENHANCED_VPIN,
    "flash_crash": EngineType.ENHANCED_VPIN,
    "factor": EngineType.FACTOR,
    "prediction": EngineType.ML,
    "signal": EngineType.STRATEGY,
    "order_request": EngineType.STRATEGY,
    "order": EngineType.STRATEGY,
    "fill": EngineType.STRATEGY,
    "position": EngineType.PORTFOLIO,
    "portfolio": EngineType.PORTFOLIO,
    "margin": EngineType.COLLATERAL,
    "margin_call": EngineType.COLLATERAL,
    "risk_metric": EngineType.RISK,
    "risk_alert": EngineType.RISK,
    "risk_breach": EngineType.RISK,
    "control": EngineType.RISK,
    "analytics": EngineType.ANALYTICS,
    "backtest_progress": EngineType.BACKTESTING,
}


def message_class(topic: str) -> Any:
    """The type, or union of types, of the messages of a topic; raises Invalid where there is none.

    >>> message_class("quote.AAPL.XNAS").__name__
    'Quote'
    """
    family = topic.partition(".")[0]
    try:
        return TYPES[family]
    except KeyError:
        raise Invalid("topic", f"messages of the family {family!r} have no type, in {topic!r}") from None


def source_engine(topic: str) -> EngineType | None:
    """The engine that speaks on a topic; None where every engine, or the platform itself, may.

    >>> source_engine("fill.momentum").value
    'strategy'
    """
    return _ENGINES.get(topic.partition(".")[0])
