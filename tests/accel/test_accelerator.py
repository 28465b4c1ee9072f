"""The accelerator: work off the loop, what cancelling does to it, kernels compiled ahead, an end that does not wait."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nautilus.accel import Accelerator, Compilation
from nautilus.accel.kernel import Kernel
from nautilus.errors import Unavailable


@pytest.fixture
async def accel() -> AsyncIterator[Accelerator]:
    made = Accelerator(threads=1)
    yield made
    await made.closed()


class Occupied:
    """Work that stays on its thread until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.free = threading.Event()

    def __call__(self) -> str:
        self.started.set()
        assert self.free.wait(10)
        return "done"


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 5)


class FakeKernel:
    """What compiling needs of a kernel."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name = name
        self.error = error
        self.threads: list[str] = []

    def warm(self) -> float:
        self.threads.append(threading.current_thread().name)
        if self.error:
            raise self.error
        return 0.0


async def test_work_runs_on_a_thread_and_its_errors_reach_the_caller(accel: Accelerator) -> None:
    assert (await accel.run(threading.current_thread)).name.startswith("accel")
    assert await accel.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await accel.run(divmod, 7, 0)
    assert accel.busy == 0


async def test_device_work_always_runs_on_one_and_the_same_thread(accel: Accelerator) -> None:
    threads = await asyncio.gather(*(accel.run_on_device(threading.current_thread) for _ in range(5)))
    assert len(set(threads)) == 1
    assert threads[0].name.startswith("accel-device")


async def test_a_cancelled_caller_cancels_work_that_is_still_queued(accel: Accelerator) -> None:
    occupied = Occupied()
    ran: list[int] = []
    running = asyncio.create_task(accel.run(occupied))
    await until(occupied.started)
    queued = asyncio.create_task(accel.run(ran.append, 1))
    await asyncio.sleep(0)
    assert accel.busy == 2
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    occupied.free.set()
    assert await running == "done"
    await accel.run(ran.append, 2)
    assert ran == [2]


async def test_closing_drops_the_queue_refuses_more_and_does_not_wait_for_what_runs(accel: Accelerator) -> None:
    occupied = Occupied()
    ran: list[int] = []
    running = asyncio.create_task(accel.run(occupied))
    await until(occupied.started)
    queued = asyncio.create_task(accel.run(ran.append, 1))
    await asyncio.sleep(0)
    started = time.perf_counter()
    accel.close()
    assert time.perf_counter() - started < 1
    with pytest.raises(Unavailable, match="stopping"):
        await accel.run(ran.append, 2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await accel.closed()
    occupied.free.set()
    await accel.closed()
    assert accel.busy == 0
    assert await running == "done"
    assert queued.cancelled() or queued.cancelling() or queued.done()
    assert ran == []


async def test_kernels_compile_off_the_loop_and_progress_is_told_before_each_and_at_the_end(
    accel: Accelerator,
) -> None:
    kernels = [FakeKernel("one"), FakeKernel("two")]
    accel.register(kernels)  # type: ignore[arg-type]
    accel.register(kernels[:1])  # type: ignore[arg-type] # a second time
    assert [kernel.name for kernel in accel.kernels] == ["one", "two"]
    told: list[tuple[int, int, str]] = []

    def progress(state: Compilation) -> None:
        told.append((state.done, state.total, state.current))

    state = await accel.compile(progress)
    assert told == [(0, 2, "one"), (1, 2, "two"), (2, 2, "")]
    assert state is accel.compilation
    assert state.failures == {}
    assert all(kernel.threads[0].startswith("accel") for kernel in kernels)


async def test_a_kernel_that_does_not_compile_is_named_and_keeps_no_other_waiting(accel: Accelerator) -> None:
    accel.register([FakeKernel("bad", TypeError("no such type")), FakeKernel("good")])  # type: ignore[list-item]
    state = await accel.compile()
    assert (state.done, state.failures) == (2, {"bad": "TypeError: no such type"})


async def test_compiling_that_is_broken_off_stops_after_the_kernel_at_hand(accel: Accelerator) -> None:
    occupied, later = Occupied(), FakeKernel("later")
    slow: Any = FakeKernel("slow")
    slow.warm = occupied
    accel.register([slow, later])  # type: ignore[list-item]
    compiling = asyncio.create_task(accel.compile())
    await until(occupied.started)
    compiling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await compiling
    occupied.free.set()
    await accel.closed()
    assert later.threads == []


def test_a_kernel_is_known_by_module_and_function() -> None:
    def double(value: float) -> float:
        return 2 * value

    kernel = Kernel(double, double, lambda: (1.0,), 1e-9)
    assert kernel.name == f"{__name__}.double"
    assert repr(kernel) == f"<kernel {__name__}.double>"
