"""The shape of a return distribution: tails, skewness, kurtosis, value at risk under its several conventions."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from nautilus.engines.analytics.moments import Series, Statistic, all_equal, mean, ratio, standard_deviation, undefined


def value_at_risk(returns: Series, cutoff: float = 0.05) -> Statistic:
    """Historical: the `cutoff` quantile of the returns, linear between order statistics; negative for a loss.

    NaN where a return is missing (empyrical's convention).
    """
    if not len(returns):
        return undefined(returns)
    return np.asarray(np.percentile(returns, 100.0 * cutoff, axis=0))


def conditional_value_at_risk(returns: Series, cutoff: float = 0.05) -> Statistic:
    """Historical: mean of the lowest 1 + floor((n - 1) * cutoff) returns that are there (empyrical's convention)."""
    ordered, count = _ordered(returns)
    if not len(ordered):
        return undefined(returns)
    taken = ((np.maximum(count, 1) - 1) * cutoff).astype(np.int64)
    sums = np.cumsum(ordered, axis=0)
    picked = np.take_along_axis(sums, taken[None], axis=0)[0]
    return np.asarray(np.where(count > 0, picked / (taken + 1), np.nan))


def gaussian_value_at_risk(returns: Series, cutoff: float = 0.05) -> Statistic:
    """Mean plus the normal quantile times the standard deviation (divisor n, as in PerformanceAnalytics)."""
    centre = mean(returns)
    return np.asarray(centre + NormalDist().inv_cdf(cutoff) * np.sqrt(mean((returns - centre) ** 2)))


def two_sigma_value_at_risk(returns: Series) -> Statistic:
    """Mean less two sample standard deviations: what pyfolio's tear sheet calls "Daily value at risk"."""
    return np.asarray(mean(returns) - 2.0 * standard_deviation(returns))


def modified_value_at_risk(returns: Series, cutoff: float = 0.05) -> Statistic:
    """Cornish-Fisher: the normal quantile corrected for skewness and excess kurtosis (Favre and Galeano 2002).

    All moments are the population's (divisor n), as in PerformanceAnalytics.
    """
    return shape(returns, cutoff)["modified_value_at_risk"]


def shape(returns: Series, cutoff: float = 0.05) -> dict[str, Statistic]:
    """`skew`, `kurtosis` and `modified_value_at_risk`, which rest on the same moments."""
    if not len(returns):
        return dict.fromkeys(("skew", "kurtosis", "modified_value_at_risk"), undefined(returns))
    centre = returns.mean(axis=0)
    centred = returns - centre
    squares = centred * centred
    variance = np.asarray(squares.mean(axis=0))
    flat = (variance <= (np.finfo(np.float64).eps * centre) ** 2) | all_equal(returns)
    centred *= squares
    squares *= squares
    skew = np.where(flat, np.nan, ratio(centred.mean(axis=0), variance**1.5))
    excess = np.where(flat, np.nan, ratio(squares.mean(axis=0), variance**2)) - 3.0
    z = NormalDist().inv_cdf(cutoff)
    corrected = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    modified = centre + corrected * np.sqrt(variance)
    return {
        "skew": np.asarray(skew),
        "kurtosis": np.asarray(excess),
        "modified_value_at_risk": np.asarray(modified),
    }


def tail_ratio(returns: Series) -> Statistic:
    """Size of the 95th percentile over the size of the 5th, of the returns that are there."""
    ordered, count = _ordered(returns)
    if not len(ordered):
        return undefined(returns)
    return ratio(np.abs(_quantile(ordered, count, 0.95)), np.abs(_quantile(ordered, count, 0.05)))


def skewness(returns: Series) -> Statistic:
    """Third standardised moment (divisor n, as scipy's biased one); NaN where a return is missing or all are equal."""
    return shape(returns)["skew"]


def kurtosis(returns: Series) -> Statistic:
    """Fourth standardised moment less three (divisor n); NaN where a return is missing or all are equal."""
    return shape(returns)["kurtosis"]


def stability(returns: Series) -> Statistic:
    """R squared of a straight line through the cumulative log returns of the periods that are there.

    NaN below two returns, and where every cumulative log return is the same.
    """
    columns = returns if returns.ndim == 2 else returns[:, None]
    found = np.array([_stability(column[~np.isnan(column)]) for column in columns.T])
    return np.asarray(found.reshape(returns.shape[1:]))


def _stability(returns: Series) -> float:
    if len(returns) < 2:
        return np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        path = np.log1p(returns).cumsum()
        path -= path.mean()
        time = np.arange(len(path)) - (len(path) - 1) / 2.0
        covariance, spread = time @ path, (time @ time) * (path @ path)
        if spread == 0.0:
            return np.nan
        return float(min(covariance**2 / spread, 1.0)) if np.isfinite(spread) else np.nan


def _ordered(returns: Series) -> tuple[Series, Statistic]:
    """Returns sorted along time, the missing ones last, and how many are there."""
    count = np.asarray((~np.isnan(returns)).sum(axis=0))
    return np.sort(returns, axis=0), count


def _quantile(ordered: Series, count: Statistic, probability: float) -> Statistic:
    """Quantile linear between order statistics, of the `count` first of each sorted series; NaN where there is none."""
    place = np.maximum(count - 1, 0) * probability
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0)).astype(np.int64)
    low = np.take_along_axis(ordered, below[None], axis=0)[0]
    high = np.take_along_axis(ordered, above[None], axis=0)[0]
    return np.asarray(low + (high - low) * (place - below))
