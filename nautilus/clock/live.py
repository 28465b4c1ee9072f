"""The machine's clock, whose timers fire on the event loop, and which notices when somebody sets it."""

import asyncio
import heapq
import time
from collections.abc import Callable

from nautilus.clock.base import NANOSECONDS_IN_SECOND, Clock, TimerCallback, TimerErrorReport
from nautilus.clock.discipline import ClockDiscipline, ClockStep, ClockWatch, Source, raw_monotonic_ns

LONGEST_SLEEP_SECONDS = 1.0
"""The live clock looks at the system's clock this often, so that a step of it is noticed soon."""
BURST = 512
"""After so many timers that are due together the rest of the loop gets a turn."""
NEVER_NS = 1 << 63


class LiveClock(Clock):
    """The machine's clock. Timers fire on the running event loop; set outside of one, they wait for `attach`.

    Where the system's clock is stepped, alerts follow it; repeating timers fire once for what they missed, and go on
    at their interval when the time was put back. `on_step` is told of each step, within a second of it.
    `wall_ns` and `monotonic_ns` replace the system's clocks, for tests.
    """

    timestamp_ns = staticmethod(time.time_ns)

    def __init__(
        self,
        on_error: TimerErrorReport | None = None,
        *,
        on_step: Callable[[ClockStep], object] | None = None,
        wall_ns: Source | None = None,
        monotonic_ns: Source = raw_monotonic_ns,
    ) -> None:
        super().__init__(on_error)
        self.on_step = on_step
        self.timestamp_ns = wall_ns or time.time_ns  # the function itself, found at once: no call around the call
        self._watch = ClockWatch(self.timestamp_ns, monotonic_ns)
        self._handle: asyncio.TimerHandle | None = None
        self._wakes_ns = NEVER_NS
        self._wakes_loop_time = 0.0  # uvloop's handles do not always know when
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest_ns = 0

    def attach(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Fire timers on this loop (default: the running one), and look at the system's clock every second."""
        self._loop = loop or asyncio.get_running_loop()
        self._arm()

    def discipline(self) -> ClockDiscipline:
        """How the system's clock has behaved beside the monotonic one."""
        return self._watch.report()

    def cancel_timers(self, prefix: str = "") -> None:
        """Forget every timer, or those whose names begin with a prefix.

        Without a prefix the clock also lets go of the loop, until `attach` or the next timer.
        """
        super().cancel_timers(prefix)
        if not prefix:
            self._disarm()

    def _set(
        self, name: str, due_ns: int, interval_ns: int, stop_ns: int | None, callback: TimerCallback | None
    ) -> None:
        super()._set(name, due_ns, interval_ns, stop_ns, callback)
        if due_ns < self._wakes_ns or self._wakes_late():
            self._arm()

    def _wakes_late(self) -> bool:
        """Whether the system's clock has overtaken what the loop was told: it was stepped since."""
        if self._handle is None or self._loop is None or self.timestamp_ns() < self._wakes_ns:
            return False
        return self._wakes_loop_time > self._loop.time()

    def _disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._wakes_ns = NEVER_NS

    def _arm(self) -> None:
        """Have the loop wake the clock for the earliest timer; early enough is also right."""
        self._disarm()
        if self._loop is None or self._loop.is_closed():
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return
        while self._heap and not self._is_set(self._heap[0]):
            heapq.heappop(self._heap)
        now_ns = self.timestamp_ns()
        self._latest_ns = max(self._latest_ns, now_ns)
        due_ns = self._heap[0][0] if self._heap else NEVER_NS
        delay = min(max(0, due_ns - now_ns) / NANOSECONDS_IN_SECOND, LONGEST_SLEEP_SECONDS)
        self._wakes_ns = now_ns + int(delay * NANOSECONDS_IN_SECOND)
        self._wakes_loop_time = self._loop.time() + delay
        self._handle = self._loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._handle = None
        now_ns = self.timestamp_ns()
        if now_ns < self._latest_ns:
            self._follow_back(now_ns)
        self._latest_ns = now_ns
        try:
            self._look_for_step()
            for _ in range(BURST):
                timer = self._pop_due(now_ns)
                if timer is None:
                    break
                timer.skip_missed(now_ns)
                self._fire(timer, now_ns)
        finally:
            self._arm()

    def _look_for_step(self) -> None:
        step = self._watch.check_if_due()
        if step is None or self.on_step is None:
            return
        try:
            self.on_step(step)
        except Exception as error:
            if self.on_error is None:
                raise
            self.on_error("clock.step", error)

    def _follow_back(self, now_ns: int) -> None:
        for timer in self._timers.values():
            if timer.due_ns - timer.interval_ns <= self._latest_ns:  # it has begun: its start is not to come
                timer.follow_back(now_ns)
        self._heap = [(timer.due_ns, timer.order, timer) for timer in self._timers.values()]
        heapq.heapify(self._heap)
