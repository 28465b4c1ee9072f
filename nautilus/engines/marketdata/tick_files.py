"""Quotes, trades and bars out of CSV and Parquet files, checked row by row before anything of them is used.

Columns (times in ns UTC or ISO 8601; prices and sizes in currency and units, on the instrument's grid):
quotes  ts_event, bid_price, ask_price, bid_size, ask_size
trades  ts_event, price, size [, aggressor (BUY, SELL, NONE or 1, -1, 0)] [, trade_id]
bars    ts_event (the close), open, high, low, close, volume [, buy_volume] [, trade_count] [, ts_open]

Policy. "refuse" (the default) raises Invalid naming file, row, column and reason at the first row that cannot be true.
"skip" leaves such rows out and counts them by reason. Wrong are: NaN or infinity, a price or size off the grid, a price
not positive, a negative size (a trade's must be positive), a crossed quote (bid above ask; locked is allowed), a bar
whose high or low is not its extreme, and a time before that of the last good row. A cell that is no number or time at
all is always refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.marketdata.bar_rule import BarRule, Criterion
from nautilus.engines.marketdata.delimited import converted, read_table
from nautilus.errors import Invalid
from nautilus.model import BarColumns, Instrument, QuoteColumns, TradeColumns

if TYPE_CHECKING:
    import polars as pl

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Policy = Literal["refuse", "skip"]

_NAME = re.compile(r"(.+)\.(quotes|trades|bars-([1-9][0-9]{0,8}[stv]))\.(csv|parquet)")
_ON_GRID_BELOW = float(2**53)


class TickFile(msgspec.Struct, frozen=True):
    """What a file held, and how many rows were left out for which reason."""

    columns: QuoteColumns | TradeColumns | BarColumns
    skipped: dict[str, int]


class FileName(msgspec.Struct, frozen=True):
    """What a file's name says: `AAPL.XNAS.trades.csv`, `AAPL.XNAS.quotes.parquet`, `AAPL.XNAS.bars-60s.csv`."""

    instrument_id: str
    kind: Literal["quotes", "trades", "bars"]
    spec: str


