"""Features that look at a whole window at once: a compiled statistic, slid over a column or fed row by row."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nautilus.engines.features.arithmetic import Array


@dataclass(frozen=True, slots=True)
class WindowStatistic:
    """A statistic of the last `window` values of one input.

    `slide(values, window, *arguments)` is a kernel giving the statistic of every full window, [rows - window + 1].
    The streaming form runs the same kernel over its one window, so both forms are the same compiled code.
    """

    slide: Callable[..., Array]
    window: int
    arguments: tuple[Array | int | float, ...] = ()

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""
        return self.window - 1

    def batch(self, *columns: Array) -> Array:
        """The statistic at every row, shape [rows]; NaN in warm-up."""
        (values,) = columns
        out = np.full(len(values), np.nan)
        if len(values) >= self.window:
            out[self.warm_up :] = self.slide(np.ascontiguousarray(values), self.window, *self.arguments)
        return out

    def stream(self) -> "WindowStream":
        """A new streaming form that has seen nothing."""
        return WindowStream(self)


class WindowStream:
    """The last rows, each written twice so that the window always lies in one piece of memory."""

    __slots__ = ("_buffer", "_position", "_remaining", "_statistic")

    def __init__(self, statistic: WindowStatistic) -> None:
        self._statistic = statistic
        self._buffer = np.zeros(2 * statistic.window)
        self._position = 0
        self._remaining = statistic.window

    def push(self, *row: float) -> None:
        """Take one more row."""
        window, position = self._statistic.window, self._position
        self._buffer[position] = self._buffer[position + window] = row[0]
        self._position = position + 1 if position + 1 < window else 0
        if self._remaining:
            self._remaining -= 1

    @property
    def value(self) -> float:
        """The statistic of the last rows; NaN while there are too few."""
        if self._remaining:
            return math.nan
        statistic, start = self._statistic, self._position
        window = self._buffer[start : start + statistic.window]
        return float(statistic.slide(window, statistic.window, *statistic.arguments)[0])

    def update(self, *row: float) -> float:
        """Take one more row and return the statistic after it."""
        self.push(*row)
        return self.value
