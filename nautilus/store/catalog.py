"""Market data as columns: Parquet files by kind, instrument and day, or arrays in memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid, NotFound, StoreError
from nautilus.store.base import CatalogEntry
from nautilus.store.durable import sync_directory, sync_file
from nautilus.store.errors import CorruptFile
from nautilus.store.parts import DAY_NS, Part, days, decode_name, encode_name, live_parts, parse_part, part_name

if TYPE_CHECKING:
    import polars as pl

type Columns = Mapping[str, NDArray[Any]]

# `list` is a method below, so that annotations name these instead.
type Entries = list[CatalogEntry]
type Problems = list[str]

TIME = "ts_event"
DTYPES = frozenset(
    f"{kind}{bits}"
    for kind, sizes in (("int", (8, 16, 32, 64)), ("uint", (8, 16, 32, 64)), ("float", (32, 64)))
    for bits in sizes
) | {"bool"}
MERGE_PARTS = 32
TEMPORARY = ".writing"


class MemoryCatalog:
    """The catalog in memory, for tests and backtests."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, str], list[pl.DataFrame]] = {}

    def open(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to finish."""

    async def write(self, kind: str, instrument_id: str, columns: Columns) -> None:
        """Append rows."""
        import polars as pl

        rows = _checked(kind, instrument_id, columns)
        if rows:
            frame = pl.DataFrame({name: np.array(column) for name, column in columns.items()})
            self._frames.setdefault((kind, instrument_id), []).append(frame)

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event; NotFound when there never were any."""
        import polars as pl

        frames = self._frames.get((kind, instrument_id))
        if frames is None:
            raise NotFound(f"{kind} data of", instrument_id)
        lazy = pl.concat([frame.lazy() for frame in frames], how="diagonal_relaxed")
        return _between(lazy, start_ns, end_ns).sort(TIME, maintain_order=True)

    def list(self) -> Entries:
        """What is there, by kind and instrument."""
        return [
            CatalogEntry(
                kind=kind,
                instrument_id=instrument_id,
                rows=sum(frame.height for frame in frames),
                start_ns=min(int(frame[TIME].to_numpy().min()) for frame in frames),
                end_ns=max(int(frame[TIME].to_numpy().max()) for frame in frames),
                bytes=int(sum(frame.estimated_size() for frame in frames)),
                files=len(frames),
            )
            for (kind, instrument_id), frames in sorted(self._frames.items())
        ]

    def problems(self) -> Problems:
        """Nothing can go wrong here."""
        return []


class ParquetCatalog:
    """The catalog as Parquet files under `directory`; see parts.py for their names.

    One thread writes. A file appears whole or not at all (temporary name, then rename). Small files of a day are
    merged thirty-two at a time, so that a day of many writes costs a few rewrites of each row and stays quick to read.
    What was merged away stays until the next merge or start, for readers that hold it still.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread: ThreadPoolExecutor | None = None
        self._sound: set[Path] = set()
        self._damaged: dict[Path, CorruptFile] = {}

    def open(self) -> None:
        """Remove what a crash left half-written. Blocks."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for leftover in self._directory.glob(f"*/*/*/*{TEMPORARY}"):
            leftover.unlink()
        for day in self._directory.glob("*/*/*"):
            if day.is_dir():
                for part in live_parts(day)[1]:
                    part.path.unlink()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nautilus-catalog")

    async def stop(self) -> None:
        """Finish what is being written; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)

    async def write(self, kind: str, instrument_id: str, columns: Columns) -> None:
        """Append rows; durable when this returns. Raises Invalid for columns it cannot keep, and StoreError."""
        rows = _checked(kind, instrument_id, columns)
        if self._thread is None:
            raise StoreError("the catalog is not open")
        if rows:
            directory = self._of(kind, instrument_id)
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, directory, columns)

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event. Blocks: call and collect off the loop.

        Raises NotFound when nothing was ever written, CorruptFile naming the file when its checksum does not match.
        """
        import polars as pl

        directory = self._of(kind, instrument_id)
        parts = [part for day in days(directory, start_ns, end_ns) for part in live_parts(day)[0]]
        wanted = [
            part
            for part in parts
            if (end_ns is None or part.start_ns < end_ns) and (start_ns is None or part.end_ns >= start_ns)
        ]
        if not wanted:
            return self._nothing(directory, kind, instrument_id)
        schemas = [self._verified_schema(part) for part in wanted]
        if all(schema == schemas[0] for schema in schemas):
            lazy = pl.scan_parquet([part.path for part in wanted], glob=False)
        else:
            scans = [pl.scan_parquet(part.path, glob=False) for part in wanted]
            lazy = pl.concat(scans, how="diagonal_relaxed")
        in_order = all(one.end_ns <= following.start_ns for one, following in pairwise(wanted))
        lazy = _between(lazy, start_ns, end_ns)
        return lazy if in_order else lazy.sort(TIME, maintain_order=True)

    def list(self) -> Entries:
        """What is there, by kind and instrument; damaged files are named and not counted. Blocks."""
        for path in [path for path in self._damaged if not path.exists()]:
            del self._damaged[path]
        entries = []
        for kind in _directories(self._directory):
            for instrument in _directories(kind):
                entry = self._entry(kind, instrument)
                if entry is not None:
                    entries.append(entry)
        return sorted(entries, key=lambda entry: (entry.kind, entry.instrument_id))

    def problems(self) -> Problems:
        """Damaged files that were met since the start and were still there when last listed."""
        return [str(damage) for damage in self._damaged.values()]

    def _of(self, kind: str, instrument_id: str) -> Path:
        return self._directory / encode_name(kind) / encode_name(instrument_id)

    def _write(self, directory: Path, columns: Columns) -> None:
        import polars as pl

        try:
            for day, rows in _by_day(columns):
                self._append(directory / day, pl.DataFrame(dict(rows)))
        except OSError as error:
            raise StoreError(f"{directory} could not be written: {error}") from error

    def _append(self, day: Path, frame: pl.DataFrame) -> None:
        day.mkdir(parents=True, exist_ok=True)
        live, replaced = live_parts(day)
        sequence = max((part.last for part in live), default=0) + 1
        _write_part(day, frame, sequence, sequence)
        span = 1
        while self._merge(day, span, replaced):
            span *= MERGE_PARTS
            replaced = []

    def _merge(self, day: Path, span: int, replaced: Iterable[Part]) -> bool:
        """Put the newest parts of up to `span` writes each into one, if there are enough of them."""
        import polars as pl

        newest = []
        for part in reversed(live_parts(day)[0]):
            if part.last - part.first + 1 > span:
                break
            newest.append(part)
        if len(newest) < MERGE_PARTS:
            return False
        newest.reverse()
        try:
            for part in newest:
                self._verified_schema(part)
        except CorruptFile:  # kept in `problems`; the rows just written are safe beside it
            return False
        frames = [pl.read_parquet(part.path, glob=False) for part in newest]
        merged = pl.concat(frames, how="diagonal_relaxed").sort(TIME, maintain_order=True)
        _write_part(day, merged, newest[0].first, newest[-1].last)
        for part in replaced:
            part.path.unlink(missing_ok=True)
            self._sound.discard(part.path)
        return True

    def _nothing(self, directory: Path, kind: str, instrument_id: str) -> pl.LazyFrame:
        """An empty frame with the columns of the newest part."""
        import polars as pl

        newest = [part for day in days(directory)[-1:] for part in live_parts(day)[0]]
        if not newest:
            raise NotFound(f"{kind} data of", instrument_id)
        return pl.LazyFrame(schema=self._verified_schema(newest[-1]))

    def _verified_schema(self, part: Part) -> pl.Schema:
        """Columns of a part whose checksum has been compared, once in the life of the process."""
        import polars as pl

        damage = self._damaged.get(part.path)
        if damage is None:
            try:
                if part.path not in self._sound and _checksum(part.path) != part.checksum:
                    damage = CorruptFile(part.path, "checksum does not match")
                else:
                    self._sound.add(part.path)
                    return pl.Schema(pl.read_parquet_schema(part.path))
            except (OSError, pl.exceptions.PolarsError) as error:
                damage = CorruptFile(part.path, str(error))
            self._damaged[part.path] = damage
        raise damage

    def _entry(self, kind: Path, instrument: Path) -> CatalogEntry | None:
        parts: list[Part] = []
        corrupt: list[str] = []
        for day in days(instrument):
            foreign = [path.name for path in day.glob("*.parquet") if parse_part(path) is None]
            corrupt.extend(foreign)
            for part in live_parts(day)[0]:
                if self._looks_sound(part):
                    parts.append(part)
                else:
                    corrupt.append(part.path.name)
        if not parts and not corrupt:
            return None
        return CatalogEntry(
            kind=decode_name(kind.name),
            instrument_id=decode_name(instrument.name),
            rows=sum(part.rows for part in parts),
            start_ns=min((part.start_ns for part in parts), default=0),
            end_ns=max((part.end_ns for part in parts), default=0),
            bytes=sum(part.path.stat().st_size for part in parts),
            files=len(parts),
            corrupt=tuple(corrupt),
        )

    def _looks_sound(self, part: Part) -> bool:
        """Whether both ends of a file are those of Parquet; the whole of it is compared when it is read."""
        if part.path in self._damaged:
            return False
        if part.path in self._sound:
            return True
        with part.path.open("rb") as file:
            head = file.read(4)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 4, 0))
            sound = size >= 12 and head == file.read(4) == b"PAR1"
        if not sound:
            self._damaged[part.path] = CorruptFile(part.path, "not a whole Parquet file")
        return sound


