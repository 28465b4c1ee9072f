"""The nouns of trading: instruments, money, market data, orders, positions, accounts, messages. No input or output."""

from nautilus.model.accounts import AccountState, Deposit
from nautilus.model.columns import BarColumns, BookDeltaColumns, QuoteColumns, TradeColumns
from nautilus.model.enums import (
    AssetClass,
    Channel,
    EngineType,
    MessagePriority,
    MessageType,
    OrderStatus,
    OrderType,
    Quality,
    Side,
    TimeInForce,
)
from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.market import Bar, BookDelta, BookDepth, Quote, Trade
from nautilus.model.money import Money
from nautilus.model.orders import (
    CancelOrder,
    ModifyOrder,
    Order,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderInitialized,
    OrderModified,
    OrderRejected,
    OrderSubmitted,
    SubmitOrder,
)
from nautilus.model.positions import Lot, Position

__all__ = [
    "AccountState",
    "AssetClass",
    "Bar",
    "BarColumns",
    "BookDelta",
    "BookDeltaColumns",
    "BookDepth",
    "CancelOrder",
    "Channel",
    "Deposit",
    "EngineType",
    "Instrument",
    "InstrumentRegistry",
    "Lot",
    "MessagePriority",
    "MessageType",
    "ModifyOrder",
    "Money",
    "Order",
    "OrderAccepted",
    "OrderCanceled",
    "OrderDenied",
    "OrderEvent",
    "OrderExpired",
    "OrderFilled",
    "OrderInitialized",
    "OrderModified",
    "OrderRejected",
    "OrderStatus",
    "OrderSubmitted",
    "OrderType",
    "Position",
    "Quality",
    "Quote",
    "QuoteColumns",
    "Side",
    "SubmitOrder",
    "TimeInForce",
    "Trade",
    "TradeColumns",
]
