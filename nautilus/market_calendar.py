"""When markets are open: sessions with breaks, half days and holidays, by market identifier code (MIC) or usual name.

Exchanges' rules come from exchange_calendars; once loaded, a calendar is lists of nanoseconds and a query a binary
search. Two markets have no exchange: CRYPTO never closes, FX runs from Sunday to Friday, 17:00 in New York, without
holidays. Futures at CMES are as exchange_calendars has them: without the daily pause for maintenance.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from nautilus.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FIRST_DAY = date(2000, 1, 1)
"""Calendars begin here, or where their rules are first known; they end a year from the day on which they are loaded."""
DAYS_AHEAD = 366
MINUTE_NS = 60_000_000_000
DAY_NS = 86_400_000_000_000
MONDAY_TO_FRIDAY = "1111100"

ALIASES: tuple[tuple[str, str], ...] = (
    ("NYSE", "XNYS"),
    ("NASDAQ", "XNAS"),
    ("LSE", "XLON"),
    ("TSE", "XTKS"),
    ("JPX", "XTKS"),
    ("ASX", "XASX"),
    ("HKEX", "XHKG"),
    ("CME", "CMES"),
    ("GLOBEX", "CMES"),
    ("24/5", "FX"),
    ("24/7", "CRYPTO"),
)
"""Usual names, and what they stand for."""


class Session(msgspec.Struct, frozen=True):
    """One trading day, from `open_ns` up to and without `close_ns`, with its break if there is one; ns UTC."""

    date: date
    open_ns: int
    close_ns: int
    break_start_ns: int | None = None
    break_end_ns: int | None = None
    early_close: bool = False
    late_open: bool = False

    def periods(self) -> list[tuple[int, int]]:
        """When it trades: (start, end), the end not included."""
        if self.break_start_ns is None or self.break_end_ns is None:
            return [(self.open_ns, self.close_ns)]
        return [(self.open_ns, self.break_start_ns), (self.break_end_ns, self.close_ns)]


class MarketCalendar:
    """The sessions of one market, between two days; what lies outside is refused, as nobody knows.

    Times are nanoseconds UTC. A moment belongs to a session from its open up to and without its close.
    """

    def __init__(self, name: str, timezone: str, sessions: Sequence[Session], weekmask: str = MONDAY_TO_FRIDAY) -> None:
        if not sessions:
            raise Invalid("sessions", "must be at least one")
        self.name = name
        self.timezone = timezone
        self.weekmask = weekmask
        self.first_day = sessions[0].date
        self.last_day = sessions[-1].date
        self.first_ns = sessions[0].open_ns
        self.last_open_ns = sessions[-1].open_ns
        self.last_ns = sessions[-1].close_ns
        self._sessions = list(sessions)
        self._dates = [session.date for session in sessions]
        self._opens = [session.open_ns for session in sessions]
        self._closes = [session.close_ns for session in sessions]
        periods = [period for session in sessions for period in session.periods()]
        self._starts = [start for start, _ in periods]
        self._ends = [end for _, end in periods]
        self._open_before = [0, *accumulate(end - start for start, end in periods)]
        if any(start >= end for start, end in periods) or any(
            end > start for end, start in zip(self._ends, self._starts[1:], strict=False)
        ):
            raise Invalid("sessions", "must be in order, and none may overlap the next")

    def is_open(self, at_ns: int) -> bool:
        """Whether the market trades at a moment: in a session and not in its break."""
        self._check(at_ns, "at_ns")
        return at_ns < self._ends[bisect_right(self._starts, at_ns) - 1]

    def are_open(self, at_ns: "npt.ArrayLike") -> "npt.NDArray[np.bool_]":
        """`is_open` of each element of an int64 array; raises Invalid where one is out of range."""
        import numpy as np

        moments = np.asarray(at_ns, np.int64)
        if moments.size:
            self._check(int(moments.min()), "at_ns")
            self._check(int(moments.max()), "at_ns")
        periods = np.searchsorted(np.asarray(self._starts, np.int64), moments, "right") - 1
        found: npt.NDArray[np.bool_] = moments < np.asarray(self._ends, np.int64)[periods]
        return found

    def session_of(self, at_ns: int) -> Session | None:
        """The session that a moment is in, its break included; None between sessions."""
        self._check(at_ns, "at_ns")
        session = self._sessions[bisect_right(self._opens, at_ns) - 1]
        return session if at_ns < session.close_ns else None

    def next_open(self, at_ns: int) -> int:
        """When the next session opens, after a moment."""
        self._check(at_ns, "at_ns")
        return self._later(self._opens, at_ns, "open")

    def next_close(self, at_ns: int) -> int:
        """When a session closes next, after a moment."""
        self._check(at_ns, "at_ns")
        return self._later(self._closes, at_ns, "close")

    def next_trading(self, at_ns: int) -> int:
        """The first moment from `at_ns` on at which the market trades: that itself, an open, or the end of a break."""
        return at_ns if self.is_open(at_ns) else self._later(self._starts, at_ns, "open")

    def session(self, day: date) -> Session | None:
        """The session of a day; None on a weekend or a holiday."""
        self._check_day(day, "day")
        place = bisect_left(self._dates, day)
        return self._sessions[place] if self._dates[place] == day else None

    def sessions(self, start: date, end: date) -> list[Session]:
        """The sessions from one day to another, both included."""
        self._check_days(start, end)
        return self._sessions[bisect_left(self._dates, start) : bisect_right(self._dates, end)]

    def holidays(self, start: date, end: date) -> list[date]:
        """The days, of the weekdays on which the market usually trades, on which it does not; both ends included."""
        trading = {session.date for session in self.sessions(start, end)}
        days = (start + timedelta(days=number) for number in range((end - start).days + 1))
        return [day for day in days if self.weekmask[day.weekday()] == "1" and day not in trading]

    def trading_ns(self, start_ns: int, end_ns: int) -> int:
        """For how long the market trades between two moments, in nanoseconds."""
        self._check(start_ns, "start_ns")
        self._check(end_ns, "end_ns")
        if end_ns < start_ns:
            raise Invalid("end_ns", f"{end_ns} is before start_ns {start_ns}")
        return self._open_until(end_ns) - self._open_until(start_ns)

    def trading_seconds(self, start_ns: int, end_ns: int) -> float:
        """For how long the market trades between two moments, in seconds."""
        return self.trading_ns(start_ns, end_ns) / 1e9

    def minutes(self, start: date, end: date) -> "npt.NDArray[np.int64]":
        """The start of every minute in which the market trades, from one day to another, both included."""
        import numpy as np

        periods = [period for session in self.sessions(start, end) for period in session.periods()]
        return np.concatenate([np.empty(0, np.int64), *(np.arange(*period, MINUTE_NS) for period in periods)])

    def _open_until(self, at_ns: int) -> int:
        period = bisect_right(self._starts, at_ns) - 1
        return self._open_before[period] + min(at_ns, self._ends[period]) - self._starts[period]

    def _later(self, moments: list[int], at_ns: int, what: str) -> int:
        place = bisect_right(moments, at_ns)
        if place == len(moments):
            raise Invalid("at_ns", f"the next {what} of {self.name} is after {self.last_day}, the end of its calendar")
        return moments[place]

    def _check(self, at_ns: int, field: str) -> None:
        if not self.first_ns <= at_ns <= self.last_ns:
            raise Invalid(field, f"{at_ns} is outside of {self.name}'s {self.first_ns} to {self.last_ns}")

    def _check_day(self, day: date, field: str) -> None:
        if not self.first_day <= day <= self.last_day:
            raise Invalid(field, f"{day} is outside of {self.name}'s {self.first_day} to {self.last_day}")

    def _check_days(self, start: date, end: date) -> None:
        self._check_day(start, "start")
        self._check_day(end, "end")
        if end < start:
            raise Invalid("end", f"{end} is before start {start}")


def canonical_name(name: str) -> str:
    """The name that a usual one stands for.

    >>> canonical_name("nyse"), canonical_name("XLON")
    ('XNYS', 'XLON')
    """
    upper = name.upper()
    return dict(ALIASES).get(upper, upper)


def calendar_names() -> list[str]:
    """Every calendar there is. Blocking, where exchange_calendars has not been imported yet."""
    from exchange_calendars import get_calendar_names  # type: ignore[import-untyped]

    names: list[str] = [name for name in get_calendar_names(include_aliases=False) if "/" not in name]
    return sorted({*names, *(name for _, name in ALIASES)})


def load_calendar(name: str) -> MarketCalendar:
    """Load a market's calendar, by MIC or usual name; raises NotFound for an unknown one. Blocking: up to seconds."""
    canonical = canonical_name(name)
    last_day = datetime.now(UTC).date() + timedelta(days=DAYS_AHEAD)
    if canonical == "CRYPTO":
        return MarketCalendar(canonical, "UTC", _days(last_day, _whole_day), "1111111")
    if canonical == "FX":
        in_new_york = partial(_from_five_to_five, ZoneInfo("America/New_York"))
        return MarketCalendar(canonical, "America/New_York", _days(last_day, in_new_york))
    return _exchange(canonical)


