"""Value at risk and expected shortfall by every method, against slow obvious versions and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from nautilus.engines.risk import (
    TAIL_METHODS,
    cornish_fisher_expected_shortfall,
    cornish_fisher_is_monotone,
    cornish_fisher_value_at_risk,
    ewma_variance,
    filtered_panel,
    filtered_returns,
    historical_expected_shortfall,
    historical_value_at_risk,
    normal_expected_shortfall,
    normal_value_at_risk,
    student_expected_shortfall,
    tail_risk,
)
from nautilus.engines.risk.return_sample import moments
from nautilus.engines.risk.volatility import variance_recursion
from nautilus.errors import Invalid

returns = st.lists(st.floats(-1.0, 1.0).map(lambda value: round(value, 6)), min_size=2, max_size=200)
confidences = st.sampled_from([0.75, 0.9, 0.95, 0.975, 0.99])


@given(returns, confidences)
def test_historical_value_at_risk_is_the_smallest_loss_that_covers_the_confidence(sample, confidence):
    losses = sorted(-value for value in sample)
    count = len(losses)
    covering = next(loss for loss in losses if sum(other <= loss for other in losses) / count >= confidence - 1e-12)
    assert historical_value_at_risk(sample, confidence) == pytest.approx(covering, abs=1e-15)


@given(returns, confidences)
def test_expected_shortfall_is_the_mean_of_the_quantile_over_the_tail(sample, confidence):
    losses = sorted((-value for value in sample), reverse=True)
    left = (1.0 - confidence) * len(losses)
    tail, total = left, 0.0
    for loss in losses:
        part = min(1.0, left)
        total += part * loss
        left -= part
        if left <= 0.0:
            break
    shortfall = historical_expected_shortfall(sample, confidence)
    assert shortfall == pytest.approx(total / tail, abs=1e-9)
    assert shortfall >= historical_value_at_risk(sample, confidence) - 1e-9


@given(returns, returns, confidences)
def test_expected_shortfall_is_subadditive(first, second, confidence):
    size = min(len(first), len(second))
    a, b = np.array(first[:size]), np.array(second[:size])
    whole = historical_expected_shortfall(a + b, confidence)
    parts = historical_expected_shortfall(a, confidence) + historical_expected_shortfall(b, confidence)
    assert whole <= parts + 1e-9


@pytest.mark.parametrize("confidence", [0.9, 0.975, 0.999])
def test_normal_figures_are_scipys(confidence):
    tail = 1.0 - confidence
    assert normal_value_at_risk(0.001, 0.02, confidence) == pytest.approx(-stats.norm.ppf(tail, 0.001, 0.02), rel=1e-12)
    numeric = integrate.quad(lambda u: -stats.norm.ppf(u, 0.001, 0.02), 0.0, tail)[0] / tail
    assert normal_expected_shortfall(0.001, 0.02, confidence) == pytest.approx(numeric, rel=1e-7)


def test_student_shortfall_integrates_the_quantile():
    scale = 0.02 * math.sqrt(3.0 / 5.0)
    numeric = integrate.quad(lambda u: -stats.t.ppf(u, 5, 0.001, scale), 0.0, 0.025)[0] / 0.025
    assert student_expected_shortfall(0.001, 0.02, 5.0, 0.975) == pytest.approx(numeric, rel=1e-7)
    with pytest.raises(Invalid):
        student_expected_shortfall(0.0, 0.02, 2.0)


def test_cornish_fisher_shortfall_integrates_its_own_quantile():
    mean, deviation, skewness, kurtosis = 0.001, 0.02, -0.3, 1.5

    def loss(tail: float) -> float:
        return cornish_fisher_value_at_risk(mean, deviation, skewness, kurtosis, 1.0 - tail)

    numeric = integrate.quad(loss, 0.0, 0.05, points=[1e-6, 1e-3])[0] / 0.05
    closed = cornish_fisher_expected_shortfall(mean, deviation, skewness, kurtosis, 0.95)
    assert closed == pytest.approx(numeric, rel=1e-6)


def test_cornish_fisher_without_moments_is_normal():
    assert cornish_fisher_value_at_risk(0.0, 1.0, 0.0, 0.0) == pytest.approx(normal_value_at_risk(0.0, 1.0))
    assert cornish_fisher_expected_shortfall(0.0, 1.0, 0.0, 0.0) == pytest.approx(normal_expected_shortfall(0.0, 1.0))


@given(st.floats(-3.0, 3.0), st.floats(-2.0, 12.0))
def test_the_domain_of_cornish_fisher_is_where_the_expansion_rises(skewness, kurtosis):
    z = np.linspace(-5.0, 5.0, 10_001)
    slope = 1 + z * skewness / 3 + (3 * z**2 - 3) * kurtosis / 24 - (6 * z**2 - 5) * skewness**2 / 36
    lowest = float(slope.min())
    if abs(lowest) > 1e-3:
        assert cornish_fisher_is_monotone(skewness, kurtosis) == (lowest > 0.0)


def test_outside_its_domain_cornish_fisher_is_refused():
    with pytest.raises(Invalid, match="domain"):
        cornish_fisher_value_at_risk(0.0, 1.0, 2.0, 1.0)


def test_the_compiled_recursion_is_the_plain_one():
    residuals = np.random.default_rng(3).normal(size=500)
    arguments = (residuals, 0.02, 0.08, 0.05, 0.85, 1.3)
    np.testing.assert_allclose(variance_recursion(*arguments), variance_recursion.reference(*arguments), rtol=1e-13)


def test_ewma_variance_by_hand():
    variance = ewma_variance([0.1, -0.2], 0.9, 0.04)
    assert variance.tolist() == pytest.approx([0.04, 0.9 * 0.04 + 0.1 * 0.01, 0.9 * 0.037 + 0.1 * 0.04])


def test_filtered_returns_carry_the_volatility_of_tomorrow():
    rng = np.random.default_rng(0)
    calm, wild = rng.normal(0, 0.005, 300), rng.normal(0, 0.05, 100)
    sample = np.concatenate([calm, wild])
    restated = filtered_returns(sample)
    assert restated[:300].std() > 5 * calm.std()
    loss = tail_risk(sample, "filtered_historical", 0.99).value_at_risk
    assert loss > tail_risk(sample, "historical", 0.99).value_at_risk
    np.testing.assert_array_equal(filtered_panel(np.column_stack([sample, sample]))[:, 1], restated)


def test_methods_agree_on_a_large_normal_sample():
    sample = np.random.default_rng(1).normal(0.0, 0.01, 20_000)
    exact = normal_value_at_risk(0.0, 0.01, 0.95)
    for method in TAIL_METHODS:
        risk = tail_risk(sample, method, 0.95)
        close = 0.15 if method == "filtered_historical" else 0.04
        assert risk.value_at_risk == pytest.approx(exact, rel=close), method
        assert risk.expected_shortfall > risk.value_at_risk


def test_horizon_scales_by_the_root_of_time_and_seeds_repeat():
    sample = np.random.default_rng(1).normal(0.0, 0.01, 500)
    one, ten = tail_risk(sample), tail_risk(sample, horizon=10.0)
    assert ten.value_at_risk == pytest.approx(math.sqrt(10.0) * one.value_at_risk)
    again = [tail_risk(sample, "monte_carlo", seed=7) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != tail_risk(sample, "monte_carlo", seed=8)


@pytest.mark.parametrize("method", TAIL_METHODS)
@pytest.mark.parametrize("sample", [[], [0.1], [0.1, math.nan], [[0.1], [0.2]]])
def test_bad_samples_are_refused(method, sample):
    with pytest.raises(Invalid, match="returns"):
        tail_risk(sample, method)


@pytest.mark.parametrize("method", TAIL_METHODS)
@pytest.mark.parametrize("sample", [[0.0, 0.0, 0.0], [1e-200, -1e-200], [1e6, -1e6], [1e6, 0.0, 1e-300]])
def test_extreme_samples_give_finite_figures_or_a_refusal(method, sample):
    try:
        risk = tail_risk(sample, method)
    except Invalid:
        return
    assert math.isfinite(risk.value_at_risk)
    assert math.isfinite(risk.expected_shortfall)


@pytest.mark.parametrize("confidence", [0.5, 1.0, -1.0, math.nan])
def test_confidence_must_name_a_tail(confidence):
    with pytest.raises(Invalid, match="confidence"):
        historical_value_at_risk([0.1, 0.2], confidence)


def test_moments_are_scipys():
    sample = np.random.default_rng(2).standard_t(5, 300)
    mean, deviation, skewness, kurtosis = moments(sample)
    assert mean == pytest.approx(sample.mean())
    assert deviation == pytest.approx(sample.std(ddof=1))
    assert skewness == pytest.approx(stats.skew(sample))
    assert kurtosis == pytest.approx(stats.kurtosis(sample))
