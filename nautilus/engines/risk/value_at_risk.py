"""Value at risk: the loss that is exceeded with probability 1 - confidence.

Every function gives a loss as a positive number, in the unit of its input (returns in, a return out). A negative value
at risk is a gain that is earned even in the tail. The matching tail means are in `expected_shortfall`.
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.return_sample import checked_confidence, checked_returns, tail_rank
from nautilus.errors import Invalid

STANDARD_NORMAL = NormalDist()
_FARTHEST_Z = 5.0


def historical_value_at_risk(returns: ArrayLike, confidence: float = 0.99) -> float:
    """The empirical quantile of the losses: the smallest loss whose distribution function reaches `confidence`.

    No interpolation: the answer is one of the losses observed (Rockafellar and Uryasev 2002, equation 9). Raises
    Invalid for an empty or non-finite sample.

    >>> historical_value_at_risk([-0.05, -0.03, 0.01, 0.02, 0.04], 0.75)
    0.03
    """
    sample = checked_returns(returns)
    rank = min(tail_rank(sample.size, checked_confidence(confidence)), sample.size - 1)
    return float(-np.partition(sample, rank)[rank])


def normal_value_at_risk(mean: float, deviation: float, confidence: float = 0.99) -> float:
    """Value at risk of a normal return (the variance-covariance or parametric method).

    `mean` and `deviation` are those of the horizon's return. Source: Jorion, Value at Risk, chapter 5.

    >>> round(normal_value_at_risk(0.0, 0.01, 0.99), 6)
    0.023263
    """
    return -mean + checked_deviation(deviation) * -STANDARD_NORMAL.inv_cdf(1.0 - checked_confidence(confidence))


def cornish_fisher_value_at_risk(
    mean: float, deviation: float, skewness: float, excess_kurtosis: float, confidence: float = 0.99
) -> float:
    """Value at risk with the normal quantile corrected for skewness and excess kurtosis (modified value at risk).

    The corrected quantile is a quantile only where the expansion rises with its argument: outside that domain
    (`cornish_fisher_is_monotone`) Invalid is raised rather than a number that means nothing.
    Source: Zangari 1996; Favre and Galeano 2002.
    """
    if not cornish_fisher_is_monotone(skewness, excess_kurtosis):
        raise Invalid(
            "returns",
            f"skewness {skewness:.3f} and excess kurtosis {excess_kurtosis:.3f} are outside the domain in which the "
            "Cornish-Fisher expansion is a quantile",
        )
    z = STANDARD_NORMAL.inv_cdf(1.0 - checked_confidence(confidence))
    corrected = (
        z
        + (z * z - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * excess_kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )
    return -mean - checked_deviation(deviation) * corrected


def cornish_fisher_is_monotone(skewness: float, excess_kurtosis: float) -> bool:
    """Whether the Cornish-Fisher expansion rises for every z between -5 and 5, so that it is a quantile function there.

    Outside lie 6 cases in 10 million. Demanding it everywhere (Maillard 2012) would refuse every sample whose excess
    kurtosis is the least bit negative.

    >>> cornish_fisher_is_monotone(0.0, 3.0), cornish_fisher_is_monotone(2.0, 1.0)
    (True, False)
    """
    quadratic = excess_kurtosis / 8.0 - skewness**2 / 6.0
    linear = skewness / 3.0
    constant = 1.0 - excess_kurtosis / 8.0 + 5.0 * skewness**2 / 36.0
    points = [-_FARTHEST_Z, _FARTHEST_Z]
    if quadratic > 0.0 and abs(linear) < 2.0 * quadratic * _FARTHEST_Z:
        points.append(-linear / (2.0 * quadratic))
    return all(constant + z * (linear + z * quadratic) > 0.0 for z in points)


def checked_deviation(deviation: float) -> float:
    """The deviation itself; raises Invalid where it is negative or not finite."""
    if not 0.0 <= deviation < np.inf:
        raise Invalid("deviation", f"must be finite and not negative, not {deviation}")
    return deviation
