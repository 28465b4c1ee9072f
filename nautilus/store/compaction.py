"""Compaction: all files of a day that is over become one, in order of time and half the size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from nautilus.store.errors import CorruptFile
from nautilus.store.ordered_scan import ordered_scan
from nautilus.store.part_files import PartFiles, publish, stage_stream
from nautilus.store.parts import live_parts

if TYPE_CHECKING:
    import polars as pl


class CompactionReport(Struct, frozen=True, kw_only=True):
    """What a compaction did. `days` counts days of one kind and instrument that had more than one file.

    `left_alone` names those that stay as they are, and why: a damaged file, or columns whose types disagree.
    """

    days: int = 0
    rows: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    left_alone: tuple[str, ...] = ()

    def __add__(self, other: CompactionReport) -> CompactionReport:
        mine = (getattr(self, name) for name in self.__struct_fields__)
        theirs = (getattr(other, name) for name in self.__struct_fields__)
        return CompactionReport(
            **{name: a + b for name, a, b in zip(self.__struct_fields__, mine, theirs, strict=True)}
        )


def compact_day(day: Path, files: PartFiles) -> CompactionReport:
    """Make one file of all files of a day. Blocks. Raises OSError or a Polars error where the disk refuses.

    The new file counts from its rename on, and says that it replaces the others: a crash before leaves them, one
    after leaves both and only the new one counts. The others stay for readers that hold them, until the next
    compaction, the next merge of the day or the next start.
    """
    live, replaced = live_parts(day)
    for part in replaced:
        part.path.unlink(missing_ok=True)
        files.forget(part)
    if len(live) < 2:
        return CompactionReport()
    try:
        schemas = [files.schema(part) for part in live]
    except CorruptFile as damage:
        return CompactionReport(left_alone=(str(damage),))
    if conflict := conflicting_column(schemas):
        return CompactionReport(left_alone=(f"{day}: its files disagree on the type of column {conflict}",))
    sizes = [part.path.stat().st_size for part in live]
    staged = stage_stream(day, ordered_scan(live, schemas), live)
    bytes_after = staged.temporary.stat().st_size
    publish([staged])
    return CompactionReport(
        days=1,
        rows=sum(part.rows for part in live),
        files_before=len(live),
        files_after=1,
        bytes_before=sum(sizes),
        bytes_after=bytes_after,
    )


def conflicting_column(schemas: Sequence[pl.Schema]) -> str:
    """A column that has another type in some of the files, so that one file could not hold it as it was; "" if none."""
    types: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, kind in schema.items():
            if types.setdefault(name, kind) != kind:
                return name
    return ""
