"""The clock of tests, replays and backtests: it stands still until it is told to move."""

from nautilus.clock.base import Clock, TimeEvent, TimerErrorReport
from nautilus.errors import Invalid


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

    def advance_to(self, to_ns: int, *, most: int | None = None) -> list[TimeEvent]:
        """Move on to a moment, firing everything due on the way, also what callbacks set; returns the events.

        After `most` events it stands where the last one fired; with fewer it has arrived.
        A moment in the past is refused: time never runs backwards.
        """
        if to_ns < self._now_ns:
            raise Invalid("to_ns", f"{to_ns} is before the clock's {self._now_ns}")
        if most is not None and most < 1:
            raise Invalid("most", f"must be at least 1, not {most}")
        if not self._heap or self._heap[0][0] > to_ns:
            self._now_ns = to_ns
            return []
        events: list[TimeEvent] = []
        while timer := self._pop_due(to_ns):
            self._now_ns = max(self._now_ns, timer.due_ns)
            events.append(self._fire(timer, self._now_ns))
            if len(events) == most:
                return events
        self._now_ns = max(self._now_ns, to_ns)
        return events

    def set_time(self, to_ns: int) -> None:
        """Put the clock to a moment without firing anything; timers left behind fire at the next advance."""
        self._now_ns = to_ns
