"""Queue position against a queue that is written out lot by lot."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.strategy.queue_position import ProbabilisticQueue, RiskAverseQueue
from nautilus.engines.strategy.resting import RestingLevel, RestingSide, StopSide, WorkingOrder
from nautilus.model import OrderType, Side, SubmitOrder


def working(name: str, lots: int, price: int = 100, side: Side = Side.BUY, trigger: int | None = None) -> WorkingOrder:
    request = SubmitOrder(
        client_order_id=name,
        strategy_id="s",
        account_id="a",
        instrument_id="TEST.SIM",
        side=side,
        order_type=OrderType.LIMIT,
        quantity_lots=lots,
        price_ticks=price,
        trigger_ticks=trigger,
    )
    return WorkingOrder(request, name)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("market joins"), st.integers(1, 8)),
        st.tuples(st.just("we join"), st.integers(1, 8)),
        st.tuples(st.just("trade"), st.integers(1, 20)),
        st.tuples(st.just("back cancels"), st.integers(1, 8)),
    ),
    max_size=40,
)


@given(st.integers(0, 10), steps)
def test_risk_averse_queue_is_exact_when_cancellations_come_from_behind(displayed: int, script: Any) -> None:
    """The reference is a list with one entry for each lot: "market", or the name of our order."""
    queue = ["market"] * displayed
    level, model = RestingLevel(100, displayed), RiskAverseQueue()
    ours: dict[str, WorkingOrder] = {}
    for number, (what, lots) in enumerate(script):
        if what == "market joins":
            queue += ["market"] * lots
            level.show(queue.count("market"), model)
        elif what == "we join":
            order = working(f"o{number}", lots)
            ours[order.identifier] = order
            level.show(queue.count("market"), model)
            level.join(order, queue.count("market"))
            queue += [order.identifier] * lots
        elif what == "back cancels":
            for index in [index for index, name in enumerate(queue) if name == "market"][::-1][:lots]:
                last_of_ours = max((place for place, name in enumerate(queue) if name != "market"), default=-1)
                if index > last_of_ours:
                    del queue[index]
            level.show(queue.count("market"), model)
        else:
            taken, queue = queue[:lots], queue[lots:]
            expected = {name: taken.count(name) for name in dict.fromkeys(taken) if name != "market"}
            reached = {order.identifier: part for order, part in level.serve(lots)}
            assert reached == expected
            for order, part in [(ours[name], part) for name, part in reached.items()]:
                order.filled += part
                if not order.remaining:
                    level.orders.remove(order)
        for order in level.orders:
            place = queue.index(order.identifier)
            assert order.ahead == queue[:place].count("market")


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=30),
    st.integers(0, 50),
    st.floats(0.5, 4.0),
)
def test_an_order_never_moves_back_and_never_has_more_in_front_than_is_shown(
    changes: list[tuple[int, int]], start: int, exponent: float
) -> None:
    for model in (RiskAverseQueue(), ProbabilisticQueue(exponent)):
        level = RestingLevel(100, start)
        order = working("o", 1)
        level.join(order, start)
        before = start
        for shown, traded in changes:
            level.traded += traded
            level.show(shown, model)
            assert order.ahead is not None
            assert 0 <= order.ahead <= min(before, shown)
            before = order.ahead


def test_the_probabilistic_queue_moves_faster_than_the_risk_averse_one() -> None:
    risk_averse, probabilistic = RiskAverseQueue(), ProbabilisticQueue(1.0)
    assert probabilistic.after_change(60, 100, 90, 0) < risk_averse.after_change(60, 100, 90, 0)
    assert probabilistic.after_change(60, 100, 90, 10) == 60, "the change was trades, and they are counted already"


def test_an_order_at_a_level_that_is_not_shown_waits_to_learn_its_place() -> None:
    level, order = RestingLevel(100, None), working("o", 5)
    level.join(order, None)
    assert level.serve(50) == []
    level.show(30, RiskAverseQueue())
    assert order.ahead == 30


def test_our_levels_are_kept_best_first() -> None:
    bids, asks = RestingSide(Side.BUY), RestingSide(Side.SELL)
    for price in (100, 102, 101):
        bids.open(price, 0)
        asks.open(price, 0)
    assert (bids.best, asks.best) == (102, 100)
    assert [level.price for level in bids.not_worse_than(101)] == [102, 101]
    assert [level.price for level in asks.not_worse_than(101)] == [100, 101]


def test_stops_are_triggered_nearest_first() -> None:
    buys, sells = StopSide(Side.BUY), StopSide(Side.SELL)
    for name, trigger in (("far", 110), ("near", 105), ("near too", 105)):
        buys.add(working(name, 1, trigger=trigger))
        sells.add(working(name, 1, side=Side.SELL, trigger=200 - trigger))
    assert buys.touched(104) == []
    assert [order.identifier for order in buys.touched(110)] == ["near", "near too", "far"]
    assert [order.identifier for order in sells.touched(95)] == ["near", "near too"]
    assert len(sells.touched(90)) == 1
    assert not buys
    assert not sells
