"""Recorded data as a stream of events in order of time: LOBSTER days, tick files, or what a node has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from nautilus.engines.marketdata.lobster import LobsterDay, find_days, is_lobster, read_day
from nautilus.engines.marketdata.lobster_book import CROSS
from nautilus.engines.marketdata.recorder import BAR_KIND_PREFIX, Columns, Event, columns_type, read_recorded
from nautilus.engines.marketdata.tick_files import Policy, parse_name, read_tick_file
from nautilus.errors import Invalid
from nautilus.model import (
    AssetClass,
    BarColumns,
    BookDelta,
    BookDeltaColumns,
    Instrument,
    Side,
    Trade,
    TradeColumns,
)

if TYPE_CHECKING:
    from nautilus.store.base import Catalog

Group = tuple[int, list[Event]]
INSTRUMENTS_FILE = "instruments.json"
_CHUNK = 8192


class Replay(msgspec.Struct, frozen=True):
    """Recorded data, ready to be played. `groups` gives (time in ns, events of that moment) from the start, each call.

    `messages` counts the rows of the recording, `skipped` those left out by reason.
    """

    description: str
    instruments: tuple[Instrument, ...]
    messages: int
    start_ns: int
    end_ns: int
    skipped: dict[str, int]
    groups: Callable[[], Iterator[Group]]


def open_replay(path: Path, policy: Policy = "refuse") -> Replay:
    """Read a LOBSTER folder, zip or CSV, or tick files: one, or a folder of them. Blocks: call it off the loop.

    A folder of tick files may hold `instruments.json`, a list of instrument definitions; an instrument that is not
    there is an equity with a tick of 0.01 and a lot of 1. Raises Invalid, naming file, row and column where it can.
    """
    path = path.expanduser()
    if not path.exists():
        raise Invalid(str(path), "there is no such file or folder")
    if is_lobster(path):
        return lobster_replay(tuple(read_day(files) for files in find_days(path)))
    return _tick_file_replay(path, policy)


def lobster_replay(days: Sequence[LobsterDay]) -> Replay:
    """Days of LOBSTER messages as trades and level changes, a group a message."""
    prepared = [(day, *day.deltas()) for day in days]
    names = ", ".join(day.instrument.description for day in days)
    return Replay(
        f"replay of {names}",
        tuple({day.instrument.id: day.instrument for day in days}.values()),
        sum(len(day) for day in days),
        min(int(day.ts_event[0]) for day in days),
        max(int(day.ts_event[-1]) for day in days),
        {},
        lambda: _merged([_lobster_groups(day, deltas, rows) for day, deltas, rows in prepared]),
    )


def recorded_replay(catalog: Catalog, instruments: Sequence[Instrument]) -> Replay:
    """Everything that a catalog holds of these instruments. Quotes are left out where there are level changes."""
    known = {instrument.id: instrument for instrument in instruments}
    entries = [entry for entry in catalog.list() if entry.instrument_id in known]
    with_book = {entry.instrument_id for entry in entries if entry.kind == "book"}
    kinds = [
        (entry.kind, entry.instrument_id)
        for entry in entries
        if not entry.kind.startswith(BAR_KIND_PREFIX)
        and (entry.kind != "quote" or entry.instrument_id not in with_book)
    ]
    if not kinds:
        raise Invalid("replay_path", "the catalog holds nothing of the instruments that are known")
    batches = [(kind, read_recorded(catalog, kind, instrument_id)) for kind, instrument_id in kinds]
    used = tuple(known[instrument_id] for instrument_id in sorted({instrument_id for _, instrument_id in kinds}))
    return _column_replay("replay of the catalog", used, batches, {})


def _tick_file_replay(path: Path, policy: Policy) -> Replay:
    paths = sorted(entry for entry in path.iterdir() if parse_name(entry)) if path.is_dir() else [path]
    if not paths:
        raise Invalid(str(path), "holds neither LOBSTER files nor INSTRUMENT.quotes|trades|bars-SPEC.csv|parquet")
    folder = path if path.is_dir() else path.parent
    defined = _definitions(folder / INSTRUMENTS_FILE)
    batches: list[tuple[str, Columns]] = []
    skipped: dict[str, int] = {}
    used: dict[str, Instrument] = {}
    for file in paths:
        name = parse_name(file)
        if name is None:
            raise Invalid(str(file), "must be called INSTRUMENT.quotes, .trades or .bars-SPEC, then .csv or .parquet")
        instrument = defined.get(name.instrument_id) or _plain(file, name.instrument_id)
        used[instrument.id] = instrument
        result = read_tick_file(file, instrument, policy)
        kind = f"{BAR_KIND_PREFIX}{name.spec}" if name.kind == "bars" else name.kind.removesuffix("s")
        batches.append((kind, result.columns))
        for reason, count in result.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + count
    return _column_replay(f"replay of {path.name}", tuple(used.values()), batches, skipped)


def _plain(file: Path, instrument_id: str) -> Instrument:
    definition = {"id": instrument_id, "asset_class": AssetClass.EQUITY, "tick_size": Decimal("0.01")}
    try:
        return msgspec.convert(definition, Instrument)
    except msgspec.ValidationError as error:
        raise Invalid(str(file), f"{instrument_id!r} is no instrument id such as AAPL.XNAS") from error


def _definitions(path: Path) -> dict[str, Instrument]:
    if not path.exists():
        return {}
    try:
        return {one.id: one for one in msgspec.json.decode(path.read_bytes(), type=list[Instrument])}
    except (OSError, msgspec.MsgspecError) as error:
        raise Invalid(str(path), str(error)) from error


def _column_replay(
    description: str, instruments: tuple[Instrument, ...], batches: list[tuple[str, Columns]], skipped: dict[str, int]
) -> Replay:
    filled = [(kind, columns) for kind, columns in batches if len(columns)]
    if not filled:
        raise Invalid("replay_path", "there is not one row to replay")
    return Replay(
        description,
        instruments,
        sum(len(columns) for _, columns in filled),
        min(int(columns.ts_event[0]) for _, columns in filled),
        max(int(columns.ts_event[-1]) for _, columns in filled),
        skipped,
        lambda: _merged([_column_groups(kind, columns) for kind, columns in filled]),
    )


def _merged(streams: list[Iterator[Group]]) -> Iterator[Group]:
    """One stream in order of time; at equal times the earlier stream first."""
    return streams[0] if len(streams) == 1 else merge(*streams, key=itemgetter(0))


def _column_groups(kind: str, columns: Columns) -> Iterator[Group]:
    """The rows of a batch as events, each a group of its own."""
    make: Callable[..., Event] = columns_type(kind).event
    identifier, names = columns.instrument_id, columns.names()
    rows, time = _rows([getattr(columns, name) for name in names]), names.index("ts_event")
    if isinstance(columns, BarColumns):
        spec = kind.removeprefix(BAR_KIND_PREFIX)
        for row in rows:
            yield row[time], [make(identifier, spec, *row)]
    elif isinstance(columns, TradeColumns):
        for price, size, side, *rest in rows:
            yield rest[1], [make(identifier, price, size, _SIDES[side], *rest)]
    elif isinstance(columns, BookDeltaColumns):
        for side, price, size, last, *times in rows:
            yield times[0], [make(identifier, _SIDES[side], price, size, last == 1, *times)]
    else:
        for row in rows:
            yield row[time], [make(identifier, *row)]


_SIDES = {side.value: side for side in Side}


def _rows(arrays: list[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> Iterator[list[int]]:
    """Rows of parallel arrays as lists, converted a chunk at a time so that memory stays small."""
    for start in range(0, len(arrays[0]), _CHUNK):
        for row in zip(*(array[start : start + _CHUNK].tolist() for array in arrays), strict=True):
            yield list(row)


def _lobster_groups(
    day: LobsterDay, deltas: BookDeltaColumns, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> Iterator[Group]:
    """A group a message: its trade first, as it met the book before it, then what it changed in the book."""
    identifier = day.instrument.id
    bounds = np.searchsorted(rows, np.arange(len(day) + 1))
    is_trade, aggressor = day.is_trade(), np.where(day.kind == CROSS, 0, -day.resting_side)
    for start in range(0, len(day), _CHUNK):
        stop = min(start + _CHUNK, len(day))
        low, high = int(bounds[start]), int(bounds[stop])
        changes = zip(
            *(column[low:high].tolist() for column in (deltas.side, deltas.price_ticks, deltas.size_lots, deltas.last)),
            strict=True,
        )
        messages = (day.ts_event, is_trade, day.price_ticks, day.size_lots, aggressor, np.diff(bounds))
        columns = (column[start:stop].tolist() for column in messages)
        for number, (time, trades, price, size, side, count) in enumerate(zip(*columns, strict=True), start + 1):
            events: list[Event] = []
            if trades:
                events.append(Trade(identifier, price, size, _SIDES[side], number, time, time))
            for _ in range(count):
                delta_side, level, lots, last = next(changes)
                events.append(BookDelta(identifier, _SIDES[delta_side], level, lots, last == 1, time, time))
            yield time, events
