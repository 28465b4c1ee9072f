"""What every measure asks of its input: finite returns in order of time, and a confidence that names a loss tail."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.errors import Invalid

type Vector = NDArray[np.float64]
type Matrix = NDArray[np.float64]


def checked_returns(returns: ArrayLike, minimum: int = 1) -> Vector:
    """Returns as a float64 vector, oldest first; raises Invalid unless 1-D, finite and at least `minimum` long."""
    sample = np.asarray(returns, dtype=np.float64)
    if sample.ndim != 1:
        raise Invalid("returns", f"must be one-dimensional, not {sample.ndim}-dimensional")
    return _finite_and_long(sample, minimum)


def checked_panel(returns: ArrayLike, minimum: int = 2) -> Matrix:
    """Returns as a (observations, instruments) matrix; raises Invalid unless 2-D, finite and `minimum` rows long."""
    sample = np.asarray(returns, dtype=np.float64)
    if sample.ndim != 2 or sample.shape[1] == 0:
        raise Invalid("returns", "must be a matrix of observations by instruments")
    return _finite_and_long(sample, minimum)


def checked_confidence(confidence: float) -> float:
    """The confidence itself; raises Invalid unless 0.5 < confidence < 1."""
    if not 0.5 < confidence < 1.0:
        raise Invalid("confidence", f"must lie between 0.5 and 1, not {confidence}")
    return confidence


def tail_rank(observations: int, confidence: float) -> int:
    """How many losses lie strictly beyond the empirical quantile: floor((1 - confidence) * observations).

    A count within 1e-9 of a whole number is that number, so that 100 observations at 95% have 5 in the tail.

    >>> tail_rank(100, 0.95), tail_rank(250, 0.99)
    (5, 2)
    """
    return math.floor((1.0 - confidence) * observations + 1e-9)


def moments(returns: ArrayLike) -> tuple[float, float, float, float]:
    """Mean, sample deviation (n - 1), skewness and excess kurtosis (both population moments) of a vector.

    A constant sample has deviation, skewness and excess kurtosis 0. Raises Invalid below two observations.
    """
    sample = checked_returns(returns, 2)
    mean = float(sample.mean())
    centred = sample - mean
    variance = float(np.mean(centred**2))
    if variance <= np.finfo(np.float64).tiny:
        return mean, 0.0, 0.0, 0.0
    standard = centred / math.sqrt(variance)
    deviation = math.sqrt(variance * sample.size / (sample.size - 1))
    return mean, deviation, float(np.mean(standard**3)), float(np.mean(standard**4) - 3.0)


def checked_weights(weights: ArrayLike | Sequence[float], count: int, field: str = "weights") -> Vector:
    """Weights as a float64 vector; raises Invalid unless finite and `count` long."""
    vector = np.asarray(weights, dtype=np.float64)
    if vector.shape != (count,):
        raise Invalid(field, f"must have {count} values, not shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise Invalid(field, "must be finite")
    return vector


def _finite_and_long(sample: NDArray[np.float64], minimum: int) -> NDArray[np.float64]:
    if sample.shape[0] < minimum:
        raise Invalid("returns", f"need at least {minimum} observations, there are {sample.shape[0]}")
    if not np.isfinite(sample).all():
        raise Invalid("returns", "must be finite")
    return sample
