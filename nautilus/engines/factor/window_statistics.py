"""Statistics of trailing windows over panels [dates, instruments]: moments, correlation, regression on time.

Conventions as in `time_series`. All sums are of deviations from the window's mean, measured from today's value first,
so that a constant window has a variance of exactly zero (its correlation, skewness and the like are NaN).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.windows import Panel, by_age, by_block, reduce_rows


def _centred(x: Panel, window: int) -> tuple[Panel, Panel]:
    """Today's value and the window's mean measured from it: a constant window centres to exact zeros."""
    today = x[window - 1 :]
    if x.shape[0] == window:
        return today, reduce_rows(np.add, x - today) / window
    offset, scratch = np.zeros_like(today), np.empty_like(today)
    for values in by_age(x, window):
        np.subtract(values, today, out=scratch)
        offset += scratch
    offset /= window
    return today, offset


def _power_sums(x: Panel, window: int, highest: int) -> list[Panel]:
    """Sums of the deviations from the window's mean to the powers 2 ... highest."""
    today, offset = _centred(x, window)
    if x.shape[0] == window:
        return _row_power_sums(x - today - offset, highest)
    sums = [np.zeros_like(today) for _ in range(2, highest + 1)]
    deviation, power = np.empty_like(today), np.empty_like(today)
    for values in by_age(x, window):
        np.subtract(values, today, out=deviation)
        deviation -= offset
        np.multiply(deviation, deviation, out=power)
        sums[0] += power
        for higher in range(1, highest - 1):
            power *= deviation
            sums[higher] += power
    return sums


def _row_power_sums(deviation: Panel, highest: int) -> list[Panel]:
    power = deviation * deviation
    sums = [reduce_rows(np.add, power)]
    for _ in range(3, highest + 1):
        power = power * deviation
        sums.append(reduce_rows(np.add, power))
    return sums


def ts_var(x: Panel, window: int) -> Panel:
    """Sample variance of the window (divisor window - 1)."""
    return by_block(window, (x,), lambda block: _power_sums(block, window, 2)[0] / (window - 1))


def ts_std(x: Panel, window: int) -> Panel:
    """Sample standard deviation of the window (divisor window - 1).

    >>> float(ts_std(np.array([[1.0], [2.0], [4.0]]), 3)[0, 0].round(6))
    1.527525
    """
    return by_block(window, (x,), lambda block: np.sqrt(_power_sums(block, window, 2)[0] / (window - 1)))


def ts_zscore(x: Panel, window: int) -> Panel:
    """Today's distance from the window's mean in its sample standard deviations."""

    def row_block(block: Panel) -> Panel:
        _, offset = _centred(block, window)
        return -offset / np.sqrt(_power_sums(block, window, 2)[0] / (window - 1))

    return by_block(window, (x,), row_block)


def ts_skew(x: Panel, window: int) -> Panel:
    """Sample skewness of the window, adjusted for bias (G1 of Joanes and Gill 1998)."""
    factor = window * math.sqrt(window - 1) / (window - 2)

    def row_block(block: Panel) -> Panel:
        second, third = _power_sums(block, window, 3)
        return factor * third / (second * np.sqrt(second))

    return by_block(window, (x,), row_block)


def ts_kurt(x: Panel, window: int) -> Panel:
    """Sample excess kurtosis of the window, adjusted for bias (G2 of Joanes and Gill 1998)."""
    n = float(window)
    scale = n * (n + 1) * (n - 1) / ((n - 2) * (n - 3))
    shift = 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))

    def row_block(block: Panel) -> Panel:
        second, _, fourth = _power_sums(block, window, 4)
        return scale * fourth / (second * second) - shift

    return by_block(window, (x,), row_block)


def _products(x: Panel, y: Panel, window: int) -> tuple[Panel, Panel, Panel]:
    """Sums of squares of x, of y, and of cross products, all about the window's means."""
    (x_today, x_offset), (y_today, y_offset) = _centred(x, window), _centred(y, window)
    if x.shape[0] == window:
        dx, dy = x - x_today - x_offset, y - y_today - y_offset
        return reduce_rows(np.add, dx * dx), reduce_rows(np.add, dy * dy), reduce_rows(np.add, dx * dy)
    xx, yy, xy = np.zeros_like(x_today), np.zeros_like(x_today), np.zeros_like(x_today)
    dx, dy, scratch = np.empty_like(x_today), np.empty_like(x_today), np.empty_like(x_today)
    for x_values, y_values in zip(by_age(x, window), by_age(y, window), strict=True):
        np.subtract(x_values, x_today, out=dx)
        dx -= x_offset
        np.subtract(y_values, y_today, out=dy)
        dy -= y_offset
        xx += np.multiply(dx, dx, out=scratch)
        yy += np.multiply(dy, dy, out=scratch)
        xy += np.multiply(dx, dy, out=scratch)
    return xx, yy, xy


