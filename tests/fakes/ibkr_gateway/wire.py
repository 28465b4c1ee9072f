"""The wire: NUL-terminated text fields behind a four-byte length; how numbers, flags and times are written."""

import math
import struct
from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

UNSET_DOUBLE = 1.7976931348623157e308
UNSET_DOUBLE_TEXT = "1.7976931348623157E308"
UNSET_INTEGER = 2**31 - 1
LONGEST_MESSAGE = 0xFFFFFF
PREAMBLE = b"API\0"

type Field = str | int | float | bool | None


class BadMessage(ValueError):
    """What a client sent cannot be read."""


def text(field: Field) -> str:
    """One field as TWS writes it: flags as 1 and 0, whole numbers without a point, nothing as the empty field."""
    if field is None:
        return ""
    if isinstance(field, bool):
        return "1" if field else "0"
    if isinstance(field, float):
        if field == UNSET_DOUBLE:
            return UNSET_DOUBLE_TEXT
        return str(int(field)) if math.isfinite(field) and field == int(field) else repr(field)
    return str(field)


def frame(payload: bytes) -> bytes:
    """A payload behind its length."""
    return struct.pack(">I", len(payload)) + payload


def message(fields: Sequence[Field]) -> bytes:
    """A framed message of these fields."""
    return frame("".join(text(field) + "\0" for field in fields).encode())


class Frames:
    """Cuts a stream of bytes, in pieces of any size, into payloads."""

    def __init__(self) -> None:
        self._buffer = b""
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are complete now; the preamble is expected and dropped once. Raises BadMessage."""
        self._buffer += data
        if not self._begun:
            if len(self._buffer) < len(PREAMBLE):
                return []
            if not self._buffer.startswith(PREAMBLE):
                raise BadMessage("the client did not begin with API and NUL")
            self._buffer = self._buffer[len(PREAMBLE) :]
            self._begun = True
        payloads = []
        while len(self._buffer) >= 4:
            length = struct.unpack(">I", self._buffer[:4])[0]
            if length > LONGEST_MESSAGE:
                raise BadMessage(f"a message of {length} bytes")
            if len(self._buffer) < 4 + length:
                break
            payloads.append(self._buffer[4 : 4 + length])
            self._buffer = self._buffer[4 + length :]
        return payloads


def fields_of(payload: bytes) -> list[str]:
    """The fields of a payload, which ends with a NUL."""
    fields = payload.decode().split("\0")
    return fields[:-1] if fields[-1] == "" else fields


def epoch(time: datetime | float) -> int:
    """Whole epoch seconds, all that the protocol's live ticks carry."""
    if isinstance(time, datetime):
        assert time.tzinfo is not None, "a time without a zone"
        return math.floor(time.timestamp())
    return math.floor(time)


def zoned(time: datetime | float, zone: str) -> str:
    """`20260106 09:30:00 US/Eastern`: how times are written where a zone belongs to them."""
    return datetime.fromtimestamp(epoch(time), ZoneInfo(zone)).strftime("%Y%m%d %H:%M:%S ") + zone


def parse_time(written: str) -> datetime | None:
    """`20260106 09:30:00 US/Eastern`, `20260106-09:30:00` (UTC), a bare day, or nothing. Raises BadMessage."""
    if not written:
        return None
    try:
        if " " not in written:
            pattern = "%Y%m%d-%H:%M:%S" if "-" in written else "%Y%m%d"
            return datetime.strptime(written, pattern).replace(tzinfo=UTC)
        day, clock, *zone = written.split()
        naive = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
        return naive.replace(tzinfo=ZoneInfo(zone[0]) if zone else UTC)
    except (ValueError, KeyError) as error:
        raise BadMessage(f"not a time: {written!r}") from error


def as_datetime(time: datetime | date | float) -> datetime:
    """A moment from what scripts may give: an aware datetime, a day (its midnight, UTC), or epoch seconds."""
    if isinstance(time, datetime):
        assert time.tzinfo is not None, "a time without a zone"
        return time
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day, tzinfo=UTC)
    return datetime.fromtimestamp(time, UTC)
