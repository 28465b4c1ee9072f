"""Markowitz portfolios: minimum variance, mean-variance, maximum Sharpe ratio and diversification, the frontier."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.engines.portfolio.covariance import checked_covariance, correlation_of
from nautilus.engines.portfolio.limits import Infeasible, Limits, LinearLimit, conflicting
from nautilus.engines.portfolio.quadratic_program import optimal_weights, solve
from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def minimum_variance(covariance: ArrayLike, limits: Limits | None = None) -> Vector:
    """Weights [assets] of least variance within the limits (default: 0 <= w <= 1, sum 1).

    Raises Invalid for a matrix that is no covariance, Infeasible naming the demands in conflict.

    >>> minimum_variance([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.2, 0.8]
    """
    matrix = checked_covariance(covariance)
    return optimal_weights(matrix, np.zeros(len(matrix)), _fitting(limits, len(matrix)))


def minimum_correlation(covariance: ArrayLike, limits: Limits | None = None) -> Vector:
    """Weights [assets] of least w' C w for the correlations C: maximum decorrelation (Christoffersen et al. 2012)."""
    matrix = correlation_of(checked_covariance(covariance))
    return optimal_weights(matrix, np.zeros(len(matrix)), _fitting(limits, len(matrix)))


def mean_variance(
    expected_returns: ArrayLike, covariance: ArrayLike, risk_aversion: float, limits: Limits | None = None
) -> Vector:
    """Weights [assets] that maximise mu' w - risk_aversion / 2 * w' S w (Markowitz 1952)."""
    matrix = checked_covariance(covariance)
    expected = _expected(expected_returns, len(matrix))
    if not 1e-9 <= risk_aversion <= 1e9:
        raise Invalid("risk_aversion", "must be from 1e-9 to 1e9")
    return optimal_weights(matrix, expected / risk_aversion, _fitting(limits, len(matrix)))


def maximum_sharpe(
    expected_returns: ArrayLike, covariance: ArrayLike, risk_free: float = 0.0, limits: Limits | None = None
) -> Vector:
    """Weights [assets] of the largest (mu' w - risk_free * sum w) / sqrt(w' S w), all per period.

    Made convex by homogenising: y = k w with (mu - risk_free)' y = 1 (Cornuejols and Tütüncü 2007, section 8.2).
    Raises Infeasible also where no portfolio within the limits earns more than the risk-free rate.
    """
    matrix = checked_covariance(covariance)
    excess = _expected(expected_returns, len(matrix)) - risk_free
    return _largest_ratio(matrix, excess, _fitting(limits, len(matrix)))


def maximum_diversification(covariance: ArrayLike, limits: Limits | None = None) -> Vector:
    """Weights [assets] of the largest w' sigma / sqrt(w' S w), the diversification ratio.

    Choueifaty and Coignard (2008), "Toward maximum diversification".
    """
    matrix = checked_covariance(covariance)
    return _largest_ratio(matrix, np.sqrt(np.diagonal(matrix)), _fitting(limits, len(matrix)))


def efficient_frontier(
    expected_returns: ArrayLike, covariance: ArrayLike, points: int = 20, limits: Limits | None = None
) -> Matrix:
    """Weights [points, assets] of least variance at returns evenly spaced from minimum variance to maximum return."""
    matrix = checked_covariance(covariance)
    expected = _expected(expected_returns, len(matrix))
    demands = _fitting(limits, len(matrix))
    first = optimal_weights(matrix, np.zeros(len(matrix)), demands)
    best = largest_return(expected, demands)
    # The top of the frontier is approached to one part in 1e9: at the very top the feasible set may be a point.
    top = float(expected @ best) - 1e-9 * float(np.abs(expected).max())
    rows = [first]
    for target in np.linspace(float(expected @ first), top, points)[1:]:
        demand = LinearLimit("expected return", expected, lower=float(target))
        narrowed = dataclasses.replace(demands, linear=(*demands.linear, demand))
        rows.append(optimal_weights(matrix, np.zeros(len(matrix)), narrowed))
    return np.array(rows)


def largest_return(expected_returns: Vector, limits: Limits) -> Vector:
    """Weights [assets] of the largest expected return within the limits (a linear programme, HiGHS)."""
    from scipy.optimize import linprog

    sides = [(limit.coefficients, limit.upper) for limit in limits.linear if np.isfinite(limit.upper)]
    sides += [(-limit.coefficients, -limit.lower) for limit in limits.linear if np.isfinite(limit.lower)]
    solution = linprog(
        -expected_returns / max(float(np.abs(expected_returns).max()), 1e-300),
        A_ub=np.array([row for row, _ in sides]) if sides else None,
        b_ub=np.array([bound for _, bound in sides]) if sides else None,
        A_eq=np.ones((1, limits.assets)),
        b_eq=np.array([limits.budget]),
        bounds=np.column_stack([limits.lower, limits.upper]),
        method="highs",
    )
    if solution.status == 2:
        raise Infeasible(conflicting(limits) or ("the limits, to the solver's tolerance",))
    if solution.status != 0:
        raise Invalid("limits", "the expected return is unbounded within them")
    return np.asarray(solution.x)


def _largest_ratio(covariance: Matrix, reward: Vector, limits: Limits) -> Vector:
    """Weights of the largest reward' w / sqrt(w' S w) where some weights within the limits have a positive reward."""
    best = float(reward @ largest_return(reward, limits))
    if best <= 1e-12 * float(np.abs(reward).max()):
        raise Infeasible((*_names(limits), "a portfolio that earns more than the risk-free rate"))
    assets = limits.assets
    scale = float(np.mean(np.diagonal(covariance)))
    quadratic = np.zeros((assets + 1, assets + 1))
    quadratic[:assets, :assets] = covariance / scale
    equality = np.zeros((2, assets + 1))
    equality[0, :assets], equality[1, :assets], equality[1, assets] = reward / best, 1.0, -limits.budget
    rows = _homogeneous(limits)
    free = np.full(assets + 1, np.inf)
    lower = -free
    lower[assets] = 0.0
    scaled = solve(
        quadratic,
        np.zeros(assets + 1),
        (equality, np.array([1.0, 0.0])),
        (rows, np.full(len(rows), -np.inf), np.zeros(len(rows))) if len(rows) else None,
        (lower, free),
    )
    if scaled is None or scaled[assets] <= 0.0:
        raise Invalid("limits", "no portfolio within them attains the largest ratio")
    return np.asarray(np.clip(scaled[:assets] / scaled[assets], limits.lower, limits.upper))


def _homogeneous(limits: Limits) -> Matrix:
    """The limits as rows [demands, assets + 1] of G (y, k) <= 0."""
    unit = np.eye(limits.assets)
    demands = [(unit[index], bound) for index, bound in enumerate(limits.upper) if np.isfinite(bound)]
    demands += [(-unit[index], -bound) for index, bound in enumerate(limits.lower) if np.isfinite(bound)]
    demands += [(limit.coefficients, limit.upper) for limit in limits.linear if np.isfinite(limit.upper)]
    demands += [(-limit.coefficients, -limit.lower) for limit in limits.linear if np.isfinite(limit.lower)]
    return np.array([[*row, -bound] for row, bound in demands]).reshape(-1, limits.assets + 1)


def _names(limits: Limits) -> tuple[str, ...]:
    return (f"weights sum to {limits.budget:g} within their bounds", *(limit.name for limit in limits.linear))


def _fitting(limits: Limits | None, assets: int) -> Limits:
    if limits is None:
        return Limits.of(assets)
    if limits.assets != assets:
        raise Invalid("limits", f"are for {limits.assets} assets, not {assets}")
    return limits


def _expected(expected_returns: ArrayLike, assets: int) -> Vector:
    expected = np.asarray(expected_returns, dtype=np.float64)
    if expected.shape != (assets,) or not np.isfinite(expected).all():
        raise Invalid("expected_returns", f"must be {assets} finite numbers")
    return expected
