"""Names of the catalog's files: where rows of a kind, an instrument and a day lie, and what one file holds.

    catalog/<kind>/<instrument>/<YYYY-MM-DD>/<start>_<end>_<rows>_<first>-<last>_<crc>.parquet

A name says the first and last `ts_event`, the rows, the range of writes that the file holds and the checksum of its
bytes, so that listing and pruning by time need not open it and no damage goes unseen. A file that holds writes 1-32
replaces those of 1-1, 2-2, ...: merging is one rename, and a crash in the midst of it loses and doubles nothing.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from nautilus.errors import Invalid

SUFFIX = ".parquet"
NAME_MAX_BYTES = 80
DAY_NS = 86_400_000_000_000
EPOCH = date(1970, 1, 1)

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_PLAIN = re.compile(rb"[A-Z0-9_-]")
_PART = re.compile(r"(-?\d+)_(-?\d+)_(\d+)_(\d+)-(\d+)_([0-9a-f]{8})\.parquet")


class Part(NamedTuple):
    """One file of the catalog, by what its name says."""

    path: Path
    start_ns: int
    end_ns: int
    rows: int
    first: int
    last: int
    checksum: int


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


def parse_part(path: Path) -> Part | None:
    """What the name of a file says, or None for a file that is not the catalog's."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return None
    *numbers, checksum = match.groups()
    start_ns, end_ns, rows, first, last = map(int, numbers)
    return Part(path, start_ns, end_ns, rows, first, last, int(checksum, 16))


def live_parts(day: Path) -> tuple[list[Part], list[Part]]:
    """Parts of a day's directory in the order of their writes: those that count, and those a merged one replaced."""
    parts = [part for path in day.iterdir() if (part := parse_part(path)) is not None]
    parts.sort(key=lambda part: (part.first, -part.last))
    live: list[Part] = []
    replaced: list[Part] = []
    for part in parts:
        (replaced if live and part.last <= live[-1].last else live).append(part)
    return live, replaced


def days(directory: Path, start_ns: int | None = None, end_ns: int | None = None) -> list[Path]:
    """Day directories that can hold rows with start_ns <= ts_event < end_ns, ascending."""
    if not directory.is_dir():
        return []
    found = []
    for path in sorted(directory.iterdir()):
        if _DAY.fullmatch(path.name) and path.is_dir():
            day_ns = (date.fromisoformat(path.name) - EPOCH).days * DAY_NS
            if (end_ns is None or day_ns < end_ns) and (start_ns is None or day_ns + DAY_NS > start_ns):
                found.append(path)
    return found


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
