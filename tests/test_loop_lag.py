"""Loop lag: a blocked loop shows, a free one does not, and nothing is measured after the end."""

import asyncio

from nautilus.loop_lag import LoopLag


async def test_before_the_first_measurement_there_is_no_number() -> None:
    report = LoopLag().report()
    assert (report.measurements, report.p50, report.p99, report.worst) == (0, None, None, None)


async def test_a_loop_that_was_blocked_shows_how_long() -> None:
    loop = asyncio.get_running_loop()
    lag = LoopLag(interval_seconds=0.001)
    lag.start()
    await asyncio.sleep(0.01)
    until = loop.time() + 0.1
    while loop.time() < until:
        pass
    await asyncio.sleep(0.01)
    lag.stop()
    report = lag.report()
    assert report.worst is not None
    assert report.p50 is not None
    assert report.worst > 0.08
    assert report.p50 < report.worst


async def test_only_a_window_is_kept_and_stopping_ends_the_beat() -> None:
    lag = LoopLag(interval_seconds=0.0, window=5)
    lag.start()
    for _ in range(20):
        await asyncio.sleep(0)
    lag.stop()
    lag.stop()
    assert lag.report().measurements == 5
    before = list(lag._lags)
    await asyncio.sleep(0.002)
    assert list(lag._lags) == before


async def test_starting_twice_is_one_beat() -> None:
    lag = LoopLag(interval_seconds=0.001)
    lag.start()
    lag.start()
    lag.stop()
    await asyncio.sleep(0.01)
    assert lag.report().measurements == 0
