"""Dependence measures against slow obvious versions and on processes whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.features.dependence import difference_weights, weighted_window
from nautilus.engines.features.registry import bind


def path(moves):
    return 100 * np.exp(np.cumsum(np.concatenate([[0.0], moves])))


@pytest.mark.parametrize("lag", [1, 2, 7])
def test_autocorrelation_is_pearsons_of_the_pairs(inputs, lag):
    close = inputs["bars.close"]
    r = np.diff(np.log(close))
    expected = np.corrcoef(r[-50:], r[-50 - lag : -lag])[0, 1]
    assert bind("autocorrelation", window=50, lag=lag).batch(close)[-1] == pytest.approx(expected, rel=1e-8)


def test_autocorrelation_of_a_constant_growth_is_not_defined():
    assert np.isnan(bind("autocorrelation", window=10).batch(path(np.full(30, 1e-3)))).all()


def test_variance_ratio_by_its_definition(inputs):
    close, n, q = inputs["bars.close"], 60, 5
    r = np.diff(np.log(close))[-n:]
    mean = r.mean()
    long = np.convolve(r, np.ones(q), "valid")
    short_variance = ((r - mean) ** 2).sum() / (n - 1)
    long_variance = ((long - q * mean) ** 2).sum() / (q * (n - q + 1) * (1 - q / n))
    got = bind("variance_ratio", window=n, periods=q).batch(close)[-1]
    assert got == pytest.approx(long_variance / short_variance, rel=1e-8)


def test_variance_ratio_tells_trends_from_reversals():
    noise = np.random.default_rng(2).normal(0, 1e-3, 5_001)
    ratio = bind("variance_ratio", window=4_900, periods=5)
    assert ratio.batch(path(noise))[-1] == pytest.approx(1.0, abs=0.12)
    assert ratio.batch(path(noise[1:] + 0.5 * noise[:-1]))[-1] > 1.3
    assert ratio.batch(path(noise[1:] - 0.5 * noise[:-1]))[-1] < 0.7


def test_hurst_exponent_of_a_random_walk_is_a_half():
    noise = np.random.default_rng(3).normal(0, 1e-3, 20_000)
    hurst = bind("hurst_exponent", window=19_000)
    assert hurst.batch(path(noise))[-1] == pytest.approx(0.5, abs=0.03)
    assert hurst.batch(100 * np.exp(noise))[-1] == pytest.approx(0.0, abs=0.03)


def test_correlation_and_beta_of_two_prices(inputs):
    x, y = inputs["bars.close"], inputs["bars.open"]
    a, b = np.diff(np.log(x))[-40:], np.diff(np.log(y))[-40:]
    assert bind("correlation", window=40).batch(x, y)[-1] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9)
    assert bind("beta", window=40).batch(x, y)[-1] == pytest.approx(np.polyfit(b, a, 1)[0], rel=1e-9)
    assert bind("correlation", window=40).batch(x, x)[-1] == pytest.approx(1.0)


def test_seasonal_ratio_compares_with_the_same_point_of_earlier_cycles():
    volume = np.array([10.0, 20.0, 30.0, 10.0, 20.0, 30.0, 40.0])
    got = bind("seasonal_ratio", period=3, cycles=2).batch(volume)
    assert got[-1] == 40.0 / 10.0
    assert np.isnan(got[:6]).all()


@given(st.floats(0.0, 2.0), st.integers(1, 60))
def test_difference_weights_are_binomial_coefficients(order, limit):
    weights = difference_weights(order, 1e-12, limit)
    product = 1.0
    for k, weight in enumerate(weights):
        assert weight == pytest.approx(product, rel=1e-9, abs=1e-15)
        product *= -(order - k) / (k + 1)


def test_fractional_difference_of_whole_order_is_the_difference(inputs):
    close = inputs["bars.close"]
    assert (bind("fractional_difference", order=0.0).batch(close) == close).all()
    assert (bind("fractional_difference", order=1.0).batch(close)[1:] == close[1:] - close[:-1]).all()


def test_fractional_difference_undoes_fractional_integration():
    noise = np.random.default_rng(8).normal(0, 1, 3_000)
    integrated = np.convolve(noise, difference_weights(-0.4, 1e-300, 3_000))[:3_000]
    recovered = bind("fractional_difference", order=0.4, threshold=1e-6, limit=1_000).batch(integrated)
    defined = ~np.isnan(recovered)
    assert np.corrcoef(recovered[defined], noise[defined])[0, 1] > 0.99


def test_weighted_window_kernel_equals_its_reference(inputs):
    weights = difference_weights(0.4, 1e-3, 50)
    close = inputs["bars.close"]
    expected = weighted_window.reference(close, len(weights), weights)
    np.testing.assert_allclose(weighted_window(close, len(weights), weights), expected, rtol=1e-10)
