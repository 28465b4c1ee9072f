"""LOBSTER's reconstructed NASDAQ days: zips or CSVs in; trades, book deltas and LOBSTER's own book out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.marketdata.delimited import read_headless
from nautilus.engines.marketdata.lobster_book import (
    CROSS,
    EXECUTION,
    HALT,
    HIDDEN_EXECUTION,
    SUBMISSION,
    WindowReplay,
    level_changes,
    rebuild_book,
)
from nautilus.errors import Invalid
from nautilus.model import AssetClass, BookDeltaColumns, Instrument, TradeColumns

if TYPE_CHECKING:
    import polars as pl

Integers = NDArray[np.int64]

PRICE_UNITS = 10_000
CENT_UNITS = 100
_MEMBER = re.compile(r"([A-Z.]+)_(\d{4}-\d{2}-\d{2})_\d+_\d+_(message|orderbook)_(\d+)\.csv")


@dataclass(frozen=True, slots=True)
class LobsterFiles:
    """Where one ticker's day of one level count lies: (zip or None, member or path) of messages and of books."""

    ticker: str
    date: str
    levels: int
    messages: tuple[Path | None, str]
    books: tuple[Path | None, str]


@dataclass(frozen=True, slots=True)
class LobsterDay:
    """One day of one instrument. Arrays [messages]: times in ns UTC, LOBSTER's event kinds, ticks, lots, resting side.

    `book` [messages, 4 * levels] is LOBSTER's own book after each message: ask price, ask size, bid price, bid size by
    level, in ticks and lots, empty levels 0.
    """

    instrument: Instrument
    ts_event: Integers
    kind: Integers
    order_id: Integers
    size_lots: Integers
    price_ticks: Integers
    resting_side: Integers
    book: Integers

    def __len__(self) -> int:
        return len(self.kind)

    def is_trade(self) -> NDArray[np.bool_]:
        """Which messages are executions: visible, hidden, or in a cross."""
        return np.asarray((self.kind == EXECUTION) | (self.kind == HIDDEN_EXECUTION) | (self.kind == CROSS))

    def trades(self) -> TradeColumns:
        """Executions; the aggressor is the side opposite to the resting order, NONE in a cross.

        A hidden execution is a trade without a change of the book. `trade_id` is the number of the message, from 1.
        """
        (rows,) = np.nonzero(self.is_trade())
        aggressor = np.where(self.kind[rows] == CROSS, 0, -self.resting_side[rows])
        time = self.ts_event[rows]
        return TradeColumns(
            self.instrument.id, self.price_ticks[rows], self.size_lots[rows], aggressor, rows + 1, time, time
        )

    def rebuild(self) -> WindowReplay:
        """The book rebuilt from the messages; LOBSTER's own is read only for levels that enter the window."""
        return rebuild_book(self.kind, self.price_ticks, self.size_lots, self.resting_side, self.book)

    def deltas(self) -> tuple[BookDeltaColumns, Integers]:
        """Level changes of the rebuilt book, resynchronised where it disagreed; and the message each belongs to."""
        replay = self.rebuild()
        changes = level_changes(np.where(replay.mismatched[:, None], self.book, replay.rows))
        last = np.ones_like(changes.row)
        last[:-1] = changes.row[:-1] != changes.row[1:]
        time = self.ts_event[changes.row]
        columns = BookDeltaColumns(
            self.instrument.id, changes.side, changes.price_ticks, changes.size_lots, last, time, time
        )
        return columns, changes.row


def is_lobster(path: Path) -> bool:
    """Whether a zip or a folder holds LOBSTER files."""
    return bool(path.exists() and any(True for _ in _members(path)))


def find_days(path: Path) -> tuple[LobsterFiles, ...]:
    """The days at a path: a folder of zips or CSVs, a zip, or a CSV of a pair. Of each day the one with most levels.

    Raises Invalid where there is none, or a file of a pair is missing.
    """
    if not path.exists():
        raise Invalid(str(path), "there is no such file or folder")
    found: dict[tuple[str, str, int], dict[str, tuple[Path | None, str]]] = {}
    for archive, member in _members(path):
        match = _MEMBER.fullmatch(Path(member).name)
        if match:
            ticker, date, which, levels = match.groups()
            found.setdefault((ticker, date, int(levels)), {})[which] = (archive, member)
    if not found:
        raise Invalid(str(path), "holds no LOBSTER files (TICKER_YYYY-MM-DD_start_end_message_LEVELS.csv)")
    best: dict[tuple[str, str], LobsterFiles] = {}
    for (ticker, date, levels), pair in sorted(found.items()):
        for which in ("message", "orderbook"):
            if which not in pair:
                raise Invalid(str(path), f"{ticker} {date} level {levels} has no {which} file")
        best[ticker, date] = LobsterFiles(ticker, date, levels, pair["message"], pair["orderbook"])
    return tuple(best.values())


