"""Realised measures against slow obvious versions, and what they are for: telling jumps from diffusion."""

import math

import numpy as np
import pytest

from nautilus.engines.features.realised import realised_kernel_path
from nautilus.engines.features.registry import bind

WINDOW = 30


def last(name, close, **parameters):
    return bind(name, window=WINDOW, **parameters).batch(close)[-1]


@pytest.fixture
def close(inputs):
    return inputs["bars.close"]


def test_sums_of_returns(close):
    r = np.diff(np.log(close))[-WINDOW:]
    assert last("realised_variance", close) == pytest.approx(r @ r, rel=1e-10)
    assert last("realised_volatility", close) == pytest.approx(math.sqrt(r @ r), rel=1e-10)
    assert last("downside_semivariance", close) == pytest.approx((r[r < 0] ** 2).sum(), rel=1e-10)
    skewness = math.sqrt(WINDOW) * (r**3).sum() / (r @ r) ** 1.5
    assert last("realised_skewness", close) == pytest.approx(skewness, rel=1e-9)
    assert last("realised_kurtosis", close) == pytest.approx(WINDOW * (r**4).sum() / (r @ r) ** 2, rel=1e-9)


def test_bipower_and_median_variance(close):
    r = np.abs(np.diff(np.log(close))[-WINDOW:])
    bipower = math.pi / 2 * WINDOW / (WINDOW - 1) * (r[1:] * r[:-1]).sum()
    assert last("bipower_variation", close) == pytest.approx(bipower, rel=1e-10)
    medians = np.median([r[2:], r[1:-1], r[:-2]], axis=0)
    scale = math.pi / (6 - 4 * math.sqrt(3) + math.pi) * WINDOW / (WINDOW - 2)
    assert last("median_realised_variance", close) == pytest.approx(scale * (medians**2).sum(), rel=1e-10)


def test_jump_statistic_by_its_definition(close):
    r = np.abs(np.diff(np.log(close))[-WINDOW:])
    variance = r @ r
    bipower = math.pi / 2 * WINDOW / (WINDOW - 1) * (r[1:] * r[:-1]).sum()
    quarticity = WINDOW * (math.pi / 2) ** 2 * WINDOW / (WINDOW - 3) * (r[3:] * r[2:-1] * r[1:-2] * r[:-3]).sum()
    spread = (math.pi**2 / 4 + math.pi - 5) / WINDOW * max(1.0, quarticity / bipower**2)
    expected = (variance - bipower) / variance / math.sqrt(spread)
    assert last("jump_statistic", close) == pytest.approx(expected, rel=1e-9)


def test_jump_statistic_is_standard_normal_without_jumps_and_large_with_one():
    rng = np.random.default_rng(5)
    jump = bind("jump_statistic", window=300)
    values = [jump.batch(100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 305))))[-1] for _ in range(400)]
    assert abs(np.mean(values)) < 0.25
    assert np.std(values) == pytest.approx(1.0, abs=0.2)
    moves = rng.normal(0, 1e-3, 305)
    moves[200] += 0.02
    path = 100 * np.exp(np.cumsum(moves))
    assert jump.batch(path)[-1] > 3
    bipower, variance = (bind(name, window=300).batch(path)[-1] for name in ("bipower_variation", "realised_variance"))
    assert bipower < 0.75 * variance


def test_realised_kernel_kernel_equals_its_reference(close):
    compiled = realised_kernel_path(close, 31, 5)
    np.testing.assert_allclose(compiled, realised_kernel_path.reference(close, 31, 5), rtol=1e-10)


def test_realised_kernel_is_robust_to_bid_ask_bounce():
    rng = np.random.default_rng(6)
    rows = 1_001
    path = np.cumsum(rng.normal(0, 1e-3, rows))
    noisy = 100 * np.exp(path + 1e-3 * rng.choice((-1.0, 1.0), rows))
    true = 1e-6 * 1_000
    naive = bind("realised_variance", window=1_000).batch(noisy)[-1]
    robust = bind("realised_kernel", window=1_000, bandwidth=15).batch(noisy)[-1]
    assert naive > 2 * true
    assert abs(robust - true) < 0.35 * true


def test_realised_kernel_without_autocovariances_is_the_realised_variance(close):
    kernel, variance = last("realised_kernel", close, bandwidth=0), last("realised_variance", close)
    assert kernel == pytest.approx(variance, rel=1e-12)
