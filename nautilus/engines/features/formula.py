"""Features written as one formula: terms of recent rows, their sums over rolling windows, and what the sums make."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nautilus.engines.features.arithmetic import ARRAY, SCALAR, Array
from nautilus.engines.features.rolling_sum import RollingSum, rolling_sum


@dataclass(frozen=True, slots=True)
class Formula:
    """combine(arithmetic, sums, row), the sums being those of terms(arithmetic, *rows at `lags`) over `windows`.

    `terms` gets an Arithmetic and one row (a tuple of the inputs) for each of `lags`, which rise from 0; it returns one
    term for each of `windows`. `combine` gets the Arithmetic, the sums and the newest row. Both are interpreted twice,
    on floats and on columns: they may use operators, comparisons turned into numbers by multiplying, and the
    Arithmetic's functions.

    >>> mean = Formula(lambda a, sums, row: sums[0] / 2.0, windows=(2,), terms=lambda a, row: (row[0],))
    >>> mean.batch(np.array([1.0, 3.0, 7.0])).tolist()
    [nan, 2.0, 5.0]
    """

    combine: Callable[..., Any]
    windows: tuple[int, ...] = ()
    terms: Callable[..., tuple[Any, ...]] | None = None
    lags: tuple[int, ...] = (0,)

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""
        return max(self.lags) + max(self.windows, default=1) - 1

    def batch(self, *columns: Array) -> Array:
        """The formula at every row, shape [rows]; NaN in warm-up."""
        rows, warm_up, oldest = len(columns[0]), self.warm_up, max(self.lags)
        out = np.full(rows, np.nan)
        if rows <= warm_up:
            return out
        with np.errstate(all="ignore"):
            out[warm_up:] = self._values(columns, rows, oldest)
        return out

    def _values(self, columns: tuple[Array, ...], rows: int, oldest: int) -> Array:
        warm_up, sums = self.warm_up, []
        if self.terms is not None:
            lagged = [tuple(column[oldest - lag : rows - lag] for column in columns) for lag in self.lags]
            for term, window in zip(self.terms(ARRAY, *lagged), self.windows, strict=True):
                sums.append(rolling_sum(np.ascontiguousarray(term), window)[warm_up - oldest :])
        return np.asarray(self.combine(ARRAY, sums, tuple(column[warm_up:] for column in columns)))

    def stream(self) -> "FormulaStream":
        """A new streaming form that has seen nothing."""
        return FormulaStream(self)


class FormulaStream:
    """A formula row by row. `push` is what must be done for every row, `value` what only a reader needs."""

    __slots__ = ("_combine", "_depth", "_history", "_indices", "_last", "_remaining", "_sums", "_terms")

    def __init__(self, formula: Formula) -> None:
        self._combine = formula.combine
        self._terms = formula.terms
        self._depth = max(formula.lags)
        self._indices = tuple(-1 - lag for lag in formula.lags)
        self._history: deque[tuple[float, ...]] = deque(maxlen=self._depth + 1)
        self._last: tuple[float, ...] = ()
        self._sums = tuple(RollingSum(window) for window in formula.windows)
        self._remaining = formula.warm_up + 1

    def push(self, *row: float) -> None:
        """Take one more row."""
        if self._remaining:
            self._remaining -= 1
        before, self._last = self._last, row
        if self._terms is None:
            return
        if self._depth == 0:  # the two usual depths without the detour over the history
            terms = self._terms(SCALAR, row)
        elif self._depth == 1:
            if not before:
                return
            terms = self._terms(SCALAR, row, before)
        else:
            history = self._history
            history.append(row)
            if len(history) <= self._depth:
                return
            terms = self._terms(SCALAR, *[history[index] for index in self._indices])
        for total, term in zip(self._sums, terms, strict=True):
            total.push(term)

    @property
    def value(self) -> float:
        """The formula after the last row; NaN while it warms up."""
        if self._remaining:
            return math.nan
        return float(self._combine(SCALAR, [total.value for total in self._sums], self._last))

    def update(self, *row: float) -> float:
        """Take one more row and return the formula after it."""
        self.push(*row)
        return self.value
