import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import poisson

from nautilus.engines.enhanced_vpin import PinParameters, estimate_pin, log_likelihood
from nautilus.engines.enhanced_vpin.pin import _array, _value_and_gradient, starting_points
from nautilus.errors import Invalid

TRUTH = PinParameters(alpha=0.35, delta=0.4, mu=120.0, epsilon_b=200.0, epsilon_s=180.0)


def days(parameters, count, seed=0):
    generator = np.random.default_rng(seed)
    news = generator.random(count) < parameters.alpha
    bad = news & (generator.random(count) < parameters.delta)
    buys = generator.poisson(parameters.epsilon_b + parameters.mu * (news & ~bad))
    sells = generator.poisson(parameters.epsilon_s + parameters.mu * bad)
    return buys.astype(float), sells.astype(float)


def test_the_likelihood_is_the_mixture_of_three_poisson_pairs():
    buys, sells = days(PinParameters(0.4, 0.5, 8.0, 5.0, 6.0), 20)
    p = PinParameters(0.3, 0.6, 7.0, 4.0, 5.0)
    rates = [
        (p.alpha * p.delta, p.epsilon_b, p.epsilon_s + p.mu),
        (p.alpha * (1 - p.delta), p.epsilon_b + p.mu, p.epsilon_s),
        (1 - p.alpha, p.epsilon_b, p.epsilon_s),
    ]
    density = sum(w * poisson.pmf(buys, b) * poisson.pmf(sells, s) for w, b, s in rates)
    assert log_likelihood(p, buys, sells) == pytest.approx(np.log(density).sum(), rel=1e-12)


def test_the_gradient_is_that_of_the_likelihood():
    buys, sells = days(TRUTH, 40)
    point = _array(PinParameters(0.3, 0.6, 100.0, 190.0, 170.0))
    numerical = approx_fprime(point, lambda x: _value_and_gradient(x, buys, sells)[0], 1e-7 * point)
    np.testing.assert_allclose(_value_and_gradient(point, buys, sells)[1], numerical, rtol=2e-3)


def test_active_stocks_do_not_overflow():
    buys, sells = np.array([250_000.0, 300_000.0]), np.array([260_000.0, 240_000.0])
    assert np.isfinite(log_likelihood(PinParameters(0.5, 0.5, 40_000.0, 2.6e5, 2.5e5), buys, sells))


@pytest.mark.parametrize("seed", range(4))
def test_a_known_pin_is_recovered_within_its_confidence_interval(seed):
    estimate = estimate_pin(*days(TRUTH, 400, seed))
    assert abs(estimate.pin - TRUTH.pin) < 3 * estimate.standard_error
    assert estimate.standard_error < 0.02


def test_the_estimate_beats_the_truth_in_likelihood():
    buys, sells = days(TRUTH, 60)
    assert estimate_pin(buys, sells).log_likelihood >= log_likelihood(TRUTH, buys, sells)


def test_every_start_keeps_the_mean_counts():
    buys, sells = days(TRUTH, 60)
    for start in starting_points(buys, sells):
        assert start.alpha * (1 - start.delta) * start.mu + start.epsilon_b == pytest.approx(buys.mean())
        assert start.alpha * start.delta * start.mu + start.epsilon_s == pytest.approx(sells.mean())


def test_an_edge_of_the_parameter_space_has_no_standard_error():
    generator = np.random.default_rng(0)
    estimate = estimate_pin(generator.poisson(100, 30).astype(float), np.full(30, 2.0))
    assert 0.0 <= estimate.pin < 1.0


@pytest.mark.parametrize(
    ("buys", "sells"),
    [
        ([1.0], [1.0]),
        ([1.0, 2.0], [1.0]),
        ([1.0, -1.0], [1.0, 1.0]),
        ([1.0, np.nan], [1.0, 1.0]),
        ([0.0, 0.0], [1.0, 1.0]),
    ],
)
def test_impossible_counts_are_refused(buys, sells):
    with pytest.raises(Invalid):
        estimate_pin(np.array(buys), np.array(sells))
