"""What crosses on the way: cancels before the order has left, fills after its end, records that the disk refused."""

from collections.abc import Callable
from typing import Any

import pytest

from nautilus.engines.strategy.latency import ConstantLatency
from nautilus.engines.strategy.order_record import OrderRecord
from nautilus.errors import StoreError
from nautilus.model import (
    ModifyOrder,
    Order,
    OrderCanceled,
    OrderInitialized,
    OrderModified,
    OrderStatus,
    OrderSubmitted,
    Side,
    TimeInForce,
    topics,
)
from nautilus.model.messages import Clearance
from nautilus.model.orders import CancelOrder
from nautilus.testing import START_NS
from tests.engines.strategy.test_execution import make_fill

POSITION = ("s", "main", "TEST.SIM")


class SlowDisk:
    """A journal whose records become durable when told."""

    def __init__(self, floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[Callable[[], None]] = []
        monkeypatch.setattr(
            floor.store.journal, "when_durable", lambda sequence, callback, failed=None: self.waiting.append(callback)
        )

    def sync(self) -> None:
        ready, self.waiting = self.waiting, []
        for callback in ready:
            callback()


def on(floor: Any, kind: type, action: Callable[[Any], object]) -> None:
    """Do something as soon as an event of a kind is published, in the stack of the publisher, as strategies do."""
    floor.bus.subscribe(topics.ALL_ORDERS, lambda event: action(event) if isinstance(event, kind) else None)


def test_an_order_that_the_journal_refuses_is_told_to_everyone(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, append = floor.store.journal, floor.store.journal.append

    def full(record: object) -> Any:
        if isinstance(record, OrderSubmitted):
            raise StoreError("disk full")
        return append(record)

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(StoreError):
        floor.buy(10, client_order_id="lost")
    assert floor.kinds(floor.record["lost"]) == ["Initialized", "Denied"]


@pytest.mark.parametrize(
    ("kind", "events"),
    [(OrderInitialized, ["Initialized", "Denied"]), (OrderSubmitted, ["Initialized", "Submitted", "Canceled"])],
)
def test_an_order_cancelled_by_who_hears_of_it_never_leaves(floor: Any, kind: type, events: list[str]) -> None:
    on(floor, kind, lambda event: floor.manager.cancel(event.client_order_id))
    order = floor.buy(10)
    assert floor.kinds(order) == events
    assert (floor.venue.received, floor.record.open_count) == (0, 0)
    assert not floor.manager._cancelling
    assert not floor.manager._unsent


def test_an_order_cancelled_while_the_gate_thinks_never_leaves(floor: Any) -> None:
    decide = floor.gate.decide

    def and_halt(command: Any) -> Any:
        decision = decide(command)
        if not isinstance(command, CancelOrder):
            floor.manager.cancel_all()
        return decision

    floor.bus._endpoints["risk.gate"] = and_halt
    order = floor.buy(10)
    assert (order.status, order.reason) == (OrderStatus.DENIED, "canceled before it left")
    assert floor.venue.received == 0


def test_an_order_cancelled_while_it_waits_for_the_disk_never_leaves(
    floor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(floor, monkeypatch)
    order = floor.buy(10)
    floor.cancel(order)
    disk.sync()
    floor.advance(0)
    assert floor.kinds(order) == ["Initialized", "Submitted", "Canceled"]
    assert floor.venue.received == 0


def test_a_modification_follows_its_order_whatever_the_disk_does(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(floor, monkeypatch)
    order = floor.buy(10, 9_990)
    floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, quantity_lots=7))
    disk.sync()
    floor.advance(0)
    assert floor.kinds(order) == ["Initialized", "Submitted", "Accepted", "Modified"]
    assert order.quantity_lots == 7


def test_cancelling_all_goes_on_where_one_end_brings_another(floor: Any) -> None:
    """A venue that answers inline, and a strategy that takes its second order back when the first is gone."""
    orders = [floor.buy(10, 9_990 - number) for number in range(3)]

    def cancel_at_once(clearance: Clearance) -> None:
        order: Order = floor.record[clearance.command.client_order_id]
        floor.manager.on_venue_event(OrderCanceled(reason="", **floor.manager._common(order.request, 0)))

    floor.bus._endpoints["venue.SIM"] = cancel_at_once
    on(floor, OrderCanceled, lambda _: orders[1].is_open and floor.manager.cancel(orders[1].client_order_id))
    floor.manager.cancel_all()
    assert {order.status for order in orders} == {OrderStatus.CANCELED}


def test_a_fill_after_the_cancel_counts_everywhere_and_after_a_restart(floor: Any) -> None:
    order = floor.buy(10, 9_990)
    floor.cancel(order)
    floor.record.export()
    assert floor.manager.on_venue_event(make_fill(order, lots=4))
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 4)
    assert not floor.manager.on_venue_event(make_fill(order, lots=4)), "once"
    assert not floor.alerts.messages
    replayed, restored = OrderRecord(), OrderRecord()
    for _, record in floor.store.journal.replay():
        assert replayed.recover(record) == ""
    restored.take_over(floor.record.export())
    for record in (floor.record, replayed, restored):
        assert record.position(*POSITION) == 4
        assert record[order.client_order_id] == order
        assert record.open_count == 0


def test_recovery_survives_records_that_the_disk_had_refused(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is made larger and filled; that it was made larger never reached the disk."""
    append = floor.store.journal.append

    def sometimes(record: object) -> Any:
        if isinstance(record, OrderModified):
            raise StoreError("disk full")
        return append(record)

    monkeypatch.setattr(floor.store.journal, "append", sometimes)
    order = floor.buy(10, 9_990)
    floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, quantity_lots=30))
    floor.advance(0)
    assert floor.alerts.messages[-1].code == "order_event_not_journaled"
    floor.trade(9_989, 25, Side.SELL)
    again = OrderRecord()
    reasons = [again.recover(record) for _, record in floor.store.journal.replay()]
    assert [reason for reason in reasons if reason] == [
        f"order {order.client_order_id}: a fill of 25 lots does not fit 10"
    ]
    assert again.positions() == floor.record.positions() == {POSITION: 25}


def test_a_snapshot_has_the_orders_as_they_are_now(floor: Any) -> None:
    record = OrderRecord(closed_max=2)
    floor.manager.record = record
    orders = [floor.buy(10, 9_990) for _ in range(4)]
    record.export()
    for order in orders[:3]:
        floor.cancel(order)
    floor.trade(9_989, 4, Side.SELL)
    again = OrderRecord()
    again.take_over(record.export())
    assert again.open_orders() == record.open_orders() == [orders[3]]
    assert again.open_orders()[0].filled_lots == 4
    assert again.closed_orders(10) == record.closed_orders(10) == [orders[2], orders[1]]
    assert len(record._encoded) == 3
    assert again.export() == record.export()
    assert again.is_used(orders[0].client_order_id)


def test_an_order_whose_day_is_over_when_it_arrives_is_refused(make_floor: Callable[..., Any]) -> None:
    floor = make_floor(latency=ConstantLatency(1_000), day_end_ns=(START_NS + 500) % 86_400_000_000_000)
    floor.quote(10_000, 10_001)
    order = floor.manager.submit(floor.order(Side.BUY, 10, 10_001, time_in_force=TimeInForce.DAY))
    floor.advance(2_000)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "the order has expired")
