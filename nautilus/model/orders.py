"""Orders: the request, the events of its life, and the state machine that those events drive."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.errors import Conflict
from nautilus.model.enums import OrderStatus, OrderType, Side, TimeInForce

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$")]


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True, tag="submit_order"):
    """What a strategy asks for. `client_order_id` makes a retry idempotent.

    `price_ticks` is the limit price (limit, stop-limit), `trigger_ticks` the stop price (stop, stop-limit).
    """

    client_order_id: Identifier
    strategy_id: Identifier
    account_id: Identifier
    instrument_id: str
    side: Side
    order_type: OrderType
    quantity_lots: int
    price_ticks: int | None = None
    trigger_ticks: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expire_ns: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    ts_init: int = 0


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag="cancel_order"):
    """Take an open order back."""

    client_order_id: Identifier
    ts_init: int = 0


class ModifyOrder(msgspec.Struct, frozen=True, kw_only=True, tag="modify_order"):
    """Change the price or the total quantity of an open order; None leaves a value as it is."""

    client_order_id: Identifier
    quantity_lots: int | None = None
    price_ticks: int | None = None
    trigger_ticks: int | None = None
    ts_init: int = 0


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    client_order_id: str
    strategy_id: str
    account_id: str
    instrument_id: str
    ts_event: int
    ts_init: int


class OrderInitialized(_Event, frozen=True, kw_only=True, tag="order_initialized"):
    """The order exists here; nobody else knows it yet."""

    order: SubmitOrder


class OrderDenied(_Event, frozen=True, kw_only=True, tag="order_denied"):
    """The risk gate refused; the order never left."""

    code: str
    reason: str


class OrderSubmitted(_Event, frozen=True, kw_only=True, tag="order_submitted"):
    """The order left for the venue."""


class OrderAccepted(_Event, frozen=True, kw_only=True, tag="order_accepted"):
    """The venue has the order and gave it an id."""

    venue_order_id: str


class OrderRejected(_Event, frozen=True, kw_only=True, tag="order_rejected"):
    """The venue refused the order."""

    reason: str


class OrderModified(_Event, frozen=True, kw_only=True, tag="order_modified"):
    """The venue changed the order; the values are the ones now in force."""

    quantity_lots: int
    price_ticks: int | None
    trigger_ticks: int | None


class OrderCanceled(_Event, frozen=True, kw_only=True, tag="order_canceled"):
    """The order was taken back, by its owner or by a rule; `reason` says which."""

    reason: str = ""


class OrderExpired(_Event, frozen=True, kw_only=True, tag="order_expired"):
    """The order's time in force ended."""


class OrderFilled(_Event, frozen=True, kw_only=True, tag="order_filled"):
    """Some or all of the order traded.

    `fee` is in the instrument's currency, exact decimal text (negative is a rebate). `rule` names the matching rule,
    `bid_ticks` and `ask_ticks` the market at that moment: every fill carries what made it.
    """

    venue_order_id: str
    trade_id: str
    side: Side
    quantity_lots: int
    price_ticks: int
    fee: str
    currency: str
    liquidity: str
    rule: str
    bid_ticks: int | None = None
    ask_ticks: int | None = None


OrderEvent = (
    OrderInitialized
    | OrderDenied
    | OrderSubmitted
    | OrderAccepted
    | OrderRejected
    | OrderModified
    | OrderCanceled
    | OrderExpired
    | OrderFilled
)

TRANSITIONS: dict[OrderStatus, frozenset[type]] = {
    OrderStatus.INITIALIZED: frozenset({OrderDenied, OrderSubmitted}),
    OrderStatus.SUBMITTED: frozenset({OrderAccepted, OrderRejected, OrderFilled, OrderCanceled, OrderExpired}),
    OrderStatus.ACCEPTED: frozenset({OrderModified, OrderFilled, OrderCanceled, OrderExpired}),
    OrderStatus.PARTIALLY_FILLED: frozenset({OrderModified, OrderFilled, OrderCanceled, OrderExpired}),
    OrderStatus.REJECTED: frozenset({OrderFilled}),
    OrderStatus.CANCELED: frozenset({OrderFilled}),
    OrderStatus.EXPIRED: frozenset({OrderFilled}),
}
"""The events that each status admits. An order that is over admits one thing: a trade that the venue tells of late."""


