import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata import OrderBook
from nautilus.errors import Invalid
from nautilus.model import Side

DELTAS = st.lists(
    st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 25), st.integers(0, 4)), max_size=120
)


@settings(deadline=None)
@given(DELTAS)
def test_it_equals_two_plain_dictionaries_after_every_delta(deltas):
    book, sides = OrderBook(), {Side.BUY: {}, Side.SELL: {}}
    for side, price, lots in deltas:
        book.apply(side, price, lots)
        sides[side][price] = lots
        bids = sorted(((p, q) for p, q in sides[Side.BUY].items() if q), reverse=True)
        asks = sorted((p, q) for p, q in sides[Side.SELL].items() if q)
        assert book.bids() == tuple(bids)
        assert book.asks() == tuple(asks)
        assert book.bids(3) == tuple(bids[:3])
        assert (book.best_bid, book.bid_lots) == (bids[0] if bids else (None, 0))
        assert (book.best_ask, book.ask_lots) == (asks[0] if asks else (None, 0))
        assert book.is_crossed == bool(bids and asks and bids[0][0] > asks[0][0])
        assert book.is_locked == bool(bids and asks and bids[0][0] == asks[0][0])
        assert len(book) == len(bids) + len(asks)


def test_memory_stays_bounded_while_the_best_price_runs_away():
    book = OrderBook()
    for price in range(1, 20_000):
        book.apply(Side.BUY, price, 1)
        if price > 1:
            book.apply(Side.BUY, price - 1, 0)
        book.apply(Side.SELL, 50_000 - price, 1)
        book.apply(Side.SELL, 50_001 - price, 0)
    assert len(book) == 2
    assert len(book._bid_heap) < 200
    assert len(book._ask_heap) < 200


def test_a_snapshot_replaces_everything():
    book = OrderBook()
    book.apply(Side.BUY, 5, 1)
    book.replace([(3, 2), (4, 1)], [(6, 7)])
    assert book.bids() == ((4, 1), (3, 2))
    assert book.asks() == ((6, 7),)
    assert book.size_at(Side.BUY, 5) == 0


def test_derived_prices():
    book = OrderBook()
    assert book.mid is None
    assert book.microprice is None
    assert book.imbalance() is None
    book.replace([(99, 30), (98, 10)], [(101, 10), (102, 10)])
    assert book.mid == 100.0
    assert book.microprice == (99 * 10 + 101 * 30) / 40
    assert book.imbalance() == 0.5
    assert book.imbalance(2) == 20 / 60
    assert book.level_counts == (2, 2)


def test_vwap_to_size_walks_the_levels():
    book = OrderBook()
    book.replace([(99, 30), (98, 10)], [(101, 10), (102, 10)])
    assert book.vwap_to_size(Side.BUY, 15) == (10 * 101 + 5 * 102) / 15
    assert book.vwap_to_size(Side.SELL, 40) == (30 * 99 + 10 * 98) / 40
    assert book.vwap_to_size(Side.SELL, 41) is None
    with pytest.raises(Invalid):
        book.vwap_to_size(Side.BUY, 0)
    with pytest.raises(Invalid):
        book.vwap_to_size(Side.NONE, 1)
