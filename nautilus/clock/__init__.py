"""The node's clock: the one source of time, live or under test, with alerts and repeating timers.

Times are integer nanoseconds since 1970-01-01 UTC. Timers fire in order of time, across timers; equal times in the
order in which the timers were made. Inside a callback the clock reads the timer's own time.
"""

from nautilus.clock.base import NANOSECONDS_IN_SECOND, Clock, TimeEvent, TimerCallback, TimerErrorReport
from nautilus.clock.discipline import ClockDiscipline, ClockStep
from nautilus.clock.live import LiveClock
from nautilus.clock.under_test import TestClock

__all__ = [
    "NANOSECONDS_IN_SECOND",
    "Clock",
    "ClockDiscipline",
    "ClockStep",
    "LiveClock",
    "TestClock",
    "TimeEvent",
    "TimerCallback",
    "TimerErrorReport",
]
