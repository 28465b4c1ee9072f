"""Market, sector and style factor returns by constrained, weighted least squares on each date.

On each date asset returns r are explained by a market return common to all, sector returns and style returns:

    r_i = f_market + sum_s D_is f_s + sum_k X_ik f_k + e_i,   with weights w_i = sqrt(market cap_i).

The market and the sectors are collinear, so the sector returns are made to sum to zero: weighted by capitalisation
(constraint "cap", as in Barra's USE4) or not (constraint "equal", as in toraniko 1.1, whose method this otherwise is:
market and sectors first, styles on what they leave). Instead of an n x n weight matrix and a loop over dates, the
normal equations of many dates are built and solved at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.cross_section import winsorize

type Array = NDArray[np.float64]
type Constraint = Literal["cap", "equal"]
type Method = Literal["sequential", "joint"]

_CHUNK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class FactorReturns:
    """Factor returns of T dates, NaN where a date or a sector has no assets.

    market [T]; sectors [T, m]; styles [T, k]; residuals [T, n] (NaN for assets left out); r_squared [T], weighted;
    assets [T], how many took part.
    """

    market: Array
    sectors: Array
    styles: Array
    residuals: Array
    r_squared: Array
    assets: NDArray[np.int64]


def estimate_factor_returns(
    returns: Array,
    market_caps: Array,
    sector_scores: Array,
    style_scores: Array,
    *,
    winsor_share: float | None = 0.05,
    constraint: Constraint = "cap",
    method: Method = "sequential",
    residualize_styles: bool = True,
) -> FactorReturns:
    """Factor returns of every date.

    returns, market_caps: [T, n]; sector_scores: [n, m] or [T, n, m], membership of sectors (m may be 0);
    style_scores: [T, n, k] (k may be 0). `winsor_share` clips each date's returns to its quantiles. With "sequential"
    the styles explain what market and sectors leave (or the raw returns if `residualize_styles` is false); with
    "joint" everything is estimated together. An asset takes part on a date if its return, its scores and a positive
    capitalisation are all there. Collinear factors share their return with the least sum of squares.

    Raises ValueError if shapes do not fit or `winsor_share` is not in [0, 0.5).

    >>> r = np.array([[0.02, 0.04, 0.06, 0.08]])
    >>> f = estimate_factor_returns(r, np.ones((1, 4)), np.repeat(np.eye(2), 2, axis=0), np.empty((1, 4, 0)),
    ...                             winsor_share=None)
    >>> f.market.round(4), f.sectors.round(4)
    (array([0.05]), array([[-0.02,  0.02]]))
    """
    returns, market_caps = np.asarray(returns, dtype=np.float64), np.asarray(market_caps, dtype=np.float64)
    sectors, styles = _checked(returns, market_caps, sector_scores, style_scores)
    used, clipped = _participants(returns, market_caps, sectors, styles, winsor_share)
    rows, assets = returns.shape
    factors = sectors.shape[2] + styles.shape[2]
    market, residuals = np.full(rows, np.nan), np.full(returns.shape, np.nan)
    sector_returns, style_returns = np.full((rows, sectors.shape[2]), np.nan), np.full((rows, styles.shape[2]), np.nan)
    r_squared = np.full(rows, np.nan)
    step = max(1, _CHUNK_CELLS // max(1, assets * (factors + 1)))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        solved = _solve_dates(
            np.where(used[part], clipped[part], 0.0), np.where(used[part], market_caps[part], 0.0),
            np.where(used[part, :, None], sectors[part], 0.0), np.where(used[part, :, None], styles[part], 0.0),
            constraint, joint=method == "joint", residualize=residualize_styles,
        )  # fmt: skip
        market[part], sector_returns[part], style_returns[part], rest, r_squared[part] = solved
        residuals[part] = np.where(used[part], rest, np.nan)
    empty = ~used.any(axis=1)
    market[empty], sector_returns[empty], style_returns[empty] = np.nan, np.nan, np.nan
    return FactorReturns(market, sector_returns, style_returns, residuals, r_squared, used.sum(axis=1))


def _checked(returns: Array, market_caps: Array, sector_scores: Array, style_scores: Array) -> tuple[Array, Array]:
    if returns.ndim != 2 or market_caps.shape != returns.shape:
        raise ValueError("returns and market_caps must be [dates, assets] of one shape")
    sectors = np.asarray(sector_scores, dtype=np.float64)
    if sectors.ndim == 2:
        sectors = np.broadcast_to(sectors, (returns.shape[0], *sectors.shape))
    styles = np.asarray(style_scores, dtype=np.float64)
    for name, scores in (("sector_scores", sectors), ("style_scores", styles)):
        if scores.ndim != 3 or scores.shape[:2] != returns.shape:
            raise ValueError(f"{name} must be [dates, assets, factors] over the same dates and assets")
    return sectors, styles


def _participants(
    returns: Array, market_caps: Array, sectors: Array, styles: Array, winsor_share: float | None
) -> tuple[NDArray[np.bool_], Array]:
    used = np.isfinite(returns) & np.isfinite(market_caps) & (market_caps > 0)
    used &= np.isfinite(sectors).all(axis=2) & np.isfinite(styles).all(axis=2)
    if winsor_share is None:
        return used, returns
    if not 0.0 <= winsor_share < 0.5:
        raise ValueError("winsor_share must be in [0, 0.5)")
    with np.errstate(all="ignore"):
        clipped = winsorize(np.where(used, returns, np.nan), winsor_share)
    return used, np.where(used & np.isnan(clipped), returns, clipped)


def _solve_dates(
    returns: Array,
    caps: Array,
    sectors: Array,
    styles: Array,
    constraint: Constraint,
    *,
    joint: bool,
    residualize: bool,
) -> tuple[Array, Array, Array, Array, Array]:
    """Everything for some dates; assets that take no part have weight and scores 0."""
    weights = np.sqrt(caps)
    expand, present = _constraint(caps, sectors, constraint)
    with_market = np.concatenate([np.ones((*returns.shape, 1)), sectors], axis=2)
    reduced = with_market @ expand
    if joint:
        solution = _least_squares(np.concatenate([reduced, styles], axis=2), weights, returns)
        coefficients, style_returns = solution[:, : reduced.shape[2]], solution[:, reduced.shape[2] :]
        left = returns - _fitted(reduced, coefficients)
    else:
        coefficients = _least_squares(reduced, weights, returns)
        left = returns - _fitted(reduced, coefficients)
        style_returns = _least_squares(styles, weights, left if residualize else returns)
    residuals = left - _fitted(styles, style_returns)
    whole = _fitted(expand, coefficients)
    sector_returns = np.where(present, whole[:, 1:], np.nan)
    return whole[:, 0], sector_returns, style_returns, residuals, _r_squared(returns, residuals, weights)


def _constraint(caps: Array, sectors: Array, constraint: Constraint) -> tuple[Array, NDArray[np.bool_]]:
    """The matrix [T, 1 + m, m] from free coefficients to market and sector returns, and which sectors have members.

    The sector with the largest weight (the last of equals) is written as minus the weighted sum of the others; a sector
    without members stays out of the constraint.
    """
    dates, _, count = sectors.shape
    present = (sectors != 0.0).any(axis=1)
    if count == 0:
        return np.ones((dates, 1, 1)), present
    sizes = present.astype(np.float64) if constraint == "equal" else np.abs(np.einsum("tn,tnm->tm", caps, sectors))
    pivot = count - 1 - np.argmax(sizes[:, ::-1], axis=1)
    largest = np.take_along_axis(sizes, pivot[:, None], axis=1)
    share = np.where(largest > 0.0, sizes / np.where(largest > 0.0, largest, 1.0), 0.0)
    expand = np.zeros((dates, 1 + count, count))
    expand[:, 0, 0] = 1.0
    for date in range(dates):
        others = np.delete(np.arange(count), pivot[date])
        expand[date, 1 + others, np.arange(1, count)] = 1.0
        expand[date, 1 + pivot[date], 1:] = -share[date, others]
    return expand, present


def _least_squares(exposures: Array, weights: Array, returns: Array) -> Array:
    """Weighted least squares of each date, the solution of least norm where factors are collinear."""
    count = exposures.shape[2]
    if count == 0:
        return np.zeros((returns.shape[0], 0))
    weighted = (exposures * weights[:, :, None]).swapaxes(1, 2)
    normal = weighted @ exposures
    inverse = np.linalg.pinv(normal, rcond=np.finfo(np.float64).eps * count, hermitian=True)
    solution: Array = (inverse @ (weighted @ returns[:, :, None]))[:, :, 0]
    return solution


def _fitted(exposures: Array, coefficients: Array) -> Array:
    fitted: Array = (exposures @ coefficients[:, :, None])[:, :, 0]
    return fitted


def _r_squared(returns: Array, residuals: Array, weights: Array) -> Array:
    """Share of the weighted variance about the weighted mean that is explained; NaN for a date without variance."""
    with np.errstate(all="ignore"):
        total = weights.sum(axis=1)
        mean = (weights * returns).sum(axis=1) / total
        variance = (weights * (returns - mean[:, None]) ** 2).sum(axis=1)
        unexplained = (weights * residuals**2).sum(axis=1)
        return np.where(variance > 0.0, 1.0 - unexplained / variance, np.nan)
