"""Covariance estimators, contributions and simulated returns."""

import numpy as np
import pytest

from nautilus.engines.risk import (
    correlation,
    diversification_ratio,
    ewma_covariance,
    historical_contributions,
    historical_expected_shortfall,
    incremental_value_at_risk,
    ledoit_wolf_covariance,
    normal_contributions,
    oas_covariance,
    sample_covariance,
    simulated_returns,
)
from nautilus.errors import Invalid


@pytest.fixture
def panel():
    rng = np.random.default_rng(5)
    return rng.normal(size=(250, 4)) @ rng.normal(size=(4, 4)) * 0.01


def test_sample_covariance_is_numpys(panel):
    np.testing.assert_allclose(sample_covariance(panel), np.cov(panel, rowvar=False), rtol=1e-12)


def test_ewma_covariance_is_the_weighted_sum(panel):
    weights = 0.97 ** np.arange(249, -1, -1)
    slow = sum(w * np.outer(row, row) for w, row in zip(weights, panel, strict=True)) / weights.sum()
    np.testing.assert_allclose(ewma_covariance(panel, 0.97), slow, rtol=1e-10)
    np.testing.assert_allclose(ewma_covariance(panel, 1.0), panel.T @ panel / 250, rtol=1e-10)


def test_shrinkage_follows_the_plain_formula(panel):
    centred = panel - panel.mean(axis=0)
    empirical = centred.T @ centred / 250
    mean = np.trace(empirical) / 4
    dispersion = np.sum((empirical - mean * np.eye(4)) ** 2) / 4
    noise = sum(np.sum((np.outer(row, row) - empirical) ** 2) for row in centred) / 250**2 / 4
    matrix, shrinkage = ledoit_wolf_covariance(panel)
    assert shrinkage == pytest.approx(min(noise, dispersion) / dispersion)
    np.testing.assert_allclose(matrix, (1 - shrinkage) * empirical + shrinkage * mean * np.eye(4), rtol=1e-10)


def test_shrinkage_makes_a_singular_matrix_invertible():
    panel = np.random.default_rng(0).normal(size=(10, 40))
    for estimator in (ledoit_wolf_covariance, oas_covariance):
        matrix, shrinkage = estimator(panel)
        assert 0.0 < shrinkage <= 1.0
        assert np.linalg.eigvalsh(matrix)[0] > 0.0


def test_correlation_survives_a_constant_instrument():
    panel = np.array([[0.01, 0.0], [-0.01, 0.0], [0.02, 0.0]])
    np.testing.assert_array_equal(correlation(sample_covariance(panel)), np.eye(2))


@pytest.mark.parametrize("estimator", [sample_covariance, ewma_covariance, ledoit_wolf_covariance, oas_covariance])
def test_bad_panels_are_refused(estimator):
    for bad in ([0.1, 0.2], [[np.nan, 1.0], [1.0, 2.0]], np.empty((5, 0)), np.empty((0, 2))):
        with pytest.raises(Invalid, match="returns"):
            estimator(bad)


def test_components_add_up_and_marginals_are_derivatives(panel):
    exposures, covariance = np.array([100.0, -50.0, 200.0, 0.0]), sample_covariance(panel)
    parts = normal_contributions(exposures, covariance)
    assert sum(parts.component) == pytest.approx(parts.total)
    for index in range(4):
        step = np.zeros(4)
        step[index] = 1e-4
        slope = incremental_value_at_risk(exposures, step, covariance) / 1e-4
        assert parts.marginal[index] == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_historical_components_add_up_to_the_shortfall(panel):
    exposures = np.array([100.0, -50.0, 200.0, 10.0])
    for confidence in (0.95, 0.97, 0.99, 0.999):
        parts = historical_contributions(exposures, panel, confidence)
        assert parts.total == pytest.approx(historical_expected_shortfall(panel @ exposures, confidence))
        assert sum(parts.component) == pytest.approx(parts.total)


def test_diversification():
    independent = np.diag([0.01, 0.01])
    assert diversification_ratio([1.0, 1.0], independent) == pytest.approx(np.sqrt(2.0))
    assert diversification_ratio([0.0, 0.0], independent) is None


@pytest.mark.parametrize("copula", ["normal", "student"])
@pytest.mark.parametrize("margins", ["normal", "historical"])
def test_simulated_returns_keep_margins_and_dependence(panel, copula, margins):
    draws = simulated_returns(panel, paths=60_000, seed=1, copula=copula, margins=margins)
    assert draws.shape == (60_000, 4)
    np.testing.assert_allclose(draws.std(axis=0), panel.std(axis=0), rtol=0.04)
    ours, theirs = np.corrcoef(draws, rowvar=False), np.corrcoef(panel, rowvar=False)
    np.testing.assert_allclose(ours, theirs, atol=0.06)
    repeat = simulated_returns(panel, paths=60_000, seed=1, copula=copula, margins=margins)
    np.testing.assert_array_equal(draws, repeat)


def test_the_student_copula_lets_extremes_come_together():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(400, 1))
    panel = 0.01 * (common + rng.normal(size=(400, 2)))

    def joint(copula: str) -> float:
        draws = simulated_returns(panel, paths=200_000, seed=2, copula=copula, degrees=3.0)
        return float(np.mean((draws < np.quantile(draws, 0.01, axis=0)).all(axis=1)))

    assert joint("student") > 1.5 * joint("normal")


def test_too_many_paths_are_refused(panel):
    for paths in (1, 10_000_000):
        with pytest.raises(Invalid, match="paths"):
            simulated_returns(panel, paths=paths, seed=0)
    with pytest.raises(Invalid, match="degrees"):
        simulated_returns(panel, paths=10, seed=0, copula="student", degrees=2.0)
