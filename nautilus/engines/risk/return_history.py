"""Marks of every instrument at regular moments, and the joint returns between them: bounded, without gaps inside."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nautilus.engines.risk.return_sample import Matrix

MAX_INSTRUMENTS = 2_000


class ReturnHistory:
    """The last `capacity` moments of up to 2,000 instruments' marks, as a ring of rows.

    >>> history = ReturnHistory(3, 10)
    >>> for time, price in ((0, 100.0), (10, 110.0), (20, 121.0)):
    ...     history.add(time, {"X": price})
    >>> history.returns(["X"]).round(6).tolist()
    [[0.1], [0.1]]
    """

    def __init__(self, capacity: int, interval_ns: int) -> None:
        self.interval_ns = interval_ns
        self._marks = np.full((capacity, 8), np.nan)
        self._columns: dict[str, int] = {}
        self._rows = 0
        self._last_ns: int | None = None

    def due(self, now_ns: int) -> bool:
        """Whether a new row is due."""
        return self._last_ns is None or now_ns - self._last_ns >= self.interval_ns

    def add(self, now_ns: int, marks: Mapping[str, float]) -> None:
        """Record one moment. After a pause of more than two intervals an empty row parts what lies before and after."""
        if self._last_ns is not None and now_ns - self._last_ns > 2 * self.interval_ns:
            self._append({})
        self._append(marks)
        self._last_ns = now_ns

    def returns(self, instrument_ids: Sequence[str]) -> Matrix:
        """Simple returns (observations, instruments), oldest first: only moments at which every one had a mark."""
        columns = [self._columns.get(name, -1) for name in instrument_ids]
        if not columns or min(columns) < 0:
            return np.empty((0, len(columns)))
        marks = self._in_order()[:, columns]
        before, after = marks[:-1], marks[1:]
        whole = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1) & (before > 0.0).all(axis=1)
        panel: Matrix = after[whole] / before[whole] - 1.0
        return panel

    def instruments(self) -> Iterable[str]:
        """Instruments with marks."""
        return self._columns.keys()

    def _append(self, marks: Mapping[str, float]) -> None:
        row = self._rows % self._marks.shape[0]
        self._marks[row] = np.nan
        for name, mark in marks.items():
            column = self._columns.get(name)
            if column is None:
                column = self._new_column(name)
            if column is not None:
                self._marks[row, column] = mark
        self._rows += 1

    def _new_column(self, name: str) -> int | None:
        column = len(self._columns)
        if column >= MAX_INSTRUMENTS:
            return None
        if column == self._marks.shape[1]:
            self._marks = np.hstack([self._marks, np.full_like(self._marks, np.nan)])
        self._columns[name] = column
        return column

    def _in_order(self) -> Matrix:
        capacity = self._marks.shape[0]
        if self._rows <= capacity:
            return self._marks[: self._rows]
        turn = self._rows % capacity
        return np.concatenate([self._marks[turn:], self._marks[:turn]])
