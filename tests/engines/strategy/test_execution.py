"""The order manager: the gate, the journal, idempotence, and what venues may and may not say."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from nautilus.engines.strategy.latency import ConstantLatency
from nautilus.errors import Conflict, Invalid, NotFound, StoreError
from nautilus.model import ModifyOrder, Order, OrderFilled, OrderStatus, OrderSubmitted, Side
from nautilus.model.messages import Clearance, GateDecision


def make_fill(order: Order, trade_id: str = "X-1", lots: int = 1, **changes: Any) -> OrderFilled:
    request = order.request
    values = {
        "client_order_id": request.client_order_id,
        "strategy_id": request.strategy_id,
        "account_id": request.account_id,
        "instrument_id": request.instrument_id,
        "ts_event": 1,
        "ts_init": 1,
        "venue_order_id": "X",
        "trade_id": trade_id,
        "side": request.side,
        "quantity_lots": lots,
        "price_ticks": 10_000,
        "fee": "0",
        "currency": "USD",
        "liquidity": "maker",
        "rule": "test",
    }
    return OrderFilled(**{**values, **changes})


def test_an_order_is_journaled_before_each_step_and_published_after_it(floor: Any) -> None:
    lengths: list[tuple[str, int]] = []
    floor.bus.subscribe(
        "order.>", lambda event: lengths.append((type(event).__name__, floor.store.journal.last_sequence))
    )
    floor.buy(10)
    assert lengths == [("OrderInitialized", 1), ("OrderSubmitted", 2), ("OrderAccepted", 3), ("OrderFilled", 4)]
    assert [type(record).__name__ for _, record in floor.store.journal.replay()] == [name for name, _ in lengths]


def test_a_fill_is_published_on_both_topics(floor: Any) -> None:
    order = floor.buy(10)
    assert order.status is OrderStatus.FILLED
    assert floor.fill_events.messages == [floor.events.messages[-1]]


def test_without_a_gate_no_order_leaves(make_floor: Callable[..., Any]) -> None:
    floor = make_floor(gate=False)
    order = floor.buy(10)
    assert order.status is OrderStatus.DENIED
    assert floor.events.messages[-1].code == "NO_GATE"
    assert floor.venue.received == 0


def test_a_gate_that_fails_denies(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> GateDecision:
        raise RuntimeError("gate bug")

    monkeypatch.setitem(floor.bus._endpoints, "risk.gate", broken)
    assert floor.buy(10).status is OrderStatus.DENIED
    assert floor.events.messages[-1].code == "GATE_FAILED"
    monkeypatch.setitem(floor.bus._endpoints, "risk.gate", lambda command: True)
    assert floor.buy(10).status is OrderStatus.DENIED
    assert floor.venue.received == 0


def test_a_denied_order_carries_the_reason_and_does_not_leave(floor: Any) -> None:
    floor.gate.denial = ("FAT_FINGER", "too many lots")
    order = floor.buy(10)
    assert (order.status, order.reason) == (OrderStatus.DENIED, "too many lots")
    assert floor.kinds(order) == ["Initialized", "Denied"]
    assert floor.venue.received == 0
    assert floor.manager.statistics().denied == 1


def test_a_duplicate_order_id_with_the_same_content_returns_the_order_there_is(floor: Any) -> None:
    first = floor.buy(10, 9_990, client_order_id="mine-1")
    published = len(floor.events)
    again = floor.buy(10, 9_990, client_order_id="mine-1")
    assert again is first
    assert len(floor.events) == published
    assert len(floor.gate.commands) == 1


def test_a_duplicate_order_id_with_other_content_is_a_conflict_and_changes_nothing(floor: Any) -> None:
    first = floor.buy(10, 9_990, client_order_id="mine-1")
    before = (floor.store.journal.last_sequence, len(floor.events))
    with pytest.raises(Conflict, match="different order"):
        floor.buy(11, 9_990, client_order_id="mine-1")
    assert (floor.store.journal.last_sequence, len(floor.events)) == before
    assert floor.record.open_orders() == [first]


def test_a_duplicate_order_id_is_refused_even_when_its_order_is_no_longer_kept(floor: Any) -> None:
    floor.record._closed_max = 1
    floor.buy(1, client_order_id="old")
    floor.buy(1)
    with pytest.raises(Conflict, match="no longer kept"):
        floor.buy(1, client_order_id="old")


def test_an_order_leaves_only_when_its_record_is_durable(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[int, Callable[[], None]]] = []
    journal = floor.store.journal
    monkeypatch.setattr(
        journal, "when_durable", lambda sequence, callback, failed=None: waiting.append((sequence, callback))
    )
    order = floor.buy(10)
    assert (order.status, floor.venue.received) == (OrderStatus.SUBMITTED, 0)
    sequence, leave = waiting.pop()
    assert isinstance(dict(journal.replay())[sequence], OrderSubmitted)
    leave()
    floor.advance(0)
    assert order.status is OrderStatus.FILLED


def test_an_order_that_cannot_become_durable_is_rejected(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        floor.store.journal, "when_durable", lambda sequence, callback, failed: failed(StoreError("disk gone"))
    )
    order = floor.buy(10)
    assert order.status is OrderStatus.REJECTED
    assert "disk gone" in order.reason
    assert floor.venue.received == 0


def test_a_journal_that_refuses_stops_the_order(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, append = floor.store.journal, floor.store.journal.append

    def full(record: object) -> int:
        if isinstance(record, OrderSubmitted):
            raise StoreError("disk full")
        return append(record)

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(StoreError):
        floor.buy(10, client_order_id="lost")
    assert floor.record["lost"].status is OrderStatus.DENIED
    assert floor.record.open_orders() == []
    assert floor.alerts.messages[-1].code == "journal_failed"
    assert floor.venue.received == 0


def test_a_venue_that_is_not_there_rejects(floor: Any) -> None:
    del floor.bus._endpoints["venue.SIM"]
    order = floor.buy(10)
    assert order.status is OrderStatus.REJECTED
    assert "nothing answers" in order.reason


def test_a_duplicate_fill_is_dropped_also_after_the_order_is_closed(floor: Any) -> None:
    order = floor.buy(10)
    fill = floor.fill_events.messages[0]
    before = floor.store.journal.last_sequence
    assert floor.manager.on_venue_event(fill) is False
    assert floor.manager.statistics().duplicate_fills == 1
    assert (order.filled_lots, floor.record.position("s", "main", "TEST.SIM")) == (10, 10)
    assert floor.store.journal.last_sequence == before
    assert not floor.alerts.messages


@pytest.mark.parametrize("changes", [{"lots": 11}, {"client_order_id": "nobody"}])
def test_a_venue_event_that_cannot_be_is_never_applied(floor: Any, changes: dict[str, Any]) -> None:
    order = floor.buy(10, 9_990)
    before = (msgspec.json.encode(order), floor.store.journal.last_sequence)
    assert floor.manager.on_venue_event(make_fill(order, **changes)) is False
    assert (msgspec.json.encode(order), floor.store.journal.last_sequence) == before
    assert floor.manager.statistics().refused_events == 1
    assert (floor.alerts.messages[-1].code, floor.alerts.messages[-1].severity) == ("order_event_refused", "critical")


def test_cancelling_twice_sends_one_request(make_floor: Callable[..., Any]) -> None:
    floor = make_floor(latency=ConstantLatency(1_000))
    floor.quote(10_000, 10_001)
    order = floor.buy(10, 9_990)
    floor.advance(1_000)
    floor.manager.cancel(order.client_order_id)
    floor.manager.cancel(order.client_order_id)
    assert len(floor.gate.commands) == 2
    floor.advance(1_000)
    assert order.status is OrderStatus.CANCELED
    with pytest.raises(Conflict, match="canceled"):
        floor.manager.cancel(order.client_order_id)


def test_a_cancel_of_an_unknown_order_is_not_found(floor: Any) -> None:
    with pytest.raises(NotFound):
        floor.manager.cancel("nobody")


def test_a_cancel_that_the_gate_refuses_can_be_asked_again(floor: Any) -> None:
    order = floor.buy(10, 9_990)
    floor.gate.denial = ("X", "no")
    floor.cancel(order)
    assert order.status is OrderStatus.ACCEPTED
    floor.gate.denial = None
    floor.cancel(order)
    assert order.status is OrderStatus.CANCELED


def test_a_cancel_does_not_overtake_its_order(make_floor: Callable[..., Any]) -> None:
    floor = make_floor(latency=ConstantLatency(1_000))
    floor.quote(10_000, 10_001)
    order = floor.manager.submit(floor.order(Side.BUY, 10, 9_990))
    floor.manager.cancel(order.client_order_id)
    floor.advance(1_000)
    assert floor.kinds(order) == ["Initialized", "Submitted", "Accepted", "Canceled"]


def test_a_modification_is_confirmed_by_the_venue(floor: Any) -> None:
    order = floor.buy(10, 9_990)
    floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, price_ticks=9_995, quantity_lots=5))
    assert order.price_ticks == 9_990
    floor.advance(0)
    assert (order.price_ticks, order.quantity_lots) == (9_995, 5)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "quantity_lots"),
        ({"quantity_lots": 0}, "quantity_lots"),
        ({"trigger_ticks": 5}, "trigger_ticks"),
        ({"price_ticks": 10**18}, "price_ticks"),
    ],
)
def test_a_modification_that_cannot_be_is_invalid(floor: Any, change: dict[str, int], field: str) -> None:
    order = floor.buy(10, 9_990)
    with pytest.raises(Invalid) as caught:
        floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, **change))
    assert caught.value.field == field


def test_a_modification_refused_at_the_venue_is_reported(floor: Any) -> None:
    order = floor.buy(10, 9_990, post_only=True)
    floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, price_ticks=10_001))
    floor.advance(0)
    assert order.price_ticks == 9_990
    assert floor.alerts.messages[-1].code == "order_command_refused"
    assert floor.manager.statistics().refused_commands == 1


def test_a_clearance_serves_once(floor: Any) -> None:
    order = floor.buy(10, 9_990)
    used = Clearance(clearance_id=1, command=order.request)
    before = len(floor.events)
    with pytest.raises(Exception, match="does not honour"):
        floor.bus.call("venue.SIM", used)
    floor.advance(0)
    assert (len(floor.events), floor.venue.refused, order.status) == (before, 1, OrderStatus.ACCEPTED)


@pytest.mark.parametrize("message", ["an order", None, 7])
def test_the_venue_takes_nothing_but_clearances(floor: Any, message: object) -> None:
    with pytest.raises(Exception, match="does not honour"):
        floor.bus.call("venue.SIM", message)
    with pytest.raises(Exception, match="does not honour"):
        floor.bus.call("venue.SIM", floor.order(Side.BUY, 1))
    assert floor.venue.working == 0


def test_a_gate_that_no_longer_honours_its_clearance_means_rejection(floor: Any) -> None:
    floor.gate.redeem = lambda clearance: False
    floor.bus._endpoints["risk.redeem"] = lambda clearance: False
    order = floor.buy(10)
    assert order.status is OrderStatus.REJECTED
    assert "does not honour" in order.reason


def test_ids_are_counted_and_do_not_collide_with_ids_given_by_hand(floor: Any) -> None:
    floor.buy(1, client_order_id="s-2")
    assert [floor.record.next_id("s"), floor.record.next_id("s")] == ["s-3", "s-4"]
    floor.buy(1, client_order_id="t-1", strategy_id="other")
    assert floor.record.next_id("t") == "t-2"


def test_the_cost_of_an_order_does_not_grow_with_history(floor: Any) -> None:
    floor.record._closed_max = 50
    for _ in range(200):
        floor.quote(10_000, 10_001, 100, floor.clock.timestamp_ns() % 7 + 50)
        floor.advance(1)
        floor.buy(1)
    assert floor.record.closed_count == 50
    assert floor.record.open_count == 0
    assert len(floor.manager._cancelling) == len(floor.manager._unsent) == 0
