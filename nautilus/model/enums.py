"""The closed vocabularies: sides, order types and statuses, engines, message types, channels."""

from enum import IntEnum, StrEnum


class Side(IntEnum):
    """Direction of an order, a trade's aggressor or a book side; the value is the sign of the signed quantity."""

    SELL = -1
    NONE = 0
    BUY = 1

    @property
    def opposite(self) -> "Side":
        """The other side; NONE stays NONE."""
        return Side(-self)


class AssetClass(StrEnum):
    """What kind of thing is traded."""

    EQUITY = "equity"
    ETF = "etf"
    BOND = "bond"
    FX = "fx"
    FUTURE = "future"
    OPTION = "option"
    COMMODITY = "commodity"
    CRYPTO = "crypto"


class OrderType(StrEnum):
    """How an order decides its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    """How long an order works."""

    GTC = "gtc"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderStatus(StrEnum):
    """Where an order stands; the legal transitions are `nautilus.model.orders.TRANSITIONS`."""

    INITIALIZED = "initialized"
    DENIED = "denied"
    SUBMITTED = "submitted"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self in _TERMINAL

    @property
    def is_working(self) -> bool:
        """Whether the venue has the order in its book."""
        return self in {OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED}


_TERMINAL = frozenset(
    {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED}
)


class Quality(StrEnum):
    """What the numbers of an answer rest on."""

    LIVE = "live"
    SIMULATED = "simulated"
    REPLAYED = "replayed"
    STALE = "stale"
    NONE = "none"


class EngineType(StrEnum):
    """The thirteen engines, as the senders and owners of messages."""

    ANALYTICS = "analytics"
    BACKTESTING = "backtesting"
    RISK = "risk"
    FACTOR = "factor"
    ML = "ml"
    FEATURES = "features"
    WEBSOCKET = "websocket"
    STRATEGY = "strategy"
    MARKETDATA = "marketdata"
    PORTFOLIO = "portfolio"
    COLLATERAL = "collateral"
    VPIN = "vpin"
    ENHANCED_VPIN = "enhanced_vpin"


class MessagePriority(IntEnum):
    """What overtakes what where messages wait."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3
    CRITICAL = 4
    FLASH_CRASH = 5


class Channel(StrEnum):
    """The three in-process channels; at the edges each has a Redis server of its own."""

    MARKETDATA = "marketdata"
    ENGINE_LOGIC = "engine_logic"
    NEURAL_GPU = "neural_gpu"


class MessageType(StrEnum):
    """What a message is about; each type belongs to exactly one channel."""

    MARKET_DATA = "market_data"
    PRICE_UPDATE = "price_update"
    TRADE_EXECUTION = "trade_execution"
    FEATURE_VECTOR = "feature_vector"
    VPIN_CALCULATION = "vpin_calculation"
    TOXICITY_ALERT = "toxicity_alert"
    RISK_METRIC = "risk_metric"
    RISK_ALERT = "risk_alert"
    ML_PREDICTION = "ml_prediction"
    FACTOR_CALCULATION = "factor_calculation"
    ANALYTICS_RESULT = "analytics_result"
    GPU_COMPUTATION = "gpu_computation"
    STRATEGY_SIGNAL = "strategy_signal"
    PORTFOLIO_UPDATE = "portfolio_update"
    ORDER_REQUEST = "order_request"
    ORDER_EVENT = "order_event"
    POSITION_CHANGE = "position_change"
    ENGINE_HEALTH = "engine_health"
    PERFORMANCE_METRIC = "performance_metric"
    ERROR_ALERT = "error_alert"
    SYSTEM_ALERT = "system_alert"
    FLASH_CRASH_ALERT = "flash_crash_alert"
    MARGIN_CALL = "margin_call"
    RISK_LIMIT_BREACH = "risk_limit_breach"
    SYSTEM_FAILURE = "system_failure"
    BACKTEST_START = "backtest_start"
    BACKTEST_PROGRESS = "backtest_progress"
    BACKTEST_COMPLETE = "backtest_complete"
    BACKTEST_ERROR = "backtest_error"
    PARAMETER_OPTIMIZATION = "parameter_optimization"
    STRESS_TEST_RESULT = "stress_test_result"

    @property
    def channel(self) -> Channel:
        """The one channel that carries this type."""
        if self in _MARKETDATA_TYPES:
            return Channel.MARKETDATA
        return Channel.NEURAL_GPU if self is MessageType.GPU_COMPUTATION else Channel.ENGINE_LOGIC


_MARKETDATA_TYPES = frozenset({MessageType.MARKET_DATA, MessageType.PRICE_UPDATE, MessageType.TRADE_EXECUTION})
