"""INET's order messages as CSV (type, time, id, price, size, side) into order events.

A adds an order, C takes it out, R gives what is left of its size, T prints a trade. What a trade takes is in the C or R
beside it, so a T leaves the book alone. Files begin with the orders that rest already, by price instead of time: rows
are put in the order of their times, and rows of one time stay in the file's order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nautilus.engines.marketdata.order_events import ADD, DELETE, MODIFY, NONE, OrderEventColumns
from nautilus.errors import Invalid
from nautilus.model import Instrument

_LEAST_CELLS = {"A": 6, "C": 3, "R": 4, "T": 5}
_SIDES = {"BID": 1, "ASK": -1}
_HEADER = "type,time,id,price,size,type"


def read_inet(path: Path, instrument: Instrument, midnight_ns: int = 0) -> OrderEventColumns:
    """The order events of a file. Its times are ms after `midnight_ns` (ns UTC). Blocks: call it off the loop.

    A replacement of an order that the file never added is left out. Raises Invalid naming file and line of a row that
    cannot be.
    """
    lines = path.read_text("ascii", errors="replace").splitlines()
    if not lines or not lines[0].startswith(_HEADER):
        raise Invalid(f"{path}: line 1", f"must begin with {_HEADER}")
    rows = sorted(
        ((_time_of(path, number, line), number, line) for number, line in enumerate(lines[1:], start=2)),
        key=lambda row: row[0],
    )
    reader = _Reader(path, instrument)
    found = [
        (*event, midnight_ns + time * 1_000_000)
        for time, number, line in rows
        if (event := reader.event(number, line)) is not None
    ]
    return OrderEventColumns(*np.array(found, dtype=np.int64).reshape(-1, 6).T)


def _time_of(path: Path, number: int, line: str) -> int:
    cells = line.split(",")
    if len(cells) < _LEAST_CELLS.get(cells[0], 7) or not (cells[1].isdigit() and cells[2].isdigit()):
        raise Invalid(f"{path}: line {number}", f"is not an order message: {line[:80]!r}")
    return int(cells[1])


class _Reader:
    """Knows each order's side and price, which a replacement does not repeat."""

    def __init__(self, path: Path, instrument: Instrument) -> None:
        self._path = path
        self._instrument = instrument
        self._orders: dict[int, tuple[int, int]] = {}

    def event(self, number: int, line: str) -> tuple[int, int, int, int, int] | None:
        kind, _, identity, *rest = line.split(",")
        order_id = int(identity)
        try:
            if kind == "A":
                side, price = _SIDES[rest[2]], self._instrument.ticks(rest[0])
                self._orders[order_id] = side, price
                return ADD, order_id, side, price, self._instrument.lots(rest[1])
            if kind == "T":
                return NONE, order_id, 0, self._instrument.ticks(rest[0]), self._instrument.lots(rest[1])
            if kind == "C":
                self._orders.pop(order_id, None)
                return DELETE, order_id, 0, 0, 0
            known = self._orders.get(order_id)
            return None if known is None else (MODIFY, order_id, *known, self._instrument.lots(rest[0]))
        except (Invalid, KeyError) as error:
            raise Invalid(f"{self._path}: line {number}", str(error)) from error
