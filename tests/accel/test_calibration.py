"""Calibration: everything that works here is timed, off the loop; the router then chooses well by it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nautilus.accel import Accelerator, RoutedKernel
from nautilus.accel.calibration import Step, calibrate, measure, outlasts
from nautilus.accel.measurements import Point
from nautilus.accel.router import Router
from nautilus.clock import TestClock
from nautilus.errors import Invalid, Unavailable
from nautilus.testing import START_NS
from tests.accel.sample_kernels import draws, extremes, fragile, polynomial


@pytest.fixture
async def accel() -> AsyncIterator[Accelerator]:
    made = Accelerator(threads=1)
    yield made
    await made.closed()


CLOCK = TestClock(START_NS)


async def test_every_version_is_timed_at_every_size(accel: Accelerator) -> None:
    steps: list[Step] = []
    found = await calibrate(accel, CLOCK, [polynomial, draws], steps.append, point_seconds=0.001)
    assert found.failures == {}
    measured = found.measurements
    assert measured.measured == "2023-11-14T22:13:20+00:00"
    has_mlx = accel.device is not None and accel.device.available
    for kernel in (polynomial, draws):
        expected = {backend for backend in kernel.implementations if backend != "mlx" or has_mlx}
        assert set(measured.kernels[kernel.name]) == expected
        for row in measured.kernels[kernel.name].values():
            assert [point.size for point in row] == list(kernel.sizes)
            assert all(point.seconds > 0 and point.calls >= 2 for point in row)
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert steps[0].fraction == 0.0
    assert steps[-1].fraction < 1.0
    assert [step.size for step in steps] == [*polynomial.sizes, *draws.sizes]
    assert measured.machine.device == (accel.device.description if has_mlx and accel.device else "")
    assert measured.machine.device_kind == (accel.device.kind if has_mlx and accel.device else "")
    assert accel.router.table == {}, "measuring changes no routing"


async def test_by_a_real_calibration_the_router_is_never_much_slower_than_the_best(accel: Accelerator) -> None:
    """Measured again, independently; a machine that others disturb gets more chances, and more time for each."""
    kernels: list[RoutedKernel[..., Any]] = [polynomial, extremes]
    for seconds in (0.01, 0.02, 0.05, 0.1, 0.2):
        found = await calibrate(accel, CLOCK, kernels, point_seconds=seconds)
        again = await calibrate(accel, CLOCK, kernels, point_seconds=seconds)
        router = Router(found.measurements.kernels, found.measurements.machine.never_chosen)
        slower = []
        for kernel in kernels:
            rows = again.measurements.kernels[kernel.name]
            times = {backend: row for backend, row in rows.items() if backend not in router.never}
            for index, size in enumerate(kernel.sizes):
                chosen = router.choose(kernel, size, list(times)).backend
                best = min(row[index].seconds for row in times.values())
                slower.append(times[chosen][index].seconds / best)
        if max(slower) <= 1.2:
            return
    pytest.fail(f"the choices were {slower} times slower than the best")


async def test_a_version_that_fails_is_noted_and_the_others_are_measured(accel: Accelerator) -> None:
    found = await calibrate(accel, CLOCK, [fragile({"numba": MemoryError("no room")})], point_seconds=0.001)
    assert found.failures == {"sample.fragile on numba": "size 10: MemoryError: no room"}
    assert set(found.measurements.kernels["sample.fragile"]) == {"numpy"}


async def test_it_may_keep_to_some_backends_and_loads_no_mlx_then(accel: Accelerator) -> None:
    found = await calibrate(accel, CLOCK, [polynomial], point_seconds=0.001, backends=["numpy"])
    assert set(found.measurements.kernels[polynomial.name]) == {"numpy"}
    assert accel.device is None


async def test_a_budget_that_is_none_is_refused(accel: Accelerator) -> None:
    with pytest.raises(Invalid, match="point_seconds: must be positive"):
        await calibrate(accel, CLOCK, [polynomial], point_seconds=0.0)


async def test_no_kernels_take_no_time(accel: Accelerator) -> None:
    assert (await calibrate(accel, CLOCK, [], backends=["numpy"])).measurements.kernels == {}


async def test_a_closed_accelerator_ends_it(accel: Accelerator) -> None:
    accel.close()
    with pytest.raises(Unavailable):
        await calibrate(accel, CLOCK, [polynomial], backends=["numpy"])


async def test_progress_that_says_stop_ends_it(accel: Accelerator) -> None:
    def stop(_: Step) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await calibrate(accel, CLOCK, [polynomial], stop, backends=["numpy"])


async def test_kernels_are_measured_on_the_threads_that_will_run_them(accel: Accelerator) -> None:
    threads: set[str] = set()
    kernel = fragile({})
    double = kernel.implementations["numba"]
    kernel.implementations["numba"] = lambda values: threads.add(threading.current_thread().name) or double(values)
    await calibrate(accel, CLOCK, [kernel], point_seconds=0.001, backends=["numba"])
    assert all(name.startswith("accel") for name in threads)
    assert threads


def test_a_time_is_that_of_the_best_of_at_least_two_calls() -> None:
    point = measure(polynomial, "numpy", polynomial.sample(10), 1e-9)
    assert (point.size, point.calls) == (10, 2)
    assert measure(polynomial, "numpy", polynomial.sample(0), 1e-9).size == 1


def test_sizes_that_would_take_too_long_are_left_out() -> None:
    rising = [Point(size=10, seconds=0.01), Point(size=100, seconds=0.1)]
    assert not outlasts(rising, 1000)
    assert outlasts(rising, 10_000)
    disturbed = [Point(size=10, seconds=1e-6), Point(size=11, seconds=1e-3)]
    assert not outlasts(disturbed, 100)
    assert not outlasts([], 10**9)
