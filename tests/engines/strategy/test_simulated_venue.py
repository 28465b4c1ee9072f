"""The simulated venue against a slow, obvious one; latency; restarts; determinism."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.strategy.latency import ConstantLatency, SampledLatency
from nautilus.engines.strategy.order_record import OrderRecord
from nautilus.model import OrderAccepted, OrderFilled, OrderStatus, Side, TimeInForce
from nautilus.testing import START_NS
from tests.engines.strategy.floor import Floor
from tests.engines.strategy.slow_venue import SlowVenue

MILLISECOND = 1_000_000
prices = st.integers(96, 104)
lots = st.integers(1, 12)
sides = st.sampled_from([Side.BUY, Side.SELL])
actions = st.one_of(
    st.tuples(st.just("quote"), prices, prices, lots, lots),
    st.tuples(st.just("trade"), prices, lots, st.sampled_from([Side.BUY, Side.SELL, Side.NONE])),
    st.tuples(st.just("limit"), sides, lots, prices),
    st.tuples(st.just("market"), sides, lots),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
)


def random_script(seed: int) -> list[Any]:
    """A long one, in which rare combinations come up."""
    random = Random(seed)
    sides = (Side.BUY, Side.SELL)
    makers: tuple[Callable[[], tuple[Any, ...]], ...] = (
        lambda: ("quote", *random.choices(range(96, 105), k=2), *random.choices(range(1, 13), k=2)),
        lambda: ("trade", random.randint(96, 104), random.randint(1, 12), random.choice(list(Side))),
        lambda: ("limit", random.choice(sides), random.randint(1, 12), random.randint(96, 104)),
        lambda: ("market", random.choice(sides), random.randint(1, 12)),
        lambda: ("cancel", random.randint(0, 40)),
    )
    return [random.choices(makers, (4, 2, 2, 1, 1))[0]() for _ in range(150)]


@given(st.one_of(st.lists(actions, max_size=60), st.builds(random_script, st.integers(0, 10**6))))
def test_the_venue_fills_as_a_slow_obvious_one_does(script: list[Any]) -> None:
    floor, slow = Floor(), SlowVenue()
    floor.quote(100, 101, 10, 10)
    slow.quote(100, 101, 10, 10)
    orders: list[Any] = []
    for what, *values in script:
        seen = len(floor.fill_events)
        if what == "quote":
            floor.quote(*values)
            slow.quote(*values)
        elif what == "trade":
            floor.trade(*values)
            slow.trade(*values)
        elif what == "cancel":
            if values[0] >= len(orders) or not orders[values[0]].is_open:
                continue
            floor.cancel(orders[values[0]])
            slow.cancel(orders[values[0]].client_order_id)
        else:
            side, size, price = (*values, None)[:3]
            orders.append(floor.send(side, size, price))
            slow.enter(orders[-1].client_order_id, side, size, price)
        filled: Counter[tuple[str, int]] = Counter()
        for fill in floor.fill_events.messages[seen:]:
            filled[fill.client_order_id, fill.price_ticks] += fill.quantity_lots
        assert filled == slow.fills
        assert not floor.errors
        assert not floor.alerts.messages
    left = {order.client_order_id: order.remaining_lots for order in orders if order.is_open}
    assert left == {order["name"]: order["left"] for order in slow.orders}


# -- latency ---------------------------------------------------------------------------------------------------------


def test_an_order_meets_the_market_of_its_arrival_not_of_its_sending(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(latency=ConstantLatency(MILLISECOND, 2 * MILLISECOND))
    floor.quote(10_000, 10_001)
    order = floor.buy(10)
    floor.advance(MILLISECOND - 1)
    floor.quote(10_004, 10_005)
    floor.advance(1)
    assert order.status is OrderStatus.SUBMITTED, "the answer is on its way"
    floor.advance(2 * MILLISECOND)
    fill = floor.fill_events.messages[0]
    assert fill.price_ticks == 10_005
    assert (fill.ts_event - START_NS, fill.ts_init - START_NS) == (MILLISECOND, 3 * MILLISECOND)


def test_even_without_latency_nothing_is_filled_inside_the_call(floor: Floor) -> None:
    order = floor.manager.submit(floor.order(Side.BUY, 10))
    assert order.status is OrderStatus.SUBMITTED
    floor.advance(0)
    assert order.status is OrderStatus.FILLED


def test_sampled_latency_is_repeatable_and_keeps_the_order_of_messages(make_floor: Callable[..., Floor]) -> None:
    def run(seed: int) -> list[tuple[str, int]]:
        floor = make_floor(latency=SampledLatency(seed, 100_000, 400_000, 1.0))
        floor.quote(10_000, 10_001)
        for _ in range(50):
            floor.buy(1, 9_990)
        floor.advance(1_000 * MILLISECOND)
        return [
            (event.client_order_id, event.ts_init)
            for event in floor.events.messages
            if isinstance(event, OrderAccepted)
        ]

    one = run(1)
    assert [name for name, _ in one] == [f"s-{number}" for number in range(1, 51)]
    assert one == run(1)
    assert one != run(2)
    assert all(moment - START_NS > 200_000 for _, moment in one)


# -- restart ---------------------------------------------------------------------------------------------------------


def restart(old: Floor) -> Floor:
    """A new floor over the records of an old one, as a node starts again after kill -9."""
    new = Floor()
    new.clock.set_time(old.clock.timestamp_ns())
    for _, record in old.store.journal.replay():
        new.store.journal.append(record)
        new.record.recover(record)
        new.venue.observe(record)
    working = new.manager.reconcile()
    new.venue.restore(working, new.record.positions())
    new.advance(0)
    return new


def test_a_restart_finds_the_same_orders_and_positions(floor: Floor) -> None:
    floor.buy(30)
    resting = floor.buy(20, 9_995)
    stop = floor.sell(30, trigger_ticks=9_900, reduce_only=True)
    partly = floor.buy(150, 10_001)
    again = restart(floor)
    assert again.record.positions() == floor.record.positions()
    assert again.record.open_orders() == floor.record.open_orders() == [resting, stop, partly]
    assert again.record.closed_orders(10) == floor.record.closed_orders(10)
    assert list(again.record.fills) == list(floor.record.fills)
    assert (again.venue.order_count, again.venue.trade_count) == (floor.venue.order_count, floor.venue.trade_count)
    assert again.record.next_id("s") == floor.record.next_id("s")


def test_restored_orders_trade_on_from_the_back_of_the_queue(floor: Floor) -> None:
    floor.buy(30)
    floor.buy(20, 10_000)
    floor.sell(30, trigger_ticks=9_900, reduce_only=True)
    floor.trade(10_000, 95, Side.SELL)
    again = restart(floor)
    again.quote(10_000, 10_001, bid_lots=60)
    again.trade(10_000, 65, Side.SELL)
    assert again.fills() == [(5, 10_000, "trade_at_resting_limit_beyond_queue")]
    again.quote(9_890, 9_891)
    assert [fill.quantity_lots for fill in again.fill_events.messages] == [5, 30, 15]
    ids = [fill.trade_id for fill in (*floor.fill_events.messages, *again.fill_events.messages)]
    assert len(set(ids)) == len(ids)


def test_what_the_venue_never_confirmed_is_closed_at_reconciliation(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(latency=ConstantLatency(MILLISECOND))
    floor.quote(10_000, 10_001)
    sent = floor.buy(10)
    initialized = floor.manager.submit(floor.order(Side.BUY, 1), refuse=("X", "x"))
    again = restart(floor)
    order = again.record[sent.client_order_id]
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "not known to the venue at reconciliation")
    assert again.record[initialized.client_order_id].status is OrderStatus.DENIED


def test_what_went_to_a_real_venue_stays_open_until_that_venue_tells(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(latency=ConstantLatency(MILLISECOND))
    floor.quote(10_000, 10_001)
    order = floor.buy(10)
    assert floor.manager.reconcile(lambda _: False) == []
    assert order.status is OrderStatus.SUBMITTED


def test_an_order_that_was_never_decided_is_denied_at_reconciliation(floor: Floor) -> None:
    order = floor.buy(10, 9_990)
    records = [record for _, record in floor.store.journal.replay()]
    again = Floor()
    again.record.recover(records[0])
    assert again.manager.reconcile() == []
    assert again.record[order.client_order_id].status is OrderStatus.DENIED
    assert again.events.messages[-1].code == "RESTART"


def test_orders_whose_time_ran_out_meanwhile_expire(floor: Floor) -> None:
    order = floor.buy(10, 9_990, time_in_force=TimeInForce.GTD, expire_ns=START_NS + 10)
    floor.clock.set_time(START_NS + 20)
    assert restart(floor).record[order.client_order_id].status is OrderStatus.EXPIRED


def test_a_snapshot_stands_for_the_records_before_it(floor: Floor) -> None:
    floor.buy(30)
    floor.buy(20, 9_995)
    record = OrderRecord()
    record.take_over(floor.record.export())
    assert record.export() == floor.record.export()
    assert record.next_id("s") == "s-3"


# -- determinism -----------------------------------------------------------------------------------------------------


def play(seed: int) -> tuple[bytes, int]:
    random = Random(seed)
    floor = Floor(latency=SampledLatency(seed, 10_000, 50_000, 0.8))
    mid = 10_000
    for _ in range(400):
        mid += random.choice((-1, 0, 1))
        floor.quote(mid, mid + random.randint(1, 2), random.randint(1, 50), random.randint(1, 50))
        if random.random() < 0.5:
            floor.trade(mid + random.randint(-2, 3), random.randint(1, 60), random.choice(list(Side)))
        side = random.choice((Side.BUY, Side.SELL))
        if random.random() < 0.3:
            floor.send(side, random.randint(1, 80), random.choice((None, mid + random.randint(-3, 3))))
        for order in floor.record.open_orders():
            if random.random() < 0.05:
                floor.manager.cancel(order.client_order_id)
        floor.advance(random.randint(1_000, 200_000))
    assert not floor.errors
    return floor.store.journal.bytes(), len(floor.fill_events)


def test_the_same_input_gives_the_same_journal_byte_for_byte() -> None:
    first, fills = play(7)
    assert fills > 100
    assert play(7)[0] == first
    assert play(8)[0] != first


def test_positions_are_the_sum_of_the_fills() -> None:
    floor = Floor()
    floor.quote(10_000, 10_001)
    floor.buy(30)
    floor.sell(70, strategy_id="other")
    total: Counter[str] = Counter()
    for fill in floor.fill_events.messages:
        assert isinstance(fill, OrderFilled)
        total[fill.strategy_id] += fill.side * fill.quantity_lots
    assert {key[0]: held for key, held in floor.record.positions().items()} == dict(total) == {"s": 30, "other": -70}
    assert floor.record.account_position("main", "TEST.SIM") == -40


def test_the_day_of_a_venue_ends_once_for_each_order(floor: Floor) -> None:
    for _ in range(3):
        floor.buy(1, 9_990, time_in_force=TimeInForce.DAY)
    floor.advance(86_400 * 10**9)
    assert {order.status for order in floor.record.closed_orders(10)} == {OrderStatus.EXPIRED}
    assert floor.clock.timer_count == 0


@pytest.mark.parametrize("instrument_id", ["NOPE.SIM", "TEST.OTHER"])
def test_an_order_for_another_market_is_refused(floor: Floor, instrument_id: str) -> None:
    with pytest.raises(Exception, match="no instrument"):
        floor.buy(1, instrument_id=instrument_id)
