"""The book of record of orders: every command goes through the gate, every event through the journal, then the bus.

The order of things is the safety: an order is journaled before the gate sees it, and durable before it leaves.
Open and closed orders are kept apart, so that the cost of an event does not depend on how many there have been.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from nautilus.bus import Bus
from nautilus.clock import Clock
from nautilus.engines.strategy.order_checks import check_modification, check_order, same_order
from nautilus.engines.strategy.order_record import OrderRecord
from nautilus.errors import Conflict, NautilusError, StoreError
from nautilus.model import topics
from nautilus.model.enums import OrderStatus
from nautilus.model.instruments import InstrumentRegistry
from nautilus.model.messages import Clearance, GateDecision, OrderCommand, Severity, SystemAlert
from nautilus.model.orders import (
    CancelOrder,
    ModifyOrder,
    Order,
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderFilled,
    OrderInitialized,
    OrderRejected,
    OrderSubmitted,
    SubmitOrder,
)
from nautilus.store.base import Journal

Publish = Callable[[Any, Any], None]
GATE = "risk.gate"
UNCHANGED = "risk.unchanged"
CANCELED_EARLY = "canceled before it left"
NOT_KNOWN = "not known to the venue at reconciliation"


class OrderStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start of the process."""

    open: int
    closed_kept: int
    events: int
    fills: int
    denied: int
    duplicate_fills: int
    refused_events: int
    refused_commands: int


