"""A part on the disk: staged under another name, published by a rename, and compared with its checksum before use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from nautilus.errors import StoreError
from nautilus.store.columns import TIME
from nautilus.store.durable import sync_directory, sync_file
from nautilus.store.errors import CorruptFile, DiskRefused
from nautilus.store.parts import TEMPORARY, Part, part_name

if TYPE_CHECKING:
    import polars as pl

ROW_GROUP_ROWS = 65_536
"""Rows that are read or skipped together: a slice of a day reads few more than it asks for."""


class Staged(NamedTuple):
    """A file that is written and synchronised, and that no reader sees yet."""

    temporary: Path
    path: Path


def stage(day: Path, frame: pl.DataFrame, first: int, last: int) -> Staged:
    """Write rows, in order of time, of the writes `first` to `last`. LZ4: today's rows are written and read in haste.

    Raises OSError, and leaves nothing then.
    """
    with BytesIO() as buffer:
        frame.write_parquet(buffer, compression="lz4", row_group_size=ROW_GROUP_ROWS)
        with buffer.getbuffer() as data:
            time = frame[TIME]
            name = part_name(int(time[0]), int(time[-1]), frame.height, first, last, crc32(data))
            return _stage_bytes(day, name, data)


def stage_stream(day: Path, lazy: pl.LazyFrame, parts: Sequence[Part]) -> Staged:
    """Write the rows of `parts`, in order of time, as one file without holding them all. Zstandard: half the bytes.

    Raises OSError or a Polars error, and StoreError where the file does not hold as many rows; leaves nothing then.
    """
    import polars as pl

    first, last = parts[0].first, parts[-1].last
    temporary = day / f"{first}-{last}{TEMPORARY}"
    try:
        lazy.sink_parquet(temporary, compression="zstd", row_group_size=ROW_GROUP_ROWS, maintain_order=True)
        with temporary.open("rb+") as file:
            sync_file(file.fileno())
        rows = sum(part.rows for part in parts)
        found = int(pl.scan_parquet(temporary, glob=False).select(pl.len()).collect().item())
        if found != rows:
            raise StoreError(f"{temporary} holds {found} rows, the {len(parts)} files it was made of {rows}")
        start_ns, end_ns = min(part.start_ns for part in parts), max(part.end_ns for part in parts)
        name = part_name(start_ns, end_ns, rows, first, last, checksum_of(temporary))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Staged(temporary, day / name)


def _stage_bytes(day: Path, name: str, data: memoryview) -> Staged:
    make_directory(day)
    temporary = day / f"{name}{TEMPORARY}"
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            sync_file(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Staged(temporary, day / name)


def publish(staged: Sequence[Staged]) -> None:
    """Let readers see staged files, all of them or, where the disk refuses, none; raises OSError."""
    renamed: list[Staged] = []
    try:
        for one in staged:
            one.temporary.rename(one.path)
            renamed.append(one)
        for day in dict.fromkeys(one.path.parent for one in staged):
            sync_directory(day)
    except BaseException:
        for one in renamed:
            one.path.unlink(missing_ok=True)
        raise


def discard(staged: Iterable[Staged]) -> None:
    """Remove staged files that will not be published."""
    for one in staged:
        one.temporary.unlink(missing_ok=True)


def make_directory(directory: Path) -> None:
    """Make a folder and those above it so that they survive a power cut; no error where it is there."""
    missing = list(takewhile(lambda folder: not folder.is_dir(), (directory, *directory.parents)))
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_directory(folder.parent)


def checksum_of(path: Path) -> int:
    """CRC-32 of a file's bytes."""
    checksum = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 20):
            checksum = crc32(block, checksum)
    return checksum


class PartFiles:
    """What this process knows of the files: the columns of those whose checksum was compared, and the damaged ones.

    A file never changes once it is there, so one comparison a process is enough.
    """

    def __init__(self) -> None:
        self._schemas: dict[Part, pl.Schema] = {}
        self._kinds: dict[str, pl.Schema] = {}
        self._sizes: dict[Part, int] = {}
        self._damaged: dict[Part, CorruptFile] = {}

    def schema(self, part: Part) -> pl.Schema:
        """Columns of a sound part.

        Raises CorruptFile, FileNotFoundError for a part that was merged away or pruned, and DiskRefused where it
        cannot be read now.
        """
        import polars as pl

        known = self._schemas.get(part)
        if known is not None:
            return known
        damage = self._damaged.get(part)
        if damage is None:
            path = part.path
            try:
                if checksum_of(path) == part.checksum:
                    return self._remember(part, pl.Schema(pl.read_parquet_schema(path)))
                damage = CorruptFile(path, "checksum does not match")
            except FileNotFoundError:
                raise
            except OSError as error:
                raise DiskRefused(path, error, "could not be read") from error
            except pl.exceptions.PolarsError as error:
                damage = CorruptFile(path, str(error))
            self._damaged[part] = damage
        raise damage

    def examine(self, part: Part) -> None:
        """Compare a part with its checksum and keep what is wrong; one that is gone is not."""
        with suppress(CorruptFile, FileNotFoundError):
            self.schema(part)

    def whole_size(self, part: Part) -> int | None:
        """Bytes of a file that ends as Parquet does, else None; the whole of it is compared when it is read.

        Raises FileNotFoundError for a file that is gone.
        """
        if part in self._damaged:
            return None
        size = self._sizes.get(part)
        if size is None:
            size = _size_with_end(f"{part.folder}/{part.name}")
            if size is None:
                self._damaged[part] = CorruptFile(part.path, "not a whole Parquet file")
            else:
                self._sizes[part] = size
        return size

    def forget(self, part: Part) -> None:
        """A file that is gone."""
        self._schemas.pop(part, None)
        self._sizes.pop(part, None)
        self._damaged.pop(part, None)

    def forget_absent_damage(self) -> None:
        """Damaged files that someone has taken away are damaged no more."""
        for part in tuple(self._damaged):
            if not part.path.exists():
                self.forget(part)

    def problems(self) -> list[str]:
        """Damaged files that were met and were still there when last looked for."""
        return [str(damage) for damage in tuple(self._damaged.values())]  # other threads read and find more

    def _remember(self, part: Part, schema: pl.Schema) -> pl.Schema:
        """Files of a kind have the same columns: one schema is held for all of them."""
        schema = self._kinds.setdefault(repr(schema), schema)
        self._schemas[part] = schema
        return schema


def _size_with_end(path: str) -> int | None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        return size if size >= 12 and os.pread(descriptor, 4, size - 4) == b"PAR1" else None
    finally:
        os.close(descriptor)
