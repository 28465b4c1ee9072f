import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata import MatchingBook
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import Side

SIDES = st.sampled_from([Side.BUY, Side.SELL])
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("limit"), SIDES, st.integers(1, 12), st.integers(1, 9)),
        st.tuples(st.just("market"), SIDES, st.just(0), st.integers(1, 30)),
        st.tuples(st.just("reduce"), st.integers(0, 40), st.just(0), st.integers(1, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 40), st.just(0), st.just(0)),
    ),
    max_size=80,
)


class SortedLists:
    """The obvious book: one list of [price, arrival, id, lots] for each side, sorted before each use."""

    def __init__(self):
        self.orders = {Side.BUY: [], Side.SELL: []}
        self.arrival = 0

    def take(self, side, lots, limit):
        resting = self.orders[side.opposite]
        resting.sort(key=lambda order: (order[0] * side, order[1]))
        fills = []
        for order in list(resting):
            if not lots or (limit is not None and (limit - order[0]) * side < 0):
                break
            traded = min(lots, order[3])
            order[3] -= traded
            lots -= traded
            fills.append((order[2], order[0], traded, order[3]))
            if not order[3]:
                resting.remove(order)
        return fills, lots

    def limit(self, identifier, side, price, lots):
        fills, left = self.take(side, lots, price)
        if left:
            self.arrival += 1
            self.orders[side].append([price, self.arrival, identifier, left])
        return fills

    def levels(self, side):
        totals = {}
        for price, _, _, lots in self.orders[side]:
            totals[price] = totals.get(price, 0) + lots
        return tuple(sorted(totals.items(), reverse=side is Side.BUY))

    def find(self, identifier):
        return next((order for side in self.orders.values() for order in side if order[2] == identifier), None)

    def reduce(self, identifier, by):
        order = self.find(identifier)
        order[3] -= by
        if not order[3]:
            for side in self.orders.values():
                if order in side:
                    side.remove(order)


@settings(deadline=None)
@given(ACTIONS)
def test_it_matches_like_sorted_lists(actions):
    book, plain = MatchingBook(), SortedLists()
    for number, (what, first, price, lots) in enumerate(actions):
        if what == "limit":
            fills = book.limit(number, first, price, lots)
            assert [_tuple(fill) for fill in fills] == plain.limit(number, first, price, lots)
        elif what == "market":
            assert [_tuple(fill) for fill in book.market(first, lots)] == plain.take(first, lots, None)[0]
        elif plain.find(first) is None:
            with pytest.raises(NotFound):
                book.cancel(first)
        else:
            by = min(lots, plain.find(first)[3]) or plain.find(first)[3]
            if what == "cancel":
                by = plain.find(first)[3]
                book.cancel(first)
            else:
                book.reduce(first, by)
            plain.reduce(first, by)
        for side in (Side.BUY, Side.SELL):
            levels = plain.levels(side)
            assert book.depth(side, 100) == levels
            assert book.total_lots(side) == sum(size for _, size in levels)
            for level, size in levels:
                queue = sorted((order for order in plain.orders[side] if order[0] == level), key=lambda order: order[1])
                assert [(order.order_id, order.size_lots) for order in book.queue(side, level)] == [
                    (order[2], order[3]) for order in queue
                ]
                assert book.size_at(side, level) == size
        assert len(book) == sum(map(len, plain.orders.values()))
        if book.best_bid is not None and book.best_ask is not None:
            assert book.best_bid < book.best_ask


def _tuple(match):
    return match.resting_id, match.price_ticks, match.size_lots, match.resting_lots_left


def test_reducing_keeps_the_place_in_the_queue():
    book = MatchingBook()
    book.limit(1, Side.SELL, 10, 5)
    book.limit(2, Side.SELL, 10, 5)
    book.reduce(1, 4)
    assert [match.resting_id for match in book.market(Side.BUY, 2)] == [1, 2]


def test_wrong_orders_change_nothing():
    book = MatchingBook()
    book.limit(1, Side.BUY, 10, 5)
    for wrong in (
        lambda: book.limit(2, Side.NONE, 10, 1),
        lambda: book.limit(2, Side.BUY, 10, 0),
        lambda: book.limit(2, Side.BUY, 0, 1),
        lambda: book.market(Side.SELL, -1),
        lambda: book.reduce(1, 6),
        lambda: book.reduce(1, 0),
    ):
        with pytest.raises(Invalid):
            wrong()
    with pytest.raises(Conflict):
        book.limit(1, Side.SELL, 10, 5)
    assert book.depth(Side.BUY, 5) == ((10, 5),)
    assert 1 in book
    assert 2 not in book
