"""What every clock has: readings, and timers in a heap: setting, firing and cancelling take logarithmic time."""

import heapq
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from nautilus.errors import Invalid

NANOSECONDS_IN_SECOND = 1_000_000_000
SMALL_HEAP = 64
"""Up to so many entries the heap is never cleared of cancelled ones."""


class TimeEvent(msgspec.Struct, frozen=True, gc=False):
    """A timer or alert that has come due: `ts_event` is the time it was due, `ts_init` when it fired."""

    name: str
    ts_event: int
    ts_init: int


TimerCallback = Callable[[TimeEvent], object]
TimerErrorReport = Callable[[str, Exception], None]


class Timer:
    """One timer; an alert is one without an interval."""

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
        self._timers: dict[str, Timer] = {}  # in the order in which they were made
        self._heap: list[tuple[int, int, Timer]] = []  # cancelled ones stay until their time, or until they are many
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
        return list(self._timers)

    @property
    def timer_count(self) -> int:
        """How many timers and alerts are set."""
        return len(self._timers)

    def next_time_ns(self, name: str) -> int | None:
        """When the named timer is due next, or None if there is no such timer."""
        timer = self._timers.get(name)
        return timer.due_ns if timer else None

    def next_timers(self, limit: int) -> list[tuple[str, int]]:
        """The timers that are due first, at most `limit` of them, as (name, when due in ns); walks no others."""
        found: list[tuple[str, int]] = []
        heap = self._heap
        reached = [(heap[0][:2], 0)] if heap else []  # whatever comes next is below what was found already
        while reached and len(found) < limit:
            (due_ns, _), place = heapq.heappop(reached)
            if self._is_set(heap[place]):
                found.append((heap[place][2].name, due_ns))
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(heap):
                    heapq.heappush(reached, (heap[child][:2], child))
        return found

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
        if self._timers.pop(name, None) is not None:
            self._clear_cancelled()

    def cancel_timers(self, prefix: str = "") -> None:
        """Forget every timer, or those whose names begin with a prefix: one pass over the names, and one clearing."""
        for name in [name for name in self._timers if name.startswith(prefix)]:
            del self._timers[name]
        self._clear_cancelled()
        if not self._timers:
            self._heap.clear()

    def _set(
        self, name: str, due_ns: int, interval_ns: int, stop_ns: int | None, callback: TimerCallback | None
    ) -> None:
        handler = callback or self._default_handler
        if handler is None:
            raise Invalid("callback", f"timer {name!r} has no callback and the clock no default handler")
        timer = Timer(name, due_ns, interval_ns, stop_ns, handler, next(self._order))
        if self._timers.pop(name, None) is not None:
            self._clear_cancelled()
        self._timers[name] = timer
        heapq.heappush(self._heap, (due_ns, timer.order, timer))

    def _clear_cancelled(self) -> None:
        """Keep the heap within twice its timers: each clearing is paid for by as many that were cancelled before."""
        if len(self._heap) > SMALL_HEAP and len(self._heap) > 2 * len(self._timers):
            self._heap = [entry for entry in self._heap if self._is_set(entry)]
            heapq.heapify(self._heap)

    def _is_set(self, entry: tuple[int, int, Timer]) -> bool:
        return self._timers.get(entry[2].name) is entry[2]

    def _pop_due(self, until_ns: int) -> Timer | None:
        """Take the earliest timer due at or before `until_ns`."""
        while self._heap and self._heap[0][0] <= until_ns:
            entry = heapq.heappop(self._heap)
            if self._is_set(entry):
                return entry[2]
        return None

    def _fire(self, timer: Timer, ts_init: int) -> TimeEvent:
        """Call a timer back; a repeating one is put back before."""
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