def ts_cov(x: Panel, y: Panel, window: int) -> Panel:
    """Sample covariance of x and y over the window (divisor window - 1)."""
    return by_block(window, (x, y), lambda a, b: _products(a, b, window)[2] / (window - 1))


def ts_corr(x: Panel, y: Panel, window: int) -> Panel:
    """Pearson correlation of x and y over the window, in [-1, 1]; NaN where either is constant.

    Two rows always correlate perfectly: within 1e-13 of 1 or -1 the result is exactly that.

    >>> ts_corr(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [4.0], [6.0]]), 3).ravel()
    array([1.])
    """

    def row_block(a: Panel, b: Panel) -> Panel:
        xx, yy, xy = _products(a, b, window)
        return _clipped(xy / (np.sqrt(xx) * np.sqrt(yy)))

    return by_block(window, (x, y), row_block)


def ts_corr_or_zero(x: Panel, y: Panel, window: int) -> Panel:
    """Pearson correlation of x and y over the window, but 0 where either is constant."""

    def row_block(a: Panel, b: Panel) -> Panel:
        xx, yy, xy = _products(a, b, window)
        correlation = _clipped(xy / (np.sqrt(xx) * np.sqrt(yy)))
        correlation[((xx == 0.0) | (yy == 0.0)) & np.isfinite(xx + yy)] = 0.0
        return correlation

    return by_block(window, (x, y), row_block)


def _clipped(correlation: Panel) -> Panel:
    """Within rounding of +-1 is +-1, so that perfect correlations are ties when ranked; infinities become NaN."""
    correlation[~np.isfinite(correlation)] = np.nan
    perfect = np.abs(correlation) > 1.0 - 1e-13
    correlation[perfect] = np.sign(correlation[perfect])
    return correlation


def ts_beta(y: Panel, x: Panel, window: int) -> Panel:
    """Slope of the least-squares line of y on x over the window."""

    def row_block(a: Panel, b: Panel) -> Panel:
        xx, _, xy = _products(b, a, window)
        return xy / xx

    return by_block(window, (y, x), row_block)


def _clock(window: int) -> NDArray[np.float64]:
    clock: NDArray[np.float64] = np.arange(window, dtype=np.float64) - (window - 1) / 2.0
    return clock


def _slope(x: Panel, window: int) -> Panel:
    clock = _clock(window)
    today = x[window - 1 :]
    if x.shape[0] == window:
        return reduce_rows(np.add, (x - today) * clock[:, None]) / float(clock @ clock)
    total, scratch = np.zeros_like(today), np.empty_like(today)
    for weight, values in zip(clock, by_age(x, window), strict=True):
        np.subtract(values, today, out=scratch)
        scratch *= weight
        total += scratch
    return total / float(clock @ clock)


def ts_slope(x: Panel, window: int) -> Panel:
    """Slope per row of the least-squares line of x on time over the window.

    >>> ts_slope(np.array([[1.0], [3.0], [5.0]]), 3).ravel()
    array([2.])
    """
    return by_block(window, (x,), lambda block: _slope(block, window))


def ts_rsquare(x: Panel, window: int) -> Panel:
    """Share of the window's variance that its least-squares line on time explains; NaN for a constant window."""
    clock = _clock(window)

    def row_block(block: Panel) -> Panel:
        slope = _slope(block, window)
        return np.minimum(slope * slope * float(clock @ clock) / _power_sums(block, window, 2)[0], 1.0)

    return by_block(window, (x,), row_block)


def ts_residual(x: Panel, window: int) -> Panel:
    """Today's value minus that of the window's least-squares line on time."""

    def row_block(block: Panel) -> Panel:
        _, offset = _centred(block, window)
        return -offset - _slope(block, window) * ((window - 1) / 2.0)

    return by_block(window, (x,), row_block)
