"""Drawdowns: how far below its highest value a series stands, the worst of it, and the table of the deepest."""

from __future__ import annotations

import msgspec
import numpy as np

from nautilus.engines.analytics.moments import Series, Statistic, undefined


class Drawdown(msgspec.Struct, frozen=True):
    """One fall from a peak. Positions count periods; -1 is the start, before the first return.

    `depth` is the return from peak to valley, negative. `recovery` is None while the peak is not regained.
    """

    peak: int
    valley: int
    recovery: int | None
    depth: float
    periods: int


def drawdown_series(returns: Series) -> Series:
    """Return from the highest value so far (the start included) to the value after each period; zero at a peak.

    >>> drawdown_series(np.array([0.1, -0.5, 0.2])).round(6).tolist()
    [0.0, -0.5, -0.4]
    """
    value = np.cumprod(1.0 + np.where(np.isnan(returns), 0.0, returns), axis=0)
    peak = np.maximum(np.maximum.accumulate(value, axis=0), 1.0)
    return np.asarray((value - peak) / peak)


def max_drawdown(returns: Series) -> Statistic:
    """The lowest of `drawdown_series`, zero or negative; NaN without periods."""
    if not len(returns):
        return undefined(returns)
    return np.asarray(drawdown_series(returns).min(axis=0))


def ulcer_index(returns: Series) -> Statistic:
    """Root mean square of the drawdowns, a positive fraction (Martin and McCann 1989)."""
    if not len(returns):
        return undefined(returns)
    return np.asarray(np.sqrt((drawdown_series(returns) ** 2).mean(axis=0)))


def pain_index(returns: Series) -> Statistic:
    """Mean of the drawdowns' sizes, a positive fraction (Becker 2006)."""
    if not len(returns):
        return undefined(returns)
    return np.asarray(-drawdown_series(returns).mean(axis=0))


def drawdown_table(returns: Series, top: int = 10) -> list[Drawdown]:
    """The `top` deepest drawdowns of one series [periods], deepest first; they do not overlap.

    A drawdown lasts from its peak to the first period at or above it; `periods` counts from peak to recovery, or to
    the last period.

    >>> drawdown_table(np.array([0.1, -0.5, 1.0, 0.0, -0.1]))[0]
    Drawdown(peak=0, valley=1, recovery=2, depth=-0.5, periods=2)
    """
    below = drawdown_series(returns)
    under = np.concatenate([[False], below < 0.0, [False]])
    starts = np.flatnonzero(~under[:-1] & under[1:])
    ends = np.flatnonzero(under[:-1] & ~under[1:])
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        valley = start + int(below[start:end].argmin())
        recovered = end < len(below)
        last = end if recovered else len(below) - 1
        found.append(Drawdown(start - 1, valley, end if recovered else None, float(below[valley]), last - start + 1))
    return sorted(found, key=lambda drawdown: (drawdown.depth, drawdown.peak))[:top]