class MarketCalendars:
    """Calendars by name, each loaded once, on a thread, when it is first asked for. There are some eighty at most."""

    def __init__(self) -> None:
        self._loads: dict[str, asyncio.Task[MarketCalendar]] = {}

    async def get(self, name: str) -> MarketCalendar:
        """The calendar of a market; raises NotFound for an unknown one, Unavailable where its rules do not load."""
        canonical = canonical_name(name)
        load = self._loads.get(canonical)
        if load is None:
            load = asyncio.get_running_loop().create_task(asyncio.to_thread(load_calendar, canonical))
            self._loads[canonical] = load
            load.add_done_callback(partial(self._forget_failed, canonical))
        return await asyncio.shield(load)

    def loaded(self) -> list[str]:
        """The calendars that are in memory."""
        return sorted(name for name, load in self._loads.items() if load.done())

    def _forget_failed(self, name: str, load: "asyncio.Task[MarketCalendar]") -> None:
        if load.cancelled() or load.exception() is not None:
            self._loads.pop(name, None)  # names that do not exist are not kept; the next call tries again


def _days(last_day: date, session: Callable[[date], Session | None]) -> list[Session]:
    days = (FIRST_DAY + timedelta(days=number) for number in range((last_day - FIRST_DAY).days + 1))
    return [made for made in map(session, days) if made is not None]


