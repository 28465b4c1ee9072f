import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import price_changes, time_bars

TRADES = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=40)


@given(TRADES, st.integers(1, 12))
def test_bars_equal_their_reference_even_when_times_step_back(trades, interval):
    ts, price, size = (np.array(column, dtype=np.int64) for column in zip(*trades, strict=True))
    for compiled, plain in zip(
        time_bars(ts, price, size, interval), time_bars.reference(ts, price, size, interval), strict=True
    ):
        assert compiled.tolist() == plain.tolist()


def test_no_trades_give_no_bars():
    empty = np.array([], dtype=np.int64)
    assert [len(column) for column in time_bars(empty, empty, empty, 10)] == [0, 0, 0, 0]


def test_changes_within_and_between_bars():
    first, last = np.array([10, 12, 11]), np.array([11, 12, 14])
    assert price_changes(first, last, "within").tolist() == [1, 0, 3]
    assert price_changes(first, last, "between").tolist() == [1, 1, 2]
