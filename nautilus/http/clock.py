"""Operations on the clock: its time and timers, how the machine's clock behaves, market hours; moving a test clock."""

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.clock import Clock, ClockDiscipline, LiveClock, TestClock
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import Conflict, Invalid
from nautilus.loop_lag import LoopLagReport
from nautilus.market_calendar import ALIASES, MarketCalendars, Session, calendar_names

if TYPE_CHECKING:
    from nautilus.node import Node

LATEST_NS = (1 << 63) - 1
MOST_DAYS = 3_660
MOST_EVENTS = 1_000_000
"""One request fires at most so many timers; the next one goes on."""
SLICE_EVENTS = 256
"""After so many timers the rest of the loop gets a turn."""
FAILURES_TOLD = 10

Nanoseconds = Annotated[int, Meta(ge=0, le=LATEST_NS)]


class ClockReport(msgspec.Struct, frozen=True, kw_only=True):
    """The node's time, how late the loop is, and how the machine's clock behaves (null for a test clock)."""

    kind: Literal["live", "test"]
    timestamp_ns: int
    utc: str
    timers: int
    loop_lag: LoopLagReport
    discipline: ClockDiscipline | None


class ClockReading(msgspec.Struct, frozen=True, kw_only=True):
    """The node's time, ns UTC."""

    timestamp_ns: int


class DueTimer(msgspec.Struct, frozen=True, kw_only=True):
    """A timer or alert, and when it is due next."""

    name: str
    due_ns: int


class TimersReport(msgspec.Struct, frozen=True, kw_only=True):
    """The timers that are due first, and how many there are."""

    timers: list[DueTimer]
    timers_total: int


class CalendarName(msgspec.Struct, frozen=True, kw_only=True):
    """A market calendar, and the usual names that stand for it."""

    name: str
    aliases: list[str]


class MarketHours(msgspec.Struct, frozen=True, kw_only=True):
    """A market at one moment. `session` is the one in progress, its break included; null between sessions.

    `next_trading_ns` is `at_ns` itself while the market is open. What lies after `last_day`, the end of the calendar,
    is null.
    """

    name: str
    timezone: str
    at_ns: int
    is_open: bool
    session: Session | None
    next_open_ns: int | None
    next_close_ns: int | None
    next_trading_ns: int | None
    first_day: date
    last_day: date


