"""An order book from IBKR's depth operations: rows by position, and the price levels that they add up to.

Each side is a list of rows. Insert puts a row at a position and moves the later ones down, update overwrites, delete
removes and moves the later ones up. An insert or update beyond the end appends, a delete beyond it is ignored and
counted. Several market makers at one price add up to one level. Between an appended copy of a row and the update that
follows it a price stands twice: levels are therefore compared at the end of a network packet only.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import msgspec

from nautilus.model import Side

LARGEST_ROWS = 1000


class Operation(IntEnum):
    """What a depth message does to a row."""

    INSERT = 0
    UPDATE = 1
    DELETE = 2


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row: None in place of ticks where its price or size is on no grid; it holds its place, and adds nothing."""

    price_ticks: int | None
    size_lots: int
    market_maker: str = ""


NO_ROW = Row(None, 0)


class DepthBook:
    """Rows of both sides, and which levels have changed since they were last told.

    >>> book = DepthBook()
    >>> for position, price in enumerate((100, 99, 101)):
    ...     _ = book.apply(Operation.INSERT, Side.BUY, position if price < 101 else 0, Row(price, 10))
    >>> [row.price_ticks for row in book.rows(Side.BUY)], list(book.changes())
    ([101, 100, 99], [(<Side.BUY: 1>, 101, 10), (<Side.BUY: 1>, 100, 10), (<Side.BUY: 1>, 99, 10)])
    """

    __slots__ = ("_rows", "_told", "ignored")

    def __init__(self) -> None:
        self._rows: dict[Side, list[Row]] = {Side.BUY: [], Side.SELL: []}
        self._told: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self.ignored = 0
        """Operations that meant nothing: a delete beyond the end, a position below zero or beyond any book."""

    def apply(self, operation: int, side: Side, position: int, row: Row = NO_ROW) -> bool:
        """Take in one operation; False where it meant nothing."""
        rows = self._rows[side]
        if not 0 <= position < LARGEST_ROWS or operation not in {0, 1, 2}:
            self.ignored += 1
            return False
        if operation == Operation.DELETE:
            if position >= len(rows):
                self.ignored += 1
                return False
            del rows[position]
        elif position >= len(rows):
            if len(rows) >= LARGEST_ROWS:
                self.ignored += 1
                return False
            rows.append(row)
        elif operation == Operation.INSERT:
            rows.insert(position, row)
            del rows[LARGEST_ROWS:]
        else:
            rows[position] = row
        return True

    def reset(self) -> None:
        """Forget every row (error 317, or a new request), but not what was told: changes will say what has gone."""
        self._rows[Side.BUY].clear()
        self._rows[Side.SELL].clear()

    def rows(self, side: Side) -> tuple[Row, ...]:
        """The rows of a side, as the gateway numbers them."""
        return tuple(self._rows[side])

    def levels(self, side: Side) -> dict[int, int]:
        """Price in ticks -> lots of all its rows, in the order of the rows."""
        levels: dict[int, int] = {}
        for row in self._rows[side]:
            if row.price_ticks is not None and row.size_lots:
                levels[row.price_ticks] = levels.get(row.price_ticks, 0) + row.size_lots
        return levels

    def changes(self) -> Iterator[tuple[Side, int, int]]:
        """(side, price_ticks, size_lots) of every level that differs from what was told before; 0 removes it.

        What goes comes first, so that no level of one side stands beyond the other's longer than it must.
        """
        now = {side: self.levels(side) for side in (Side.BUY, Side.SELL)}
        told, self._told = self._told, now
        for side in (Side.BUY, Side.SELL):
            yield from ((side, price, 0) for price in told[side] if price not in now[side])
        for side in (Side.BUY, Side.SELL):
            before = told[side]
            yield from ((side, price, lots) for price, lots in now[side].items() if before.get(price) != lots)
