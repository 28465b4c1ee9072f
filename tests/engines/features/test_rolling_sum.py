"""The rolling sum: the same by rows and by columns, without drift, and free of what has left the window."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.features.rolling_sum import RollingSum, rolling_sum

values = st.lists(st.floats(-1e6, 1e6), max_size=60)
windows = st.integers(1, 20)


@given(values, windows)
def test_columns_equal_rows_to_the_last_bit(numbers, window):
    column = np.array(numbers, dtype=np.float64)
    assert rolling_sum(column, window).tobytes() == rolling_sum.reference(column, window).tobytes()


@given(values, windows)
def test_each_sum_is_within_rounding_of_the_exact_one(numbers, window):
    got = rolling_sum(np.array(numbers, dtype=np.float64), window)
    for i, total in enumerate(got):
        inside = numbers[max(0, i - window + 1) : i + 1]
        assert abs(total - math.fsum(inside)) <= len(inside) * 2**-52 * math.fsum(map(abs, inside))


def test_an_error_does_not_outlive_the_window():
    total = RollingSum(3)
    for value in (1e16, 1.0, math.nan, math.inf, 0.1, 0.2, 0.3):
        total.push(value)
    assert total.value == 0.3 + 0.2 + 0.1 or total.value == 0.1 + 0.2 + 0.3


def test_integers_are_summed_exactly():
    column = np.random.default_rng(0).integers(-1_000_000, 1_000_000, 5_000).astype(float)
    cumulative = np.concatenate([[0], np.cumsum(column.astype(np.int64))])
    assert (rolling_sum(column, 250)[249:] == cumulative[250:] - cumulative[:-250]).all()
