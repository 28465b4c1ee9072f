"""Were the values at risk right? Tests of how many exceptions there were, when they came, and how they clustered.

`observations` counts days, `exceptions` the days on which the loss was larger than the value at risk, `probability` is
1 - confidence. Every likelihood ratio is asymptotically chi-squared with the stated degrees of freedom.
"""

import math
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.engines.risk.return_sample import checked_confidence, checked_returns
from nautilus.errors import Invalid


class LikelihoodRatio(msgspec.Struct, frozen=True, kw_only=True):
    """A test's statistic, its degrees of freedom and the probability of one at least as large if the model is right."""

    statistic: float
    degrees: int
    p_value: float


class TrafficLight(msgspec.Struct, frozen=True, kw_only=True):
    """The zone, the cumulative probability of at most this many exceptions, of at least this many, and the plus factor.

    `plus_factor` is the Basel addition to the multiplier 3; it is defined for 250 observations at 99% only.
    """

    zone: Literal["green", "yellow", "red"]
    cumulative_probability: float
    type_one_probability: float
    plus_factor: float | None


def kupiec_pof(observations: int, exceptions: int, probability: float) -> LikelihoodRatio:
    """Proportion of failures: does the share of exceptions fit? One degree of freedom (Kupiec 1995).

    >>> test = kupiec_pof(1043, 57, 0.05)
    >>> round(test.statistic, 5), round(test.p_value, 5)
    (0.46147, 0.49694)
    """
    _check_counts(observations, exceptions, probability)
    share = exceptions / observations
    statistic = -2.0 * (
        _log_likelihood(observations, exceptions, probability) - _log_likelihood(observations, exceptions, share)
    )
    return _ratio(statistic, 1)


def kupiec_tuff(first_failure: int, probability: float) -> LikelihoodRatio:
    """Time until first failure, counted from 1: did it come when it should? One degree of freedom (Kupiec 1995).

    >>> test = kupiec_tuff(58, 0.05)
    >>> round(test.statistic, 4), round(test.p_value, 5)
    (1.7354, 0.18773)
    """
    if first_failure < 1:
        raise Invalid("first_failure", f"must be at least 1, not {first_failure}")
    _check_probability(probability)
    return _ratio(_waiting(first_failure, probability), 1)


def time_between_failures(gaps: ArrayLike, probability: float) -> LikelihoodRatio:
    """Do the waiting times between exceptions fit, all together? As many degrees of freedom as gaps (Haas 2001).

    `gaps` are whole days of at least 1; the first is the time until the first failure.
    """
    _check_probability(probability)
    waits = np.asarray(gaps, dtype=np.float64)
    if waits.ndim != 1 or waits.size == 0 or not np.isfinite(waits).all() or (waits < 1.0).any():
        raise Invalid("gaps", "must be a list of waiting times of at least 1")
    return _ratio(math.fsum(_waiting(int(wait), probability) for wait in waits), waits.size)


def christoffersen_independence(n00: int, n01: int, n10: int, n11: int) -> LikelihoodRatio:
    """Does an exception make another more likely on the next day? One degree of freedom (Christoffersen 1998).

    `nij` counts the days in state j that follow a day in state i, where state 1 is an exception.

    >>> test = christoffersen_independence(932, 53, 53, 4)
    >>> round(test.statistic, 5), round(test.p_value, 5)
    (0.25866, 0.61104)
    """
    if min(n00, n01, n10, n11) < 0:
        raise Invalid("transitions", "must not be negative")
    total = n00 + n01 + n10 + n11
    if total == 0:
        raise Invalid("transitions", "need at least one")
    after_calm, after_failure = n00 + n01, n10 + n11
    calm = _log_likelihood(after_calm, n01, n01 / after_calm if after_calm else 0.0)
    failed = _log_likelihood(after_failure, n11, n11 / after_failure if after_failure else 0.0)
    pooled = _log_likelihood(total, n01 + n11, (n01 + n11) / total)
    return _ratio(-2.0 * (pooled - calm - failed), 1)


def conditional_coverage(
    observations: int, exceptions: int, probability: float, transitions: tuple[int, int, int, int]
) -> LikelihoodRatio:
    """Right share and independence at once: both statistics added, two degrees of freedom (Christoffersen 1998)."""
    coverage = kupiec_pof(observations, exceptions, probability)
    return _ratio(coverage.statistic + christoffersen_independence(*transitions).statistic, 2)


def traffic_light(observations: int, exceptions: int, probability: float = 0.01) -> TrafficLight:
    """Basel's zones by the cumulative binomial probability: yellow from 95%, red from 99.99% (Basel Committee 1996).

    >>> traffic_light(250, 4).zone, traffic_light(250, 5).plus_factor, traffic_light(250, 10).zone
    ('green', 0.4, 'red')
    """
    from scipy.special import bdtr

    _check_counts(observations, exceptions, probability)
    cumulative = float(bdtr(exceptions, observations, probability))
    type_one = 1.0 if exceptions == 0 else 1.0 - float(bdtr(exceptions - 1, observations, probability))
    zone: Literal["green", "yellow", "red"] = (
        "green" if cumulative < 0.95 else "yellow" if cumulative < 0.9999 else "red"
    )
    basel = observations == 250 and math.isclose(probability, 0.01)
    return TrafficLight(
        zone=zone,
        cumulative_probability=cumulative,
        type_one_probability=type_one,
        plus_factor=_plus_factor(exceptions) if basel else None,
    )


