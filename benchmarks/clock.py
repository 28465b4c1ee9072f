"""Nanoseconds a timestamp takes beside `time.time_ns()`, and microseconds to set, fire and cancel a timer among many.

The due times are drawn at random, as the order in which deadlines are set has nothing to do with when they come.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable
from statistics import median
from timeit import repeat

from benchmarks.measure import spread
from nautilus.clock import Clock, LiveClock, TestClock

READINGS = 1_000_000
SIZES = (10_000, 100_000, 1_000_000)
HOUR_NS = 3_600_000_000_000


def ignore(_: object) -> None:
    pass


def timestamps() -> None:
    live, test = LiveClock(), TestClock(5)
    readings: dict[str, Callable[[], int]] = {
        "time.time_ns()": time.time_ns,
        "LiveClock.timestamp_ns()": live.timestamp_ns,
        "TestClock.timestamp_ns()": test.timestamp_ns,
    }
    statements = {"time.time_ns()": "time.time_ns()", **dict.fromkeys(list(readings)[1:], "clock.timestamp_ns()")}
    clocks = {"LiveClock.timestamp_ns()": live, "TestClock.timestamp_ns()": test}
    found: dict[str, list[float]] = {name: [] for name in readings}
    for _ in range(7):  # in turn, so that a drifting machine hits all of them
        for name in readings:
            (taken,) = repeat(
                statements[name], globals={"time": time, "clock": clocks.get(name)}, number=READINGS, repeat=1
            )
            found[name].append(taken / READINGS * 1e9)
    for name, values in found.items():
        print(f"{name:<26} {spread(values)} ns")
    overhead = median(found["LiveClock.timestamp_ns()"]) - median(found["time.time_ns()"])
    print(f"{'LiveClock over time_ns':<26} {overhead:.1f} ns")


def elapsed_us(run: Callable[[], object], count: int) -> float:
    gc.collect()
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) / count * 1e6


def set_all(clock: Clock, dues: list[int]) -> None:
    for number, due in enumerate(dues):
        clock.set_time_alert_ns(f"timer-{number}", due, ignore)


def cancel_all(clock: Clock, names: list[str]) -> None:
    for name in names:
        clock.cancel_timer(name)


def standing_timers(size: int) -> None:
    draw = random.Random(1)
    clock = TestClock()
    dues = [draw.randrange(1, HOUR_NS) for _ in range(size)]
    setting = elapsed_us(lambda: set_all(clock, dues), size)
    firing = elapsed_us(lambda: clock.advance_to(HOUR_NS), size)
    set_all(clock, [HOUR_NS + due for due in dues])
    names = clock.timer_names
    draw.shuffle(names)
    cancelling = elapsed_us(lambda: cancel_all(clock, names), size)
    print(f"TestClock {size:>9,} timers   set {setting:.2f}   fire {firing:.2f}   cancel {cancelling:.2f} us each")


async def live_timers(size: int) -> None:
    draw = random.Random(1)
    clock = LiveClock()
    clock.attach()
    start = clock.timestamp_ns()
    dues = [start + HOUR_NS + draw.randrange(1, HOUR_NS) for _ in range(size)]
    setting = elapsed_us(lambda: set_all(clock, dues), size)
    names = clock.timer_names
    draw.shuffle(names)
    cancelling = elapsed_us(lambda: cancel_all(clock, names), size)
    done, left = asyncio.Event(), size

    def fired(_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    for number in range(size):
        clock.set_time_alert_ns(f"timer-{number}", start + draw.randrange(1, 1_000_000), fired)
    gc.collect()
    started = time.perf_counter()
    await done.wait()
    firing = (time.perf_counter() - started) / size * 1e6
    clock.cancel_timers()
    print(f"LiveClock {size:>9,} timers   set {setting:.2f}   fire {firing:.2f}   cancel {cancelling:.2f} us each")


def main() -> None:
    import uvloop

    timestamps()
    for size in SIZES:
        standing_timers(size)
    for size in SIZES:
        uvloop.run(live_timers(size))
