"""Covariance matrices as optimisers need them: checked, and as correlations. `nautilus.engines.risk` estimates them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def checked_returns(returns: ArrayLike) -> Matrix:
    """Returns [periods, assets] as finite float64; raises Invalid("returns", ...) for anything else."""
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 2 or matrix.shape[1] < 1:
        raise Invalid("returns", "must be a table of at least two periods and one asset")
    if not np.isfinite(matrix).all():
        raise Invalid("returns", "must be finite numbers")
    return matrix


def checked_covariance(covariance: ArrayLike) -> Matrix:
    """A covariance matrix [assets, assets] as float64, made exactly symmetric.

    Raises Invalid("covariance", ...) unless it is square, finite, symmetric to 1e-8 of its largest variance, and each
    variance is positive and no correlation exceeds one.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise Invalid("covariance", "must be a square matrix")
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > 1e100:
        raise Invalid("covariance", "must be finite numbers")
    variances = np.diagonal(matrix)
    if variances.min() <= 1e-100:
        raise Invalid("covariance", f"asset {int(variances.argmin())} has no variance")
    if np.abs(matrix - matrix.T).max() > 1e-8 * variances.max():
        raise Invalid("covariance", "must be symmetric")
    deviations = np.sqrt(variances)
    if (np.abs(matrix) > (1.0 + 1e-8) * np.outer(deviations, deviations)).any():
        raise Invalid("covariance", "has a correlation outside [-1, 1]")
    return np.asarray((matrix + matrix.T) / 2.0)


def correlation_of(covariance: Matrix) -> Matrix:
    """Correlations [assets, assets] of a covariance matrix, within [-1, 1] and exactly one on the diagonal."""
    deviations = np.sqrt(np.diagonal(covariance))
    correlation = np.clip(covariance / np.outer(deviations, deviations), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def variance_of(weights: Vector, covariance: Matrix) -> float:
    """Variance of the portfolio, w' S w."""
    return float(weights @ covariance @ weights)