class Order(msgspec.Struct, kw_only=True):
    """An order as it stands now. Only `apply` changes it.

    Quantities in lots, prices in ticks; `average_price_ticks` is the volume-weighted fill price, None before a fill.
    `trade_ids` are the fills it knows, each with its lots, so that none counts twice.
    """

    request: SubmitOrder
    status: OrderStatus = OrderStatus.INITIALIZED
    venue_order_id: str | None = None
    quantity_lots: int = 0
    price_ticks: int | None = None
    trigger_ticks: int | None = None
    filled_lots: int = 0
    filled_value: int = 0
    trade_ids: dict[str, int] = msgspec.field(default_factory=dict)
    reason: str = ""
    ts_last: int = 0

    @classmethod
    def from_initialized(cls, event: OrderInitialized) -> "Order":
        """The order at the start of its life."""
        request = event.order
        return cls(
            request=request,
            quantity_lots=request.quantity_lots,
            price_ticks=request.price_ticks,
            trigger_ticks=request.trigger_ticks,
            ts_last=event.ts_event,
        )

    @property
    def client_order_id(self) -> str:
        """The id its owner gave it."""
        return self.request.client_order_id

    @property
    def remaining_lots(self) -> int:
        """What is still to be filled."""
        return self.quantity_lots - self.filled_lots

    @property
    def average_price_ticks(self) -> float | None:
        """Volume-weighted fill price in ticks."""
        return self.filled_value / self.filled_lots if self.filled_lots else None

    @property
    def is_open(self) -> bool:
        """Whether something can still happen."""
        return not self.status.is_terminal

    def apply(self, event: OrderEvent) -> bool:
        """Move on by one event. Returns False for what is known already; raises Conflict for what cannot happen.

        A fill may come before the acceptance, which then says nothing new, and after the end, which it does not undo.
        """
        if isinstance(event, OrderFilled) and event.trade_id in self.trade_ids:
            return False
        if isinstance(event, OrderAccepted) and event.venue_order_id == self.venue_order_id:
            return False
        if type(event) not in TRANSITIONS.get(self.status, frozenset()):
            raise Conflict(f"order {self.client_order_id} is {self.status}: {type(event).__name__} cannot happen")
        match event:
            case OrderFilled():
                self._fill(event)
            case OrderAccepted():
                self.venue_order_id = event.venue_order_id
                self.status = OrderStatus.ACCEPTED
            case OrderModified():
                self._modify(event)
            case OrderDenied() | OrderRejected() | OrderCanceled():
                self.reason = event.reason
                self.status = _STATUS_AFTER[type(event)]
            case _:
                self.status = _STATUS_AFTER[type(event)]
        self.ts_last = event.ts_event
        return True

    def _fill(self, event: OrderFilled) -> None:
        if event.quantity_lots <= 0 or event.quantity_lots > self.remaining_lots:
            raise Conflict(
                f"order {self.client_order_id}: a fill of {event.quantity_lots} lots does not fit {self.remaining_lots}"
            )
        self.trade_ids[event.trade_id] = event.quantity_lots
        self.venue_order_id = event.venue_order_id
        self.filled_lots += event.quantity_lots
        self.filled_value += event.quantity_lots * event.price_ticks
        if not self.remaining_lots:
            self.status = OrderStatus.FILLED
        elif self.is_open:
            self.status = OrderStatus.PARTIALLY_FILLED

    def _modify(self, event: OrderModified) -> None:
        if event.quantity_lots <= self.filled_lots:
            raise Conflict(
                f"order {self.client_order_id}: {self.filled_lots} lots are filled, it cannot be {event.quantity_lots}"
            )
        self.quantity_lots = event.quantity_lots
        self.price_ticks = event.price_ticks
        self.trigger_ticks = event.trigger_ticks


_STATUS_AFTER: dict[type, OrderStatus] = {
    OrderDenied: OrderStatus.DENIED,
    OrderSubmitted: OrderStatus.SUBMITTED,
    OrderRejected: OrderStatus.REJECTED,
    OrderCanceled: OrderStatus.CANCELED,
    OrderExpired: OrderStatus.EXPIRED,
}
