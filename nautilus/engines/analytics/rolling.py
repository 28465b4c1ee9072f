"""Any statistic over a rolling window of any number of series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nautilus.engines.analytics.moments import Series, Statistic
from nautilus.errors import Invalid

CHUNK = 1 << 20
"""Values laid out at once, so that memory does not grow with the window."""


def rolling(
    statistic: Callable[..., Statistic], window: int, returns: Series, benchmark: Series | None = None
) -> Series:
    """`statistic` of each window: [periods - window + 1] for [periods], with [series] behind it for many series.

    `statistic` takes returns [window, n] (and the benchmark [window, n]) and gives [n]. Shorter data give no rows.

    >>> from nautilus.engines.analytics.drawdowns import max_drawdown
    >>> rolling(max_drawdown, 2, np.array([0.1, -0.5, -0.5, 1.0])).tolist()
    [-0.5, -0.75, -0.5]
    """
    if window < 1:
        raise Invalid("window", "must be at least one period")
    if len(returns) < window:
        return np.empty((0, *returns.shape[1:]))
    own = _windows(returns, window)
    market = None
    if benchmark is not None:
        spread = benchmark[:, None] if benchmark.ndim < returns.ndim else benchmark
        market = _windows(np.broadcast_to(spread, returns.shape), window)
    rows = []
    step = max(1, CHUNK // max(1, window * own.shape[2]))
    for start in range(0, own.shape[1], step):
        part = [block[:, start : start + step].reshape(window, -1) for block in (own, market) if block is not None]
        rows.append(np.asarray(statistic(*part)).reshape(-1, own.shape[2]))
    found = np.concatenate(rows)
    return found[:, 0] if returns.ndim == 1 else found


def _windows(values: Series, window: int) -> Series:
    """[window, windows, series], a view."""
    columns = values if values.ndim == 2 else values[:, None]
    return np.moveaxis(sliding_window_view(columns, window, axis=0), 2, 0)
