"""Labels: what a model is to predict, and until when each label reaches, so that validation can purge."""

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.errors import Invalid

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def fixed_horizon_returns(prices: Floats, horizon: int) -> Floats:
    """Log return from each price to the one `horizon` rows later; NaN for the last `horizon` rows.

    `prices` [rows], positive. Raises Invalid.

    >>> fixed_horizon_returns(np.array([1.0, 2.0, 4.0]), 1).round(4).tolist()
    [0.6931, 0.6931, nan]
    """
    if horizon < 1:
        raise Invalid("horizon", "must be at least 1")
    if np.any(~(prices > 0)):
        raise Invalid("prices", "must be positive")
    labels = np.full(len(prices), np.nan)
    logs = np.log(prices)
    labels[:-horizon] = logs[horizon:] - logs[:-horizon]
    return labels


def _triple_barrier_slow(prices: Floats, widths: Floats, profit: float, loss: float, horizon: int) -> Integers:
    found = np.zeros((len(prices), 2), dtype=np.int64)
    for row in range(len(prices)):
        path = prices[row : row + horizon + 1] / prices[row] - 1.0
        upper = np.flatnonzero(path >= profit * widths[row])
        lower = np.flatnonzero(path <= -loss * widths[row])
        first_up = upper[0] if profit > 0 and len(upper) else horizon + 1
        first_down = lower[0] if loss > 0 and len(lower) else horizon + 1
        end = min(first_up, first_down, len(path) - 1)
        side = 0 if end not in (first_up, first_down) else 1 if first_up <= first_down else -1
        found[row] = side, row + end
    return found


@kernel(
    reference=_triple_barrier_slow,
    example=lambda: (np.array([1.0, 1.1, 0.9]), np.full(3, 0.05), 1.0, 1.0, 2),
)
def triple_barrier(prices: Floats, widths: Floats, profit: float, loss: float, horizon: int) -> Integers:
    """Which barrier each row's price path touches first: [rows, 2] of side (1, -1, or 0 for time) and row of the touch.

    `widths` [rows] are positive returns, for instance volatilities; the upper barrier stands at `profit` widths, the
    lower at `loss` widths, 0 leaves a barrier away; time runs out after `horizon` rows.
    Source: Lopez de Prado, Advances in Financial Machine Learning (2018), snippet 3.2.
    """
    rows = len(prices)
    found = np.zeros((rows, 2), dtype=np.int64)
    for row in range(rows):
        end = min(row + horizon, rows - 1)
        side = 0
        for later in range(row, end + 1):
            change = prices[later] / prices[row] - 1.0
            if profit > 0 and change >= profit * widths[row]:
                side, end = 1, later
                break
            if loss > 0 and change <= -loss * widths[row]:
                side, end = -1, later
                break
        found[row, 0] = side
        found[row, 1] = end
    return found
