"""How the system's clock behaves beside one that nobody sets: steps, drift and the whole change since the start.

The reference is the raw monotonic clock where there is one: the other is slewed together with the system's, so that
beside it only steps would show. A machine that sleeps stops the reference: waking up shows as a step forwards.
"""

import time
from collections import deque
from collections.abc import Callable

import msgspec

CHECK_EVERY_NS = 1_000_000_000
STEP_NS = 1_000_000
"""A change of the offset between two checks that is a step: time daemons slew at most half of this in a second."""
STEP_RATE_PPM = 1_000
"""Checks that are further apart may differ by more: by this much of the time between them."""
WINDOW_CHECKS = 64
SHORTEST_WINDOW_NS = 10_000_000_000
STEPS_KEPT = 64
CALM_READING_NS = 20_000
READING_TRIES = 5

Source = Callable[[], int]


class ClockStep(msgspec.Struct, frozen=True):
    """The system's clock was set: at `ts` (ns UTC, after it), by `size_ns` (positive is forwards)."""

    ts: int
    size_ns: int


class ClockDiscipline(msgspec.Struct, frozen=True, kw_only=True):
    """The system's clock beside the monotonic one.

    `offset_change_ns` is by how much the system's clock has moved against the monotonic one since the start, steps
    included; `drift_ppm` its rate (positive is fast) over the last `window_seconds`, None while that is too short to
    say; `uncertainty_ns` is half the time that the last reading took. `steps` are the latest ones.
    """

    started_ns: int
    last_check_ns: int
    checks: int
    offset_change_ns: int
    uncertainty_ns: int
    drift_ppm: float | None
    window_seconds: float
    steps_seen: int
    steps: tuple[ClockStep, ...]


def raw_monotonic_ns() -> int:
    """Nanoseconds of the monotonic clock that is never slewed, or of the usual one where the system has none."""
    if hasattr(time, "CLOCK_MONOTONIC_RAW"):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    return time.monotonic_ns()


class ClockWatch:
    """Compares the two clocks whenever `check` is called."""

    def __init__(self, wall_ns: Source = time.time_ns, monotonic_ns: Source = raw_monotonic_ns) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        wall, self._last_ns, self._uncertainty_ns = self._read()
        self._started_ns = self._last_wall_ns = wall
        self._first_offset_ns = self._offset_ns = wall - self._last_ns
        self._checks = 0
        self._window: deque[tuple[int, int]] = deque([(self._last_ns, self._offset_ns)], maxlen=WINDOW_CHECKS)
        self._steps: deque[ClockStep] = deque(maxlen=STEPS_KEPT)
        self._steps_seen = 0

    def check_if_due(self) -> ClockStep | None:
        """Check, unless the last check was less than a second ago."""
        return self.check() if self._monotonic_ns() - self._last_ns >= CHECK_EVERY_NS else None

    def check(self) -> ClockStep | None:
        """Compare the clocks now; returns the step that has happened since the last time, if one has."""
        wall, now_ns, uncertainty_ns = self._read()
        offset_ns = wall - now_ns
        moved_ns = offset_ns - self._offset_ns
        allowed_ns = max(STEP_NS, (now_ns - self._last_ns) * STEP_RATE_PPM // 1_000_000)
        allowed_ns += uncertainty_ns + self._uncertainty_ns
        self._checks += 1
        self._last_wall_ns, self._last_ns = wall, now_ns
        self._offset_ns, self._uncertainty_ns = offset_ns, uncertainty_ns
        step = ClockStep(wall, moved_ns) if abs(moved_ns) > allowed_ns else None
        if step is not None:
            self._steps.append(step)
            self._steps_seen += 1
            self._window.clear()
        self._window.append((now_ns, offset_ns))
        return step

    def report(self) -> ClockDiscipline:
        """What has been seen so far."""
        (first_ns, first_offset_ns), (last_ns, last_offset_ns) = self._window[0], self._window[-1]
        span_ns = last_ns - first_ns
        is_long_enough = span_ns >= SHORTEST_WINDOW_NS
        return ClockDiscipline(
            started_ns=self._started_ns,
            last_check_ns=self._last_wall_ns,
            checks=self._checks,
            offset_change_ns=self._offset_ns - self._first_offset_ns,
            uncertainty_ns=self._uncertainty_ns,
            drift_ppm=(last_offset_ns - first_offset_ns) / span_ns * 1e6 if is_long_enough else None,
            window_seconds=span_ns / 1e9,
            steps_seen=self._steps_seen,
            steps=tuple(self._steps),
        )

    def _read(self) -> tuple[int, int, int]:
        """The system's time, the reference's at that moment, and how far that may be off: the calmest of a few tries.

        A thread that is held up between two readings would see a step that was none.
        """
        best = (0, 0, 1 << 62)
        for _ in range(READING_TRIES):
            before = self._monotonic_ns()
            wall = self._wall_ns()
            took = self._monotonic_ns() - before
            if took < best[2]:
                best = (wall, before + took // 2, took)
            if took <= CALM_READING_NS:
                break
        return best[0], best[1], (best[2] + 1) // 2
