import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import buy_share, causal_buy_share, change_deviation
from nautilus.errors import Invalid

CHANGES = st.lists(st.integers(-50, 50), max_size=60).map(lambda values: np.array(values, dtype=np.float64))


@given(CHANGES, st.integers(2, 70))
def test_the_causal_share_equals_its_reference_to_the_last_bit(change, span):
    assert causal_buy_share(change, span).tolist() == causal_buy_share.reference(change, span).tolist()


@given(CHANGES)
def test_with_a_long_span_the_deviation_is_that_of_all_bars_so_far(change):
    share = causal_buy_share(change, 10_000)
    for i in range(len(change)):
        deviation = float(np.std(change[: i + 1]))
        expected = 0.5 * math.erfc(-change[i] / deviation / math.sqrt(2)) if deviation > 0 else 0.5
        assert share[i] == pytest.approx(expected, abs=1e-12)


def test_a_market_that_does_not_move_is_split_in_half():
    assert causal_buy_share(np.zeros(3), 10).tolist() == [0.5, 0.5, 0.5]
    assert buy_share(np.array([1.0, 2.0]), 0.0).tolist() == [0.5, 0.5]


def test_the_sample_deviation_counts_bars_without_trades():
    change = np.array([3.0, -1.0, 2.0])
    assert change_deviation(change, 4) == pytest.approx(np.std([3, -1, 2, 0, 0, 0, 0], ddof=1))
    with pytest.raises(Invalid):
        change_deviation(np.array([1.0]))