def acerbi_szekely(returns: ArrayLike, value_at_risk: ArrayLike, shortfall: ArrayLike, confidence: float) -> float:
    """Test 2 of expected shortfall: 1 + sum(exception * return / shortfall) / (n (1 - confidence)).

    Zero is expected of a right model, negative means that losses beyond the value at risk were larger or more frequent
    than forecast; about -0.7 rejects at 5% for a wide range of distributions. All three are vectors by day, losses of
    the forecasts positive. Source: Acerbi and Szekely 2014, equation 6.
    """
    sample = checked_returns(returns)
    limit, mean_loss = np.asarray(value_at_risk, np.float64), np.asarray(shortfall, np.float64)
    if limit.shape != sample.shape or mean_loss.shape != sample.shape:
        raise Invalid("value_at_risk", "must have one value for each return")
    if not np.isfinite(limit).all() or not np.isfinite(mean_loss).all() or (mean_loss <= 0.0).any():
        raise Invalid("shortfall", "must be finite and positive")
    exceeded = -sample > limit
    expected = sample.size * (1.0 - checked_confidence(confidence))
    return 1.0 + float(np.sum(sample[exceeded] / mean_loss[exceeded])) / expected


class VarBacktest(msgspec.Struct, frozen=True, kw_only=True):
    """Every test of one series of forecasts. A test that is not defined for lack of exceptions or days is None."""

    observations: int
    exceptions: int
    expected_exceptions: float
    kupiec_pof: LikelihoodRatio
    kupiec_tuff: LikelihoodRatio | None
    time_between_failures: LikelihoodRatio | None
    christoffersen_independence: LikelihoodRatio | None
    conditional_coverage: LikelihoodRatio | None
    traffic_light: TrafficLight


def backtest_value_at_risk(returns: ArrayLike, value_at_risk: ArrayLike, confidence: float = 0.99) -> VarBacktest:
    """Run every test on (n,) returns and the (n,) values at risk forecast for them; exceptions are losses beyond.

    Raises Invalid where the lengths differ or a value is not finite.
    """
    sample = checked_returns(returns)
    forecast = np.asarray(value_at_risk, dtype=np.float64)
    if forecast.shape != sample.shape or not np.isfinite(forecast).all():
        raise Invalid("value_at_risk", "must be finite and have one value for each return")
    probability = 1.0 - checked_confidence(confidence)
    exceeded = -sample > forecast
    count = int(exceeded.sum())
    days = np.flatnonzero(exceeded) + 1
    transitions = transition_counts(exceeded)
    enough = sample.size > 1
    return VarBacktest(
        observations=sample.size,
        exceptions=count,
        expected_exceptions=sample.size * probability,
        kupiec_pof=kupiec_pof(sample.size, count, probability),
        kupiec_tuff=kupiec_tuff(int(days[0]), probability) if count else None,
        time_between_failures=time_between_failures(np.diff(days, prepend=0), probability) if count else None,
        christoffersen_independence=christoffersen_independence(*transitions) if enough else None,
        conditional_coverage=conditional_coverage(sample.size, count, probability, transitions) if enough else None,
        traffic_light=traffic_light(sample.size, count, probability),
    )


def transition_counts(exceeded: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """How often calm followed calm, exception calm, calm exception, exception exception: (n00, n01, n10, n11).

    >>> transition_counts(np.array([False, True, True, False]))
    (0, 1, 1, 1)
    """
    before, after = exceeded[:-1], exceeded[1:]
    n11 = int(np.sum(before & after))
    n01 = int(np.sum(after)) - n11
    n10 = int(np.sum(before)) - n11
    return before.size - n11 - n01 - n10, n01, n10, n11


def _plus_factor(exceptions: int) -> float:
    table = (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00)
    return table[min(exceptions, 10)]


def _log_likelihood(trials: int, successes: int, probability: float) -> float:
    """Log of p^x (1 - p)^(n - x), with 0 log 0 = 0."""
    failures = trials - successes
    likelihood = successes * math.log(probability) if successes else 0.0
    return likelihood + (failures * math.log1p(-probability) if failures else 0.0)


def _waiting(days: int, probability: float) -> float:
    return -2.0 * (_log_likelihood(days, 1, probability) - _log_likelihood(days, 1, 1.0 / days))


def _ratio(statistic: float, degrees: int) -> LikelihoodRatio:
    from scipy.special import chdtrc

    value = max(statistic, 0.0)
    return LikelihoodRatio(statistic=value, degrees=degrees, p_value=float(chdtrc(degrees, value)))


def _check_probability(probability: float) -> None:
    if not 0.0 < probability < 0.5:
        raise Invalid("probability", f"must lie between 0 and 0.5, not {probability}")


def _check_counts(observations: int, exceptions: int, probability: float) -> None:
    _check_probability(probability)
    if observations < 1:
        raise Invalid("observations", f"must be at least 1, not {observations}")
    if not 0 <= exceptions <= observations:
        raise Invalid("exceptions", f"must lie between 0 and {observations}, not {exceptions}")
