"""Market data as Parquet files by kind, instrument and day."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nautilus.errors import NotFound, StoreError
from nautilus.store.base import CatalogEntry
from nautilus.store.columns import DTYPES, TIME, Columns, between, by_day, checked_rows
from nautilus.store.compaction import CompactionReport, compact_day, conflicting_column
from nautilus.store.errors import CorruptFile, DiskRefused, disk_error
from nautilus.store.listing import catalog_entry, day_folders, instrument_folders, leftovers
from nautilus.store.memory_catalog import MemoryCatalog
from nautilus.store.ordered_scan import ordered_scan
from nautilus.store.part_files import PartFiles, Staged, discard, make_directory, publish, stage
from nautilus.store.parts import (
    DAY_NS,
    PRUNED,
    READ_ATTEMPTS,
    Part,
    day_start_ns,
    days,
    encode_name,
    live_parts,
)

if TYPE_CHECKING:
    import polars as pl

__all__ = ["DTYPES", "MERGE_PARTS", "TIME", "CompactionReport", "MemoryCatalog", "ParquetCatalog"]

# `list` is a method below, so that annotations name these instead.
type Entries = list[CatalogEntry]
type Days = list[Path]
type Problems = list[str]
type Progress = Callable[[int, int], None]

MERGE_PARTS = 32


class ParquetCatalog:
    """The catalog as Parquet files under `directory`; see parts.py for their names.

    One thread writes. What one call of `write` brings appears whole or not at all, each file under a temporary name
    first. Small files of a day are merged thirty-two at a time, so that a day of many writes costs a few rewrites of
    each row and stays quick to read; `compact` makes one file of a day that is over. What was merged away stays until
    the next merge or start, for readers that hold it still. Reading needs neither `open` nor a lock, so that another
    process can read what a running node writes.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread: ThreadPoolExecutor | None = None
        self._files = PartFiles()
        self._refusal = ""
        self._merge_refusal = ""
        self.refused_writes = 0

    def open(self) -> None:
        """Remove what a crash left half-done and be ready to write. Blocks."""
        make_directory(self._directory)
        for instrument in instrument_folders(self._directory):
            for half_removed in instrument.glob(f"*{PRUNED}"):
                shutil.rmtree(half_removed)
            for leftover in leftovers(instrument):
                leftover.unlink()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nautilus-catalog")

    async def stop(self) -> None:
        """Finish what is being written; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)

    async def write(self, kind: str, instrument_id: str, columns: Columns) -> None:
        """Append rows; durable when this returns.

        Raises Invalid for columns it cannot keep, and DiskRefused (a StoreError) when the disk refuses: then nothing
        of them was kept and the same rows may be written again.
        """
        rows = checked_rows(kind, instrument_id, columns)
        self._writer()
        if rows:
            await self._on_thread(self._write, self._of(kind, instrument_id), columns)

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event. Blocks: call and collect off the loop.

        Each file is compared with its checksum before its first use in this process, and only those of the days asked
        for. Collected with engine="streaming" any range takes little memory, however long. Raises NotFound when
        nothing was ever written, CorruptFile naming the file when it does not hold what was written.
        """
        directory = self._of(kind, instrument_id)
        for _ in range(READ_ATTEMPTS):
            try:
                return self._read(directory, kind, instrument_id, start_ns, end_ns)
            except FileNotFoundError:  # merged away or pruned since the folder was read: look again
                continue
        raise StoreError(f"{directory} changes faster than it can be read; try again")

    def list(self) -> Entries:
        """What is there, by kind and instrument; damaged files are named and not counted. Blocks."""
        self._files.forget_absent_damage()
        found = (catalog_entry(instrument, self._files) for instrument in instrument_folders(self._directory))
        return sorted((entry for entry in found if entry), key=lambda entry: (entry.kind, entry.instrument_id))

    async def compact(
        self,
        kind: str | None = None,
        instrument_id: str | None = None,
        *,
        before_ns: int | None = None,
        progress: Progress | None = None,
    ) -> CompactionReport:
        """Make one file of each day that ended by `before_ns`, by default of each but the newest day of all.

        Rows, their order and their values stay as they are. Writes go on between two days; `progress` gets days done
        and days in all, on the loop. Frames made before read on. Raises DiskRefused where the disk is full: what was
        compacted stays so and the rest as it was.
        """
        chosen = await self._on_thread(self._days_before, kind, instrument_id, before_ns)
        report = CompactionReport()
        for done, day in enumerate(chosen, 1):
            report += await self._on_thread(self._compact, day)
            if progress is not None:
                progress(done, len(chosen))
        return report

    async def prune(self, before_ns: int, kind: str | None = None) -> int:
        """Remove the days (UTC) that ended by `before_ns`, of one kind or of all; returns how many rows went.

        A day goes whole, by a rename, or stays whole. Frames made before and not yet collected fail.
        """
        chosen = await self._on_thread(self._days_before, kind, None, before_ns)
        return sum([await self._on_thread(self._remove, day) for day in chosen])

    def problems(self) -> Problems:
        """The disk's last refusal until it takes a write, and damaged files that were there when last listed."""
        return [*filter(None, (self._refusal, self._merge_refusal)), *self._files.problems()]

    def damage(
        self, kind: str | None = None, instrument_id: str | None = None, progress: Progress | None = None
    ) -> Problems:
        """Compare every file with its checksum, whether this process did so before or not; what is wrong. Blocks."""
        fresh = PartFiles()
        folders = day_folders(self._directory, kind, instrument_id)
        for done, day in enumerate(folders, 1):
            try:
                for part in live_parts(day)[0]:
                    fresh.examine(part)
            except FileNotFoundError:  # pruned meanwhile
                pass
            if progress is not None:
                progress(done, len(folders))
        return fresh.problems()

    def _of(self, kind: str, instrument_id: str) -> Path:
        return self._directory / encode_name(kind) / encode_name(instrument_id)

    def _writer(self) -> ThreadPoolExecutor:
        if self._thread is None:
            raise StoreError("the catalog is not open")
        return self._thread

    async def _on_thread[**P, R](self, call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._writer(), partial(call, *arguments, **options))

    def _write(self, directory: Path, columns: Columns) -> None:
        import polars as pl

        staged: list[Staged] = []
        try:
            for name, rows in by_day(columns):
                day = directory / name
                live = live_parts(day)[0] if day.is_dir() else []
                sequence = max((part.last for part in live), default=0) + 1
                staged.append(stage(day, pl.DataFrame(dict(rows)), sequence, sequence))
            publish(staged)
        except OSError as error:
            discard(staged)
            self.refused_writes += 1
            refusal = DiskRefused(directory, error)
            self._refusal = str(refusal)
            raise refusal from error
        self._refusal = ""
        for one in staged:
            self._merge_small(one.path.parent)

    def _merge_small(self, day: Path) -> None:
        """Merge what has grown many. The rows are safe by now: a disk that refuses is a problem, no failed write."""
        import polars as pl

        try:
            span, replaced = 1, live_parts(day)[1]
            while self._merge(day, span, replaced):
                span *= MERGE_PARTS
                replaced = []
        except (OSError, pl.exceptions.PolarsError) as error:
            self._merge_refusal = str(DiskRefused(day, disk_error(error) or OSError(str(error)), "could not be merged"))
        else:
            self._merge_refusal = ""

    def _merge(self, day: Path, span: int, replaced: Iterable[Part]) -> bool:
        """Put the newest parts of up to `span` writes each into one, if there are enough of them."""
        newest = []
        for part in reversed(live_parts(day)[0]):
            if part.last - part.first + 1 > span:
                break
            newest.append(part)
        if len(newest) < MERGE_PARTS:
            return False
        newest.reverse()
        try:
            schemas = [self._files.schema(part) for part in newest]
        except CorruptFile:  # kept in `problems`; the rows just written are safe beside it
            return False
        if conflicting_column(schemas):
            return False
        merged = ordered_scan(newest, schemas).collect()
        publish([stage(day, merged, newest[0].first, newest[-1].last)])
        for part in replaced:
            part.path.unlink(missing_ok=True)
            self._files.forget(part)
        return True

    def _read(
        self, directory: Path, kind: str, instrument_id: str, start_ns: int | None, end_ns: int | None
    ) -> pl.LazyFrame:
        parts = [
            part
            for day in days(directory, start_ns, end_ns)
            for part in live_parts(day)[0]
            if (end_ns is None or part.start_ns < end_ns) and (start_ns is None or part.end_ns >= start_ns)
        ]
        if not parts:
            return self._nothing(directory, kind, instrument_id)
        return between(ordered_scan(parts, [self._files.schema(part) for part in parts]), start_ns, end_ns)

    def _nothing(self, directory: Path, kind: str, instrument_id: str) -> pl.LazyFrame:
        """An empty frame with the columns of the newest part."""
        import polars as pl

        for day in reversed(days(directory)):
            if live := live_parts(day)[0]:
                return pl.LazyFrame(schema=self._files.schema(live[-1]))
        raise NotFound(f"{kind} data of", instrument_id)

    def _days_before(self, kind: str | None, instrument_id: str | None, before_ns: int | None) -> Days:
        folders = day_folders(self._directory, kind, instrument_id)
        if before_ns is None:
            newest = max((day_start_ns(day) for day in folders), default=0)
            return [day for day in folders if day_start_ns(day) < newest]
        return [day for day in folders if day_start_ns(day) + DAY_NS <= before_ns]

    def _compact(self, day: Path) -> CompactionReport:
        import polars as pl

        try:
            return compact_day(day, self._files)
        except (OSError, pl.exceptions.PolarsError) as error:
            refusal = disk_error(error)
            if refusal is None:
                raise StoreError(f"{day} could not be compacted: {error}") from error
            raise DiskRefused(day, refusal, "could not be compacted") from error

    def _remove(self, day: Path) -> int:
        """Take a day away; returns its rows."""
        live, replaced = live_parts(day)
        gone = day.with_name(f"{day.name}{PRUNED}")
        try:
            day.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise DiskRefused(day, error, "could not be removed") from error
        for part in (*live, *replaced):
            self._files.forget(part)
        return sum(part.rows for part in live)