def _checked(kind: str, instrument_id: str, columns: Columns) -> int:
    """Number of rows of columns that can be kept; raises Invalid for those that cannot."""
    encode_name(kind)
    encode_name(instrument_id)
    time = columns.get(TIME)
    if time is None or time.dtype != np.int64:
        raise Invalid(f"columns.{TIME}", "must be there, as int64 nanoseconds UTC")
    for name, column in columns.items():
        if column.ndim != 1 or len(column) != len(time):
            raise Invalid(f"columns.{name}", f"must be one-dimensional with {len(time)} rows")
        if column.dtype.name not in DTYPES:
            raise Invalid(f"columns.{name}", f"must hold one of {', '.join(sorted(DTYPES))}, not {column.dtype.name}")
    return len(time)


def _by_day(columns: Columns) -> Iterator[tuple[str, Columns]]:
    """Rows by UTC day, each day ordered by time."""
    time = columns[TIME]
    if np.any(time[1:] < time[:-1]):
        order = np.argsort(time, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        time = columns[TIME]
    day_numbers = time // DAY_NS
    for day in np.unique(day_numbers):
        start, stop = np.searchsorted(day_numbers, [day, day + 1])
        yield str(np.datetime64(int(day), "D")), {name: column[start:stop] for name, column in columns.items()}


def _write_part(day: Path, frame: pl.DataFrame, first: int, last: int) -> None:
    """Write a part so that it is there whole or not at all, also after a power cut."""
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    data = buffer.getbuffer()
    time = frame[TIME]
    name = part_name(int(time[0]), int(time[-1]), frame.height, first, last, crc32(data))
    temporary = day / f"{name}{TEMPORARY}"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        sync_file(file.fileno())
    temporary.rename(day / name)
    sync_directory(day)


def _between(lazy: pl.LazyFrame, start_ns: int | None, end_ns: int | None) -> pl.LazyFrame:
    import polars as pl

    if start_ns is not None:
        lazy = lazy.filter(pl.col(TIME) >= start_ns)
    if end_ns is not None:
        lazy = lazy.filter(pl.col(TIME) < end_ns)
    return lazy


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = crc32(block, checksum)
    return checksum


def _directories(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []
