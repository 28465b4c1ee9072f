import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin.usual import Usual


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=40))
def test_within_the_span_it_is_the_plain_mean_and_deviation(values):
    usual = Usual(span=100, minimum=1)
    for value in values:
        usual.add(value)
    assert usual.mean == pytest.approx(np.mean(values), abs=1e-9)
    if np.std(values) > 1e-3:
        assert usual.deviations(50.0) == pytest.approx((50.0 - np.mean(values)) / np.std(values), rel=1e-6)


def test_beyond_the_span_old_values_fade():
    usual = Usual(span=10, minimum=1)
    for value in [0.0] * 1000 + [8.0] * 100:
        usual.add(value)
    assert usual.mean == pytest.approx(8.0, abs=1e-3)


def test_what_is_not_known_is_none():
    usual = Usual(span=10, minimum=3)
    usual.add(1.0)
    usual.add(1.0)
    assert (usual.mean, usual.ratio(1.0), usual.deviations(1.0)) == (None, None, None)
    usual.add(1.0)
    assert usual.ratio(2.0) == 2.0
    assert usual.deviations(2.0) is None  # nothing has varied yet
