"""Databento's binary files (DBN): order events and book levels, decoded with the databento-dbn package.

The package is an extra: `pip install "nautilus[databento]"`. Prices are in DBN's 1e-9 units, times in ns UTC. A file
may be compressed with zstd. Everything is read whole: 68,792 order events take 50 ms, so call it off the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.marketdata.lobster_book import level_changes
from nautilus.engines.marketdata.order_events import ADD, CLEAR, MODIFY, NONE, REDUCE, OrderEventColumns
from nautilus.errors import Invalid, Unavailable
from nautilus.model import BookDeltaColumns, Instrument

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

LAST_OF_EVENT: Final = 128
SNAPSHOT: Final = 32
_PRICE_UNITS = 1_000_000_000
_NO_PRICE = np.iinfo(np.int64).max
_ORDER_RECORD = 0xA0
_BLOCK = 1 << 20
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_HEAD = [("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8")]
_ORDER = np.dtype([
    *_HEAD, ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"), ("channel_id", "u1"),
    ("action", "u1"), ("side", "u1"), ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"),
])  # fmt: skip
_LEVEL = np.dtype([
    ("bid_price", "<i8"), ("ask_price", "<i8"), ("bid_size", "<u4"), ("ask_size", "<u4"), ("bid_orders", "<u4"),
    ("ask_orders", "<u4"),
])  # fmt: skip
# A, C, M and R change the book. A fill and a trade do not: what they take comes as a C or M of the resting order
_ACTIONS = {ord("A"): ADD, ord("M"): MODIFY, ord("C"): REDUCE, ord("R"): CLEAR, ord("F"): NONE, ord("T"): NONE}


def _levels_record(levels: int) -> np.dtype[Any]:
    return np.dtype([
        *_HEAD, ("price", "<i8"), ("size", "<u4"), ("action", "u1"), ("side", "u1"), ("flags", "u1"), ("depth", "u1"),
        ("ts_recv", "<u8"), ("ts_in_delta", "<i4"), ("sequence", "<u4"), ("levels", _LEVEL, (levels,)),
    ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class DbnOrders:
    """The order events of one instrument in a market-by-order file, in the file's order; arrays [events].

    `events` is what a book takes. `is_last` closes a group of events that the exchange sent as one: only then is the
    book whole. `is_snapshot` marks the orders that rested before the file begins. `is_fill` marks the resting order's
    side of a trade (its action in `events` is NONE), `is_trade` the aggressor's. `ts_recv` in ns.
    """

    instrument: Instrument
    instrument_number: int
    events: OrderEventColumns
    is_last: Flags
    is_snapshot: Flags
    is_fill: Flags
    is_trade: Flags
    ts_recv: Integers
    sequence: Integers


def read_orders(path: Path, instrument: Instrument, instrument_number: int | None = None) -> DbnOrders:
    """The order events (schema mbo) of one instrument, prices in its ticks and sizes in its lots.

    An iceberg order whose shown part is renewed at the same size keeps its place in a book fed with these events; the
    exchange puts it last, and the feed does not say so.

    `instrument_number` is Databento's id; it may be left out where the file holds one instrument. Raises Invalid where
    the file is not DBN, holds no such records or none of this instrument, or a price is off the grid; Unavailable
    without databento-dbn.
    """
    rows = _one_instrument(path, _records(path, _ORDER_RECORD, _ORDER), instrument_number)
    actions = np.full(256, -1, np.int64)
    for letter, action in _ACTIONS.items():
        actions[letter] = action
    action = actions[rows["action"]]
    if (action < 0).any():
        row = int(np.argmax(action < 0))
        raise Invalid(f"{path}: record {row + 1}, action", f"is not known: {chr(rows['action'][row])!r}")
    side = _sides(rows["side"])
    priced = (action == ADD) | (action == MODIFY)
    printed = (action == NONE) & (rows["price"] != _NO_PRICE)
    price = _ticks(path, rows["price"], priced | printed, instrument)
    lots = _lots(path, rows["size"], instrument)
    time = rows["ts_event"].astype(np.int64)
    flags = rows["flags"]
    return DbnOrders(
        instrument, int(rows["instrument_id"][0]),
        OrderEventColumns(action, rows["order_id"].astype(np.int64), side, price, lots, time),
        (flags & LAST_OF_EVENT) > 0, (flags & SNAPSHOT) > 0, rows["action"] == ord("F"), rows["action"] == ord("T"),
        rows["ts_recv"].astype(np.int64), rows["sequence"].astype(np.int64),
    )  # fmt: skip


def read_levels(
    path: Path, instrument: Instrument, levels: int, instrument_number: int | None = None
) -> tuple[Integers, BookDeltaColumns]:
    """The book after every record of a market-by-price file of 1 or 10 levels (schemas mbp-1, mbp-10), and its deltas.

    The book is [records, 4 * levels]: ask price, ask size, bid price and bid size by level, ticks and lots, 0 where
    there is none. Parameters and errors as in `read_orders`.
    """
    if levels not in {1, 10}:
        raise Invalid("levels", f"must be 1 or 10, not {levels}")
    rows = _one_instrument(path, _records(path, levels, _levels_record(levels)), instrument_number)
    book = np.zeros((len(rows), levels, 4), np.int64)
    for at, name in ((0, "ask"), (2, "bid")):
        price, size = rows["levels"][f"{name}_price"], rows["levels"][f"{name}_size"]
        known = (price != _NO_PRICE) & (size > 0)
        book[:, :, at] = np.where(known, _ticks(path, price, known, instrument), 0)
        book[:, :, at + 1] = np.where(known, _lots(path, size, instrument), 0)
    cells = book.reshape(len(rows), -1)
    changes = level_changes(cells)
    last = np.ones_like(changes.row)
    last[:-1] = changes.row[:-1] != changes.row[1:]
    event, received = rows["ts_event"].astype(np.int64), rows["ts_recv"].astype(np.int64)
    deltas = BookDeltaColumns(
        instrument.id, changes.side, changes.price_ticks, changes.size_lots, last, event[changes.row],
        received[changes.row],
    )  # fmt: skip
    return cells, deltas


def _records(path: Path, record_type: int, layout: np.dtype[Any]) -> NDArray[Any]:
    packed = bytearray()
    for record in _decoded(path):
        if getattr(record, "rtype", None) is not None and int(record.rtype) == record_type:
            packed += bytes(record)[: layout.itemsize]
    if not packed:
        raise Invalid(str(path), f"holds no records of type {record_type}")
    rows: NDArray[Any] = np.frombuffer(bytes(packed), layout)
    return rows


def _decoded(path: Path) -> Iterator[Any]:
    package = _package()
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        is_packed = block.startswith(_ZSTD_MAGIC)
        kind = package.Compression.ZSTD if is_packed else package.Compression.NONE
        decoder = package.DBNDecoder(compression=kind)
        while block:
            try:
                decoder.write(block)
                yield from decoder.decode()
            except (package.DBNError, ValueError) as error:
                raise Invalid(str(path), f"is not DBN: {error}") from error
            block = file.read(_BLOCK)


def _package() -> ModuleType:
    try:
        import databento_dbn
    except ImportError as error:
        raise Unavailable('DBN files need databento-dbn: pip install "nautilus[databento]"') from error
    return databento_dbn


def _one_instrument(path: Path, rows: NDArray[Any], number: int | None) -> NDArray[Any]:
    found = np.unique(rows["instrument_id"])
    if number is None:
        if len(found) > 1:
            raise Invalid("instrument_number", f"must name one of {len(found)} instruments in {path}: {found[:5]}")
        return rows
    if number not in found:
        raise Invalid("instrument_number", f"{number} is not in {path}")
    chosen: NDArray[Any] = rows[rows["instrument_id"] == number]
    return chosen


def _sides(letters: NDArray[np.uint8]) -> Integers:
    return np.where(letters == ord("B"), 1, np.where(letters == ord("A"), -1, 0)).astype(np.int64)


def _ticks(path: Path, price: Integers, wanted: Flags, instrument: Instrument) -> Integers:
    unit = Fraction(instrument.tick_size) * _PRICE_UNITS
    return _on_grid(path, "price", price, wanted, unit)


def _lots(path: Path, size: NDArray[Any], instrument: Instrument) -> Integers:
    return _on_grid(path, "size", size.astype(np.int64), np.ones(size.shape, np.bool_), Fraction(instrument.lot_size))


def _on_grid(path: Path, column: str, value: Integers, wanted: Flags, unit: Fraction) -> Integers:
    """Whole steps of `unit` where wanted, 0 elsewhere. With p / q as the unit, value * q must divide by p."""
    value = np.where(wanted, value, 0)
    if np.abs(value).max(initial=0) > np.iinfo(np.int64).max // unit.denominator:
        raise Invalid(f"{path}: {column}", f"is too large for steps of {unit}")
    steps, rest = np.divmod(value * unit.denominator, unit.numerator)
    if rest.any():
        row = int(np.argmax(rest.any(axis=tuple(range(1, rest.ndim)))))
        raise Invalid(f"{path}: record {row + 1}, {column}", f"is not a multiple of {unit}")
    return np.asarray(steps, dtype=np.int64)
