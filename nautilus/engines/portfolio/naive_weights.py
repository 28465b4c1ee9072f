"""Weights that need no optimiser: equal weight and inverse volatility, the benchmarks that optimisers must beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.engines.portfolio.covariance import checked_covariance
from nautilus.errors import Invalid

Vector = NDArray[np.float64]


def equal_weight(assets: int) -> Vector:
    """One part in `assets` each.

    >>> equal_weight(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if assets < 1:
        raise Invalid("assets", "must be at least one")
    return np.full(assets, 1.0 / assets)


def inverse_volatility(covariance: ArrayLike) -> Vector:
    """Weights [assets] in proportion to one over the standard deviation, summing to one.

    >>> inverse_volatility([[0.04, 0.01], [0.01, 0.01]]).round(6).tolist()
    [0.333333, 0.666667]
    """
    inverse = 1.0 / np.sqrt(np.diagonal(checked_covariance(covariance)))
    return np.asarray(inverse / inverse.sum())
