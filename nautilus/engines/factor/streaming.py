"""Evaluation of a graph one date at a time: each node keeps just the rows its parents look back on.

Pushing the rows of a panel one by one gives, to the bit, the rows of `evaluate` on the whole panel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.evaluate import checked_fields
from nautilus.engines.factor.graph import Graph, Node
from nautilus.engines.factor.operators import Shape

type Panel = NDArray[np.float64]


class _Rows:
    """The last `depth` rows of a node as one contiguous view, at amortised constant cost."""

    __slots__ = ("_buffer", "_depth", "_stop")

    def __init__(self, depth: int, columns: int) -> None:
        self._depth = depth
        self._buffer = np.full((depth + max(depth, 8), columns), np.nan)
        self._stop = depth

    def push(self, row: Panel) -> None:
        if self._stop == self._buffer.shape[0]:
            self._buffer[: self._depth] = self._buffer[self._stop - self._depth : self._stop]
            self._stop = self._depth
        self._buffer[self._stop] = row
        self._stop += 1

    def last(self, rows: int) -> Panel:
        return self._buffer[self._stop - rows : self._stop]

    def widen(self, columns: int) -> None:
        self._buffer = _widened(self._buffer, columns)


def _widened(rows: Panel, columns: int) -> Panel:
    wider = np.full((rows.shape[0], columns), np.nan)
    wider[:, : rows.shape[1]] = rows
    return wider


class StreamEvaluator:
    """Evaluates outputs of a graph date by date over a fixed set of instruments.

    >>> graph = Graph()
    >>> _ = graph.add("mean", "ts_mean(close, 2)")
    >>> stream = StreamEvaluator(graph, columns=1)
    >>> [float(stream.push({"close": np.array([price])})["mean"][0]) for price in (1.0, 2.0, 6.0)]
    [nan, 1.5, 4.0]
    """

    def __init__(self, graph: Graph, columns: int, names: Iterable[str] | None = None) -> None:
        self.graph = graph
        self.columns = columns
        self.names = list(graph.outputs if names is None else names)
        self._order = graph.needed(self.names)
        depths = dict.fromkeys(self._order, 1)
        for index in self._order:
            node = graph.nodes[index]
            for child in node.children:
                depths[child] = max(depths[child], node.window)
        self._rows = {index: _Rows(depth, columns) for index, depth in depths.items()}
        self._states = {
            index: np.full((1, columns), np.nan)
            for index in self._order
            if (operator := graph.nodes[index].operator) and operator.shape is Shape.RECURSIVE
        }

    def push(self, row: Mapping[str, Panel]) -> dict[str, Panel]:
        """Take the fields of one new date, each [instruments], and return its outputs, each [instruments].

        Raises KeyError for a missing field and ValueError for a wrong length or group code, before any state changes.
        """
        fields = checked_fields(self.graph, row, self._order)
        if any(values.shape != (1, self.columns) for values in fields.values()):
            raise ValueError(f"a row must have {self.columns} instruments")
        with np.errstate(all="ignore"):
            for index in self._order:
                self._rows[index].push(self._value(index, self.graph.nodes[index], fields)[0])
        return {name: self._rows[self.graph.outputs[name]].last(1)[0].copy() for name in self.names}

    def widen(self, columns: int) -> None:
        """Add instruments after the ones so far; every value before their first row counts as NaN.

        Raises ValueError for fewer columns than there are.
        """
        if columns < self.columns:
            raise ValueError(f"there are {self.columns} instruments already")
        for rows in self._rows.values():
            rows.widen(columns)
        self._states = {index: _widened(state, columns) for index, state in self._states.items()}
        self.columns = columns

    def _value(self, index: int, node: Node, fields: Mapping[str, Panel]) -> Panel:
        if node.operator is None:
            return fields[node.field]
        operands = [
            self._rows[operand].last(node.window) if isinstance(operand, int) else operand for operand in node.operands
        ]
        function, shape = node.operator.function, node.operator.shape
        result: Panel
        if shape is Shape.WINDOW:
            result = function(*operands, int(node.constants[0]), *node.constants[1:])
        elif shape is Shape.RECURSIVE:
            result, self._states[index] = function(
                operands[0], self._states[index], int(node.constants[0]), *node.constants[1:]
            )
        else:
            result = function(*operands, *node.constants)
        return result
