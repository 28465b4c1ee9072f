"""Paths: one result of one set of normals everywhere, and of seeds the distribution that was asked for."""

import math

import numpy as np
import pytest

from nautilus.accel.kernels.monte_carlo import correlated_prices, drawn_price_paths, price_paths
from nautilus.errors import Invalid

BACKENDS = ("numpy", "numba", "mlx")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_path_multiplies_its_steps(backend):
    normals = np.random.default_rng(1).standard_normal((50, 8))
    found = price_paths.run(backend, price_paths.prepare(normals, 50.0, 0.03, 0.4, 2.0))
    slow = np.empty_like(normals)
    for path in range(50):
        price = 50.0
        for step in range(8):
            price *= math.exp((0.03 - 0.08) * 0.25 + 0.4 * 0.5 * normals[path, step])
            slow[path, step] = price
    np.testing.assert_allclose(found, slow, rtol=price_paths.error_of(backend) + 1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_overflow_is_infinite_and_spoils_no_other_path(backend):
    found = price_paths.run(backend, price_paths.prepare([[1e6], [0.0]], 50.0, 0.0, 0.1, 1.0))
    assert found[0, 0] == math.inf
    assert found[1, 0] == pytest.approx(50.0 * math.exp(-0.005), rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_paths_of_a_seed_are_lognormal_with_independent_steps(backend):
    steps, drift, volatility, expiry = 4, 0.07, 0.3, 2.0
    paths = drawn_price_paths.run(
        backend, drawn_price_paths.prepare(5, 100_000, steps, 10.0, drift, volatility, expiry)
    )
    logs = np.diff(np.log(np.asarray(paths, np.float64) / 10.0), axis=1, prepend=0.0)
    step = expiry / steps
    standard = (logs - (drift - volatility**2 / 2) * step) / (volatility * math.sqrt(step))
    count = standard.size
    assert abs(standard.mean()) < 5 / math.sqrt(count)
    assert abs(standard.var() - 1.0) < 5 * math.sqrt(2 / count)
    assert abs((standard**3).mean()) < 5 * math.sqrt(15 / count)
    assert abs((standard**4).mean() - 3.0) < 5 * math.sqrt(96 / count)
    correlation = np.corrcoef(standard, rowvar=False)[~np.eye(steps, dtype=bool)]
    assert np.abs(correlation).max() < 5 / math.sqrt(len(standard))
    growth = paths[:, -1].mean(dtype=np.float64) / (10.0 * math.exp(drift * expiry))
    assert growth == pytest.approx(1.0, abs=5 * math.sqrt((math.exp(volatility**2 * expiry) - 1) / len(paths)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_seed_repeats_itself_and_another_differs(backend):
    one, again, other = (
        drawn_price_paths.run(backend, drawn_price_paths.prepare(seed, 5, 3, 1.0, 0.0, 0.2, 1.0)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_numpy_and_numba_draw_the_same():
    arguments = drawn_price_paths.sample(10_000)
    one, other = (drawn_price_paths.run(backend, arguments) for backend in ("numpy", "numba"))
    np.testing.assert_allclose(other, one, rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_assets_move_together_as_told(backend):
    correlation = np.array([[1.0, 0.8, -0.3], [0.8, 1.0, 0.1], [-0.3, 0.1, 1.0]])
    root = np.linalg.cholesky(correlation)
    normals = np.random.default_rng(6).standard_normal((200_000, 3))
    spots, drifts, volatilities = np.array([1.0, 50.0, 3e4]), np.array([0.0, 0.1, -0.2]), np.array([0.1, 0.3, 0.6])
    prices = correlated_prices.run(backend, correlated_prices.prepare(normals, root, spots, drifts, volatilities, 0.5))
    logs = np.log(np.asarray(prices, np.float64) / spots)
    np.testing.assert_allclose(np.corrcoef(logs, rowvar=False), correlation, atol=0.01)
    np.testing.assert_allclose(logs.std(axis=0), volatilities * math.sqrt(0.5), rtol=0.01)
    np.testing.assert_allclose(prices.mean(axis=0, dtype=np.float64), spots * np.exp(drifts * 0.5), rtol=0.005)


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_assets_of_another_number_are_refused_by_name(backend):
    three, two = np.ones(3), np.ones(2)
    for name, arguments in {
        "root": (np.eye(2), three, three, three),
        "spots": (np.eye(3), two, three, three),
        "drifts": (np.eye(3), three, two, three),
        "volatilities": (np.eye(3), three, three, two),
    }.items():
        with pytest.raises(Invalid, match=f"^{name}: "):
            correlated_prices.run(backend, correlated_prices.prepare(np.zeros((4, 3)), *arguments, 1.0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_time_and_volatility_run_forwards(backend):
    for name, volatility, expiry in (("volatility", -0.1, 1.0), ("expiry", 0.1, -1.0)):
        with pytest.raises(Invalid, match=f"^{name}: must not be negative"):
            price_paths.run(backend, price_paths.prepare([[0.0]], 1.0, 0.0, volatility, expiry))
        with pytest.raises(Invalid, match=f"^{name}: must not be negative"):
            drawn_price_paths.run(backend, drawn_price_paths.prepare(1, 1, 1, 1.0, 0.0, volatility, expiry))
