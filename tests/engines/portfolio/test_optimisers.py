"""Each optimiser against what defines its answer, on small self-made matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.portfolio.conditional_value_at_risk import conditional_value_at_risk, minimum_cvar
from nautilus.engines.portfolio.covariance import variance_of
from nautilus.engines.portfolio.hierarchical_risk_parity import hierarchical_risk_parity
from nautilus.engines.portfolio.limits import Infeasible, Limits, LinearLimit
from nautilus.engines.portfolio.mean_variance import (
    efficient_frontier,
    maximum_diversification,
    maximum_sharpe,
    mean_variance,
    minimum_correlation,
    minimum_variance,
)
from nautilus.engines.portfolio.naive_weights import equal_weight, inverse_volatility
from nautilus.engines.portfolio.risk_budgeting import cyclical_descent, risk_budgeting, risk_contributions
from nautilus.engines.risk import ledoit_wolf_covariance, sample_covariance
from nautilus.errors import Invalid


def returns_of(seed, assets, periods=200):
    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.01, (periods, 1))
    scale = generator.uniform(0.5, 3.0, assets)
    return 0.0005 + common * scale + generator.normal(0, 0.01, (periods, assets)) * scale[::-1]


problems = st.builds(returns_of, st.integers(0, 10**6), st.integers(2, 12))


def random_weights(limits, seed=0):
    """Feasible long-only weights to compare an optimum with."""
    return np.random.default_rng(seed).dirichlet(np.full(limits, 0.5), 200)


@settings(max_examples=25, deadline=None)
@given(problems)
def test_no_long_only_weights_beat_the_optima(returns):
    covariance, mean = sample_covariance(returns), returns.mean(axis=0)
    others = random_weights(len(mean))
    variances = np.einsum("pi,ij,pj->p", others, covariance, others)
    weights = minimum_variance(covariance)
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert weights.min() >= 0.0
    assert variance_of(weights, covariance) <= variances.min() * (1 + 1e-9)
    if (mean > 0).any():
        best = maximum_sharpe(mean, covariance)
        ratio = mean @ best / np.sqrt(variance_of(best, covariance))
        assert ratio >= (others @ mean / np.sqrt(variances)).max() * (1 - 1e-8)
    tilted = mean_variance(mean, covariance, 5.0)
    utility = mean @ tilted - 2.5 * variance_of(tilted, covariance)
    assert utility >= (others @ mean - 2.5 * variances).max() - 1e-10
    diversified = maximum_diversification(covariance)
    deviations = np.sqrt(np.diagonal(covariance))
    reached = diversified @ deviations / np.sqrt(variance_of(diversified, covariance))
    assert reached >= (others @ deviations / np.sqrt(variances)).max() * (1 - 1e-8)


@settings(max_examples=25, deadline=None)
@given(problems, st.integers(0, 1000))
def test_each_asset_contributes_its_budget(returns, seed):
    covariance = sample_covariance(returns)
    budgets = np.random.default_rng(seed).uniform(0.1, 1.0, len(covariance))
    weights = risk_budgeting(covariance, budgets)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() > 0
    np.testing.assert_allclose(risk_contributions(weights, covariance), budgets / budgets.sum(), atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(problems)
def test_the_compiled_descent_equals_the_plain_one(returns):
    covariance = np.corrcoef(returns, rowvar=False)
    budgets = np.full(len(covariance), 1.0 / len(covariance))
    compiled, sweeps = cyclical_descent(covariance, budgets, 1e-12, 1000)
    plain, plain_sweeps = cyclical_descent.reference(covariance, budgets, 1e-12, 1000)
    np.testing.assert_allclose(compiled, plain, rtol=1e-10)
    assert abs(sweeps - plain_sweeps) <= 1


def test_uncorrelated_assets_have_known_answers():
    covariance = np.diag([0.01, 0.04, 0.16])
    inverse = np.array([16, 4, 1]) / 21
    np.testing.assert_allclose(minimum_variance(covariance), inverse, atol=1e-8)
    np.testing.assert_allclose(risk_budgeting(covariance), inverse_volatility(covariance), atol=1e-10)
    np.testing.assert_allclose(maximum_diversification(covariance), inverse_volatility(covariance), atol=1e-7)
    np.testing.assert_allclose(minimum_correlation(covariance), equal_weight(3), atol=1e-8)
    np.testing.assert_allclose(hierarchical_risk_parity(np.diag([0.01, 0.04])), [0.8, 0.2])
    expected = np.array([0.02, 0.02, 0.02])
    np.testing.assert_allclose(maximum_sharpe(expected, covariance), inverse, atol=1e-7)


def test_a_short_minimum_variance_has_the_closed_form():
    covariance = sample_covariance(returns_of(3, 6))
    free = np.linalg.solve(covariance, np.ones(6))
    free /= free.sum()
    limits = Limits.of(6, lower=-np.inf, upper=np.inf)
    np.testing.assert_allclose(minimum_variance(covariance, limits), free, atol=1e-6)


def test_limits_bind():
    covariance = sample_covariance(returns_of(4, 5))
    cap = LinearLimit("sector one", np.array([1.0, 1.0, 0, 0, 0]), lower=0.3, upper=0.35)
    limits = Limits.of(5, lower=0.05, upper=0.4, linear=(cap,))
    for weights in (
        minimum_variance(covariance, limits),
        maximum_sharpe(np.full(5, 0.01), covariance, 0.001, limits),
        mean_variance(np.arange(5.0), covariance, 1.0, limits),
        maximum_diversification(covariance, limits),
        minimum_cvar(returns_of(4, 5), limits=limits),
    ):
        assert weights.min() >= 0.05
        assert weights.max() <= 0.4
        assert weights.sum() == pytest.approx(1.0, abs=1e-7)
        assert 0.3 - 1e-7 <= weights[:2].sum() <= 0.35 + 1e-7


def test_the_frontier_rises_from_minimum_variance_to_maximum_return():
    returns = returns_of(8, 6)
    mean, covariance = returns.mean(axis=0), sample_covariance(returns)
    frontier = efficient_frontier(mean, covariance, 10)
    risks = np.einsum("pi,ij,pj->p", frontier, covariance, frontier)
    assert (np.diff(frontier @ mean) > 0).all()
    assert (np.diff(risks) > -1e-12).all()
    np.testing.assert_allclose(frontier[0], minimum_variance(covariance), atol=1e-9)
    assert frontier[-1] @ mean == pytest.approx(mean.max())


def test_least_cvar_is_the_least():
    returns = returns_of(5, 4, 120)
    weights = minimum_cvar(returns, 0.9)
    best = conditional_value_at_risk(weights, returns, 0.9)
    assert all(best <= conditional_value_at_risk(other, returns, 0.9) + 1e-9 for other in random_weights(4))
    with pytest.raises(Infeasible):
        minimum_cvar(returns, 0.9, Limits.of(4, upper=0.2))


def test_no_excess_return_means_no_maximum_sharpe():
    with pytest.raises(Infeasible, match="risk-free"):
        maximum_sharpe([-0.01, 0.001], np.eye(2), 0.002)


def test_shrinkage_lies_between_the_sample_and_the_identity():
    returns = returns_of(1, 10, 12)
    shrunk, _ = ledoit_wolf_covariance(returns)
    assert np.linalg.cond(shrunk) < np.linalg.cond(sample_covariance(returns))
    assert np.trace(shrunk) == pytest.approx(np.trace(np.cov(returns, rowvar=False, ddof=0)))


@pytest.mark.parametrize(
    "matrix",
    [
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 0.5], [0.1, 1.0]],
        [[0.0, 0.0], [0.0, 1.0]],
        [[-1.0]],
        [[np.nan]],
        [[1.0, 0.0]],
        [],
        [[1e200]],
    ],
)
@pytest.mark.parametrize(
    "optimise",
    [minimum_variance, risk_budgeting, hierarchical_risk_parity, inverse_volatility, maximum_diversification],
)
def test_what_is_no_covariance_is_refused(optimise, matrix):
    with pytest.raises(Invalid, match="covariance"):
        optimise(matrix)


def test_a_riskless_combination_is_refused_not_looped_over():
    with pytest.raises(Invalid, match="covariance"):
        risk_budgeting([[1.0, -1.0], [-1.0, 1.0]])


def test_hrp_of_one_asset_is_that_asset():
    assert hierarchical_risk_parity([[0.04]]).tolist() == [1.0]