def parse_name(path: Path) -> FileName | None:
    """What the name of a file says, or None where it is not one of ours.

    >>> parse_name(Path("AAPL.XNAS.bars-60s.csv"))
    FileName(instrument_id='AAPL.XNAS', kind='bars', spec='60s')
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    instrument_id, kind, spec, _ = match.groups()
    return FileName(instrument_id, "bars" if spec else kind, spec or "")  # type: ignore[arg-type]


class _Rows:
    """The rows of one file under inspection: `keep` says which are good so far."""

    def __init__(self, path: Path, instrument: Instrument, policy: Policy) -> None:
        self.path = path
        self.instrument = instrument
        self.policy = policy
        self.frame, self.first_row = read_table(path)
        self.keep = np.ones(self.frame.height, dtype=np.bool_)
        self.skipped: dict[str, int] = {}

    def require(self, *names: str) -> None:
        for name in names:
            if name not in self.frame.columns:
                raise Invalid(f"{self.path}: column {name}", f"is missing; there are {', '.join(self.frame.columns)}")

    def __contains__(self, name: str) -> bool:
        return name in self.frame.columns

    def refuse(self, column: str, bad: Flags, reason: str) -> None:
        bad = bad & self.keep
        if not bad.any():
            return
        if self.policy == "refuse":
            row = int(np.argmax(bad))
            value = self.frame[column][row]
            raise Invalid(f"{self.path}: row {row + self.first_row}, column {column}", f"{reason}: {value}")
        self.skipped[reason] = self.skipped.get(reason, 0) + int(bad.sum())
        self.keep &= ~bad

    def times(self, name: str) -> Integers:
        import polars as pl

        column = self.frame[name]
        if column.dtype == pl.String:
            parsed = _parsed_times(column)
            if parsed is not None:
                if parsed.null_count():
                    row = parsed.is_null().arg_max() or 0
                    where = f"{self.path}: row {row + self.first_row}, column {name}"
                    raise Invalid(where, f"{column[row]!r} is not a time")
                column = parsed
        elif column.dtype.is_temporal():
            column = column.cast(pl.Datetime("ns")).cast(pl.Int64)
        return converted(column, pl.Int64, str(self.path), self.first_row).to_numpy()

    def steps(self, name: str, *, price: bool, smallest: int) -> Integers:
        """A price in ticks or a size in lots, at least `smallest`."""
        import polars as pl

        values: Floats = converted(self.frame[name], pl.Float64, str(self.path), self.first_row).to_numpy()
        self.refuse(name, ~np.isfinite(values), "not a finite number")
        step = self.instrument.tick_size if price else self.instrument.lot_size
        numerator, denominator = step.as_integer_ratio()
        finite = np.where(self.keep, values, 0.0)
        nearest = np.rint(finite * denominator / numerator)
        self.refuse(name, np.abs(nearest) * numerator >= _ON_GRID_BELOW, "too large")
        nearest = np.where(self.keep, nearest, 0.0)
        self.refuse(name, (nearest * numerator / denominator != finite) & self.keep, f"not a multiple of {step}")
        counts = nearest.astype(np.int64)
        word = "price not positive" if price else "size not positive" if smallest else "negative size"
        self.refuse(name, counts < smallest, word)
        return counts

    def in_order(self, name: str, times: Integers) -> None:
        self.refuse(name, (times < 0) | (times >= 2**62), "impossible time")
        known = np.where(self.keep, times, -1)
        latest = np.concatenate([[-1], np.maximum.accumulate(known)[:-1]]) if len(times) else known
        self.refuse(name, times < latest, "time runs backwards")


def _parsed_times(column: pl.Series) -> pl.Series | None:
    """ISO 8601 text as ns UTC (null where it is not), or None where the first cell is a plain number."""
    import polars as pl

    if not len(column) or column[0] is None or re.fullmatch(r"\s*-?\d+\s*", column[0]):
        return None
    text = column.str.strip_chars().str.replace("Z$", "+00:00")
    zoned = text.str.contains(r"[+-]\d\d:?\d\d$")
    plain = pl.select(pl.when(zoned).then(text).otherwise(text + "+00:00").alias(column.name)).to_series()
    return plain.str.to_datetime(time_unit="ns", time_zone="UTC", strict=False).cast(pl.Int64)


def read_quotes(path: Path, instrument: Instrument, policy: Policy = "refuse") -> TickFile:
    """Quotes of one instrument; raises Invalid as the module says. Blocks."""
    rows = _Rows(path, instrument, policy)
    rows.require("ts_event", "bid_price", "ask_price", "bid_size", "ask_size")
    time = rows.times("ts_event")
    bid, ask = (rows.steps(name, price=True, smallest=1) for name in ("bid_price", "ask_price"))
    bid_lots, ask_lots = (rows.steps(name, price=False, smallest=0) for name in ("bid_size", "ask_size"))
    rows.refuse("bid_price", bid > ask, "crossed: bid above ask")
    rows.in_order("ts_event", time)
    return _kept(rows, QuoteColumns, bid, ask, bid_lots, ask_lots, time, time)


def read_trades(path: Path, instrument: Instrument, policy: Policy = "refuse") -> TickFile:
    """Trades of one instrument; without a column aggressor it is NONE, without trade_id they are numbered from 1."""
    rows = _Rows(path, instrument, policy)
    rows.require("ts_event", "price", "size")
    time = rows.times("ts_event")
    price, size = rows.steps("price", price=True, smallest=1), rows.steps("size", price=False, smallest=1)
    aggressor = _sides(rows) if "aggressor" in rows else np.zeros(len(time), np.int64)
    trade_id = _whole(rows, "trade_id") if "trade_id" in rows else np.arange(1, len(time) + 1)
    rows.in_order("ts_event", time)
    return _kept(rows, TradeColumns, price, size, aggressor, trade_id, time, time)


def read_bars(path: Path, instrument: Instrument, spec: str, policy: Policy = "refuse") -> TickFile:
    """Bars of one instrument and spec; ts_open is one step before the close where the file does not say."""
    rows = _Rows(path, instrument, policy)
    rows.require("ts_event", "open", "high", "low", "close", "volume")
    time = rows.times("ts_event")
    names = ("open", "high", "low", "close")
    opened, high, low, close = (rows.steps(name, price=True, smallest=1) for name in names)
    volume = rows.steps("volume", price=False, smallest=0)
    buy = rows.steps("buy_volume", price=False, smallest=0) if "buy_volume" in rows else np.zeros_like(volume)
    count = _whole(rows, "trade_count") if "trade_count" in rows else np.zeros_like(volume)
    parsed = BarRule.parse(spec)
    step = parsed.step if parsed.criterion is Criterion.TIME else 0
    begin = rows.times("ts_open") if "ts_open" in rows else time - step
    rows.refuse("high", high < np.maximum(opened, close), "high is not the highest")
    rows.refuse("low", low > np.minimum(opened, close), "low is not the lowest")
    rows.refuse("volume", buy > volume, "less than what buyers traded")
    rows.refuse("ts_event", begin > time, "before the bar's open")
    rows.in_order("ts_event", time)
    return _kept(rows, BarColumns, opened, high, low, close, volume, buy, count, begin, time, time)


def read_tick_file(path: Path, instrument: Instrument, policy: Policy = "refuse") -> TickFile:
    """A file by what its name says it is; raises Invalid for a name that says nothing."""
    name = parse_name(path)
    if name is None:
        raise Invalid(str(path), "must be called INSTRUMENT.quotes, .trades or .bars-SPEC, then .csv or .parquet")
    if name.kind == "bars":
        return read_bars(path, instrument, name.spec, policy)
    return (read_quotes if name.kind == "quotes" else read_trades)(path, instrument, policy)


def _whole(rows: _Rows, name: str) -> Integers:
    import polars as pl

    values = converted(rows.frame[name], pl.Int64, str(rows.path), rows.first_row).to_numpy()
    rows.refuse(name, values < 0, "negative")
    return np.asarray(values, dtype=np.int64)


def _sides(rows: _Rows) -> Integers:
    import polars as pl

    words = {"BUY": "1", "SELL": "-1", "NONE": "0"}
    column = rows.frame["aggressor"]
    if column.dtype == pl.String:
        column = column.str.strip_chars().str.to_uppercase().replace(words)
    values = converted(column, pl.Int64, str(rows.path), rows.first_row).to_numpy()
    rows.refuse("aggressor", np.abs(values) > 1, "side unknown")
    return np.asarray(values, dtype=np.int64)


def _kept(rows: _Rows, kind: Callable[..., QuoteColumns | TradeColumns | BarColumns], *columns: Integers) -> TickFile:
    kept = kind(rows.instrument.id, *(np.asarray(column, dtype=np.int64)[rows.keep] for column in columns))
    return TickFile(kept, rows.skipped)
