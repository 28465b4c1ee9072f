"""Risk budgeting: each asset contributes its budget of the portfolio's variance; equal budgets are risk parity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.accel.kernel import kernel
from nautilus.engines.portfolio.covariance import checked_covariance
from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def _plain_descent(covariance: Matrix, budgets: Vector, tolerance: float, max_sweeps: int) -> tuple[Vector, int]:
    exposures = np.sqrt(budgets / np.diagonal(covariance))
    for sweep in range(max_sweeps):
        for asset in range(len(exposures)):
            others = covariance[asset] @ exposures - covariance[asset, asset] * exposures[asset]
            root = np.sqrt(others**2 + 4.0 * covariance[asset, asset] * budgets[asset])
            exposures[asset] = (root - others) / (2.0 * covariance[asset, asset])
        if np.abs(exposures * (covariance @ exposures) - budgets).max() <= tolerance:
            return exposures, sweep + 1
    return exposures, -1


def _example() -> tuple[Matrix, Vector, float, int]:
    return np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([0.5, 0.5]), 1e-12, 100


@kernel(reference=_plain_descent, example=_example)
def cyclical_descent(covariance: Matrix, budgets: Vector, tolerance: float, max_sweeps: int) -> tuple[Vector, int]:
    """Exposures x [assets] that minimise x' S x / 2 - sum(b log x), and the sweeps taken (-1: did not converge).

    Each sweep minimises over one asset after the other, in closed form, keeping S x up to date. Converged when every
    x_i (S x)_i is within `tolerance` of b_i.
    """
    assets = len(budgets)
    exposures = np.empty(assets)
    for asset in range(assets):
        exposures[asset] = np.sqrt(budgets[asset] / covariance[asset, asset])
    for sweep in range(max_sweeps):
        marginal = covariance @ exposures
        for asset in range(assets):
            variance = covariance[asset, asset]
            others = marginal[asset] - variance * exposures[asset]
            moved = (np.sqrt(others * others + 4.0 * variance * budgets[asset]) - others) / (2.0 * variance)
            change = moved - exposures[asset]
            for other in range(assets):
                marginal[other] += covariance[asset, other] * change
            exposures[asset] = moved
        worst = 0.0
        for asset in range(assets):
            worst = max(worst, abs(exposures[asset] * marginal[asset] - budgets[asset]))
        if worst <= tolerance:
            return exposures, sweep + 1
    return exposures, -1


def risk_budgeting(
    covariance: ArrayLike, budgets: ArrayLike | None = None, tolerance: float = 1e-12, max_sweeps: int = 2_000
) -> Vector:
    """Long-only weights [assets], summing to one, whose shares of the variance are the budgets (default: equal).

    Spinu (2013), "An algorithm for computing risk parity weights"; solved by cyclical coordinate descent as in
    Griveau-Billion, Richard and Roncalli (2013). Raises Invalid for budgets that are not positive, and where the
    descent does not converge, as with a singular matrix that lets some long-only portfolio have no risk.

    >>> risk_budgeting([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.333333, 0.666667]
    """
    matrix = checked_covariance(covariance)
    shares = np.full(len(matrix), 1.0) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if shares.shape != (len(matrix),) or not np.isfinite(shares).all() or shares.min() <= 0.0:
        raise Invalid("budgets", f"must be {len(matrix)} positive numbers")
    deviations = np.sqrt(np.diagonal(matrix))
    # In units of each asset's own deviation the descent does not depend on how volatilities differ.
    scaled = np.ascontiguousarray(matrix / np.outer(deviations, deviations))
    exposures, sweeps = cyclical_descent(scaled, shares / shares.sum(), tolerance, max_sweeps)
    if sweeps < 0:
        raise Invalid("covariance", "lets the descent for the risk budgets not converge: is it singular?")
    weights = exposures / deviations
    return np.asarray(weights / weights.sum())


def risk_contributions(weights: Vector, covariance: Matrix) -> Vector:
    """Each asset's share [assets] of the portfolio's variance, w_i (S w)_i / w' S w; they sum to one."""
    marginal = covariance @ weights
    return np.asarray(weights * marginal / (weights @ marginal))
