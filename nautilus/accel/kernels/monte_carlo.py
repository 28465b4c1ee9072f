"""Price paths of geometric Brownian motion, and joint prices of several correlated assets.

Drifts and volatilities are yearly and continuous, expiries years; steps are equal parts of the expiry and the start is
not among them. What starts from normals gives the same numbers on every backend, in float32 within the stated error;
what starts from a seed repeats itself on one backend. NumPy and Numba draw the same numbers (NumPy's default generator,
path by path), MLX draws its own: there results agree as two samples do. A price beyond 3.4e38 is infinite in float32.
Source: Glasserman 2003, "Monte Carlo Methods in Financial Engineering", section 3.2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernel import jit
from nautilus.accel.kernels.argument_checks import check_lengths, check_not_negative, check_shape
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]

BLOCK = 1 << 15
"""Numbers that are worked on at a time: 256 kB, which stay in the cache."""


def _normals(size: int) -> tuple[Any, ...]:
    return np.random.default_rng(26).standard_normal((size // 16, 16)), 100.0, 0.05, 0.2, 1.0


@routed(
    example=_normals,
    size=lambda normals, *_: normals.size,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    work=lambda normals, *_: Work(flops=25.0 * normals.size, bytes=16.0 * normals.size),
    relative_error=1e-12,
    float32_error=1e-5,
)
def price_paths(normals: Floats, spot: float, drift: float, volatility: float, expiry: float) -> Floats:
    """Prices after each step along each path of (paths, steps) standard normal `normals`; the same shape.

    >>> price_paths([[0.0, 0.0]], 100.0, 0.02, 0.2, 2.0).round(9).tolist()
    [[100.0, 100.0]]
    """
    check_not_negative(volatility=volatility, expiry=expiry)
    step = expiry / max(normals.shape[1], 1)
    moves = (drift - 0.5 * volatility * volatility) * step + volatility * math.sqrt(step) * normals
    with np.errstate(over="ignore"):
        paths: Floats = spot * np.exp(np.cumsum(moves, axis=1))
    return paths


@price_paths.numba_around
def _(normals: Floats, spot: float, drift: float, volatility: float, expiry: float) -> Floats:
    check_not_negative(volatility=volatility, expiry=expiry)
    prices = np.empty(normals.shape)
    rows = max(1, BLOCK // max(normals.shape[1], 1))
    with np.errstate(over="ignore"):
        for first in range(0, normals.shape[0], rows):
            block = prices[first : first + rows]
            _logs(normals[first : first + rows], drift, volatility, expiry, block)
            np.exp(block, out=block)  # NumPy's does several numbers at once, which Numba's does not
            block *= spot
    return prices


@jit
def _logs(normals: Floats, drift: float, volatility: float, expiry: float, logs: Floats) -> None:
    paths, steps = normals.shape
    step = expiry / max(steps, 1)
    mean, deviation = (drift - 0.5 * volatility * volatility) * step, volatility * math.sqrt(step)
    for path in range(paths):
        total = 0.0
        for index in range(steps):
            total += mean + deviation * normals[path, index]
            logs[path, index] = total


@price_paths.mlx
def _(mx: Any, normals: Floats, spot: float, drift: float, volatility: float, expiry: float) -> Any:
    check_not_negative(volatility=volatility, expiry=expiry)
    if not normals.size:
        return to_device(mx, normals)
    return spot * mx.exp(_device_logs(mx, to_device(mx, normals), drift, volatility, expiry))


def _same_distribution(found: Floats, expected: Floats) -> None:
    """Two samples of paths have last prices whose logarithms have one mean and one deviation, within sampling error."""
    assert found.shape == expected.shape, f"{found.shape} is not {expected.shape}"
    if expected.size == 0:
        return
    logs, others = np.log(np.asarray(found[:, -1], dtype=np.float64)), np.log(expected[:, -1])
    deviation, count = max(float(logs.std()), float(others.std())), len(logs)
    assert np.isfinite(logs).all()
    assert abs(logs.mean() - others.mean()) <= 8.0 * deviation / math.sqrt(count) + 1e-5
    assert abs(logs.std() - others.std()) <= 8.0 * deviation / math.sqrt(count) + 1e-5


@routed(
    example=lambda size: (29, size // 16, 16, 100.0, 0.05, 0.2, 1.0),
    size=lambda seed, paths, steps, *_: paths * steps,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    work=lambda seed, paths, steps, *_: Work(flops=50.0 * paths * steps, bytes=8.0 * paths * steps),
    relative_error=1e-12,
    float32_error=1e-5,
    compare=_same_distribution,
)
def drawn_price_paths(
    seed: int, paths: int, steps: int, spot: float, drift: float, volatility: float, expiry: float
) -> Floats:
    """Prices after each step along `paths` random paths, (paths, steps): `price_paths` of normals drawn from the seed.

    >>> drawn_price_paths(1, 2, 3, 100.0, 0.02, 0.0, 3.0).round(2)[1].tolist()
    [102.02, 104.08, 106.18]
    """
    check_not_negative(seed=seed, paths=paths, steps=steps)
    normals = np.random.default_rng(seed).standard_normal((paths, steps))
    return price_paths.reference(normals, spot, drift, volatility, expiry)


@drawn_price_paths.numba_around
def _(seed: int, paths: int, steps: int, spot: float, drift: float, volatility: float, expiry: float) -> Floats:
    check_not_negative(seed=seed, paths=paths, steps=steps)
    return price_paths(np.random.default_rng(seed).standard_normal((paths, steps)), spot, drift, volatility, expiry)


@drawn_price_paths.mlx
def _(mx: Any, seed: int, paths: int, steps: int, spot: float, drift: float, volatility: float, expiry: float) -> Any:
    check_not_negative(seed=seed, paths=paths, steps=steps, volatility=volatility, expiry=expiry)
    normals = mx.random.normal((paths, steps), key=mx.random.key(seed))
    return spot * mx.exp(_device_logs(mx, normals, drift, volatility, expiry)) if normals.size else normals


def _correlated(size: int) -> tuple[Any, ...]:
    source = np.random.default_rng(27)
    assets = max(1, min(50, math.isqrt(size) // 8))
    loadings = source.normal(size=(assets, assets)) / math.sqrt(assets)
    root = np.linalg.cholesky(_correlation(loadings @ loadings.T + np.eye(assets)))
    normals = source.standard_normal((size // assets, assets))
    return normals, root, np.full(assets, 100.0), np.full(assets, 0.05), source.uniform(0.1, 0.4, assets), 0.5


def _correlation(covariance: Floats) -> Floats:
    deviation = np.sqrt(np.diag(covariance))
    correlation: Floats = covariance / deviation / deviation[:, None]
    return correlation


def _correlated_work(normals: Floats, *_: Any) -> Work:
    return Work(flops=normals.size * (2.0 * normals.shape[1] + 22.0), bytes=16.0 * normals.size)


@routed(
    example=_correlated,
    size=lambda normals, *_: normals.size,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    work=_correlated_work,
    relative_error=1e-12,
    float32_error=1e-5,
)
def correlated_prices(
    normals: Floats, root: Floats, spots: Floats, drifts: Floats, volatilities: Floats, expiry: float
) -> Floats:
    """Joint prices of several assets at expiry, (paths, assets), from (paths, assets) independent standard normals.

    `root` is a matrix R with R R' the correlation of the assets, such as its Cholesky factor, made in float64.
    Raises Invalid for shapes that do not match.

    >>> correlated_prices([[1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0], 1.0).tolist()
    [[1.0, 2.0]]
    """
    _check(normals, root, spots, drifts, volatilities, expiry)
    with np.errstate(over="ignore"):
        prices: Floats = spots * np.exp(
            (drifts - 0.5 * volatilities**2) * expiry + normals @ (root.T * (volatilities * math.sqrt(expiry)))
        )
    return prices


@correlated_prices.mlx
def _(
    mx: Any, normals: Floats, root: Floats, spots: Floats, drifts: Floats, volatilities: Floats, expiry: float
) -> Any:
    _check(normals, root, spots, drifts, volatilities, expiry)
    moved = to_device(mx, (drifts - 0.5 * volatilities**2) * expiry)
    spread = to_device(mx, root.T * (volatilities * math.sqrt(expiry)))
    return to_device(mx, spots) * mx.exp(moved + to_device(mx, normals) @ spread)


def _device_logs(mx: Any, normals: Any, drift: float, volatility: float, expiry: float) -> Any:
    """Logarithms of prices over the spot along (paths, steps) of device normals."""
    steps = normals.shape[1]
    step = expiry / steps
    trend = to_device(mx, (drift - 0.5 * volatility * volatility) * step * np.arange(1.0, steps + 1.0))
    return trend + volatility * math.sqrt(step) * mx.cumsum(normals, axis=1)


def _check(normals: Floats, root: Floats, spots: Floats, drifts: Floats, volatilities: Floats, expiry: float) -> None:
    check_not_negative(expiry=expiry)
    assets = normals.shape[1]
    check_shape("root", root, (assets, assets))
    check_shape("spots", spots, (assets,))
    check_lengths(spots=spots, drifts=drifts, volatilities=volatilities)
