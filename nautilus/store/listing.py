"""What lies in a catalog's folder: its instruments, their days, and what the names of the files say of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nautilus.store.base import CatalogEntry
from nautilus.store.part_files import PartFiles
from nautilus.store.parts import (
    READ_ATTEMPTS,
    TEMPORARY,
    Part,
    day_names,
    days,
    decode_name,
    file_names,
    live_parts,
    parse_part,
    sorted_parts,
)


def instrument_folders(catalog: Path, kind: str | None = None, instrument_id: str | None = None) -> list[Path]:
    """Folders of instruments, of one kind and one instrument or of all."""
    return [
        instrument
        for folder in _folders(catalog)
        if kind is None or decode_name(folder.name) == kind
        for instrument in _folders(folder)
        if instrument_id is None or decode_name(instrument.name) == instrument_id
    ]


def day_folders(catalog: Path, kind: str | None = None, instrument_id: str | None = None) -> list[Path]:
    """Folders of days, of one kind and one instrument or of all; each instrument's ascending."""
    return [day for instrument in instrument_folders(catalog, kind, instrument_id) for day in days(instrument)]


def leftovers(instrument: Path) -> Iterator[Path]:
    """Files in an instrument's folder that were never published, and those that a merged one replaced."""
    base = str(instrument)
    for day in day_names(instrument):
        with os.scandir(f"{base}/{day}") as entries:
            names = [entry.name for entry in entries]
        yield from (instrument / day / name for name in names if name.endswith(TEMPORARY))
        if len(names) > 1:
            yield from (part.path for part in live_parts(instrument / day)[1])


def catalog_entry(instrument: Path, files: PartFiles) -> CatalogEntry | None:
    """What the catalog holds in an instrument's folder, None for nothing. Of the files only the ends are read."""
    rows = size = count = 0
    starts: list[int] = []
    ends: list[int] = []
    corrupt: list[str] = []
    base = str(instrument)
    for name in day_names(instrument):
        sized, bad = _day(f"{base}/{name}", files)
        corrupt.extend(bad)
        for part, part_bytes in sized:
            rows, size, count = rows + part.rows, size + part_bytes, count + 1
            starts.append(part.start_ns)
            ends.append(part.end_ns)
    if not count and not corrupt:
        return None
    return CatalogEntry(
        kind=decode_name(instrument.parent.name),
        instrument_id=decode_name(instrument.name),
        rows=rows,
        start_ns=min(starts, default=0),
        end_ns=max(ends, default=0),
        bytes=size,
        files=count,
        corrupt=tuple(corrupt),
    )


def _day(folder: str, files: PartFiles) -> tuple[list[tuple[Part, int]], list[str]]:
    """The parts of a day that count, with their bytes; and the names of files that are damaged or not ours."""
    for _ in range(READ_ATTEMPTS):
        try:
            names = file_names(folder)
            parts = [part for name in names if (part := parse_part(folder, name)) is not None]
            bad = [name for name in names if parse_part(folder, name) is None] if len(parts) < len(names) else []
            sizes = [(part, files.whole_size(part)) for part in sorted_parts(parts)[0]]
        except FileNotFoundError:  # merged away since the folder was read, or the day was pruned: look again
            if not Path(folder).is_dir():
                break
            continue
        bad += [part.name for part, size in sizes if size is None]
        return [(part, size) for part, size in sizes if size is not None], bad
    return [], []


def _folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir()) if directory.is_dir() else []
