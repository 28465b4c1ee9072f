import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata import OrderBook, replay_deltas
from nautilus.engines.marketdata.book_replay import replay_ladder
from nautilus.model import BookDeltaColumns

ROWS = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, 2, 3, 50, 10**7, 10**9]), st.integers(0, 3)), max_size=60
)


def _columns(rows):
    side, price, lots = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    time = np.arange(len(rows))
    return BookDeltaColumns("X.Y", side, price, lots, np.ones(len(rows), np.int64), time, time)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_columns_give_the_same_book_as_one_delta_at_a_time(rows):
    history, book = replay_deltas(_columns(rows)), OrderBook()
    for row, (side, price, lots) in enumerate(rows):
        book.apply(side, price, lots)
        assert (history.bid_ticks[row], history.bid_lots[row]) == (book.best_bid or 0, book.bid_lots)
        assert (history.ask_ticks[row], history.ask_lots[row]) == (book.best_ask or 0, book.ask_lots)
    assert history.bids == book.bids()
    assert history.asks == book.asks()


def test_kernel_and_reference_agree():
    generator = np.random.default_rng(5)
    rung, side, lots = generator.integers(0, 40, 400), generator.choice([1, -1], 400), generator.integers(0, 5, 400)
    results = []
    for run in (replay_ladder, replay_ladder.reference):
        ladders, top = np.zeros((2, 40), np.int64), np.zeros((4, 400), np.int64)
        run(rung, np.arange(100, 140), side, lots, ladders[0], ladders[1], top)
        results.append((ladders, top))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
