"""Conditional volatility: the variance of the next return, by exponential weights or a GARCH recursion."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.accel.kernel import kernel
from nautilus.engines.risk.return_sample import Matrix, Vector, checked_panel, checked_returns
from nautilus.errors import Invalid

RISKMETRICS_DECAY = 0.94
"""Daily decay of J.P. Morgan's RiskMetrics technical document (1996)."""


def _plain_recursion(
    residuals: NDArray[np.float64], omega: float, alpha: float, gamma: float, beta: float, initial: float
) -> NDArray[np.float64]:
    variance = np.empty(residuals.size + 1)
    variance[0] = initial
    for index, residual in enumerate(residuals):
        slope = alpha + (gamma if residual < 0.0 else 0.0)
        variance[index + 1] = omega + slope * residual * residual + beta * variance[index]
    return variance


@kernel(
    reference=_plain_recursion,
    example=lambda: (np.array([0.1, -0.2]), 0.01, 0.1, 0.0, 0.8, 0.02),
)
def variance_recursion(
    residuals: NDArray[np.float64], omega: float, alpha: float, gamma: float, beta: float, initial: float
) -> NDArray[np.float64]:
    """Variance before each residual and after the last: omega + (alpha + gamma [r < 0]) r^2 + beta variance.

    (n,) residuals give (n + 1,) variances, the first `initial`, the last the forecast. With omega = gamma = 0 and
    alpha = 1 - beta it is the exponentially weighted variance. Sources: Bollerslev 1986; Glosten, Jagannathan and
    Runkle 1993.
    """
    variance = np.empty(residuals.size + 1)
    current = initial
    for index in range(residuals.size):
        variance[index] = current
        residual = residuals[index]
        slope = alpha
        if residual < 0.0:
            slope = alpha + gamma
        current = omega + slope * residual * residual + beta * current
    variance[residuals.size] = current
    return variance


def ewma_variance(returns: ArrayLike, decay: float = RISKMETRICS_DECAY, initial: float | None = None) -> Vector:
    """Exponentially weighted variance before each return, and the forecast after the last: (n,) in, (n + 1,) out.

    The mean is taken as zero. The start is `initial`, by default the mean square of the whole sample. Raises Invalid
    for a decay outside (0, 1). Source: RiskMetrics technical document 1996, section 5.2.
    """
    sample = checked_returns(returns)
    if not 0.0 < decay < 1.0:
        raise Invalid("decay", f"must lie between 0 and 1, not {decay}")
    start = float(np.mean(sample**2)) if initial is None else initial
    if not 0.0 <= start < math.inf:
        raise Invalid("initial", f"must be finite and not negative, not {initial}")
    return variance_recursion(sample, 0.0, 1.0 - decay, 0.0, decay, start)


def ewma_volatility(returns: ArrayLike, decay: float = RISKMETRICS_DECAY) -> float:
    """Forecast of the next return's standard deviation, per observation interval.

    >>> round(ewma_volatility([0.01, -0.01, 0.01, -0.01]), 6)
    0.01
    """
    return math.sqrt(float(ewma_variance(returns, decay)[-1]))


def filtered_returns(returns: ArrayLike, decay: float = RISKMETRICS_DECAY) -> Vector:
    """Past returns restated at today's volatility: each divided by its own day's forecast, times tomorrow's.

    The input of filtered historical simulation. Raises Invalid where every return is zero, for there is no
    volatility to scale by. Source: Hull and White 1998; Barone-Adesi, Giannopoulos and Vosper 1999.
    """
    sample = checked_returns(returns, 2)
    deviation = np.sqrt(ewma_variance(sample, decay))
    if not deviation.all():
        raise Invalid("returns", "have no volatility to scale by")
    restated: Vector = sample * (deviation[-1] / deviation[:-1])
    return restated


def filtered_panel(returns: ArrayLike, decay: float = RISKMETRICS_DECAY) -> Matrix:
    """`filtered_returns` of each column of a (observations, instruments) matrix, rows still of one day together."""
    panel = checked_panel(returns)
    return np.column_stack([filtered_returns(column, decay) for column in panel.T])
