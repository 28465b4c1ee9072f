"""The bid-ask spread from bars alone: Roll, Corwin-Schultz, Abdi-Ranaldo and EDGE. Relative spreads: 0.01 is 1%.

All functions take rows in order of time and give a signed estimate (a negative one says that noise won), or None where
the bars cannot tell.
"""

import math

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Floats = NDArray[np.float64]


def roll(close: Floats) -> float | None:
    """2 sqrt(-cov(r(t), r(t-1))) of log returns, negative where the covariance is positive. Roll (1984), equation (1).

    `close` [bars] > 0. Needs four of them.
    """
    price = _logs(close)[0]
    if price.size < 4:
        return None
    change = np.diff(price)
    covariance = float(np.cov(change[1:], change[:-1])[0, 1])
    return _signed_root(-4.0 * covariance)


def corwin_schultz(high: Floats, low: Floats, close: Floats, *, corrected: bool = True) -> float | None:
    """High-low spread over pairs of bars, adjusted for gaps between them: Corwin and Schultz (2012), (14) to (18).

    Mean of the estimates of all pairs, negative ones counted as zero; uncorrected they stay negative. Arrays [bars].
    """
    top, bottom, last = _logs(high, low, close)
    if top.size < 2:
        return None
    gap = np.maximum(0.0, bottom[1:] - last[:-1]) - np.maximum(0.0, last[:-1] - top[1:])
    next_top, next_bottom = top[1:] - gap, bottom[1:] - gap
    beta = (top[:-1] - bottom[:-1]) ** 2 + (next_top - next_bottom) ** 2
    gamma = (np.maximum(top[:-1], next_top) - np.minimum(bottom[:-1], next_bottom)) ** 2
    k = 3.0 - 2.0 * math.sqrt(2.0)
    alpha = (math.sqrt(2.0) - 1.0) / k * np.sqrt(beta) - np.sqrt(gamma / k)
    spread = 2.0 * np.tanh(alpha / 2.0)
    return float((np.maximum(spread, 0.0) if corrected else spread).mean())


def abdi_ranaldo(high: Floats, low: Floats, close: Floats, *, corrected: bool = False) -> float | None:
    """Closes against the mid-ranges around them: Abdi and Ranaldo (2017), equation (11). Arrays [bars].

    2 sqrt(E[(c(t) - m(t))(c(t) - m(t+1))]); corrected, the mean of the roots of each pair, negative squares as zero.
    """
    top, bottom, last = _logs(high, low, close)
    if top.size < 2:
        return None
    middle = (top + bottom) / 2.0
    squared = 4.0 * (last[:-1] - middle[:-1]) * (last[:-1] - middle[1:])
    if corrected:
        return float(np.sqrt(np.maximum(squared, 0.0)).mean())
    return _signed_root(float(squared.mean()))


def edge(open_: Floats, high: Floats, low: Floats, close: Floats) -> float | None:
    """Efficient estimator from open, high, low and close. Ardia, Guidotti and Kroencke (2024), section 3.

    Two moment conditions (on returns between mid-ranges, opens and closes), each corrected for bars without trades and
    for the chance that open or close is the bar's extreme, weighted by the inverse of their variances. All arrays
    [bars].
    """
    start, top, bottom, last = _logs(open_, high, low, close)
    if start.size < 3:
        return None
    middle = (top + bottom) / 2.0
    opened, before = start[1:], last[:-1]
    moved = ((top[1:] != bottom[1:]) | (bottom[1:] != before)).astype(np.float64)
    open_inside = float((moved * (opened != top[1:])).mean() + (moved * (opened != bottom[1:])).mean())
    close_inside = float((moved * (before != top[:-1])).mean() + (moved * (before != bottom[:-1])).mean())
    if moved.sum() < 2 or not open_inside or not close_inside:
        return None

    def centred(change: Floats) -> Floats:
        return np.asarray(change - change.mean() / moved.mean() * moved)

    gap, reversal = opened - before, before - middle[:-1]
    weight_open, weight_close = -4.0 / open_inside, -4.0 / close_inside
    from_open = centred(middle[1:] - opened)
    first = weight_open * from_open * (opened - middle[:-1]) + weight_close * centred(middle[1:] - before) * reversal
    second = weight_open * from_open * gap + weight_close * centred(gap) * reversal
    variance = float(first.var() + second.var())
    if variance > 0.0:
        return _signed_root(float(second.var() * first.mean() + first.var() * second.mean()) / variance)
    return _signed_root(float(first.mean() + second.mean()) / 2.0)


def _signed_root(square: float) -> float:
    return math.copysign(math.sqrt(abs(square)), square) if square else 0.0


def _logs(*columns: Floats) -> list[Floats]:
    for column in columns:
        if column.shape != columns[0].shape or column.ndim != 1:
            raise Invalid("bars", "columns must be one-dimensional and of equal length")
        if not (np.isfinite(column) & (column > 0)).all():
            raise Invalid("bars", "prices must be finite and positive")
    return [np.log(column) for column in columns]
