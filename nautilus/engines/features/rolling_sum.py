"""Sums over a rolling window without drift: the rule of summation, for one stream and for a whole column.

Rule. Rows are numbered from the first; they fall into blocks of `window` rows. The sum at a row is

    tail + head,  tail = the rows of the previous block that are still inside the window, summed from its last row back,
                  head = the rows of the current block so far, summed from its first row on.

Nothing is ever subtracted, so an error does not outlive the window: each sum is that of at most `window` additions of
what is in the window, a NaN leaves with its row, and the cost is two additions a row. (This is the two-stack queue of
functional programming, as used for sliding-window aggregation by Tangwongsan, Hirzel and Schneider, DEBS 2017.)
"""

from itertools import accumulate

import numpy as np

from nautilus.accel.kernel import kernel
from nautilus.engines.features.arithmetic import Array


class RollingSum:
    """Sum of the last `window` values pushed; of all of them while there are fewer.

    >>> total = RollingSum(3)
    >>> for value in (1.0, 2.0, 3.0, 10.0):
    ...     total.push(value)
    >>> total.value
    15.0
    """

    __slots__ = ("_block", "_head", "_position", "_tail", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._block = [0.0] * window
        self._tail = [0.0] * (window + 1)
        self._head = 0.0
        self._position = 0

    def push(self, value: float) -> None:
        """Take one more value; the oldest leaves."""
        position = self._position
        self._block[position] = value
        self._head += value
        position += 1
        if position == self.window:
            tail = list(accumulate(reversed(self._block), initial=0.0))
            tail.reverse()
            self._tail = tail
            self._head = 0.0
            position = 0
        self._position = position

    @property
    def value(self) -> float:
        """The sum."""
        return self._tail[self._position] + self._head


def _rolling_sum_reference(values: Array, window: int) -> Array:
    total, sums = RollingSum(window), []
    for value in values.tolist():
        total.push(value)
        sums.append(total.value)
    return np.array(sums, dtype=np.float64)


@kernel(reference=_rolling_sum_reference, example=lambda: (np.arange(5.0), 2))
def rolling_sum(values: Array, window: int) -> Array:
    """What `RollingSum` holds after each of `values`, shape [rows], to the last bit."""
    rows = len(values)
    out = np.empty(rows)
    tail = np.zeros(window + 1)
    head = 0.0
    position = 0
    for i in range(rows):
        head += values[i]
        position += 1
        if position == window:
            for j in range(window):
                tail[window - 1 - j] = tail[window - j] + values[i - j]
            head = 0.0
            position = 0
        out[i] = tail[position] + head
    return out
