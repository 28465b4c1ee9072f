"""What clients ask, one type for each kind of message, in the order of its fields on the wire.

Every request has `client_id` and `connection` (1 for the first connection the gateway accepted), then what it says.
"""

from dataclasses import dataclass
from typing import ClassVar

from tests.fakes.ibkr_gateway.instruments import WireContract


@dataclass(frozen=True)
class Request:
    """Any request."""

    message_id: ClassVar[int] = 0
    versioned: ClassVar[bool] = True
    client_id: int
    connection: int


@dataclass(frozen=True)
class MarketDataRequest(Request):
    """Level 1."""

    message_id = 1
    request_id: int
    contract: WireContract
    delta_neutral: bool
    generic_ticks: str
    snapshot: bool
    regulatory_snapshot: bool
    options: str


@dataclass(frozen=True)
class CancelMarketData(Request):
    """No more level 1."""

    message_id = 2
    request_id: int


@dataclass(frozen=True)
class PlaceOrder(Request):
    """A new order, or another version of one; further fields of the wire are not kept."""

    message_id = 3
    versioned = False
    order_id: int
    contract: WireContract
    security_id_type: str
    security_id: str
    action: str
    quantity: float
    order_type: str
    limit_price: float | None
    stop_price: float | None
    time_in_force: str
    oca_group: str
    account: str
    open_close: str
    origin: int
    reference: str
    transmit: bool
    parent_id: int
    block: bool
    sweep_to_fill: bool
    display_size: int
    trigger_method: int
    outside_regular_hours: bool
    hidden: bool


@dataclass(frozen=True)
class CancelOrder(Request):
    """Cancel one order."""

    message_id = 4
    order_id: int
    manual_time: str


@dataclass(frozen=True)
class OpenOrdersRequest(Request):
    """The client's own open orders."""

    message_id = 5


@dataclass(frozen=True)
class AccountUpdatesRequest(Request):
    """Begin or end the values and portfolio of an account."""

    message_id = 6
    subscribe: bool
    account: str


@dataclass(frozen=True)
class ExecutionsRequest(Request):
    """Executions; what is empty or zero does not filter."""

    message_id = 7
    request_id: int
    only_client_id: int
    account: str
    time: str
    symbol: str
    security_type: str
    exchange: str
    side: str


@dataclass(frozen=True)
class IdsRequest(Request):
    """The next valid order id."""

    message_id = 8
    number: int


@dataclass(frozen=True)
class ContractDetailsRequest(Request):
    """The listed instruments that a contract could mean."""

    message_id = 9
    request_id: int
    contract: WireContract
    include_expired: bool
    security_id_type: str
    security_id: str
    issuer_id: str


@dataclass(frozen=True)
class DepthRequest(Request):
    """The order book."""

    message_id = 10
    request_id: int
    contract: WireContract
    rows: int
    smart: bool
    options: str


@dataclass(frozen=True)
class CancelDepth(Request):
    """No more order book."""

    message_id = 11
    request_id: int
    smart: bool


@dataclass(frozen=True)
class LogLevel(Request):
    """How much the server should log."""

    message_id = 14
    level: int


@dataclass(frozen=True)
class AutoOpenOrdersRequest(Request):
    """Bind orders made by hand to client 0."""

    message_id = 15
    bind: bool


@dataclass(frozen=True)
class AllOpenOrdersRequest(Request):
    """Every client's open orders."""

    message_id = 16


@dataclass(frozen=True)
class ManagedAccountsRequest(Request):
    """The accounts."""

    message_id = 17


@dataclass(frozen=True)
class HistoricalRequest(Request):
    """Bars."""

    message_id = 20
    versioned = False
    request_id: int
    contract: WireContract
    include_expired: bool
    end: str
    bar_size: str
    duration: str
    regular_hours: bool
    what: str
    format_date: int
    keep_up_to_date: bool
    options: str


@dataclass(frozen=True)
class CancelHistorical(Request):
    """No more updates of bars."""

    message_id = 25
    request_id: int


@dataclass(frozen=True)
class CurrentTimeRequest(Request):
    """The server's time; also a heartbeat."""

    message_id = 49


@dataclass(frozen=True)
class RealTimeBarsRequest(Request):
    """Bars of five seconds."""

    message_id = 50
    request_id: int
    contract: WireContract
    bar_size: int
    what: str
    regular_hours: bool
    options: str


@dataclass(frozen=True)
class CancelRealTimeBars(Request):
    """No more bars of five seconds."""

    message_id = 51
    request_id: int


@dataclass(frozen=True)
class GlobalCancel(Request):
    """Cancel all orders."""

    message_id = 58


@dataclass(frozen=True)
class MarketDataTypeRequest(Request):
    """1 live, 2 frozen, 3 delayed, 4 delayed and frozen."""

    message_id = 59
    data_type: int


@dataclass(frozen=True)
class PositionsRequest(Request):
    """Positions of all accounts, now and as they change."""

    message_id = 61


@dataclass(frozen=True)
class AccountSummaryRequest(Request):
    """Values of all accounts."""

    message_id = 62
    request_id: int
    group: str
    tags: str


@dataclass(frozen=True)
class CancelAccountSummary(Request):
    """No more summary."""

    message_id = 63
    request_id: int


@dataclass(frozen=True)
class CancelPositions(Request):
    """No more positions."""

    message_id = 64


@dataclass(frozen=True)
class StartApi(Request):
    """The first request of every client."""

    message_id = 71
    own_id: int
    capabilities: str


@dataclass(frozen=True)
class AccountUpdatesMultiRequest(Request):
    """Values of one account or model."""

    message_id = 76
    request_id: int
    account: str
    model: str
    ledger_and_liquidity: bool


@dataclass(frozen=True)
class CancelAccountUpdatesMulti(Request):
    """No more values."""

    message_id = 77
    request_id: int


@dataclass(frozen=True)
class DepthExchangesRequest(Request):
    """Which exchanges offer depth."""

    message_id = 82
    versioned = False


@dataclass(frozen=True)
class TickByTickRequest(Request):
    """Last, AllLast, BidAsk or MidPoint."""

    message_id = 97
    versioned = False
    request_id: int
    contract: WireContract
    tick_type: str
    past_ticks: int
    ignore_size: bool


@dataclass(frozen=True)
class CancelTickByTick(Request):
    """No more ticks."""

    message_id = 98
    versioned = False
    request_id: int


@dataclass(frozen=True)
class CompletedOrdersRequest(Request):
    """Orders that are done."""

    message_id = 99
    versioned = False
    api_only: bool


@dataclass(frozen=True)
class UnknownRequest(Request):
    """Anything else, or what could not be read."""

    fields: tuple[str, ...]
