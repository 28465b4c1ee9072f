"""Operators over one date's instruments: each row of a panel [dates, instruments] on its own.

NaN takes no part and stays NaN. A row with fewer than two numbers has no cross-section: all its results are NaN.
Groups are panels of whole numbers (codes from 0); an instrument whose code is NaN belongs to none and gets NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Panel = NDArray[np.float64]

MAXIMUM_GROUPS = 4096


def _counts(x: Panel) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    present = ~np.isnan(x)
    return present, present.sum(axis=1, keepdims=True).astype(np.float64)


def _mean(x: Panel, present: NDArray[np.bool_], count: NDArray[np.float64]) -> Panel:
    total: Panel = np.where(present, x, 0.0).sum(axis=1, keepdims=True)
    return total / count


def _masked(value: Panel, present: NDArray[np.bool_], count: NDArray[np.float64]) -> Panel:
    return np.where(present & (count >= 2) & np.isfinite(value), value, np.nan)


def rank(x: Panel) -> Panel:
    """Rank within the row as a fraction in (0, 1]: average rank over the number of values, ties averaged.

    >>> rank(np.array([[10.0, 30.0, np.nan, 30.0, 20.0]]))
    array([[0.25 , 0.875,   nan, 0.875, 0.5  ]])
    """
    present, count = _counts(x)
    return _masked(_average_rank(x) / count, present, count)


def _average_rank(x: Panel) -> Panel:
    """1-based average rank of every cell in its row; NaN cells sort last and their rank means nothing."""
    order = np.argsort(x, axis=1)
    ordered = np.take_along_axis(x, order, axis=1)
    first, last = _tie_bounds(ordered[:, 1:] == ordered[:, :-1])
    out = np.empty_like(x)
    np.put_along_axis(out, order, (first + last) / 2.0, axis=1)
    return out


def _tie_bounds(repeats: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last 1-based position of the run that each cell belongs to; `repeats` says which continue the last."""
    rows, columns = repeats.shape[0], repeats.shape[1] + 1
    position = np.arange(1.0, columns + 1.0)
    if not repeats.any():
        return np.broadcast_to(position, (rows, columns)), np.broadcast_to(position, (rows, columns))
    starts, ends = np.ones((rows, columns), dtype=bool), np.ones((rows, columns), dtype=bool)
    starts[:, 1:], ends[:, :-1] = ~repeats, ~repeats
    first = np.maximum.accumulate(np.where(starts, position, 0.0), axis=1)
    last = np.minimum.accumulate(np.where(ends, position, np.inf)[:, ::-1], axis=1)[:, ::-1]
    return first, last


def demean(x: Panel) -> Panel:
    """Distance from the row's mean."""
    present, count = _counts(x)
    return _masked(x - _mean(x, present, count), present, count)


def zscore(x: Panel) -> Panel:
    """Distance from the row's mean in its sample standard deviations (divisor count - 1); NaN in a constant row.

    >>> zscore(np.array([[1.0, 2.0, 3.0]]))
    array([[-1.,  0.,  1.]])
    """
    present, count = _counts(x)
    centred = x - _mean(x, present, count)
    squares: Panel = np.where(present, centred * centred, 0.0).sum(axis=1, keepdims=True)
    low, high = np.where(present, x, np.inf).min(axis=1), np.where(present, x, -np.inf).max(axis=1)
    deviation = np.where((high > low)[:, None], np.sqrt(squares / (count - 1.0)), np.nan)
    return _masked(centred / deviation, present, count)


def scale(x: Panel, total: float) -> Panel:
    """x times the factor that makes the magnitudes of its row sum to `total`; NaN in a row of zeros."""
    present, count = _counts(x)
    magnitude: Panel = np.where(present, np.abs(x), 0.0).sum(axis=1, keepdims=True)
    return _masked(x / magnitude * total, present, count)


def winsorize(x: Panel, share: float) -> Panel:
    """x clipped to its row's quantiles `share` and 1 - `share` (linear interpolation, Hyndman and Fan's type 7).

    >>> winsorize(np.array([[0.0, 1.0, 2.0, 3.0, 100.0]]), 0.25)
    array([[1., 1., 2., 3., 3.]])
    """
    present, count = _counts(x)
    ordered = np.sort(x, axis=1)
    low, high = _row_quantile(ordered, count, share), _row_quantile(ordered, count, 1.0 - share)
    return _masked(np.minimum(np.maximum(x, low), high), present, count)


