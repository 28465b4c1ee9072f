"""Means and standard deviations that leave missing values (NaN) out, for one series or many at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.errors import Invalid

Series = NDArray[np.float64]
"""Values [periods] of one series or [periods, series] of many."""

Statistic = NDArray[np.float64]
"""One number for each series: shape [series], or [] for one series."""

TRADING_DAYS = 252.0


def checked_series(name: str, values: ArrayLike) -> Series:
    """Values as float64, [periods] or [periods, series]; raises Invalid for another shape or an infinity."""
    # a series is contiguous, so that among others it is summed in the same order as alone, to the last bit
    array = np.asarray(values, dtype=np.float64, order="F")
    if array.ndim not in {1, 2}:
        raise Invalid(name, "must be [periods] or [periods, series]")
    if np.isinf(array).any():
        raise Invalid(name, "must not hold infinite numbers")
    return array


def undefined(values: Series) -> Statistic:
    """NaN for each series."""
    return np.full(values.shape[1:], np.nan)


def mean(values: Series) -> Statistic:
    """Mean over the periods that are there; NaN where none is."""
    total = np.asarray(values.sum(axis=0))
    if len(values) and not np.isnan(total).any():
        return np.asarray(total / len(values))
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0))


def standard_deviation(values: Series) -> Statistic:
    """Sample standard deviation (divisor n - 1); NaN below two values, exactly zero where all values are equal."""
    centre = mean(values)
    squares = np.asarray(values - centre)
    squares *= squares
    count: Any = len(values)
    total = np.asarray(squares.sum(axis=0))
    if np.isnan(total).any():
        count = (~np.isnan(values)).sum(axis=0)
        total = np.asarray(np.where(np.isnan(squares), 0.0, squares).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.sqrt(total / (count - 1))
    # Equal values differ from their rounded mean by a few units in its last place.
    if (deviation <= 1e-12 * np.abs(centre)).any():
        deviation = np.where(all_equal(values), 0.0, deviation)
    return np.asarray(np.where(np.asarray(count) > 1, deviation, np.nan))


def all_equal(values: Series) -> NDArray[np.bool_]:
    """Whether the values of each series that are there are one and the same."""
    missing = np.isnan(values)
    return np.asarray(np.where(missing, -np.inf, values).max(axis=0) == np.where(missing, np.inf, values).min(axis=0))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Statistic:
    """`numerator / denominator` with the infinities and NaN of IEEE 754 and without warnings."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.true_divide(numerator, denominator))