def _whole_day(day: date) -> Session:
    open_ns = _nanoseconds(datetime.combine(day, time(), UTC))
    return Session(day, open_ns, open_ns + DAY_NS)


def _from_five_to_five(zone: ZoneInfo, day: date) -> Session | None:
    if day.weekday() > 4:
        return None
    opening = datetime.combine(day - timedelta(days=1), time(17), zone)
    return Session(day, _nanoseconds(opening), _nanoseconds(datetime.combine(day, time(17), zone)))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _exchange(name: str) -> MarketCalendar:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName  # type: ignore[import-untyped]

    try:
        calendar = _from_rules(exchange_calendars, name)
    except InvalidCalendarName:
        raise NotFound("calendar", name) from None
    except Exception as error:  # the rules of some exchanges fail with some versions of pandas, in many ways
        raise Unavailable(
            f"the calendar {name} cannot be loaded: {str(error)[:200] or type(error).__name__}"
        ) from error
    schedule = calendar.schedule
    opens, closes, break_starts, break_ends = (
        schedule[column].dt.tz_convert(None).to_numpy("datetime64[ns]").astype("int64").tolist()
        for column in ("open", "close", "break_start", "break_end")
    )
    early, late = (frozenset(index.date) for index in (calendar.early_closes, calendar.late_opens))
    dates = [moment.date() for moment in schedule.index.to_pydatetime()]
    sessions = [
        Session(
            day,
            opens[number],
            closes[number],
            break_starts[number] if break_starts[number] > 0 else None,  # not a time: the least number there is
            break_ends[number] if break_ends[number] > 0 else None,
            day in early,
            day in late,
        )
        for number, day in enumerate(dates)
    ]
    return MarketCalendar(name, str(calendar.tz), sessions, calendar.weekmask)


def _from_rules(exchange_calendars: Any, name: str) -> Any:
    try:
        return exchange_calendars.get_calendar(name, start=FIRST_DAY.isoformat())
    except ValueError:  # its rules are known only from a later day on
        return exchange_calendars.get_calendar(name)
