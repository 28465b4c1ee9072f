"""Names of the catalog's files: where rows of a kind, an instrument and a day lie, and what one file holds.

    catalog/<kind>/<instrument>/<YYYY-MM-DD>/<start>_<end>_<rows>_<first>-<last>_<crc>.parquet

A name says the first and last `ts_event`, the rows, the range of writes that the file holds and the checksum of its
bytes, so that listing and pruning by time need not open it and no damage goes unseen. A file that holds writes 1-32
replaces those of 1-1, 2-2, ...: merging is one rename, and a crash in the midst of it loses and doubles nothing.
Names that end in `.writing` (a file that is not there yet) or `.pruned` (a day that is no more) do not count.
"""

from __future__ import annotations

import math
import os
import re
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from nautilus.errors import Invalid

SUFFIX = ".parquet"
TEMPORARY = ".writing"
PRUNED = ".pruned"
READ_ATTEMPTS = 5
"""How often a reader looks again when files are merged away under its eyes."""
NAME_MAX_BYTES = 80
DAY_NS = 86_400_000_000_000
EPOCH = date(1970, 1, 1)

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PLAIN = re.compile(rb"[A-Z0-9_-]")
_PART = re.compile(r"(-?\d+)_(-?\d+)_(\d+)_(\d+)-(\d+)_([0-9a-f]{8})\.parquet")


class Part(NamedTuple):
    """One file of the catalog, by what its name says. `folder` is that of its day, as text: paths are slow to make."""

    folder: str
    name: str
    start_ns: int
    end_ns: int
    rows: int
    first: int
    last: int
    checksum: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.folder, self.name)


def encode_name(name: str) -> str:
    """A file name for any text, also where the file system does not tell upper from lower case.

    Capitals, digits, `-`, `_` and inner single dots stay; all else is percent-encoded by its UTF-8 bytes.

    >>> encode_name("AAPL.XNAS"), encode_name("../etc"), encode_name("BRK.b")
    ('AAPL.XNAS', '%2E%2E%2F%65%74%63', 'BRK.%62')
    """
    data = name.encode(errors="replace") if _is_text(name) else b""
    if not 0 < len(data) <= NAME_MAX_BYTES:
        raise Invalid("name", f"must be text of 1 to {NAME_MAX_BYTES} bytes")
    pieces = []
    for position, byte in enumerate(data):
        one = data[position : position + 1]
        dot_inside = one == b"." and 0 < position < len(data) - 1 and data[position - 1 : position] != b"."
        pieces.append(chr(byte) if _PLAIN.match(one) or dot_inside else f"%{byte:02X}")
    return "".join(pieces)


def decode_name(file_name: str) -> str:
    """The text that `encode_name` was given.

    >>> decode_name("BRK.%62")
    'BRK.b'
    """
    return unquote(file_name, errors="strict")


def part_name(start_ns: int, end_ns: int, rows: int, first: int, last: int, checksum: int) -> str:
    """File name of a part."""
    return f"{start_ns}_{end_ns}_{rows}_{first}-{last}_{checksum:08x}{SUFFIX}"


def parse_part(folder: str, name: str) -> Part | None:
    """What the name of a file in a day's folder says, or None for a file that is not the catalog's."""
    match = _PART.fullmatch(name)
    if match is None:
        return None
    start_ns, end_ns, rows, first, last, checksum = match.groups()
    return Part(folder, name, int(start_ns), int(end_ns), int(rows), int(first), int(last), int(checksum, 16))


def live_parts(day: Path) -> tuple[list[Part], list[Part]]:
    """Parts of a day's directory in the order of their writes: those that count, and those a merged one replaced."""
    folder = str(day)
    return sorted_parts([part for name in file_names(folder) if (part := parse_part(folder, name)) is not None])


def file_names(folder: str) -> list[str]:
    """Names of the Parquet files in a day's folder."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.name.endswith(SUFFIX)]


def sorted_parts(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """The same for parts already named."""
    parts.sort(key=lambda part: (part.first, -part.last))
    live: list[Part] = []
    replaced: list[Part] = []
    for part in parts:
        (replaced if live and part.last <= live[-1].last else live).append(part)
    return live, replaced


def days(directory: Path, start_ns: int | None = None, end_ns: int | None = None) -> list[Path]:
    """Day directories of an instrument that can hold rows with start_ns <= ts_event < end_ns, ascending."""
    names = day_names(directory)
    if start_ns is not None or end_ns is not None:
        earliest = -math.inf if start_ns is None else start_ns - DAY_NS
        latest = math.inf if end_ns is None else end_ns
        names = [name for name in names if earliest < _start_ns(name) < latest]
    return [directory / name for name in names]


def day_names(directory: Path) -> list[str]:
    """Names of an instrument's day directories, ascending."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if _DAY.fullmatch(entry.name) and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def day_start_ns(day: Path) -> int:
    """Nanoseconds UTC at which the day of a folder begins.

    >>> day_start_ns(Path("1970-01-02"))
    86400000000000
    """
    return _start_ns(day.name)


def _start_ns(name: str) -> int:
    return (date.fromisoformat(name) - EPOCH).days * DAY_NS


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
