"""Who causes the risk: marginal, component and incremental value at risk, and expected shortfall by position.

`exposures` are signed amounts of money by instrument; losses come out as positive money. Components add up to the
whole (Euler's theorem for measures homogeneous of degree one).
"""

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.expected_shortfall import historical_expected_shortfall
from nautilus.engines.risk.return_sample import (
    Matrix,
    Vector,
    checked_confidence,
    checked_panel,
    checked_weights,
    tail_rank,
)
from nautilus.engines.risk.value_at_risk import STANDARD_NORMAL
from nautilus.errors import Invalid


class Contributions(msgspec.Struct, frozen=True, kw_only=True):
    """A risk measure and its parts by instrument, in the order of the input; `component` sums to `total`."""

    total: float
    marginal: list[float]
    component: list[float]


def normal_contributions(exposures: ArrayLike, covariance: ArrayLike, confidence: float = 0.99) -> Contributions:
    """Marginal and component value at risk of normal returns with zero mean.

    marginal = z (C x) / sqrt(x' C x), component = x * marginal. Without any variance all are zero. Raises Invalid for
    shapes that do not fit or a matrix that gives a negative variance. Source: Jorion, Value at Risk, chapter 7.
    """
    matrix = _square(covariance)
    vector = checked_weights(exposures, matrix.shape[0], "exposures")
    product = matrix @ vector
    deviation = _deviation(float(vector @ product))
    quantile = -STANDARD_NORMAL.inv_cdf(1.0 - checked_confidence(confidence))
    marginal = np.zeros_like(vector) if deviation == 0.0 else quantile * product / deviation
    return Contributions(total=quantile * deviation, marginal=marginal.tolist(), component=(vector * marginal).tolist())


def incremental_value_at_risk(
    exposures: ArrayLike, change: ArrayLike, covariance: ArrayLike, confidence: float = 0.99
) -> float:
    """Normal value at risk with `change` added to the exposures, less that without: what a trade would cost in risk.

    >>> round(incremental_value_at_risk([100.0], [-100.0], [[0.0001]], 0.99), 6)
    -2.326348
    """
    matrix = _square(covariance)
    vector = checked_weights(exposures, matrix.shape[0], "exposures")
    after = vector + checked_weights(change, matrix.shape[0], "change")
    quantile = -STANDARD_NORMAL.inv_cdf(1.0 - checked_confidence(confidence))
    return quantile * (_deviation(float(after @ matrix @ after)) - _deviation(float(vector @ matrix @ vector)))


def historical_contributions(exposures: ArrayLike, returns: ArrayLike, confidence: float = 0.99) -> Contributions:
    """Expected shortfall of historical simulation and its exact parts: each position's mean loss in the tail cases.

    `returns` is (observations, instruments). The marginal is the tail mean of -return. Source: Tasche 1999.
    """
    panel = checked_panel(returns, 1)
    vector = checked_weights(exposures, panel.shape[1], "exposures")
    profit = panel @ vector
    mass = (1.0 - checked_confidence(confidence)) * profit.size
    rank = min(tail_rank(profit.size, confidence), profit.size - 1)
    order = np.argpartition(profit, rank)
    weights = np.zeros(profit.size)
    weights[order[:rank]] = 1.0 / mass
    weights[order[rank]] = max(mass - rank, 0.0) / mass
    marginal = -(weights @ panel)
    return Contributions(
        total=historical_expected_shortfall(profit, confidence),
        marginal=marginal.tolist(),
        component=(vector * marginal).tolist(),
    )


def _square(covariance: ArrayLike) -> Matrix:
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise Invalid("covariance", "must be a finite square matrix")
    return matrix


def _deviation(variance: float) -> float:
    if variance < -1e-12:
        raise Invalid("covariance", "must not give a negative variance")
    return math.sqrt(max(variance, 0.0))


def diversification_ratio(exposures: ArrayLike, covariance: ArrayLike) -> float | None:
    """Sum of the positions' own deviations over the portfolio's; 1 means no diversification, None no variance."""
    matrix = _square(covariance)
    vector: Vector = checked_weights(exposures, matrix.shape[0], "exposures")
    deviation = _deviation(float(vector @ matrix @ vector))
    return float(np.abs(vector) @ np.sqrt(np.diag(matrix))) / deviation if deviation > 0.0 else None
