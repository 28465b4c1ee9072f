"""Trailing-window operators over panels [dates, instruments], column by column: lags, sums, extremes, ranks, decay.

Every function takes finite-or-NaN float64 panels of T rows and gives the T - window + 1 rows whose window is complete
(lags: T - rows rows). A window that holds a NaN gives NaN: nothing is skipped or filled. A value that is not finite
or not defined (division by zero, overflow) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.windows import BLOCK_CELLS, Panel, by_age, by_block, finite_or_nan, reduce_rows


def delay(x: Panel, rows: int) -> Panel:
    """The value `rows` rows ago. T - rows rows."""
    return x[: x.shape[0] - rows].copy() if x.shape[0] > rows else np.empty((0, x.shape[1]))


def delta(x: Panel, rows: int) -> Panel:
    """Today's value minus the value `rows` rows ago. T - rows rows."""
    if x.shape[0] <= rows:
        return np.empty((0, x.shape[1]))
    with np.errstate(all="ignore"):
        return finite_or_nan(x[rows:] - x[: x.shape[0] - rows])


def _weighted(x: Panel, weights: NDArray[np.float64]) -> Panel:
    if x.shape[0] == weights.size:
        return reduce_rows(np.add, x * weights[:, None])
    total = np.zeros((x.shape[0] - weights.size + 1, x.shape[1]))
    scratch = np.empty_like(total)
    for weight, lagged in zip(weights, by_age(x, weights.size), strict=True):
        np.multiply(lagged, weight, out=scratch)
        total += scratch
    return total


def _sum(x: Panel, window: int) -> Panel:
    if x.shape[0] == window:
        return reduce_rows(np.add, x)
    lagged = by_age(x, window)
    total = next(lagged).copy()
    for values in lagged:
        total += values
    return total


def ts_sum(x: Panel, window: int) -> Panel:
    """Sum over the window.

    >>> ts_sum(np.array([[1.0], [2.0], [4.0], [np.nan]]), 2).ravel()
    array([ 3.,  6., nan])
    """
    return by_block(window, (x,), lambda block: _sum(block, window))


def ts_mean(x: Panel, window: int) -> Panel:
    """Arithmetic mean over the window."""
    return by_block(window, (x,), lambda block: _sum(block, window) / window)


def ts_product(x: Panel, window: int) -> Panel:
    """Product over the window."""

    def row_block(block: Panel) -> Panel:
        if block.shape[0] == window:
            return reduce_rows(np.multiply, block)
        lagged = by_age(block, window)
        total = next(lagged).copy()
        for values in lagged:
            total *= values
        return total

    return by_block(window, (x,), row_block)


def ts_min(x: Panel, window: int) -> Panel:
    """Smallest value of the window."""
    return _extreme(x, window, np.minimum)


def ts_max(x: Panel, window: int) -> Panel:
    """Largest value of the window."""
    return _extreme(x, window, np.maximum)


def _extreme(x: Panel, window: int, choose: np.ufunc) -> Panel:
    def row_block(block: Panel) -> Panel:
        if block.shape[0] == window:
            return reduce_rows(choose, block)
        lagged = by_age(block, window)
        best = next(lagged).copy()
        for values in lagged:
            choose(best, values, out=best)
        return best

    return by_block(window, (x,), row_block)


def ts_argmax(x: Panel, window: int) -> Panel:
    """Position of the largest value in the window: 1 is the oldest row, `window` today; of equals the oldest.

    >>> ts_argmax(np.array([[3.0], [5.0], [5.0], [1.0]]), 3).ravel()
    array([2., 1.])
    """
    return _position(x, window, np.greater, np.maximum, np.argmax)


def ts_argmin(x: Panel, window: int) -> Panel:
    """Position of the smallest value in the window: 1 is the oldest row, `window` today; of equals the oldest."""
    return _position(x, window, np.less, np.minimum, np.argmin)


def _position(x: Panel, window: int, better: np.ufunc, choose: np.ufunc, find: Callable[..., Any]) -> Panel:
    def row_block(block: Panel) -> Panel:
        if block.shape[0] == window:
            return np.where(np.isnan(block).any(axis=0), np.nan, find(block, axis=0) + 1.0)[None]
        lagged = by_age(block, window)
        best = next(lagged).copy()
        position = np.ones_like(best)
        for age, values in enumerate(lagged, start=2):
            np.copyto(position, age, where=better(values, best))
            choose(best, values, out=best)
        position[np.isnan(best)] = np.nan
        return position

    return by_block(window, (x,), row_block)


