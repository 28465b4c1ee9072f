"""The latest feature vectors of one instrument in blocks; a full block never changes, so that threads may read it."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.ml.labels import fixed_horizon_returns

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BLOCK_ROWS = 128


class Block:
    """Up to BLOCK_ROWS rows: times (ns UTC), and values [rows, 1 + features] that begin with the price.

    Rows of one `segment` came in one after another from one `source`; between two segments rows are missing.
    """

    __slots__ = ("count", "number", "segment", "source", "times", "values")

    def __init__(self, number: int, segment: int, source: str, times: Integers, values: Floats, count: int) -> None:
        self.number = number
        self.segment = segment
        self.source = source
        self.times = times
        self.values = values
        self.count = count

    @classmethod
    def empty(cls, number: int, segment: int, source: str, columns: int) -> "Block":
        """A block without rows."""
        return cls(number, segment, source, np.empty(BLOCK_ROWS, np.int64), np.empty((BLOCK_ROWS, columns)), 0)


class Rows:
    """Rows as they stood at one moment: of each block its segment, times and values."""

    __slots__ = ("names", "pieces")

    def __init__(self, names: tuple[str, ...], pieces: list[tuple[int, Integers, Floats]]) -> None:
        self.names = names
        self.pieces = pieces

    def labelled_count(self, horizon: int) -> int:
        """How many rows have a label `horizon` rows ahead within their segment."""
        sizes: dict[int, int] = {}
        for segment, times, _ in self.pieces:
            sizes[segment] = sizes.get(segment, 0) + len(times)
        return sum(max(0, size - horizon) for size in sizes.values())

    def labelled(self, horizon: int) -> tuple[Floats, Floats, Integers, Integers]:
        """Features, labels, starts and ends of the rows whose label is known."""
        segments = np.concatenate([np.full(len(times), segment) for segment, times, _ in self.pieces])
        times = np.concatenate([times for _, times, _ in self.pieces])
        values = np.concatenate([values for _, _, values in self.pieces])
        labels = fixed_horizon_returns(values[:, 0], horizon)
        known = np.flatnonzero(segments[:-horizon] == segments[horizon:])
        return values[known, 1:], labels[known], times[known], times[known + horizon]


class History:
    """The latest `limit` rows of one instrument: time, price and values of one feature set."""

    def __init__(self, names: tuple[str, ...], limit: int, first: int = 0, segment: int = 0) -> None:
        self.names = names
        self.blocks: deque[Block] = deque()
        self._limit = limit
        self._number = first
        self._segment = segment
        self._rows = 0
        self._skipped = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def oldest(self) -> int:
        """Number of the oldest block that still has rows."""
        return self.blocks[0].number if self.blocks else self._number

    def append(self, time_ns: int, price: float, values: "Sequence[float] | Floats", source: str = "") -> Block | None:
        """Add a row, and drop the oldest beyond the limit; returns the block that this row has filled, if it did."""
        block = self.blocks[-1] if self.blocks else None
        if block is None or block.count == BLOCK_ROWS or block.segment != self._segment:
            block = Block.empty(self._number, self._segment, source, 1 + len(self.names))
            self.blocks.append(block)
            self._number += 1
        row = block.count
        block.times[row] = time_ns
        block.values[row, 0] = price
        block.values[row, 1:] = values
        block.count = row + 1
        self._added(1)
        return block if block.count == BLOCK_ROWS else None

    def take_back(self, block: Block) -> None:
        """Add a block of an earlier run, newer than those that are here; what comes in later is a new segment."""
        self.blocks.append(block)
        self._number = block.number + 1
        self._segment = block.segment + 1
        self._added(block.count)

    def unfinished(self) -> Block | None:
        """The block that later rows go into, if it has some already."""
        block = self.blocks[-1] if self.blocks else None
        return block if block and block.count < BLOCK_ROWS and block.segment == self._segment else None

    def pause(self) -> None:
        """What comes in later is a new segment."""
        self._segment += 1

    def count(self, source: str) -> int:
        """Rows that came from a source."""
        found = sum(block.count for block in self.blocks if block.source == source)
        return found - (self._skipped if self.blocks and self.blocks[0].source == source else 0)

    def rows(self, source: str = "") -> Rows:
        """Rows of a source as they are now: full blocks by reference, the one that still grows as a copy."""
        pieces: list[tuple[int, Integers, Floats]] = []
        growing = self.unfinished()
        start = self._skipped
        for block in self.blocks:
            times, values = block.times[start : block.count], block.values[start : block.count]
            if block is growing:
                times, values = times.copy(), values.copy()
            if block.source == source:
                pieces.append((block.segment, times, values))
            start = 0
        return Rows(self.names, pieces)

    def _added(self, count: int) -> None:
        self._rows += count
        while self._rows > self._limit:
            oldest = self.blocks[0]
            dropped = min(self._rows - self._limit, oldest.count - self._skipped)
            self._rows -= dropped
            self._skipped += dropped
            if self._skipped == oldest.count:
                self.blocks.popleft()
                self._skipped = 0
