"""A venue for paper trading and backtests: it takes only what the gate has cleared, and fills only from market data.

What it assumes, it states: our orders do not move the market; latency, fees and queue position are models; a day ends
at a fixed hour UTC. It keeps nothing itself: after a restart its book is made again from the orders of the journal.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from nautilus.bus import Bus
from nautilus.clock import Clock, TimeEvent
from nautilus.engines.strategy.delay_line import DelayLine
from nautilus.engines.strategy.fees import FeeModel
from nautilus.engines.strategy.latency import LatencyModel
from nautilus.engines.strategy.matching import NOTHING_TO_REDUCE, Matching, StopTrigger
from nautilus.engines.strategy.queue_position import QueueModel
from nautilus.engines.strategy.resting import WorkingOrder
from nautilus.errors import Forbidden
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.messages import Clearance
from nautilus.model.orders import (
    CancelOrder,
    ModifyOrder,
    Order,
    OrderAccepted,
    OrderCanceled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SubmitOrder,
)

REDEEM = "risk.redeem"
DAY_NS = 86_400_000_000_000
PositionKey = tuple[str, str, str]


class SimulatedVenue:
    """One venue. `report` gets order events, `refuse` (client order id, reason) for changes not carried out."""

    def __init__(
        self,
        name: str,
        *,
        bus: Bus,
        clock: Clock,
        instruments: InstrumentRegistry,
        latency: LatencyModel,
        fees: FeeModel,
        queue: QueueModel,
        report: Callable[[OrderEvent], object],
        refuse: Callable[[str, str], object],
        stop_trigger: StopTrigger = "either",
        day_end_ns: int = 0,
    ) -> None:
        self.name = name
        self._bus = bus
        self._clock = clock
        self._instruments = instruments
        self._latency = latency
        self._fees = fees
        self._queue = queue
        self._report = report
        self._refuse = refuse
        self._stop_trigger: StopTrigger = stop_trigger
        self._day_end_ns = day_end_ns
        self._books: dict[str, Matching] = {}
        self._orders: dict[str, WorkingOrder] = {}
        self._positions: dict[PositionKey, int] = {}
        self._inbound = DelayLine[Clearance](clock, f"venue.{name}.inbound", self._arrived)
        self._outbound = DelayLine[Callable[[], object]](clock, f"venue.{name}.outbound", _call)
        self.order_count = 0
        self.trade_count = 0
        self.received = 0
        self.refused = 0

    # -- the platform's side -------------------------------------------------------------------------------------

    def book(self, instrument_id: str) -> Matching:
        """The matching of one instrument; its `on_quote`, `on_trade` and `on_delta` want the market data."""
        book = self._books.get(instrument_id)
        if book is None:
            book = self._books[instrument_id] = Matching(self, self._queue, self._stop_trigger)
        return book

    @property
    def working(self) -> int:
        """Orders in the books."""
        return len(self._orders)

    @property
    def instrument_count(self) -> int:
        """Instruments with a book."""
        return len(self._books)

    def receive(self, clearance: Clearance) -> None:
        """The venue's endpoint. Raises Forbidden for whatever is not a clearance that the gate honours now."""
        self.received += 1
        if not self._redeemed(clearance):
            self.refused += 1
            raise Forbidden("the risk gate does not honour the clearance")
        self._inbound.send(clearance, self._latency.entry_ns())

    def observe(self, event: OrderEvent) -> None:
        """Learn from the journal which numbers have been given and what is held."""
        if isinstance(event, OrderAccepted):
            self.order_count = max(self.order_count, self._number(event.venue_order_id, ""))
        elif isinstance(event, OrderFilled):
            self.trade_count = max(self.trade_count, self._number(event.trade_id, "T"))

    def restore(self, orders: list[Order], positions: dict[PositionKey, int]) -> None:
        """Take the accepted orders of the journal back into the books, each at the back of its queue."""
        self._positions.update(positions)
        for known in orders:
            order = WorkingOrder(known.request, known.venue_order_id or self._next_order_id())
            order.quantity, order.filled = known.quantity_lots, known.filled_lots
            order.price, order.trigger = known.price_ticks, known.trigger_ticks
            order.triggered = known.request.trigger_ticks is not None and known.trigger_ticks is None
            self._orders[order.identifier] = order
            self.book(known.request.instrument_id).restore(order)
            if self._is_over(order.request):
                self._expire(order)
            elif order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) and order.trigger is None:
                self.book(known.request.instrument_id).cancel(order, "immediate order interrupted by a restart")
            else:
                self._limit_life(order)

    def close(self) -> None:
        """Forget what is on its way and every expiry."""
        self._inbound.close()
        self._outbound.close()
        for identifier in self._orders:
            self._clock.cancel_timer(self._expiry_name(identifier))

    # -- commands at the venue -----------------------------------------------------------------------------------

    def _redeemed(self, clearance: object) -> bool:
        if not isinstance(clearance, Clearance) or not self._bus.has_endpoint(REDEEM):
            return False
        return self._bus.call(REDEEM, clearance) is True

    def _arrived(self, clearance: Clearance) -> None:
        match clearance.command:
            case SubmitOrder() as command:
                self._submit(command)
            case CancelOrder(client_order_id=identifier):
                order = self._orders.get(identifier)
                if order is None:
                    self._reply(partial(self._refuse, identifier, "the order is not in the book"))
                else:
                    self._books[order.request.instrument_id].cancel(order, "canceled on request")
            case ModifyOrder() as command:
                self._modify(command)

    def _submit(self, command: SubmitOrder) -> None:
        reason = self._objection(command)
        if reason:
            self._send(OrderRejected, command, reason=reason)
            return
        order = WorkingOrder(command, self._next_order_id())
        self._orders[order.identifier] = order
        self._send(OrderAccepted, command, venue_order_id=order.venue_order_id)
        self._limit_life(order)
        self.book(command.instrument_id).enter(order)

    def _objection(self, command: SubmitOrder) -> str:
        """Why the venue does not take an order; empty when it does."""
        instrument = self._instruments.get(command.instrument_id)
        if instrument is None or instrument.venue != self.name:
            return f"{command.instrument_id} is not traded here"
        if command.client_order_id in self._orders:
            return "the order is in the book already"
        if self._is_over(command):
            return "the order has expired"
        if command.reduce_only and self._reducible(command) <= 0:
            return NOTHING_TO_REDUCE
        book = self.book(command.instrument_id)
        if command.order_type is OrderType.MARKET and book.market.best(command.side.opposite) is None:
            return "there is no market to trade with"
        if command.post_only and command.trigger_ticks is None and command.price_ticks is not None:
            taking = book.would_take(command.side, command.price_ticks)
            return "a post-only order must not take liquidity" if taking else ""
        return ""

    def _modify(self, command: ModifyOrder) -> None:
        order = self._orders.get(command.client_order_id)
        if order is None:
            self._reply(partial(self._refuse, command.client_order_id, "the order is not in the book"))
            return
        reason = self._books[order.request.instrument_id].modify(
            order,
            order.quantity if command.quantity_lots is None else command.quantity_lots,
            order.price if command.price_ticks is None else command.price_ticks,
            order.trigger if command.trigger_ticks is None else command.trigger_ticks,
        )
        if reason:
            self._reply(partial(self._refuse, command.client_order_id, reason))

    # -- what the books tell (MatchingSink) ------------------------------------------------------------------------

    def filled(self, order: WorkingOrder, lots: int, price_ticks: int, *, maker: bool, rule: str) -> None:
        """Report a fill, with the rule and the market that made it."""
        request = order.request
        self._hold(request, request.side * lots)
        instrument: Instrument = self._instruments[request.instrument_id]
        market = self._books[request.instrument_id].market
        self.trade_count += 1
        self._send(
            OrderFilled,
            request,
            venue_order_id=order.venue_order_id,
            trade_id=f"{self.name}-T{self.trade_count}",
            side=request.side,
            quantity_lots=lots,
            price_ticks=price_ticks,
            fee=format(self._fees.fee(instrument, lots, price_ticks, maker=maker), "f"),
            currency=instrument.currency,
            liquidity="maker" if maker else "taker",
            rule=rule,
            bid_ticks=market.best(Side.BUY),
            ask_ticks=market.best(Side.SELL),
        )

    def canceled(self, order: WorkingOrder, reason: str) -> None:
        """Report the end of an order."""
        self._send(OrderCanceled, order.request, reason=reason)

    def modified(self, order: WorkingOrder) -> None:
        """Report the values in force; a trigger that has been hit is None."""
        self._send(
            OrderModified,
            order.request,
            quantity_lots=order.quantity,
            price_ticks=order.price,
            trigger_ticks=order.trigger,
        )

    def done(self, order: WorkingOrder) -> None:
        """Forget an order."""
        self._orders.pop(order.identifier, None)
        if order.time_in_force in (TimeInForce.DAY, TimeInForce.GTD):
            self._clock.cancel_timer(self._expiry_name(order.identifier))

    def reducible(self, order: WorkingOrder) -> int:
        """Lots that the order may trade before it would open a position."""
        return self._reducible(order.request)

    # -- inside --------------------------------------------------------------------------------------------------

    def _reducible(self, request: SubmitOrder) -> int:
        """Of the strategy's own position: strategies that share an account do not close one another's."""
        key = (request.strategy_id, request.account_id, request.instrument_id)
        return -request.side * self._positions.get(key, 0)

    def _hold(self, request: SubmitOrder, lots: int) -> None:
        key = (request.strategy_id, request.account_id, request.instrument_id)
        total = self._positions.get(key, 0) + lots
        if total:
            self._positions[key] = total
        else:
            self._positions.pop(key, None)

    def _end_of_life(self, request: SubmitOrder) -> int | None:
        """When an order's time is over: at the end of the day on which it was made, or as it says."""
        if request.time_in_force is not TimeInForce.DAY:
            return request.expire_ns
        since_day_end = (request.ts_init - self._day_end_ns) % DAY_NS
        return request.ts_init - since_day_end + DAY_NS

    def _is_over(self, request: SubmitOrder) -> bool:
        end_ns = self._end_of_life(request)
        return end_ns is not None and end_ns <= self._clock.timestamp_ns()

    def _limit_life(self, order: WorkingOrder) -> None:
        end_ns = self._end_of_life(order.request)
        if end_ns is not None:
            name = self._expiry_name(order.identifier)
            self._clock.set_time_alert_ns(name, end_ns, partial(self._expire, order))

    def _expire(self, order: WorkingOrder, _: TimeEvent | None = None) -> None:
        if self._orders.get(order.identifier) is order:
            self._books[order.request.instrument_id].withdraw(order)
            self._send(OrderExpired, order.request)

    def _expiry_name(self, identifier: str) -> str:
        return f"venue.{self.name}.expiry.{identifier}"

    def _next_order_id(self) -> str:
        self.order_count += 1
        return f"{self.name}-{self.order_count}"

    def _number(self, identifier: str, mark: str) -> int:
        """The counter in an id of ours, 0 for one of another venue."""
        digits = identifier.removeprefix(f"{self.name}-{mark}")
        return int(digits) if digits != identifier and digits.isascii() and digits.isdigit() else 0

    def _send(self, kind: type[OrderEvent], request: SubmitOrder, **values: Any) -> None:
        """Report an event of now; it is known to us after the way back."""
        delay_ns = self._latency.response_ns()
        happened = self._clock.timestamp_ns()
        if not delay_ns and not len(self._outbound):
            self._deliver(kind, request, happened, values)
        else:
            self._outbound.send(partial(self._deliver, kind, request, happened, values), delay_ns)

    def _deliver(self, kind: type[OrderEvent], request: SubmitOrder, happened: int, values: dict[str, Any]) -> None:
        event = kind(
            client_order_id=request.client_order_id,
            strategy_id=request.strategy_id,
            account_id=request.account_id,
            instrument_id=request.instrument_id,
            ts_event=happened,
            ts_init=self._clock.timestamp_ns(),
            **values,
        )
        self._report(event)

    def _reply(self, answer: Callable[[], object]) -> None:
        self._outbound.send(answer, self._latency.response_ns())


def _call(action: Callable[[], object]) -> None:
    action()
