from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.level3_book import Level3Book, QueuePosition
from nautilus.engines.marketdata.order_events import OrderAction
from nautilus.errors import Invalid, NotFound
from nautilus.model import Side

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 1, 2, 2, 3, 3, 4, 5]),
        st.integers(1, 12),
        st.sampled_from([1, -1]),
        st.integers(1, 6),
        st.integers(1, 5),
    ),
    max_size=80,
)


@dataclass
class _Order:
    order_id: int
    side: int
    price: int
    lots: int


class SlowBook:
    """One list of orders in the order of their priority: nothing to get wrong."""

    def __init__(self):
        self.orders = []

    def apply(self, action, order_id, side, price, lots):
        known = next((order for order in self.orders if order.order_id == order_id), None)
        if action == OrderAction.CLEAR:
            self.orders = []
        elif action == OrderAction.ADD or (action == OrderAction.MODIFY and known is None):
            self.orders = [order for order in self.orders if order is not known]
            self.orders.append(_Order(order_id, side, price, lots))
        elif known is None or action == OrderAction.NONE:
            return
        elif action == OrderAction.DELETE or (action == OrderAction.REDUCE and known.lots <= lots):
            self.orders.remove(known)
        elif action == OrderAction.REDUCE:
            known.lots -= lots
        else:
            loses_place = (known.side, known.price) != (side, price) or lots > known.lots
            known.side, known.price, known.lots = side, price, lots
            if loses_place:
                self.orders.remove(known)
                self.orders.append(known)

    def levels(self, side):
        totals = {}
        for order in self.orders:
            if order.side == side:
                totals[order.price] = totals.get(order.price, 0) + order.lots
        return tuple(sorted(totals.items(), key=lambda level: -side * level[0]))

    def queue(self, side, price):
        return [(order.order_id, order.lots) for order in self.orders if (order.side, order.price) == (side, price)]


@given(EVENTS)
def test_it_equals_one_plain_list_of_orders_after_every_event(events):
    book, slow = Level3Book(), SlowBook()
    for event in events:
        book.apply(*event)
        slow.apply(*event)
        bids, asks = slow.levels(1), slow.levels(-1)
        assert (book.bids(), book.asks(), book.bids(2)) == (bids, asks, bids[:2])
        assert (book.best_bid, book.bid_lots) == (bids[0] if bids else (None, 0))
        assert (book.best_ask, book.ask_lots) == (asks[0] if asks else (None, 0))
        assert book.is_crossed == bool(bids and asks and bids[0][0] > asks[0][0])
        assert len(book) == len(slow.orders)
        for side, levels in ((1, bids), (-1, asks)):
            for price, lots in levels:
                queue = slow.queue(side, price)
                assert [(order.order_id, order.size_lots) for order in book.queue(side, price)] == queue
                assert book.size_at(side, price) == lots
                for place, (order_id, _) in enumerate(queue):
                    ahead = QueuePosition(place, sum(size for _, size in queue[:place]))
                    assert book.queue_position(order_id) == ahead
                    assert book.order(order_id).price_ticks == price


def test_an_order_keeps_its_place_unless_it_grows_or_moves():
    book = Level3Book()
    for order_id in (1, 2, 3):
        book.add(order_id, Side.BUY, 99, 10)
    book.modify(1, Side.BUY, 99, 4)
    assert [order.order_id for order in book.queue(Side.BUY, 99)] == [1, 2, 3]
    book.modify(1, Side.BUY, 99, 5)
    assert [order.order_id for order in book.queue(Side.BUY, 99)] == [2, 3, 1]
    book.modify(2, Side.BUY, 98, 5)
    book.modify(2, Side.BUY, 99, 5)
    assert [order.order_id for order in book.queue(Side.BUY, 99)] == [3, 1, 2]


def test_what_a_feed_should_never_send_is_counted():
    book = Level3Book()
    book.add(1, Side.BUY, 99, 10)
    book.add(1, Side.SELL, 101, 4)
    book.modify(2, Side.SELL, 102, 4)
    book.delete(9)
    book.reduce(9, 1)
    book.modify(9, Side.SELL, 1, 0)
    book.reduce(2, 5)
    faults = book.faults
    assert (faults.duplicate_adds, faults.unknown_modifies) == (1, 1)
    assert (faults.unknown_orders, faults.excess_reductions) == (3, 1)
    assert book.asks() == ((101, 4),)
    assert book.bids() == ()


def test_wrong_calls_are_refused_and_change_nothing():
    book = Level3Book()
    book.add(1, Side.BUY, 99, 10)
    for call in (
        lambda: book.add(1, Side.BUY, 99, 0),
        lambda: book.apply(1, 2, 1, 99, -1),
        lambda: book.modify(1, Side.BUY, 99, -1),
        lambda: book.reduce(1, -1),
        lambda: book.apply(6, 1, 1, 99, 1),
    ):
        with pytest.raises(Invalid):
            call()
    assert book.bids() == ((99, 10),)
    assert book.faults.total == 0
    for call in (book.order, book.queue_position):
        with pytest.raises(NotFound):
            call(5)


def test_memory_stays_bounded_while_the_price_runs_away():
    book = Level3Book()
    for price in range(1, 20_000):
        book.apply(1, price, 1, price, 1)
        if price > 1:
            book.apply(4, price - 1, 1, price - 1, 0)
    assert book.bids() == ((19_999, 1),)
    assert len(book._bids.levels) == len(book._bids.heap) < 200
