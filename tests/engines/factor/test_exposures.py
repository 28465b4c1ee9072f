"""Standardised exposures and style scores."""

import numpy as np
import pytest

from nautilus.engines.factor.exposures import (
    exponential_weights,
    momentum_scores,
    one_hot,
    size_scores,
    standardize,
    value_scores,
)


def test_weights_halve_every_half_life():
    weights = exponential_weights(50, 7)
    assert weights[-1] == 1.0
    np.testing.assert_allclose(weights[7:], 2 * weights[:-7])
    with pytest.raises(ValueError, match="at least 1"):
        exponential_weights(0, 1)


def test_standardised_exposures_have_cap_weighted_mean_zero_and_unit_deviation():
    rng = np.random.default_rng(0)
    x, caps = rng.normal(3, 2, (4, 30)), np.exp(rng.normal(0, 1, (4, 30)))
    x[1, 4], caps[2, 5] = np.nan, np.nan
    scores = standardize(x, caps)
    assert np.isnan([scores[1, 4], scores[2, 5]]).all()
    weights = np.where(np.isnan(scores), 0, np.nan_to_num(caps))
    np.testing.assert_allclose((weights * np.nan_to_num(scores)).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.nansum(scores**2, axis=1) / ((~np.isnan(scores)).sum(axis=1) - 1), 1)


def test_momentum_of_one_asset_by_hand():
    returns = np.random.default_rng(1).normal(0, 0.01, (12, 5))
    scores = momentum_scores(returns, window=4, half_life=2.0, lag=3, winsor_share=0.0)
    weights = 0.5 ** (np.array([3, 2, 1, 0]) / 2.0)
    raw = np.prod(1 + returns[5:9] * weights[:, None], axis=0) - 1
    np.testing.assert_allclose(scores[11], (raw - raw.mean()) / raw.std(ddof=1))
    assert np.isnan(scores[:6]).all()
    assert np.isfinite(scores[6:]).all()
    assert np.isnan(momentum_scores(returns, window=20)).all()


def test_small_companies_have_a_high_size_score():
    scores = size_scores(np.array([[1e9, 1e10, 1e11]]))
    np.testing.assert_allclose(scores, [[1.0, 0.0, -1.0]])


def test_value_is_the_mean_of_three_scores():
    rng = np.random.default_rng(2)
    book, sales, cash = (np.exp(rng.normal(size=(2, 9))) for _ in range(3))
    book[0, 3] = np.nan
    scores = value_scores(book, sales, cash)
    assert np.isnan(scores[0, 3])
    parts = [np.log(book[1]), np.log(sales[1]), cash[1]]
    mean = sum((part - part.mean()) / part.std(ddof=1) for part in parts) / 3
    np.testing.assert_allclose(scores[1], (mean - mean.mean()) / mean.std(ddof=1))


def test_membership():
    np.testing.assert_array_equal(one_hot([2, -1], 3), [[0, 0, 1], [0, 0, 0]])
