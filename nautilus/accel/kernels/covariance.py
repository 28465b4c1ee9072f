"""Covariance and correlation of large panels of returns or factor values.

A panel is (observations, instruments). Each instrument is centred, and scaled to deviation one, in float64 before the
product: so float32 loses nothing to a large mean or to instruments of unlike size, and its error is relative to the
product of the two deviations. NaN or infinity spoils the rows and columns of its own instrument, no others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernel import jit
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]

BLOCK = 4096
"""Observations that float32 adds up in one product; more are added block by block, which keeps the rounding small."""


def _example(size: int) -> tuple[Any, ...]:
    instruments = round((size / 4.0) ** (1.0 / 3.0))
    observations = max(3, 4 * instruments)
    source = np.random.default_rng(23)
    market = source.normal(size=(observations, 1))
    return (0.0004 + 0.01 * (0.5 * market + source.normal(size=(observations, instruments))),)


def _multiplications(panel: Floats) -> int:
    return int(panel.size * panel.shape[1])


def _work(panel: Floats) -> Work:
    # symmetric: half of the products need to be made
    return Work(flops=float(_multiplications(panel)), bytes=8.0 * (panel.size + panel.shape[1] ** 2))


_LOOPS = 500_000
"""Up to this many multiplications plain loops beat a call of BLAS."""

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)


@routed(
    example=_example,
    size=_multiplications,
    sizes=_SIZES,
    work=_work,
    relative_error=1e-11,
    float32_error=2e-5,
)
def covariance_matrix(panel: Floats) -> Floats:
    """Unbiased sample covariance (divided by observations - 1), (instruments, instruments); NaN below two observations.

    >>> covariance_matrix([[0.0, 0.0], [2.0, 2.0]]).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    if panel.shape[0] < 2:
        return np.full((panel.shape[1], panel.shape[1]), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        centred = panel - panel.mean(axis=0)
        covariance: Floats = centred.T @ centred / (panel.shape[0] - 1)
    return covariance


@covariance_matrix.numba_around
def _(panel: Floats) -> Floats:
    # not with np.dot in compiled code: that is SciPy's BLAS, whose threads fight with those of NumPy's
    small = panel.shape[0] > 1 and _multiplications(panel) <= _LOOPS
    return _loops(panel) if small else covariance_matrix.reference(panel)


@jit
def _loops(panel: Floats) -> Floats:
    observations, instruments = panel.shape
    mean = np.zeros(instruments)
    for row in range(observations):
        for column in range(instruments):
            mean[column] += panel[row, column]
    mean /= observations
    centred = np.empty((observations, instruments))
    for row in range(observations):
        for column in range(instruments):
            centred[row, column] = panel[row, column] - mean[column]
    covariance = np.zeros((instruments, instruments))
    for row in range(observations):
        for column in range(instruments):
            value = centred[row, column]
            for other in range(column + 1):
                covariance[column, other] += value * centred[row, other]
    for column in range(instruments):
        for other in range(column + 1):
            covariance[column, other] /= observations - 1
            covariance[other, column] = covariance[column, other]
    return covariance


@covariance_matrix.mlx
def _(mx: Any, panel: Floats) -> Any:
    observations = panel.shape[0]
    if observations < 2:
        return to_device(mx, np.full((panel.shape[1], panel.shape[1]), np.nan))
    standard, deviation = _standardised(panel)
    scale = to_device(mx, deviation)
    return _products(mx, standard) * scale * scale[:, None]


@routed(
    example=_example,
    size=_multiplications,
    sizes=_SIZES,
    work=_work,
    relative_error=1e-11,
    float32_error=2e-5,
)
def correlation_matrix(panel: Floats) -> Floats:
    """Sample correlation within -1 and 1, (instruments, instruments); NaN below two observations.

    An instrument that never changes correlates with nothing but itself.

    >>> correlation_matrix([[0.0, 1.0, 5.0], [2.0, 0.0, 5.0]]).round(12).tolist()
    [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if panel.shape[0] < 2:
        return np.full((panel.shape[1], panel.shape[1]), np.nan)
    standard, _ = _standardised(panel)
    with np.errstate(invalid="ignore"):
        correlation: Floats = np.clip(standard.T @ standard / (panel.shape[0] - 1), -1.0, 1.0)
    sound = ~np.isnan(np.diag(correlation))
    correlation[sound, sound] = 1.0
    return correlation


@correlation_matrix.mlx
def _(mx: Any, panel: Floats) -> Any:
    if panel.shape[0] < 2:
        return to_device(mx, np.full((panel.shape[1], panel.shape[1]), np.nan))
    standard, _ = _standardised(panel)
    correlation = mx.clip(_products(mx, standard), -1.0, 1.0)
    itself = mx.eye(panel.shape[1], dtype=mx.bool_) & ~mx.isnan(correlation)
    return mx.where(itself, 1.0, correlation)


def _standardised(panel: Floats) -> tuple[Floats, Floats]:
    """The panel with mean 0 and deviation 1 (0 where it is constant), and the deviations."""
    with np.errstate(invalid="ignore", over="ignore"):
        centred = panel - panel.mean(axis=0)
        deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / (panel.shape[0] - 1))
        centred /= np.where(_constant(panel), math.inf, deviation)
        return centred, deviation


def _constant(panel: Floats) -> NDArray[np.bool_]:
    """Instruments that never change: what their rounded mean leaves is no variation."""
    same: NDArray[np.bool_] = (panel == panel[0]).all(axis=0)
    return same


def _products(mx: Any, standard: Floats) -> Any:
    """Mean products of all pairs of columns, with divisor rows - 1, in float32."""
    total = mx.zeros((standard.shape[1], standard.shape[1]))
    for first in range(0, standard.shape[0], BLOCK):
        block = to_device(mx, standard[first : first + BLOCK])
        total = total + block.T @ block
    return total / (standard.shape[0] - 1)
