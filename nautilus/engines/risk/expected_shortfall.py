"""Expected shortfall: the mean of the losses in the worst 1 - confidence of cases (conditional value at risk).

Losses are positive numbers in the unit of the input, and never smaller than the value at risk of the same method.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.return_sample import checked_confidence, checked_returns, tail_rank
from nautilus.engines.risk.value_at_risk import STANDARD_NORMAL, checked_deviation, cornish_fisher_is_monotone
from nautilus.errors import Invalid


def historical_expected_shortfall(returns: ArrayLike, confidence: float = 0.99) -> float:
    """Mean of exactly the worst (1 - confidence) of probability mass, the observation at its edge taken in part.

    That fraction makes the measure coherent and continuous in `confidence` (Rockafellar and Uryasev 2002, proposition
    8). Raises Invalid for an empty or non-finite sample.

    >>> historical_expected_shortfall([-0.05, -0.03, 0.01, 0.02, 0.04], 0.75)
    0.046
    """
    sample = checked_returns(returns)
    mass = (1.0 - checked_confidence(confidence)) * sample.size
    rank = min(tail_rank(sample.size, confidence), sample.size - 1)
    ordered = np.partition(sample, rank)
    edge = max(mass - rank, 0.0)
    return float(-(ordered[:rank].sum() + edge * ordered[rank]) / mass)


def normal_expected_shortfall(mean: float, deviation: float, confidence: float = 0.99) -> float:
    """Expected shortfall of a normal return: -mean + deviation * density(z) / (1 - confidence).

    Source: McNeil, Frey and Embrechts 2015, example 2.14.

    >>> round(normal_expected_shortfall(0.0, 0.01, 0.975), 6)
    0.023378
    """
    tail = 1.0 - checked_confidence(confidence)
    return -mean + checked_deviation(deviation) * STANDARD_NORMAL.pdf(STANDARD_NORMAL.inv_cdf(tail)) / tail


def cornish_fisher_expected_shortfall(
    mean: float, deviation: float, skewness: float, excess_kurtosis: float, confidence: float = 0.99
) -> float:
    """Mean of the Cornish-Fisher quantile over the tail, integrated term by term with Hermite polynomials.

    Consistent with `cornish_fisher_value_at_risk`, and refused outside the same domain (Maillard 2018).
    """
    if not cornish_fisher_is_monotone(skewness, excess_kurtosis):
        raise Invalid(
            "returns",
            f"skewness {skewness:.3f} and excess kurtosis {excess_kurtosis:.3f} are outside the domain in which the "
            "Cornish-Fisher expansion is a quantile",
        )
    tail = 1.0 - checked_confidence(confidence)
    z = STANDARD_NORMAL.inv_cdf(tail)
    factor = (
        1.0 + z * skewness / 6.0 + (z * z - 1.0) * excess_kurtosis / 24.0 - (2.0 * z * z - 1.0) * skewness**2 / 36.0
    )
    return -mean + checked_deviation(deviation) * STANDARD_NORMAL.pdf(z) / tail * factor


def student_expected_shortfall(mean: float, deviation: float, degrees: float, confidence: float = 0.99) -> float:
    """Expected shortfall of a Student t return with `degrees` > 2 of freedom and the given standard deviation.

    Source: McNeil, Frey and Embrechts 2015, example 2.15, rescaled from unit scale to unit variance.
    """
    from scipy.stats import t as student

    if not degrees > 2.0 or not math.isfinite(degrees):
        raise Invalid("degrees", f"must be finite and above 2, not {degrees}")
    tail = 1.0 - checked_confidence(confidence)
    quantile = float(student.ppf(tail, degrees))
    density = float(student.pdf(quantile, degrees))
    scale = checked_deviation(deviation) * math.sqrt((degrees - 2.0) / degrees)
    return -mean + scale * density / tail * (degrees + quantile * quantile) / (degrees - 1.0)
