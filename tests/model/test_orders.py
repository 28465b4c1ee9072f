"""The order state machine: which events each status admits, and what never happens whatever the events are."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.errors import Conflict
from nautilus.model.enums import OrderStatus, OrderType, Side
from nautilus.model.orders import (
    TRANSITIONS,
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

LEGAL = """
initialized       denied submitted
submitted         accepted rejected filled canceled expired
accepted          modified filled canceled expired
partially_filled  modified filled canceled expired
rejected          filled
canceled          filled
expired           filled
"""
"""Every transition there is, written out by hand. What is over admits only a trade of which the venue tells late."""

COMMON = {"client_order_id": "o", "strategy_id": "s", "account_id": "a", "instrument_id": "TEST.SIM", "ts_init": 0}


def new_order(lots: int = 100) -> Order:
    request = SubmitOrder(
        client_order_id="o",
        strategy_id="s",
        account_id="a",
        instrument_id="TEST.SIM",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity_lots=lots,
        price_ticks=10,
    )
    return Order.from_initialized(OrderInitialized(order=request, ts_event=0, **COMMON))


def make_event(kind: str, time: int = 1, lots: int = 10, trade: int = 1) -> OrderEvent:
    common: dict[str, Any] = {**COMMON, "ts_event": time}
    match kind:
        case "denied":
            return OrderDenied(code="C", reason="because", **common)
        case "submitted":
            return OrderSubmitted(**common)
        case "accepted":
            return OrderAccepted(venue_order_id="v", **common)
        case "rejected":
            return OrderRejected(reason="because", **common)
        case "modified":
            return OrderModified(quantity_lots=lots, price_ticks=lots, trigger_ticks=None, **common)
        case "canceled":
            return OrderCanceled(reason="because", **common)
        case "expired":
            return OrderExpired(**common)
    return OrderFilled(
        venue_order_id="v",
        trade_id=f"t{trade}",
        side=Side.BUY,
        quantity_lots=lots,
        price_ticks=10 + trade,
        fee="0",
        currency="USD",
        liquidity="maker",
        rule="test",
        **common,
    )


KINDS = ("denied", "submitted", "accepted", "rejected", "modified", "canceled", "expired", "filled")
events = st.builds(make_event, st.sampled_from(KINDS), st.integers(1, 99), st.integers(-5, 120), st.integers(1, 6))


def at(status: OrderStatus) -> Order:
    """An order that has come to a status the shortest way."""
    order = new_order()
    ways = {
        OrderStatus.INITIALIZED: (),
        OrderStatus.DENIED: ("denied",),
        OrderStatus.SUBMITTED: ("submitted",),
        OrderStatus.REJECTED: ("submitted", "rejected"),
        OrderStatus.ACCEPTED: ("submitted", "accepted"),
        OrderStatus.PARTIALLY_FILLED: ("submitted", "accepted", "filled"),
        OrderStatus.CANCELED: ("submitted", "accepted", "canceled"),
        OrderStatus.EXPIRED: ("submitted", "accepted", "expired"),
    }
    for kind in ways.get(status, ("submitted", "accepted")):
        order.apply(make_event(kind, trade=9))
    if status is OrderStatus.FILLED:
        order.apply(make_event("filled", lots=100, trade=9))
    assert order.status is status
    return order


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", list(OrderStatus))
def test_every_transition_is_legal_or_refused_as_written(status: OrderStatus, kind: str) -> None:
    allowed = {line.split()[0]: line.split()[1:] for line in LEGAL.strip().splitlines()}
    order = at(status)
    before = msgspec.json.encode(order)
    event = make_event(kind, lots=20)
    if kind == "accepted" and order.venue_order_id == event.venue_order_id:
        assert order.apply(event) is False, "an acceptance that is known says nothing new"
        assert msgspec.json.encode(order) == before
    elif kind in allowed.get(status.value, []):
        assert order.apply(event) is True
        assert msgspec.json.encode(order) != before
    else:
        with pytest.raises(Conflict, match=f"is {status}"):
            order.apply(event)
        assert msgspec.json.encode(order) == before


def test_terminal_statuses_admit_a_late_fill_at_most() -> None:
    admitted = {kind for status, kinds in TRANSITIONS.items() if status.is_terminal for kind in kinds}
    assert admitted == {OrderFilled}
    assert not TRANSITIONS.keys() & {OrderStatus.FILLED, OrderStatus.DENIED}


def test_a_late_fill_counts_and_does_not_bring_the_order_back() -> None:
    order = at(OrderStatus.CANCELED)
    assert order.apply(make_event("filled", lots=40, trade=1))
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 40)
    assert order.apply(make_event("filled", lots=60, trade=2))
    assert order.status is OrderStatus.FILLED


def test_a_fill_may_come_before_the_acceptance() -> None:
    order = at(OrderStatus.SUBMITTED)
    assert order.apply(make_event("filled", lots=40))
    assert not order.apply(make_event("accepted"))
    assert order.status is OrderStatus.PARTIALLY_FILLED


@given(st.lists(events, max_size=40))
def test_invariants_hold_after_any_sequence_of_events(script: list[OrderEvent]) -> None:
    order = new_order()
    trades: dict[str, OrderFilled] = {}
    history = [order.status]
    for event in script:
        before = msgspec.json.encode(order)
        try:
            applied = order.apply(event)
        except Conflict:
            applied = False
        if not applied:
            assert msgspec.json.encode(order) == before, "a refused event changes nothing"
            continue
        if isinstance(event, OrderFilled):
            assert event.trade_id not in trades, "a trade counts once"
            trades[event.trade_id] = event
        history.append(order.status)
        assert order.filled_lots == sum(fill.quantity_lots for fill in trades.values())
        assert order.filled_value == sum(fill.quantity_lots * fill.price_ticks for fill in trades.values())
        assert order.trade_ids == {name: fill.quantity_lots for name, fill in trades.items()}
        assert 0 <= order.filled_lots <= order.quantity_lots
        assert (order.status is OrderStatus.FILLED) == (order.remaining_lots == 0)
        assert order.ts_last == event.ts_event
    after_the_end = {after for before, after in pairwise(history) if before.is_terminal and after is not before}
    assert after_the_end <= {OrderStatus.FILLED}, "no order comes back from its end"
    if history[-1] is OrderStatus.PARTIALLY_FILLED:
        assert trades


@given(st.lists(events, max_size=30))
def test_replaying_what_was_applied_gives_the_same_order(script: list[OrderEvent]) -> None:
    order, applied = new_order(), []
    for event in script:
        try:
            if order.apply(event):
                applied.append(event)
        except Conflict:
            continue
    again = new_order()
    decoder = msgspec.msgpack.Decoder(OrderEvent)
    for event in applied:
        assert again.apply(decoder.decode(msgspec.msgpack.encode(event)))
    assert again == order


def test_a_known_fill_is_ignored_in_every_later_status() -> None:
    order = at(OrderStatus.PARTIALLY_FILLED)
    fill = make_event("filled", trade=9)
    assert order.apply(fill) is False
    order.apply(make_event("canceled"))
    assert order.apply(fill) is False
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 10)


def test_the_average_price_is_weighted_by_volume() -> None:
    order = at(OrderStatus.ACCEPTED)
    assert order.average_price_ticks is None
    order.apply(make_event("filled", lots=30, trade=1))
    order.apply(make_event("filled", lots=10, trade=5))
    assert order.average_price_ticks == (30 * 11 + 10 * 15) / 40
    assert order.remaining_lots == 60


def test_a_modification_below_what_is_filled_is_refused() -> None:
    order = at(OrderStatus.PARTIALLY_FILLED)
    with pytest.raises(Conflict, match="10 lots are filled"):
        order.apply(make_event("modified", lots=10))
    order.apply(make_event("modified", lots=11))
    assert (order.remaining_lots, order.price_ticks) == (1, 11)
