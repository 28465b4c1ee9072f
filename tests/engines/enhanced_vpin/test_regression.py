import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import RollingRegression, regress
from nautilus.errors import Invalid

WHOLE = st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000))


def test_slope_and_error_equal_scipys():
    from scipy.stats import linregress

    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    y = 3.0 - 0.7 * x + generator.normal(size=200)
    ours, theirs = regress(x, y), linregress(x, y)
    assert ours.slope == pytest.approx(theirs.slope, rel=1e-12)
    assert ours.intercept == pytest.approx(theirs.intercept, rel=1e-12)
    assert ours.standard_error == pytest.approx(theirs.stderr, rel=1e-12)
    assert ours.r_squared == pytest.approx(theirs.rvalue**2, rel=1e-12)
    assert ours.t_statistic == pytest.approx(theirs.slope / theirs.stderr, rel=1e-12)


@given(st.lists(WHOLE, max_size=60), st.integers(3, 12))
def test_the_rolling_regression_equals_that_of_the_last_window(pairs, window):
    rolling = RollingRegression(window)
    for i, (x, y) in enumerate(pairs):
        rolling.add(x, y)
        recent = np.array(pairs[max(0, i + 1 - window) : i + 1], dtype=np.float64)
        expected, actual = regress(recent[:, 0], recent[:, 1]), rolling.estimate()
        assert (expected is None) == (actual is None)
        if expected is not None:
            assert actual.slope == pytest.approx(expected.slope, rel=1e-9, abs=1e-9)
            assert actual.r_squared == pytest.approx(expected.r_squared, abs=1e-9)
            assert actual.observations == expected.observations


def test_what_cannot_be_fitted_is_none():
    assert regress(np.ones(5), np.arange(5.0)) is None
    assert regress(np.arange(2.0), np.arange(2.0)) is None
    assert RollingRegression(5).estimate() is None


def test_wrong_shapes_are_refused():
    with pytest.raises(Invalid):
        regress(np.arange(3.0), np.arange(4.0))
    with pytest.raises(Invalid):
        RollingRegression(2)
