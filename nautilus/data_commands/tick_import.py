"""Files of others as column batches of the catalog: LOBSTER days, or tick files by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import msgspec

from nautilus.engines.marketdata import find_days, read_day, read_tick_file
from nautilus.engines.marketdata.lobster import is_lobster
from nautilus.engines.marketdata.recorder import BAR_KIND_PREFIX, BOOK_KIND, TRADE_KIND
from nautilus.engines.marketdata.replay import INSTRUMENTS_FILE
from nautilus.engines.marketdata.tick_files import FileName, Policy, parse_name
from nautilus.errors import Invalid
from nautilus.model import AssetClass, BarColumns, BookDeltaColumns, Instrument, QuoteColumns, TradeColumns

type Skipped = Callable[[str, str, int], None]

DEFAULT_TICK = Decimal("0.01")


class Imported(NamedTuple):
    """Rows of one kind and instrument, and how many of the files have been read with them."""

    kind: str
    columns: QuoteColumns | TradeColumns | BarColumns | BookDeltaColumns
    done: int
    total: int


class Grid(NamedTuple):
    """Tick and lot size given by hand; None leaves them to instruments.json, or 0.01 and 1."""

    tick_size: str | None = None
    lot_size: str | None = None


def imported(path: Path, grid: Grid, policy: Policy, skipped: Skipped) -> Iterator[Imported]:
    """Everything at a path, a file or a folder, one file (or day) in memory at a time. Blocks.

    `skipped` gets file, reason and rows of what was left out. Raises Invalid, naming file, row and column.
    """
    if is_lobster(path):
        days = find_days(path)
        for number, files in enumerate(days, 1):
            day = read_day(files)
            yield Imported(TRADE_KIND, day.trades(), number - 1, len(days))
            yield Imported(BOOK_KIND, day.deltas()[0], number, len(days))
        return
    paths = sorted(entry for entry in path.iterdir() if parse_name(entry)) if path.is_dir() else [path]
    if not paths:
        raise Invalid(str(path), "holds neither LOBSTER files nor INSTRUMENT.quotes|trades|bars-SPEC.csv|parquet")
    defined = _definitions((path if path.is_dir() else path.parent) / INSTRUMENTS_FILE)
    for number, file in enumerate(paths, 1):
        name = parse_name(file)
        if name is None:
            raise Invalid(str(file), "must be called INSTRUMENT.quotes, .trades or .bars-SPEC, then .csv or .parquet")
        result = read_tick_file(file, _instrument(name, defined, grid), policy)
        for reason, rows in result.skipped.items():
            skipped(file.name, reason, rows)
        kind = f"{BAR_KIND_PREFIX}{name.spec}" if name.kind == "bars" else name.kind.removesuffix("s")
        yield Imported(kind, result.columns, number, len(paths))


def _instrument(name: FileName, defined: dict[str, Instrument], grid: Grid) -> Instrument:
    known = defined.get(name.instrument_id)
    tick_size = _step("tick", grid.tick_size, known.tick_size if known else DEFAULT_TICK)
    lot_size = _step("lot", grid.lot_size, known.lot_size if known else Decimal(1))
    return Instrument(id=name.instrument_id, asset_class=AssetClass.EQUITY, tick_size=tick_size, lot_size=lot_size)


def _step(field: str, text: str | None, otherwise: Decimal) -> Decimal:
    if text is None:
        return otherwise
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Invalid(field, f"must be a decimal number, not {text!r}") from None


def _definitions(path: Path) -> dict[str, Instrument]:
    if not path.exists():
        return {}
    try:
        return {one.id: one for one in msgspec.json.decode(path.read_bytes(), type=list[Instrument])}
    except (OSError, msgspec.MsgspecError) as error:
        raise Invalid(str(path), str(error)) from error