def read_day(files: LobsterFiles) -> LobsterDay:
    """Read and check one day. Blocks (0.3 s for 150,000 messages of ten levels): call it off the loop.

    The tick is a cent, or the coarsest part of it on which every price of the day lies (hidden orders execute at half
    cents). Raises Invalid naming file, row and column of a value that cannot be.
    """
    import polars as pl

    integer = pl.Int64
    message_types = {"time": pl.Float64, "type": integer, "order_id": integer, "size": integer, "price": integer}
    frame = _read(files.messages, {**message_types, "direction": integer})
    book_types = {
        f"{side}_{what}_{level}": integer
        for level in range(1, files.levels + 1)
        for side in ("ask", "bid")
        for what in ("price", "size")
    }
    book = _read(files.books, book_types).to_numpy().astype(np.int64, order="C")
    name = files.messages[1]
    columns = {column: frame[column].to_numpy() for column in frame.columns}
    _check(name, columns)
    if len(book) != len(frame):
        raise Invalid(files.books[1], f"has {len(book)} rows, the messages {len(frame)}")
    book[:, 0::2][book[:, 1::2] == 0] = 0
    _check_book(files.books[1], book)
    traded = (columns["type"] >= SUBMISSION) & (columns["type"] <= CROSS)
    prices = np.where(traded, columns["price"], 0)
    units = int(np.gcd.reduce(np.concatenate([prices, book[:, 0::2].ravel(), [CENT_UNITS]])))
    book[:, 0::2] //= units
    midnight = datetime.fromisoformat(files.date).replace(tzinfo=ZoneInfo("America/New_York"))
    return LobsterDay(
        Instrument(
            id=f"{files.ticker}.XNAS",
            asset_class=AssetClass.EQUITY,
            tick_size=Decimal(units) / PRICE_UNITS,
            description=f"{files.ticker} on NASDAQ, {files.date}, LOBSTER level {files.levels}",
        ),
        int(midnight.timestamp()) * 1_000_000_000 + np.rint(columns["time"] * 1e9).astype(np.int64),
        columns["type"],
        columns["order_id"],
        columns["size"],
        prices // units,
        columns["direction"],
        book,
    )


def _members(path: Path) -> Iterator[tuple[Path | None, str]]:
    """(zip or None, name) of everything at a path that is named like a LOBSTER file."""
    candidates = sorted(path.iterdir()) if path.is_dir() else [path, *sorted(path.parent.glob("*.csv"))]
    if path.suffix == ".zip":
        candidates = [path]
    for candidate in candidates:
        if candidate.suffix == ".zip":
            try:
                with ZipFile(candidate) as archive:
                    yield from ((candidate, name) for name in archive.namelist() if _MEMBER.fullmatch(Path(name).name))
            except (BadZipFile, OSError) as error:
                raise Invalid(str(candidate), f"cannot be read as a zip: {error}") from error
        elif _MEMBER.fullmatch(candidate.name) and _same_day(path, candidate):
            yield None, str(candidate)


def _same_day(path: Path, candidate: Path) -> bool:
    """Of a single file only its other half belongs to it; of a folder everything."""
    if path.is_dir():
        return True
    halves = {path.name.replace("_message_", "_orderbook_"), path.name.replace("_orderbook_", "_message_")}
    return candidate.name in halves


def _read(place: tuple[Path | None, str], types: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    archive, member = place
    if archive is None:
        with Path(member).open("rb") as file:
            return read_headless(file, member, types)
    with ZipFile(archive) as zipped, zipped.open(member) as file:
        source: IO[bytes] = file
        return read_headless(source, f"{archive.name}/{member}", types)


def _check(name: str, columns: dict[str, NDArray[np.generic]]) -> None:
    kind, time = columns["type"].astype(np.int64), columns["time"].astype(np.float64)
    order = (kind >= SUBMISSION) & (kind <= CROSS)
    _refuse(name, "time", ~np.isfinite(time) | (time < 0) | (time > 86_400), "must be seconds of a day")
    _refuse(name, "time", np.concatenate([[False], np.diff(time) < 0]), "runs backwards")
    _refuse(name, "type", (kind < SUBMISSION) | (kind > HALT), "must be 1 to 7")
    _refuse(name, "size", order & (columns["size"].astype(np.int64) <= 0), "must be positive")
    _refuse(name, "price", order & (columns["price"].astype(np.int64) <= 0), "must be positive")
    resting = (kind >= SUBMISSION) & (kind <= HIDDEN_EXECUTION)
    _refuse(name, "direction", resting & (np.abs(columns["direction"].astype(np.int64)) != 1), "must be 1 or -1")


def _check_book(name: str, book: Integers) -> None:
    _refuse(name, "size", (book[:, 1::2] < 0).any(axis=1), "must not be negative")
    _refuse(name, "price", (book[:, 0::2] < 0).any(axis=1), "must be positive")
    crossed = (book[:, 1] > 0) & (book[:, 3] > 0) & (book[:, 2] > book[:, 0])
    _refuse(name, "bid_price_1", crossed, "is above the best ask")


def _refuse(name: str, column: str, bad: NDArray[np.bool_], reason: str) -> None:
    if bad.any():
        raise Invalid(f"{name}: row {int(np.argmax(bad)) + 1}, column {column}", reason)
