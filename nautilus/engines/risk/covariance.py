"""Covariance of instruments' returns: sample, exponentially weighted, and shrunk so that it can be inverted.

Input is always a (observations, instruments) matrix in order of time, output an (instruments, instruments) matrix per
observation interval; both in float64.
"""

import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.return_sample import Matrix, checked_panel
from nautilus.engines.risk.volatility import RISKMETRICS_DECAY
from nautilus.errors import Invalid


def sample_covariance(returns: ArrayLike) -> Matrix:
    """The unbiased sample covariance (divides by n - 1).

    >>> sample_covariance([[0.0, 0.0], [2.0, 2.0]]).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    panel = checked_panel(returns)
    centred = panel - panel.mean(axis=0)
    covariance: Matrix = centred.T @ centred / (panel.shape[0] - 1)
    return covariance


def ewma_covariance(returns: ArrayLike, decay: float = RISKMETRICS_DECAY) -> Matrix:
    """Exponentially weighted covariance about zero, weights normalised to one, the newest row weighing most.

    Raises Invalid for a decay outside (0, 1]. Source: RiskMetrics technical document 1996.
    """
    panel = checked_panel(returns, 1)
    if not 0.0 < decay <= 1.0:
        raise Invalid("decay", f"must lie between 0 and 1, not {decay}")
    weights = decay ** np.arange(panel.shape[0] - 1, -1, -1, dtype=np.float64)
    weighted: Matrix = (panel * (weights / weights.sum())[:, None]).T @ panel
    return weighted


def ledoit_wolf_covariance(returns: ArrayLike) -> tuple[Matrix, float]:
    """Sample covariance (divided by n) shrunk towards the identity times the mean variance; and the shrinkage.

    Source: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", lemma 3.3.
    """
    panel = checked_panel(returns)
    count, size = panel.shape
    centred = panel - panel.mean(axis=0)
    empirical = centred.T @ centred / count
    mean_variance = float(np.trace(empirical)) / size
    squares = centred**2
    dispersion = float(np.sum(empirical**2)) / size - mean_variance**2
    noise = (float(np.sum(squares.T @ squares)) / count - float(np.sum(empirical**2))) / (size * count)
    shrinkage = 0.0 if dispersion <= 0.0 or noise <= 0.0 else min(noise / dispersion, 1.0)
    return _shrunk(empirical, mean_variance, shrinkage), shrinkage


def oas_covariance(returns: ArrayLike) -> tuple[Matrix, float]:
    """Oracle approximating shrinkage towards the scaled identity, and the shrinkage: better than Ledoit-Wolf if normal.

    Source: Chen, Wiesel, Eldar and Hero 2010, equation 23, as implemented with 1 in place of 1 - 2/p by scikit-learn.
    """
    panel = checked_panel(returns)
    count, size = panel.shape
    centred = panel - panel.mean(axis=0)
    empirical = centred.T @ centred / count
    mean_variance = float(np.trace(empirical)) / size
    alpha = float(np.mean(empirical**2))
    numerator = alpha + mean_variance**2
    denominator = (count + 1.0) * (alpha - mean_variance**2 / size)
    shrinkage = 1.0 if denominator <= 0.0 else min(numerator / denominator, 1.0)
    return _shrunk(empirical, mean_variance, shrinkage), shrinkage


def correlation(covariance: ArrayLike) -> Matrix:
    """Correlation of a covariance matrix; an instrument without variance correlates with nothing but itself."""
    matrix = np.asarray(covariance, dtype=np.float64)
    deviation = np.sqrt(np.diag(matrix))
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0.0)
    result = np.clip(matrix * scale * scale[:, None], -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def _shrunk(empirical: Matrix, mean_variance: float, shrinkage: float) -> Matrix:
    shrunk = (1.0 - shrinkage) * empirical
    shrunk.flat[:: empirical.shape[0] + 1] += shrinkage * mean_variance
    return shrunk
