"""Fused chains do what their steps would one after another, and keep what is not a number to itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nautilus.accel.kernels.elementwise import softmax_weights, standardised_log_returns
from nautilus.errors import Invalid

BACKENDS = ("numpy", "numba", "mlx")


def standardised(backend, prices, limit=3.0):
    return standardised_log_returns.run(backend, standardised_log_returns.prepare(prices, limit))


def weights(backend, scores, temperature=1.0):
    return softmax_weights.run(backend, softmax_weights.prepare(scores, temperature))


@pytest.fixture
def prices():
    returns = 0.02 * np.random.default_rng(1).standard_t(3, size=(400, 5))
    return 50.0 * np.exp(np.cumsum(returns, axis=0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_chain_is_its_steps(prices, backend):
    for column in range(5):
        returns = np.diff(np.log(prices[:, column]))
        low, high = returns.mean() - 1.5 * returns.std(ddof=1), returns.mean() + 1.5 * returns.std(ddof=1)
        clipped = np.array([min(max(value, low), high) for value in returns])
        assert (clipped != returns).any()
        expected = (clipped - clipped.mean()) / clipped.std(ddof=1)
        found = standardised(backend, prices, 1.5)[:, column]
        np.testing.assert_allclose(found, expected, atol=standardised_log_returns.error_of(backend) + 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_have_mean_zero_and_deviation_one(prices, backend):
    found = np.asarray(standardised(backend, prices), np.float64)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0, ddof=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_tiny_moves_of_large_prices_keep_their_digits(backend):
    moves = np.random.default_rng(2).normal(0.0, 1e-7, size=300)
    prices = 60_000.0 * np.exp(np.cumsum(moves))[:, None]
    expected = standardised("numpy", prices)
    np.testing.assert_allclose(standardised(backend, prices), expected, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_price_that_cannot_be_spoils_its_own_column(prices, backend):
    prices[10, 1], prices[20, 3] = -1.0, np.nan
    prices[:, 4] = 7.0  # never moves
    missing = np.isnan(standardised(backend, prices))
    assert missing.all(axis=0).tolist() == [False, True, False, True, True]
    assert missing.any(axis=0).tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dates", [0, 1, 2])
def test_one_return_has_no_deviation(backend, dates):
    found = standardised(backend, np.ones((dates, 2)))
    assert found.shape == (max(dates - 1, 0), 2)
    assert np.isnan(found).all()


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
@given(
    scores=arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.floats(-1e6, 1e6)),
    temperature=st.floats(0.01, 100.0),
)
def test_weights_sum_to_one_and_follow_the_scores(backend, scores, temperature):
    found = weights(backend, scores, temperature)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert (found >= 0.0).all()
    best = scores == scores.max(axis=1, keepdims=True)
    assert (found[best] >= found.max(axis=1).repeat(best.sum(axis=1)) * (1.0 - 1e-6)).all()


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_what_is_not_a_number_spoils_its_own_row(backend):
    found = weights(backend, [[1.0, np.nan], [0.0, 0.0]])
    assert np.isnan(found).tolist() == [[True, True], [False, False]]
    assert found[1].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_limit_or_temperature_that_is_not_positive_is_refused_by_name(prices, value):
    for backend in BACKENDS:
        with pytest.raises(Invalid, match=r"^limit: must be positive"):
            standardised(backend, prices, value)
    for backend in ("numpy", "mlx"):
        with pytest.raises(Invalid, match=r"^temperature: must be positive"):
            weights(backend, [[1.0]], value)
