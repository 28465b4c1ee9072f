"""How times, durations and trading hours are written on a command line, and how times are shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")
_DURATION = re.compile(r"(\d{1,12})(ns|us|ms|s|m|h|d)")
_HOURS = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)@(\S+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(NamedTuple):
    """Opening hours of every weekday, in a time zone."""

    opening: time
    closing: time
    zone: ZoneInfo


def utc_text(time_ns: int) -> str:
    """A time as ISO 8601, with the nanoseconds where there are any.

    >>> utc_text(1_700_000_000_000_000_005)
    '2023-11-14T22:13:20.000000005Z'
    """
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09d}Z" if fraction else f"{whole}Z"


def parse_time(text: str) -> int | None:
    """Nanoseconds UTC of ISO 8601 text (UTC where it names no zone) or of a plain number; None for anything else.

    >>> parse_time("2023-11-14T22:13:20.000000005Z"), parse_time("1970-01-02"), parse_time("noon")
    (1700000000000000005, 86400000000000, None)
    """
    if re.fullmatch(r"-?\d{1,19}", text):
        return int(text)
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    whole, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole + ("" if zone is None or len(whole) == 10 else zone))
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def sessions_between(hours: Hours, start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """(open_ns, close_ns) of the weekdays between two times, clocks going forward and back included.

    >>> nine_to_five = Hours(time(9), time(17), ZoneInfo("America/New_York"))
    >>> monday, sunday = parse_time("2024-03-11"), parse_time("2024-03-10")
    >>> [utc_text(edge) for edge in sessions_between(nine_to_five, sunday, monday + 86_400 * 10**9)[0]]
    ['2024-03-11T13:00:00Z', '2024-03-11T21:00:00Z']
    """
    day = (_EPOCH + timedelta(seconds=start_ns // 1_000_000_000)).date() - timedelta(days=1)
    sessions: list[tuple[int, int]] = []
    while True:
        opens, closes = (int(datetime.combine(day, edge, hours.zone).timestamp()) * 1_000_000_000 for edge in hours[:2])
        if opens >= end_ns:
            return sessions
        if day.weekday() < 5 and closes > start_ns:
            sessions.append((opens, closes))
        day += timedelta(days=1)


def calendar_sessions(name: str, start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """(open_ns, close_ns) of a market between two times, a break at noon leaving two. Blocks: loading takes a second.

    Raises NotFound for a calendar that is not known, and Invalid for times that it does not reach.
    """
    from nautilus.market_calendar import load_calendar

    first, last = ((_EPOCH + timedelta(seconds=edge // 1_000_000_000)).date() for edge in (start_ns, end_ns))
    sessions = load_calendar(name).sessions(first, last)
    return [period for session in sessions for period in session.periods()]


def to_time(text: str | int) -> int:
    """A time given on the command line, as ns UTC."""
    found = text if isinstance(text, int) else parse_time(text)
    if found is None or not -(2**63) <= found < 2**63:
        raise click.BadParameter(f"{text!r} is no time: write 2024-01-31, 2024-01-31T09:30:00Z or nanoseconds")
    return found


def to_duration(text: str | int) -> int:
    """A duration given on the command line, as ns."""
    if isinstance(text, int):
        return text
    match = _DURATION.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no duration: write 500ms, 2s, 5m, 1h or 1d")
    return int(match[1]) * NANOSECONDS[match[2]]


def to_hours(text: str) -> Hours:
    """Trading hours given on the command line."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} are no hours: write 09:30-16:00@America/New_York")
    try:
        hours = Hours(time.fromisoformat(match[1]), time.fromisoformat(match[2]), ZoneInfo(match[3]))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise click.BadParameter(f"{text!r} are no hours: {error}") from None
    if hours.closing <= hours.opening:
        raise click.BadParameter(f"{text!r} are no hours: they must close after they open")
    return hours