class MarketSessions(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions of a market from one day to another, and the days on which it is closed out of turn."""

    name: str
    timezone: str
    sessions: list[Session]
    holidays: list[date]


class ServerTimeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the client asks, by its own clock; `request_id` comes back as it is."""

    client_timestamp_ns: Nanoseconds
    request_id: Annotated[str, Meta(max_length=128)] = ""


class ServerTime(msgspec.Struct, frozen=True, kw_only=True):
    """Two of the four times from which a client finds round trip and offset; the others are its own.

    With t0 asked and t3 answered by the client's clock, the round trip is (t3 - t0) - (sent - received) and the
    server's clock is ahead by ((received - t0) + (sent - t3)) / 2, give or take half the round trip.
    """

    client_timestamp_ns: int
    request_id: str
    received_ns: int
    sent_ns: int


class Advance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By how much to move a test clock."""

    duration_ns: Nanoseconds


class SetTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to put a test clock; nothing fires on the way."""

    to_ns: Nanoseconds


class Advanced(msgspec.Struct, frozen=True, kw_only=True):
    """Where the clock stands, and what fired. Where `complete` is false the most that one request may fire has fired.

    `failures` are the first few timers that failed, and why.
    """

    timestamp_ns: int
    events: int
    complete: bool
    failed: int
    failures: list[str]


def clock_operations(node: "Node") -> list[Operation]:
    """The operations below /clock."""
    calendars = MarketCalendars()
    clock, mover = node.clock, _Mover(node.clock)

    async def report() -> ClockReport:
        """The node's clock."""
        return ClockReport(
            kind="test" if isinstance(clock, TestClock) else "live",
            timestamp_ns=clock.timestamp_ns(),
            utc=clock.utc_now().isoformat(),
            timers=clock.timer_count,
            loop_lag=node.loop_lag.report(),
            discipline=clock.discipline() if isinstance(clock, LiveClock) else None,
        )

    async def reading() -> ClockReading:
        """The node's time."""
        return ClockReading(timestamp_ns=clock.timestamp_ns())

    async def timers(limit: Annotated[int, Meta(ge=0, le=1_000)] = 100) -> TimersReport:
        """The timers that are due first."""
        due = [DueTimer(name=name, due_ns=due_ns) for name, due_ns in clock.next_timers(limit)]
        return TimersReport(timers=due, timers_total=clock.timer_count)

    async def names() -> list[CalendarName]:
        """Every market calendar."""
        return [
            CalendarName(name=name, aliases=[alias for alias, meant in ALIASES if meant == name])
            for name in await asyncio.to_thread(calendar_names)
        ]

    async def hours(name: str, at_ns: Nanoseconds | None = None) -> MarketHours:
        """Whether a market is open now, or at a moment, and when that changes."""
        calendar = await calendars.get(name)
        at = clock.timestamp_ns() if at_ns is None else at_ns
        return MarketHours(
            name=calendar.name,
            timezone=calendar.timezone,
            at_ns=at,
            is_open=calendar.is_open(at),
            session=calendar.session_of(at),
            next_open_ns=calendar.next_open(at) if at < calendar.last_open_ns else None,
            next_close_ns=calendar.next_close(at) if at < calendar.last_ns else None,
            next_trading_ns=calendar.next_trading(at) if at < calendar.last_ns else None,
            first_day=calendar.first_day,
            last_day=calendar.last_day,
        )

    async def sessions(name: str, start: date, end: date) -> MarketSessions:
        """The sessions of a market, with breaks, half days and holidays."""
        if (end - start).days >= MOST_DAYS:
            raise Invalid("end", f"must be less than {MOST_DAYS} days after start")
        calendar = await calendars.get(name)
        return MarketSessions(
            name=calendar.name,
            timezone=calendar.timezone,
            sessions=calendar.sessions(start, end),
            holidays=calendar.holidays(start, end),
        )

    async def server_time(body: ServerTimeRequest) -> ServerTime:
        """The node's time when the request was read and when it is answered, for a client to compare its clock."""
        received_ns = clock.timestamp_ns()
        return ServerTime(
            client_timestamp_ns=body.client_timestamp_ns,
            request_id=body.request_id,
            received_ns=received_ns,
            sent_ns=clock.timestamp_ns(),
        )

    async def advance(body: Advance) -> Advanced:
        """Move a test clock on; timers fire in order. 409 on a live clock, and while it is being moved."""
        return await mover.advance(body.duration_ns)

    async def set_time(body: SetTime) -> ClockReading:
        """Put a test clock to a moment without firing anything. 409 on a live clock, and while it is being moved."""
        mover.set_time(body.to_ns)
        return ClockReading(timestamp_ns=clock.timestamp_ns())

    return [
        get("/clock", report),
        get("/clock/timestamp_ns", reading),
        get("/clock/timers", timers),
        get("/clock/calendars", names),
        get("/clock/calendars/{name}", hours),
        get("/clock/calendars/{name}/sessions", sessions),
        post("/clock/server-time", server_time, scope="read"),
        post("/clock/advance", advance, scope="admin"),
        post("/clock/set", set_time, scope="admin"),
    ]


class _Mover:
    """Moves a test clock a slice at a time, so that the loop goes on; one request after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._is_moving = False
        self._failed = 0
        self._failures: list[str] = []

    def set_time(self, to_ns: int) -> None:
        self._movable().set_time(to_ns)

    async def advance(self, duration_ns: int) -> Advanced:
        clock = self._movable()
        to_ns = clock.timestamp_ns() + duration_ns
        if to_ns > LATEST_NS:
            raise Invalid("body.duration_ns", f"leads to {to_ns}, after the last time there is, {LATEST_NS}")
        self._is_moving = True
        self._failed, self._failures = 0, []
        outer, clock.on_error = clock.on_error, self._note  # a timer that fails is told, and keeps none from firing
        try:
            events, complete = await self._advance_to(clock, to_ns)
        finally:
            clock.on_error = outer
            self._is_moving = False
        return Advanced(
            timestamp_ns=clock.timestamp_ns(),
            events=events,
            complete=complete,
            failed=self._failed,
            failures=self._failures,
        )

    async def _advance_to(self, clock: TestClock, to_ns: int) -> tuple[int, bool]:
        events = 0
        while events < MOST_EVENTS and clock.timestamp_ns() <= to_ns:  # somebody else may have moved it on
            fired = len(clock.advance_to(to_ns, most=SLICE_EVENTS))
            events += fired
            if fired < SLICE_EVENTS:
                return events, True
            await asyncio.sleep(0)
        return events, clock.timestamp_ns() > to_ns

    def _note(self, name: str, error: Exception) -> None:
        self._failed += 1
        if len(self._failures) < FAILURES_TOLD:
            self._failures.append(f"{name}: {type(error).__name__}: {error}")

    def _movable(self) -> TestClock:
        if not isinstance(self._clock, TestClock):
            raise Conflict("the node runs on the machine's clock, which is not moved from here")
        if self._is_moving:
            raise Conflict("the clock is being moved by another request")
        return self._clock
