"""The node's clock: the one source of time, live or under test, with alerts and repeating timers.

Times are integer nanoseconds since 1970-01-01 UTC. Timers fire in order of time, across timers; equal times in the
order in which the timers were made. Inside a callback the clock reads the timer's own time.
"""

import asyncio
import heapq
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from nautilus.errors import Invalid

NANOSECONDS_IN_SECOND = 1_000_000_000
LONGEST_SLEEP_SECONDS = 1.0
"""The live clock looks at the system's clock this often, so that a step of it is noticed soon."""


class TimeEvent(msgspec.Struct, frozen=True, gc=False):
    """A timer or alert that has come due: `ts_event` is the time it was due, `ts_init` when it fired."""

    name: str
    ts_event: int
    ts_init: int


TimerCallback = Callable[[TimeEvent], object]
TimerErrorReport = Callable[[str, Exception], None]


class _Timer:
    __slots__ = ("callback", "due_ns", "interval_ns", "name", "order", "stop_ns")

    def __init__(
        self, name: str, due_ns: int, interval_ns: int, stop_ns: int | None, callback: TimerCallback, order: int
    ) -> None:
        self.name = name
        self.due_ns = due_ns
        self.interval_ns = interval_ns
        self.stop_ns = stop_ns
        self.callback = callback
        self.order = order

    def repeats_after(self) -> bool:
        """Move to the next due time; False when there is none."""
        if not self.interval_ns:
            return False
        self.due_ns += self.interval_ns
        return self.stop_ns is None or self.due_ns <= self.stop_ns

    def skip_missed(self, now_ns: int) -> None:
        """After a stall a repeating timer fires once, for the latest interval that it missed and that it may have."""
        if self.interval_ns:
            latest_ns = now_ns if self.stop_ns is None else min(now_ns, self.stop_ns)
            self.due_ns += max(0, latest_ns - self.due_ns) // self.interval_ns * self.interval_ns

    def follow_back(self, now_ns: int) -> None:
        """After the time was put back a repeating timer goes on at its interval, on the grid that it was on."""
        if self.interval_ns and self.due_ns - now_ns > 2 * self.interval_ns:
            self.due_ns -= (self.due_ns - now_ns - 1) // self.interval_ns * self.interval_ns


class Clock(ABC):
    """Reads the time and keeps timers. Names of timers are unique; setting a name again replaces its timer.

    `on_error(name, error)` is told of callbacks that raise; a failing one stops neither the clock nor the others.
    """

    def __init__(self, on_error: TimerErrorReport | None = None) -> None:
        self.on_error = on_error
        self._timers: dict[str, _Timer] = {}
        self._heap: list[tuple[int, int, _Timer]] = []
        self._order = itertools.count()
        self._default_handler: TimerCallback | None = None

    @abstractmethod
    def timestamp_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""

    def timestamp_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        return self.timestamp_ns() // 1_000

    def timestamp_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return self.timestamp_ns() // 1_000_000

    def timestamp(self) -> float:
        """Seconds since the epoch, UTC."""
        return self.timestamp_ns() / NANOSECONDS_IN_SECOND

    def utc_now(self) -> datetime:
        """The time as an aware datetime, to the microsecond."""
        seconds, nanoseconds = divmod(self.timestamp_ns(), NANOSECONDS_IN_SECOND)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1_000)

    @property
    def timer_names(self) -> list[str]:
        """Names of the timers and alerts that are set, in the order in which they were made."""
        return [timer.name for timer in sorted(self._timers.values(), key=lambda timer: timer.order)]

    @property
    def timer_count(self) -> int:
        """How many timers and alerts are set."""
        return len(self._timers)

    def next_time_ns(self, name: str) -> int | None:
        """When the named timer is due next, or None if there is no such timer."""
        timer = self._timers.get(name)
        return timer.due_ns if timer else None

    def register_default_handler(self, callback: TimerCallback) -> None:
        """What timers call that were set without a callback of their own."""
        self._default_handler = callback

    def set_time_alert_ns(self, name: str, alert_ns: int, callback: TimerCallback | None = None) -> None:
        """Call back once at `alert_ns`. A time already past is due at once."""
        self._set(name, max(alert_ns, self.timestamp_ns()), 0, None, callback)

    def set_timer_ns(
        self,
        name: str,
        interval_ns: int,
        callback: TimerCallback | None = None,
        *,
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> None:
        """Call back every `interval_ns`, first one interval after `start_ns` (now), last not after `stop_ns`."""
        if interval_ns <= 0:
            raise Invalid("interval_ns", f"must be positive, not {interval_ns}")
        start = self.timestamp_ns() if start_ns is None else start_ns
        first = start + interval_ns
        if stop_ns is not None and stop_ns < first:
            raise Invalid("stop_ns", "must leave room for one interval")
        self._set(name, first, interval_ns, stop_ns, callback)

    def cancel_timer(self, name: str) -> None:
        """Forget a timer; without one of that name nothing happens."""
        self._timers.pop(name, None)
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._timers):
            self._heap = [entry for entry in self._heap if self._is_set(entry)]
            heapq.heapify(self._heap)
        self._rearm()

    def cancel_timers(self) -> None:
        """Forget every timer."""
        self._timers.clear()
        self._heap.clear()
        self._rearm()

    def _set(
        self, name: str, due_ns: int, interval_ns: int, stop_ns: int | None, callback: TimerCallback | None
    ) -> None:
        handler = callback or self._default_handler
        if handler is None:
            raise Invalid("callback", f"timer {name!r} has no callback and the clock no default handler")
        timer = _Timer(name, due_ns, interval_ns, stop_ns, handler, next(self._order))
        self._timers[name] = timer
        heapq.heappush(self._heap, (due_ns, timer.order, timer))
        self._rearm()

    def _is_set(self, entry: tuple[int, int, _Timer]) -> bool:
        return self._timers.get(entry[2].name) is entry[2]

    def _pop_due(self, until_ns: int) -> _Timer | None:
        """Take the earliest timer due at or before `until_ns`; repeating ones are put back before they are called."""
        while self._heap and self._heap[0][0] <= until_ns:
            entry = heapq.heappop(self._heap)
            if self._is_set(entry):
                return entry[2]
        return None

    def _fire(self, timer: _Timer, ts_init: int) -> TimeEvent:
        event = TimeEvent(timer.name, timer.due_ns, ts_init)
        if timer.repeats_after():
            heapq.heappush(self._heap, (timer.due_ns, timer.order, timer))
        else:
            del self._timers[timer.name]
        try:
            timer.callback(event)
        except Exception as error:
            if self.on_error is None:
                raise
            self.on_error(timer.name, error)
        return event

    @abstractmethod
    def _rearm(self) -> None:
        """The set of timers has changed."""


