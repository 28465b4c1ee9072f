"""When silence is normal: weekly windows in a market's local time, such as a night, a weekend or a broker's restart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from nautilus.errors import Invalid

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
NANOSECONDS = 1_000_000_000
_WINDOW = re.compile(r"(daily|[A-Z][a-z]{2}(?:-[A-Z][a-z]{2})?) ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")


class QuietHours:
    """Windows such as "daily 23:45-00:45", "Sat-Sun 00:00-24:00" or "Fri 17:00-24:00", in one time zone.

    A window that ends before it begins reaches into the next day. Reading the time zone touches the disk: build these
    before the loop runs.

    >>> quiet = QuietHours(("daily 23:45-00:45", "Sat 00:00-24:00"), "America/New_York")
    >>> noon = 1_700_000_000_000_000_000  # a Tuesday, 17:13 in New York
    >>> quiet.contains(noon), quiet.contains(noon + 7 * 3600 * 10**9), quiet.contains(noon + 4 * 86_400 * 10**9)
    (False, True, True)
    """

    __slots__ = ("_quiet", "_zone", "windows")

    def __init__(self, windows: Sequence[str], timezone: str = "America/New_York") -> None:
        try:
            self._zone = ZoneInfo(timezone)
        except (KeyError, ValueError, OSError) as error:
            raise Invalid("quiet_timezone", f"must be a time zone, not {timezone!r}") from error
        self.windows = tuple(windows)
        self._quiet = bytearray(WEEK_MINUTES)
        for window in windows:
            self._mark(window)

    def contains(self, at_ns: int) -> bool:
        """Whether a moment (ns UTC) is in one of the windows; each ends without its last minute."""
        if not self.windows:
            return False
        local = datetime.fromtimestamp(at_ns // NANOSECONDS, UTC).astimezone(self._zone)
        return bool(self._quiet[local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute])

    def _mark(self, window: str) -> None:
        found = _WINDOW.fullmatch(window)
        if found is None:
            raise Invalid(
                "quiet_hours", f'must be such as "Mon-Fri 20:00-04:00" or "daily 23:45-00:45", not {window!r}'
            )
        start, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (2, 4))
        if start >= DAY_MINUTES or end > DAY_MINUTES or start == end:
            raise Invalid("quiet_hours", f"must be a time of day to a later one or the next day's, not {window!r}")
        length = end - start if end > start else end - start + DAY_MINUTES
        for day in _days(found[1]):
            for minute in range(length):
                self._quiet[(day * DAY_MINUTES + start + minute) % WEEK_MINUTES] = 1


def _days(text: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    first, _, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise Invalid("quiet_hours", f"{text!r} must name days: {', '.join(DAYS)}, or daily")
    start = DAYS.index(first)
    return [(start + offset) % 7 for offset in range((DAYS.index(last or first) - start) % 7 + 1)]
