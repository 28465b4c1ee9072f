"""When will the margin call come? First passage of the account's excess through zero, in closed form.

Assumptions, stated because the answer is no better than they are: the excess follows a Brownian motion with constant
drift and deviation (positions are not traded, volatility does not change, no jumps), and prices are followed without
pause. Time is in whatever unit the deviation is per square root of.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from nautilus.errors import Invalid

_NORMAL = NormalDist()


def excess_deviation(values: ArrayLike, rates: ArrayLike, covariance: ArrayLike) -> float:
    """Standard deviation of the change of excess over one interval of the covariance.

    A price change of r moves equity by value * r and the requirement by rate * |value| * r, so that the excess is
    exposed to value - rate * |value| of each instrument. `values` signed money, `rates` marginal requirement rates.
    """
    held = np.asarray(values, dtype=np.float64)
    exposure = held - np.asarray(rates, dtype=np.float64) * np.abs(held)
    matrix = np.asarray(covariance, dtype=np.float64)
    if (
        matrix.shape != (exposure.size, exposure.size)
        or not np.isfinite(matrix).all()
        or not np.isfinite(exposure).all()
    ):
        raise Invalid("covariance", "must be finite, square and fit the values")
    return math.sqrt(max(float(exposure @ matrix @ exposure), 0.0))


def call_probability(excess: float, deviation: float, horizon: float, drift: float = 0.0) -> float:
    """Probability that the excess touches zero within `horizon`: in (0, 1), 1 where it is there already.

    Source: Borodin and Salminen, Handbook of Brownian Motion, 2.0.2; with zero drift 2 Phi(-excess / (dev sqrt(t))).

    >>> round(call_probability(1.0, 1.0, 1.0), 6)
    0.317311
    """
    _check(deviation, horizon, drift)
    if excess <= 0.0:
        return 1.0
    spread = deviation * math.sqrt(horizon)
    bend = 2.0 * drift / deviation / deviation * excess if deviation > 0.0 else math.inf
    if spread == 0.0 or not math.isfinite(bend):
        return 1.0 if drift < 0.0 and excess <= -drift * horizon else 0.0
    direct = _NORMAL.cdf((-excess - drift * horizon) / spread)
    mirrored = (-excess + drift * horizon) / spread
    if drift >= 0.0:
        return min(direct + math.exp(-bend) * _NORMAL.cdf(mirrored), 1.0)
    return min(direct + math.exp(min(-bend + _log_cdf(mirrored), 0.0)), 1.0)


def time_to_call(excess: float, deviation: float, probability: float = 0.5) -> float | None:
    """The time by which the call has come with `probability`, without drift: (excess / (deviation z))^2.

    z is the normal quantile of 1 - probability / 2. None where it never comes, for there is no deviation; 0 where the
    excess is gone already. With probability 0.5 it is the median, 0.05 an early warning.

    >>> round(time_to_call(1.0, 1.0, 0.317310507863), 6)
    1.0
    """
    if not 0.0 < probability < 1.0:
        raise Invalid("probability", f"must lie between 0 and 1, not {probability}")
    _check(deviation, 1.0, 0.0)
    if excess <= 0.0:
        return 0.0
    if deviation == 0.0:
        return None
    ratio = excess / (deviation * _NORMAL.inv_cdf(1.0 - 0.5 * probability))
    return ratio * ratio if ratio < 1e150 else None


def _log_cdf(z: float) -> float:
    """Log of the normal distribution function, also far in the left tail."""
    from scipy.special import log_ndtr

    return float(log_ndtr(z))


def _check(deviation: float, horizon: float, drift: float) -> None:
    if not 0.0 <= deviation < math.inf:
        raise Invalid("deviation", f"must be finite and not negative, not {deviation}")
    if not 0.0 < horizon < math.inf:
        raise Invalid("horizon", f"must be positive and finite, not {horizon}")
    if not math.isfinite(drift):
        raise Invalid("drift", f"must be finite, not {drift}")