def ts_rank(x: Panel, window: int) -> Panel:
    """Rank of today's value among the window's, as a fraction in (0, 1]: average rank over `window`, ties averaged.

    >>> ts_rank(np.array([[1.0], [3.0], [3.0], [2.0]]), 3).ravel().round(4)
    array([0.8333, 0.3333])
    """

    def row_block(block: Panel) -> Panel:
        today = block[window - 1 :]
        if block.shape[0] == window:
            both = (block < today).astype(np.float64) + (block <= today)
            rank = (both.sum(axis=0, keepdims=True) + 1.0) / (2.0 * window)
            rank[:, np.isnan(block).any(axis=0)] = np.nan
            return rank
        twice, present = np.zeros_like(today), np.zeros_like(today)
        for values in by_age(block, window):
            twice += values < today
            twice += values <= today
            present += values == values  # noqa: PLR0124 (false for NaN only)
        rank = (twice + 1.0) / (2.0 * window)
        rank[present < window] = np.nan
        return rank

    return by_block(window, (x,), row_block)


def ts_quantile(x: Panel, window: int, probability: float) -> Panel:
    """Quantile of the window, interpolated linearly between order statistics (Hyndman and Fan's type 7)."""
    position = probability * (window - 1)
    lower = math.floor(position)
    upper, share = min(lower + 1, window - 1), position - lower

    def row_block(block: Panel) -> Panel:
        ordered = np.sort(np.lib.stride_tricks.sliding_window_view(block, window, axis=0), axis=-1)
        low, high = ordered[..., lower], ordered[..., upper]
        value = low + (high - low) * share
        value[np.isnan(ordered[..., -1])] = np.nan
        return value

    return by_block(window, (x,), row_block, cells=4 * BLOCK_CELLS // window)


def ts_median(x: Panel, window: int) -> Panel:
    """Median of the window."""
    return ts_quantile(x, window, 0.5)


def decay_linear(x: Panel, window: int) -> Panel:
    """Mean over the window with weights 1 ... window, today's the largest.

    >>> decay_linear(np.array([[3.0], [6.0]]), 2).ravel()
    array([5.])
    """
    weights = np.arange(1.0, window + 1.0)
    weights /= weights.sum()
    return by_block(window, (x,), lambda block: _weighted(block, weights))


def decay_exp(x: Panel, window: int, half_life: float) -> Panel:
    """Mean over the window with weights that halve every `half_life` rows of age."""
    weights = np.exp2(-np.arange(window - 1, -1, -1) / half_life)
    weights /= weights.sum()
    return by_block(window, (x,), lambda block: _weighted(block, weights))


def compound_exp(x: Panel, window: int, half_life: float) -> Panel:
    """Compounded return over the window when the return of age a counts 2^(-a / half_life) of itself.

    The product of 1 + weight x, minus 1: toraniko 1.1's momentum.

    >>> float(compound_exp(np.array([[0.1], [0.1]]), 2, 1.0)[0, 0].round(6))
    0.155
    """
    weights = np.exp2(-np.arange(window - 1, -1, -1) / half_life)

    def row_block(block: Panel) -> Panel:
        if block.shape[0] == window:
            return reduce_rows(np.multiply, block * weights[:, None] + 1.0) - 1.0
        total = np.ones((block.shape[0] - window + 1, block.shape[1]))
        scratch = np.empty_like(total)
        for weight, values in zip(weights, by_age(block, window), strict=True):
            np.multiply(values, weight, out=scratch)
            scratch += 1.0
            total *= scratch
        return total - 1.0

    return by_block(window, (x,), row_block)


def recursive_mean(x: Panel, previous: Panel, weight: float) -> tuple[Panel, Panel]:
    """Exponential smoothing y = y' + weight (x - y'), started by the first finite value.

    `previous` is the row [1, instruments] of y before the first row of x (NaN before any). A NaN row element gives
    NaN and leaves the state as it was. Returns all rows and the state after the last one.

    >>> recursive_mean(np.array([[1.0], [np.nan], [3.0]]), np.array([[np.nan]]), 0.5)[0].ravel()
    array([ 1., nan,  2.])
    """
    out, state = np.empty_like(x), previous.copy()
    with np.errstate(all="ignore"):
        for row, values in enumerate(x):
            seen = np.isfinite(values)
            fresh = np.where(np.isfinite(state[0]), state[0] + weight * (values - state[0]), values)
            np.copyto(state[0], fresh, where=seen & np.isfinite(fresh))
            out[row] = np.where(seen, state[0], np.nan)
    return out, state