def _row_quantile(ordered: Panel, count: NDArray[np.float64], probability: float) -> Panel:
    position = np.maximum(probability * (count - 1.0), 0.0)
    lower = np.floor(position)
    upper = np.minimum(lower + 1.0, np.maximum(count - 1.0, 0.0))
    low = np.take_along_axis(ordered, lower.astype(np.intp), axis=1)
    high = np.take_along_axis(ordered, upper.astype(np.intp), axis=1)
    quantile: Panel = low + (high - low) * (position - lower)
    return quantile


def residual(y: Panel, x: Panel) -> Panel:
    """What is left of y after the row's least-squares line on x (with intercept); the centred y if x is constant."""
    present, count = _counts(x + y)
    dx = x - _mean(x, present, count)
    dy = y - _mean(y, present, count)
    xx: Panel = np.where(present, dx * dx, 0.0).sum(axis=1, keepdims=True)
    xy: Panel = np.where(present, dx * dy, 0.0).sum(axis=1, keepdims=True)
    return _masked(dy - np.where(xx > 0.0, xy / xx, 0.0) * dx, present, count)


def _group_keys(x: Panel, groups: Panel) -> tuple[NDArray[np.bool_], NDArray[np.intp], int]:
    """Which cells take part, their group as one number over all rows, and how many such numbers there are."""
    groups = np.broadcast_to(groups, x.shape)
    present = ~np.isnan(x) & ~np.isnan(groups)
    codes = np.where(present, groups, 0.0)
    if codes.size and (codes.min() < 0 or codes.max() >= MAXIMUM_GROUPS or not np.array_equal(codes, np.floor(codes))):
        raise ValueError(f"group codes must be whole numbers from 0 to {MAXIMUM_GROUPS - 1}")
    width = int(codes.max()) + 1 if codes.size else 1
    keys = codes.astype(np.intp) + width * np.arange(x.shape[0], dtype=np.intp)[:, None]
    return present, keys, width * x.shape[0]


def _group_sum(x: Panel, present: NDArray[np.bool_], keys: NDArray[np.intp], size: int) -> Panel:
    totals: Panel = np.bincount(keys.ravel(), weights=np.where(present, x, 0.0).ravel(), minlength=size)
    return totals[keys]


def group_mean(x: Panel, groups: Panel) -> Panel:
    """Mean of x over the instrument's group."""
    present, keys, size = _group_keys(x, groups)
    members = _group_sum(present.astype(np.float64), present, keys, size)
    _, count = _counts(x)
    return _masked(_group_sum(x, present, keys, size) / members, present, count)


def group_neutralize(x: Panel, groups: Panel) -> Panel:
    """Distance of x from the mean of its group; 0 for an instrument alone in its group.

    >>> group_neutralize(np.array([[1.0, 3.0, 7.0]]), np.array([[0.0, 0.0, 1.0]]))
    array([[-1.,  1.,  0.]])
    """
    return x - group_mean(x, groups)


def group_zscore(x: Panel, groups: Panel) -> Panel:
    """Distance of x from the mean of its group in the group's sample standard deviations; NaN if they are zero."""
    centred = group_neutralize(x, groups)
    present, keys, size = _group_keys(centred, groups)
    members = _group_sum(present.astype(np.float64), present, keys, size)
    squares = _group_sum(centred * centred, present, keys, size)
    _, count = _counts(x)
    return _masked(np.where(squares > 0.0, centred / np.sqrt(squares / (members - 1.0)), np.nan), present, count)


def group_rank(x: Panel, groups: Panel) -> Panel:
    """Rank of x within its group as a fraction in (0, 1], ties averaged.

    >>> group_rank(np.array([[5.0, 1.0, 3.0, 9.0]]), np.array([[0.0, 0.0, 1.0, 0.0]])).round(4)
    array([[0.6667, 0.3333, 1.    , 1.    ]])
    """
    present, keys, size = _group_keys(x, groups)
    members = _group_sum(present.astype(np.float64), present, keys, size)
    codes = np.where(present, np.broadcast_to(groups, x.shape), np.inf)
    by_value = np.argsort(np.where(present, x, np.inf), axis=1, kind="stable")
    by_group = np.argsort(np.take_along_axis(codes, by_value, axis=1), axis=1, kind="stable")
    order = np.take_along_axis(by_value, by_group, axis=1)
    values, ordered_codes = np.take_along_axis(x, order, axis=1), np.take_along_axis(codes, order, axis=1)
    new_group = ordered_codes[:, 1:] != ordered_codes[:, :-1]
    first, last = _tie_bounds(~new_group & (values[:, 1:] == values[:, :-1]))
    group_start, _ = _tie_bounds(~new_group)
    ranks = np.empty_like(x)
    np.put_along_axis(ranks, order, (first + last) / 2.0 - group_start + 1.0, axis=1)
    _, count = _counts(x)
    return _masked(ranks / members, present, count)