class OrderManager:
    """The one writer of the record: all changes come through `submit`, `cancel`, `modify` and `on_venue_event`."""

    def __init__(
        self,
        *,
        bus: Bus,
        publish: Publish,
        clock: Clock,
        journal: Journal,
        instruments: InstrumentRegistry,
        record: OrderRecord,
    ) -> None:
        self._bus = bus
        self._publish_on = publish
        self._clock = clock
        self._journal = journal
        self._instruments = instruments
        self.record = record
        self._cancelling: set[str] = set()
        self._unsent: dict[str, list[Callable[[], None]]] = {}
        self.events = 0
        self.filled = 0
        self.denied = 0
        self.duplicate_fills = 0
        self.refused_events = 0
        self.refused_commands = 0

    def statistics(self) -> OrderStatistics:
        """How much has happened."""
        return OrderStatistics(
            open=self.record.open_count,
            closed_kept=self.record.closed_count,
            events=self.events,
            fills=self.filled,
            denied=self.denied,
            duplicate_fills=self.duplicate_fills,
            refused_events=self.refused_events,
            refused_commands=self.refused_commands,
        )

    def now_ns(self) -> int:
        """The time by which orders are stamped."""
        return self._clock.timestamp_ns()

    # -- commands ------------------------------------------------------------------------------------------------

    def submit(self, command: SubmitOrder, *, refuse: tuple[str, str] | None = None) -> Order:
        """Take an order through the gate to its venue and return it as it stands then.

        The same order again returns the one there is; another order under a used id is a Conflict, a malformed one
        Invalid. `refuse` is a (code, reason) with which the order is denied before the gate is asked.
        """
        known = self._known(command)
        if known is not None:
            return known
        instrument = self._instruments[command.instrument_id]
        check_order(command)
        now = self._clock.timestamp_ns()
        if not command.ts_init:
            command = msgspec.structs.replace(command, ts_init=now)
        event = OrderInitialized(order=command, **self._common(command, now))
        self._journal.append(event)
        order = Order.from_initialized(event)
        self.record.opened(order)
        self._unsent[order.client_order_id] = []
        self._publish(event)
        decision = self._admit(command, refuse)
        try:
            if decision.clearance is None:
                self._own(order, OrderDenied(code=decision.code, reason=decision.reason, **self._common(command, now)))
            else:
                self._leave(order, decision.clearance, instrument.venue, now)
        except StoreError as error:
            self._abandon(order, error, now)
            raise
        return order

    def cancel(self, client_order_id: str) -> Order:
        """Ask the venue to take an order back; asking again while the answer is awaited does nothing.

        An order that has not left yet never will: it ends here as soon as it is its turn.
        """
        order = self.record.changeable(client_order_id)
        if client_order_id in self._unsent:
            self._cancelling.add(client_order_id)
        elif client_order_id not in self._cancelling:
            self._cancelling.add(client_order_id)
            command = CancelOrder(client_order_id=client_order_id, ts_init=self._clock.timestamp_ns())
            if not self._send_change(order, command):
                self._cancelling.discard(client_order_id)
        return order

    def modify(self, command: ModifyOrder) -> Order:
        """Ask the venue to change an open order. Raises Invalid for values that cannot be, Conflict if it is closed."""
        order = self.record.changeable(command.client_order_id)
        check_modification(order, command)
        self._send_change(order, msgspec.structs.replace(command, ts_init=self._clock.timestamp_ns()))
        return order

    def cancel_all(self, strategy_id: str | None = None, instrument_id: str | None = None) -> int:
        """Ask for the cancellation of every open order of a strategy, or of all; returns how many there were."""
        orders = self.record.open_orders(strategy_id, instrument_id)
        for order in orders:
            if order.is_open:  # the end of one may have ended another
                self.cancel(order.client_order_id)
        return len(orders)

    # -- what comes back -----------------------------------------------------------------------------------------

    def on_venue_event(self, event: OrderEvent) -> bool:
        """Take in an event of a venue: apply, journal, publish. False where it is known already or cannot be."""
        try:
            order = self.record[event.client_order_id]
            if not order.apply(event):
                self.duplicate_fills += type(event) is OrderFilled
                return False
        except NautilusError as error:
            self.refused_events += 1
            self._alert("critical", "order_event_refused", str(error))
            return False
        self._applied(order, event)
        try:
            self._journal.append(event)
        except StoreError as error:
            self._alert("critical", "order_event_not_journaled", f"{event.client_order_id}: {error}")
        self._publish(event)
        return True

    def on_command_refused(self, client_order_id: str, reason: str) -> None:
        """A cancel or modify that the gate had passed was not carried out.

        The gate is told of a change that will not come, so that it no longer counts what was asked for.
        """
        if client_order_id not in self._cancelling and self._bus.has_endpoint(UNCHANGED):
            self._bus.call(UNCHANGED, client_order_id)
        self._refused(client_order_id, reason)

    # -- recovery ------------------------------------------------------------------------------------------------

    def reconcile(self, simulated: Callable[[str], bool] = lambda _: True) -> list[Order]:
        """Close what cannot have reached a venue and return the orders that simulated venues must know, oldest first.

        `simulated` tells it of an instrument. An order that went to a real venue stays open whatever its status: only
        the venue knows what became of it.
        """
        working: list[Order] = []
        for order in self.record.open_orders():
            common = self._common(order.request, self._clock.timestamp_ns())
            if order.status is OrderStatus.INITIALIZED:
                reason = "the process ended before the order was sent"
                self._own(order, OrderDenied(code="RESTART", reason=reason, **common))
            elif simulated(order.request.instrument_id):
                if order.status is OrderStatus.SUBMITTED:
                    self._own(order, OrderRejected(reason=NOT_KNOWN, **common))
                else:
                    working.append(order)
        return working

    # -- inside --------------------------------------------------------------------------------------------------

    def _known(self, command: SubmitOrder) -> Order | None:
        order = self.record.get(command.client_order_id)
        if order is None:
            if self.record.is_used(command.client_order_id):
                raise Conflict(f"order id {command.client_order_id!r} has been used; its order is no longer kept")
            return None
        if not same_order(order.request, command):
            raise Conflict(f"order id {command.client_order_id!r} belongs to a different order")
        return order

    def _admit(self, command: SubmitOrder, refuse: tuple[str, str] | None) -> GateDecision:
        """The decision on a new order, which may be cancelled by whoever hears of it before it is made."""
        decision = GateDecision(code="CANCELED", reason=CANCELED_EARLY)
        if refuse is not None:
            return GateDecision(code=refuse[0], reason=refuse[1])
        if command.client_order_id in self._cancelling:
            return decision
        passed = self._decide(command)
        return decision if command.client_order_id in self._cancelling else passed

    def _decide(self, command: OrderCommand) -> GateDecision:
        """The gate's answer; without a gate, or with one that fails, the answer is no."""
        if not self._bus.has_endpoint(GATE):
            return GateDecision(code="NO_GATE", reason="no risk gate is running, so no order leaves")
        try:
            decision = self._bus.call(GATE, command)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the gate, the order must not pass
            self._alert("critical", "gate_failed", f"{type(error).__name__}: {error}")
            return GateDecision(code="GATE_FAILED", reason=f"the risk gate failed: {error}")
        if not isinstance(decision, GateDecision):
            return GateDecision(code="GATE_FAILED", reason="the risk gate gave no decision")
        return decision

    def _leave(self, order: Order, clearance: Clearance, venue: str, now: int) -> None:
        event = OrderSubmitted(**self._common(order.request, now))
        sequence = self._own(order, event)

        def send() -> None:
            self._send(order, clearance, venue)

        def failed(error: StoreError) -> None:
            self._not_sent(order, f"the order could not be made durable: {error}")

        self._journal.when_durable(sequence, send, failed)

    def _abandon(self, order: Order, error: StoreError, now: int) -> None:
        """The journal refuses: the order ends here, in memory; after a restart its first record ends the same way."""
        event = OrderDenied(code="STORE_FAILED", reason=str(error), **self._common(order.request, now))
        order.apply(event)
        self._applied(order, event)
        self._publish(event)
        self._alert("critical", "journal_failed", f"order {order.client_order_id} was not sent: {error}")

    def _send(self, order: Order, clearance: Clearance, venue: str) -> None:
        """Hand an order to its venue, then the changes that were asked for meanwhile: none overtakes it."""
        if not order.is_open:
            return
        if order.client_order_id in self._cancelling:
            common = self._common(order.request, self._clock.timestamp_ns())
            self.on_venue_event(OrderCanceled(reason=CANCELED_EARLY, **common))
            return
        try:
            self._bus.call(f"venue.{venue}", clearance)
        except Exception as error:  # noqa: BLE001 - an order that did not arrive must not stay open
            self._not_sent(order, f"venue {venue} did not take the order: {error}")
        for change in self._unsent.pop(order.client_order_id, ()):
            change()

    def _not_sent(self, order: Order, reason: str) -> None:
        if order.status is OrderStatus.SUBMITTED:
            now = self._clock.timestamp_ns()
            self.on_venue_event(OrderRejected(reason=reason, **self._common(order.request, now)))

    def _send_change(self, order: Order, command: OrderCommand) -> bool:
        decision = self._decide(command)
        clearance = decision.clearance
        if clearance is None:
            self._refused(order.client_order_id, f"{decision.code}: {decision.reason}")
            return False
        venue = self._instruments[order.request.instrument_id].venue

        def send() -> None:
            try:
                self._bus.call(f"venue.{venue}", clearance)
            except Exception as error:  # noqa: BLE001 - reported; the order stays as it is
                self.on_command_refused(order.client_order_id, f"venue {venue}: {error}")

        waiting = self._unsent.get(order.client_order_id)
        if waiting is None:
            send()
        else:
            waiting.append(send)
        return True

    def _refused(self, client_order_id: str, reason: str) -> None:
        """Report it, unless the order closed meanwhile, which is nobody's mistake."""
        self._cancelling.discard(client_order_id)
        self.refused_commands += 1
        order = self.record.get(client_order_id)
        if order is None or order.is_open:
            self._alert("info", "order_command_refused", f"{client_order_id}: {reason}")

    def _own(self, order: Order, event: OrderEvent) -> int:
        """Journal, apply and publish an event of our own making; returns its sequence."""
        sequence = self._journal.append(event)
        order.apply(event)
        self._applied(order, event)
        self._publish(event)
        return sequence

    def _applied(self, order: Order, event: OrderEvent) -> None:
        kind = type(event)
        if kind is OrderFilled:
            self.filled += 1
        elif kind is OrderDenied:
            self.denied += 1
        self.record.applied(order, event)
        if order.status.is_terminal:
            self._cancelling.discard(order.client_order_id)
            self._unsent.pop(order.client_order_id, None)

    def _publish(self, event: OrderEvent) -> None:
        self.events += 1
        self._publish_on(topics.order(event.strategy_id), event)
        if type(event) is OrderFilled:
            self._publish_on(topics.fill(event.strategy_id), event)

    def _common(self, command: SubmitOrder, now: int) -> dict[str, Any]:
        return {
            "client_order_id": command.client_order_id,
            "strategy_id": command.strategy_id,
            "account_id": command.account_id,
            "instrument_id": command.instrument_id,
            "ts_event": now,
            "ts_init": now,
        }

    def _alert(self, severity: Severity, code: str, message: str) -> None:
        now = self._clock.timestamp_ns()
        alert = SystemAlert(source="strategy", severity=severity, code=code, message=message, ts_event=now)
        self._publish_on(topics.system_alert("strategy"), alert)
