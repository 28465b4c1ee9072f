"""Labels and purged folds, against slow obvious versions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.ml import fixed_horizon_returns, purged_folds, triple_barrier
from nautilus.errors import Invalid

prices = st.lists(st.floats(1.0, 100.0), min_size=2, max_size=40).map(np.array)


@given(prices, st.integers(1, 50))
def test_a_fixed_horizon_return_is_the_log_of_the_price_ratio(path: np.ndarray, horizon: int) -> None:
    found = fixed_horizon_returns(path, horizon)
    for row in range(len(path)):
        if row + horizon < len(path):
            assert found[row] == pytest.approx(np.log(path[row + horizon] / path[row]), abs=1e-12)
        else:
            assert np.isnan(found[row])


@settings(max_examples=60)
@given(prices, st.floats(0.001, 0.5), st.floats(0, 3), st.floats(0, 3), st.integers(1, 20))
def test_triple_barrier_equals_the_slow_version(
    path: np.ndarray, width: float, profit: float, loss: float, horizon: int
) -> None:
    widths = np.full(len(path), width)
    fast = triple_barrier(path, widths, profit, loss, horizon)
    slow = triple_barrier.reference(path, widths, profit, loss, horizon)
    assert fast.tolist() == slow.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), min_size=4, max_size=40),
    st.integers(2, 4),
    st.integers(0, 10),
)
def test_no_training_span_touches_the_test_span_or_its_embargo(
    spans: list[tuple[int, int]], folds: int, embargo: int
) -> None:
    ordered = sorted(spans)
    starts = np.array([start for start, _ in ordered])
    ends = starts + np.array([length for _, length in ordered])
    tested: list[int] = []
    for train, test in purged_folds(starts, ends, folds, embargo):
        tested += test.tolist()
        first, last = starts[test].min(), ends[test].max()
        for row in range(len(starts)):
            free = ends[row] < first or starts[row] > last + embargo
            assert (row in train) == free
    assert tested == list(range(len(starts)))


def test_impossible_requests_name_the_argument() -> None:
    rows = np.arange(5)
    for folds, starts, ends, field in ((1, rows, rows, "folds"), (2, rows[::-1], rows, "starts")):
        with pytest.raises(Invalid) as caught:
            list(purged_folds(starts, ends, folds))
        assert caught.value.field == field
    with pytest.raises(Invalid, match="prices"):
        fixed_horizon_returns(np.array([1.0, 0.0]), 1)