class TestClock(Clock):
    """A clock that stands still until it is told to move; moving it fires what comes due, in order.

    Without `on_error` a callback that raises ends the advance: the clock stands at its time, the next advance goes on.

    >>> clock = TestClock(0)
    >>> clock.set_timer_ns("bar", 60, lambda event: print(event.ts_event, clock.timestamp_ns()))
    >>> _ = clock.advance_time(120)
    60 60
    120 120
    """

    __test__ = False

    def __init__(self, start_time_ns: int = 0, on_error: TimerErrorReport | None = None) -> None:
        super().__init__(on_error)
        self._now_ns = start_time_ns

    def timestamp_ns(self) -> int:
        """Where the clock stands."""
        return self._now_ns

    def advance_time(self, duration_ns: int) -> list[TimeEvent]:
        """Move on by a duration; returns the events that fired."""
        if duration_ns < 0:
            raise Invalid("duration_ns", f"must not be negative, not {duration_ns}")
        return self.advance_to(self._now_ns + duration_ns)

    def advance_to(self, to_ns: int) -> list[TimeEvent]:
        """Move on to a moment, firing everything due on the way, also what callbacks set; returns the events.

        A moment in the past is refused: time never runs backwards.
        """
        if to_ns < self._now_ns:
            raise Invalid("to_ns", f"{to_ns} is before the clock's {self._now_ns}")
        if not self._heap or self._heap[0][0] > to_ns:
            self._now_ns = to_ns
            return []
        events = []
        while timer := self._pop_due(to_ns):
            self._now_ns = max(self._now_ns, timer.due_ns)
            events.append(self._fire(timer, self._now_ns))
        self._now_ns = max(self._now_ns, to_ns)
        return events

    def set_time(self, to_ns: int) -> None:
        """Put the clock to a moment without firing anything; timers left behind fire at the next advance."""
        self._now_ns = to_ns

    def _rearm(self) -> None:
        pass


class LiveClock(Clock):
    """The machine's clock. Timers fire on the running event loop; set outside of one, they wait for `attach`.

    Where the system's clock is stepped, alerts follow it; repeating timers fire once for what they missed, and go on
    at their interval when the time was put back.
    """

    timestamp_ns = staticmethod(time.time_ns)

    def __init__(self, on_error: TimerErrorReport | None = None) -> None:
        super().__init__(on_error)
        self._handle: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest_ns = 0

    def attach(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Fire timers on this loop (default: the running one)."""
        self._loop = loop or asyncio.get_running_loop()
        self._rearm()

    def _rearm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._loop is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return
        while self._heap and not self._is_set(self._heap[0]):
            heapq.heappop(self._heap)
        if self._heap and not self._loop.is_closed():
            now_ns = self.timestamp_ns()
            self._latest_ns = max(self._latest_ns, now_ns)
            delay = max(0, self._heap[0][0] - now_ns) / NANOSECONDS_IN_SECOND
            self._handle = self._loop.call_later(min(delay, LONGEST_SLEEP_SECONDS), self._wake)

    def _wake(self) -> None:
        self._handle = None
        now_ns = self.timestamp_ns()
        if now_ns < self._latest_ns:
            self._follow_back(now_ns)
        self._latest_ns = now_ns
        try:
            while timer := self._pop_due(now_ns):
                timer.skip_missed(now_ns)
                self._fire(timer, now_ns)
        finally:
            self._rearm()

    def _follow_back(self, now_ns: int) -> None:
        for timer in self._timers.values():
            if timer.due_ns - timer.interval_ns <= self._latest_ns:  # it has begun: its start is not to come
                timer.follow_back(now_ns)
        self._heap = [(timer.due_ns, timer.order, timer) for timer in self._timers.values()]
        heapq.heapify(self._heap)
