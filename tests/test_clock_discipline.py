"""Steps and drift of the system's clock are noticed, whatever the machine does in between."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import ClockStep, LiveClock
from nautilus.clock.discipline import STEPS_KEPT, WINDOW_CHECKS, ClockWatch, raw_monotonic_ns

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Machine:
    """A system's clock beside a monotonic one; every reading of the latter takes a while."""

    def __init__(self, drift_ppm: float = 0.0, reading_ns: int = 0) -> None:
        self.monotonic = 5 * SECOND
        self.wall = START
        self.drift_ppm = drift_ppm
        self.reading_ns = reading_ns

    def wall_ns(self) -> int:
        return self.wall

    def monotonic_ns(self) -> int:
        self.run(self.reading_ns)
        return self.monotonic

    def run(self, duration_ns: int) -> None:
        self.monotonic += duration_ns
        self.wall += duration_ns + round(duration_ns * self.drift_ppm / 1e6)

    def step(self, size_ns: int) -> None:
        self.wall += size_ns

    def watch(self) -> ClockWatch:
        return ClockWatch(self.wall_ns, self.monotonic_ns)


def run_checks(machine: Machine, watch: ClockWatch, count: int) -> list[ClockStep]:
    found = []
    for _ in range(count):
        machine.run(SECOND)
        step = watch.check()
        if step is not None:
            found.append(step)
    return found


@pytest.mark.parametrize("drift_ppm", [0.0, 12.5, -40.0, 500.0])
def test_drift_is_measured_and_is_no_step(drift_ppm: float) -> None:
    machine = Machine(drift_ppm)
    watch = machine.watch()
    assert run_checks(machine, watch, 9) == []
    assert watch.report().drift_ppm is None  # too short a window to say
    assert run_checks(machine, watch, 100) == []
    report = watch.report()
    assert report.drift_ppm == pytest.approx(drift_ppm, abs=0.01)
    assert report.offset_change_ns == pytest.approx(109 * drift_ppm * 1_000, abs=200)
    assert (report.started_ns, report.checks, report.steps_seen) == (START, 109, 0)
    assert report.window_seconds == WINDOW_CHECKS - 1


@given(st.integers(2_100_000, 10**18) | st.integers(-(10**18), -2_100_000), st.floats(-500, 500))
def test_a_step_is_found_with_its_size(size_ns: int, drift_ppm: float) -> None:
    machine = Machine(drift_ppm)
    watch = machine.watch()
    assert run_checks(machine, watch, 20) == []
    machine.step(size_ns)
    (step,) = run_checks(machine, watch, 20)
    assert abs(step.size_ns - size_ns) <= 500_001  # what it drifted in the second in which it was set
    report = watch.report()
    assert report.steps == (step,)
    assert report.drift_ppm == pytest.approx(drift_ppm, abs=0.01)  # the window begins anew after the step
    assert report.offset_change_ns - size_ns == pytest.approx(40 * drift_ppm * 1_000, abs=100)


def test_a_thread_held_up_between_two_readings_sees_no_step() -> None:
    machine = Machine()
    watch = machine.watch()
    machine.reading_ns = 30_000_000
    assert run_checks(machine, watch, 5) == []
    assert watch.report().uncertainty_ns >= 15_000_000


def test_a_loop_held_up_for_a_minute_allows_for_the_drift_of_a_minute() -> None:
    machine = Machine(drift_ppm=300)
    watch = machine.watch()
    machine.run(60 * SECOND)
    assert watch.check() is None


def test_the_steps_kept_are_bounded_and_those_seen_are_counted() -> None:
    machine = Machine()
    watch = machine.watch()
    for _ in range(100):
        machine.step(SECOND)
        run_checks(machine, watch, 1)
    report = watch.report()
    assert (report.steps_seen, len(report.steps)) == (100, STEPS_KEPT)


def test_checks_are_a_second_apart() -> None:
    machine = Machine()
    watch = machine.watch()
    machine.step(10 * SECOND)
    machine.run(SECOND // 2)
    assert watch.check_if_due() is None
    machine.run(SECOND // 2)
    assert watch.check_if_due() is not None


async def test_a_live_clock_tells_of_steps_and_of_a_listener_that_fails() -> None:
    machine = Machine()
    told: list[Any] = []
    clock = LiveClock(
        on_error=lambda name, error: told.append((name, type(error))),
        on_step=told.append,
        wall_ns=machine.wall_ns,
        monotonic_ns=machine.monotonic_ns,
    )
    machine.run(SECOND)
    clock._wake()
    assert told == []
    machine.run(SECOND)
    machine.step(3_600 * SECOND)
    clock._wake()
    assert told == [ClockStep(machine.wall, 3_600 * SECOND)]
    clock.on_step = lambda step: 1 / 0
    machine.run(SECOND)
    machine.step(-3_600 * SECOND)
    clock._wake()
    assert told[1:] == [("clock.step", ZeroDivisionError)]
    assert clock.discipline().steps_seen == 2
    clock.cancel_timers()


async def test_an_attached_clock_looks_at_the_systems_without_any_timer() -> None:
    clock = LiveClock()
    clock.attach()
    async with asyncio.timeout(10):
        while clock.discipline().checks == 0:  # noqa: ASYNC110 - nothing tells of a check that finds nothing
            await asyncio.sleep(0.02)
    report = clock.discipline()
    assert abs(report.offset_change_ns) < 50_000_000
    assert report.uncertainty_ns < SECOND
    clock.cancel_timers()


def test_the_reference_is_not_set_back() -> None:
    first = raw_monotonic_ns()
    assert raw_monotonic_ns() >= first
    assert LiveClock().timestamp_ns is time.time_ns
