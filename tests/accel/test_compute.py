"""Computing routed kernels: off the loop, on the backend that was measured fastest, on the next one when it fails."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from nautilus.accel import Accelerator, RoutedKernel, measurements
from nautilus.accel.measurements import Measurements, Point, this_machine
from nautilus.errors import Conflict, Invalid, NotFound, TooManyRequests, Unavailable
from tests.accel.sample_kernels import extremes, fragile, polynomial, vector

HERE = this_machine()


@pytest.fixture
async def accel() -> AsyncIterator[Accelerator]:
    made = Accelerator(threads=1)
    yield made
    await made.closed()


def fastest(backend: str, device: str = "", kind: str = "", kernel: RoutedKernel[..., Any] = polynomial) -> Any:
    row: Any = {one: [Point(size=10, seconds=1e-6 if one == backend else 1e-3)] for one in kernel.implementations}
    machine = msgspec.structs.replace(HERE, device=device, device_kind=kind)
    return Measurements(machine=machine, measured="2026-01-01T00:00:00+00:00", kernels={kernel.name: row})


async def pretend_gpu(accel: Accelerator) -> str:
    """Have MLX, on whatever it runs, pass for a GPU; returns its description."""
    accel.device = msgspec.structs.replace(await accel.load_device(), kind="metal")
    return accel.device.description


def slow(started: threading.Event, free: threading.Event) -> RoutedKernel[..., Any]:
    """A kernel that takes until it is let go."""
    kernel = fragile({})

    def wait(values: Any) -> Any:
        started.set()
        assert free.wait(10)
        return values

    kernel.implementations["numba"] = wait
    return kernel


async def test_without_measurements_a_kernel_runs_on_numba_on_a_thread(accel: Accelerator) -> None:
    threads = []
    kernel = fragile({})
    double = kernel.implementations["numba"]
    kernel.implementations["numba"] = lambda values: threads.append(threading.current_thread().name) or double(values)
    computed = await accel.compute(kernel, [1.0, 2.0])
    assert computed.value.tolist() == [2.0, 4.0]
    assert (computed.backend, computed.relative_error) == ("numba", kernel.relative_error)
    assert threads[0].startswith("accel")
    assert accel.device is None, "MLX is not loaded for nothing"


@pytest.mark.parametrize("backend", ["numpy", "numba", "mlx"])
async def test_the_backend_that_was_measured_fastest_runs(accel: Accelerator, backend: str) -> None:
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    description = await pretend_gpu(accel)
    accel.use(fastest(backend, description, "metal"))
    computed = await accel.compute(polynomial, vector(10), 2.0)
    assert computed.backend == backend
    np.testing.assert_allclose(computed.value, polynomial.reference(vector(10), 2.0), rtol=1e-5)
    assert accel.router.counts().calls == {polynomial.name: {backend: 1}}


async def test_mlx_runs_on_the_device_thread_with_its_memory_bounded() -> None:
    pytest.importorskip("mlx.core")
    accel = Accelerator(threads=1, cache_bytes=1 << 20)
    try:
        assert await accel.device_memory() is None
        for size in (100_000, 200_000, 300_000):
            computed = await accel.compute_on("mlx", polynomial, vector(size), 2.0)
            assert computed.backend == "mlx"
        del computed
        await accel.compute_on("mlx", polynomial, vector(10), 2.0)
        memory = await accel.device_memory()
        assert memory is not None
        assert memory.cache_limit == 1 << 20
        assert memory.cached <= (1 << 20) + 2 * 300_000 * 4  # it is trimmed at the next allocation
    finally:
        await accel.closed()


async def test_an_exact_computation_never_runs_in_float32(accel: Accelerator) -> None:
    accel.use(fastest("mlx"))
    computed = await accel.compute_exactly(polynomial, vector(10), 2.0)
    assert computed.backend in ("numpy", "numba")
    assert accel.device is None


async def test_a_backend_may_be_named_and_must_exist(accel: Accelerator) -> None:
    assert (await accel.compute_on("numpy", polynomial, vector(3), 2.0)).backend == "numpy"
    with pytest.raises(NotFound, match="version of"):
        await accel.compute_on("numba", extremes, vector(3))


async def test_where_a_backend_fails_the_next_best_computes_and_the_failure_is_counted(accel: Accelerator) -> None:
    kernel = fragile({"numba": MemoryError("no room")})
    assert (await accel.compute(kernel, vector(10))).backend == "numpy"
    counts = accel.router.counts()
    assert counts.fallbacks == {"sample.fragile": {"numba": 1}}
    assert counts.last_failure == {"sample.fragile on numba": "MemoryError: no room"}


async def test_where_all_backends_fail_the_last_ones_error_reaches_the_caller_and_no_one_is_blamed(
    accel: Accelerator,
) -> None:
    kernel = fragile({"numba": MemoryError("no room"), "numpy": ZeroDivisionError("nothing")})
    with pytest.raises(ZeroDivisionError, match="nothing"):
        await accel.compute(kernel, vector(10))
    assert accel.router.counts().fallbacks == {}
    assert accel.busy == 0


async def test_what_a_kernel_refuses_is_not_tried_elsewhere(accel: Accelerator) -> None:
    with pytest.raises(Invalid, match="values: must not be empty"):
        await accel.compute(extremes, [])
    with pytest.raises(Invalid, match="factor: must be a number"):
        await accel.compute(polynomial, vector(3), "two")  # type: ignore[arg-type]


async def test_much_is_copied_on_a_thread_and_little_on_the_loop(accel: Accelerator) -> None:
    started, free = threading.Event(), threading.Event()
    busy = asyncio.create_task(accel.compute(slow(started, free), vector(3)))
    assert await asyncio.to_thread(started.wait, 5)
    assert len((await accel.prepare(polynomial, [1.0], 2.0))[0]) == 1
    much = asyncio.create_task(accel.prepare(polynomial, np.ones(100_000, np.float32), 2.0))
    await asyncio.sleep(0)
    assert not much.done()
    free.set()
    assert (await much)[0].dtype == np.float64
    await busy


async def test_a_cancelled_caller_cancels_a_computation_that_is_still_queued(accel: Accelerator) -> None:
    started, free = threading.Event(), threading.Event()
    running = asyncio.create_task(accel.compute(slow(started, free), vector(3)))
    assert await asyncio.to_thread(started.wait, 5)
    ran: list[int] = []
    kernel = fragile({})
    kernel.implementations["numba"] = lambda values: ran.append(1)
    queued = asyncio.create_task(accel.compute(kernel, vector(3)))
    await asyncio.sleep(0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    free.set()
    await running
    await accel.run(int)
    assert ran == []


async def test_one_call_too_many_is_refused() -> None:
    accel = Accelerator(threads=1, waiting=2)
    started, free = threading.Event(), threading.Event()
    kernel = slow(started, free)
    calls = [asyncio.create_task(accel.compute(kernel, vector(3))) for _ in range(2)]
    assert await asyncio.to_thread(started.wait, 5)
    with pytest.raises(TooManyRequests, match="2 computations are queued"):
        await accel.compute(kernel, vector(3))
    free.set()
    await asyncio.gather(*calls)
    await accel.compute(kernel, vector(3))
    await accel.closed()


async def test_a_closed_accelerator_computes_nothing(accel: Accelerator) -> None:
    accel.close()
    with pytest.raises(Unavailable, match="stopping"):
        await accel.compute(polynomial, vector(3), 2.0)


async def test_kernels_are_found_by_name_and_names_are_not_taken_twice(accel: Accelerator) -> None:
    accel.register_routed([polynomial, extremes, polynomial])
    assert accel.routed == (polynomial, extremes)
    assert accel.routed_kernel("sample_kernels.extremes") is extremes
    with pytest.raises(NotFound, match="no kernel 'other'"):
        accel.routed_kernel("other")
    accel.register_routed([fragile({})])
    with pytest.raises(Conflict, match=r"two kernels are called sample\.fragile"):
        accel.register_routed([fragile({})])


async def test_routed_kernels_compile_ahead_with_the_others(accel: Accelerator) -> None:
    accel.register_routed([polynomial, extremes])
    state = await accel.compile()
    assert (state.total, state.done, state.failures) == (2, 2, {})


async def test_what_is_to_run_on_mlx_is_compiled_there_too(accel: Accelerator) -> None:
    pytest.importorskip("mlx.core")
    accel.use(fastest("mlx", await pretend_gpu(accel), "metal"))
    accel.register_routed([polynomial])
    assert (await accel.compile()).failures == {}
    assert accel.router.counts().calls == {polynomial.name: {"mlx": 1}}


async def test_mlx_is_not_loaded_where_it_was_measured_slower(accel: Accelerator) -> None:
    accel.use(fastest("numpy"))
    accel.register_routed([polynomial])
    await accel.compile()
    await accel.compute(polynomial, vector(10), 2.0)
    assert accel.device is None


async def test_a_calibration_of_this_machine_is_used(accel: Accelerator, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    await asyncio.to_thread(measurements.save, fastest("numpy"), path)
    state = await accel.load_calibration(path)
    assert (state.kernels, state.reason, state.path) == (1, "", str(path))
    assert accel.choose(polynomial, 10).backend == "numpy"
    with pytest.raises(Invalid, match="size"):
        accel.choose(polynomial, -1)


async def test_a_calibration_that_is_absent_broken_or_of_another_machine_is_told_and_not_used(
    accel: Accelerator, tmp_path: Path
) -> None:
    path = tmp_path / "calibration.json"
    assert "run `nautilus accel calibrate`" in (await accel.load_calibration(path)).reason
    await asyncio.to_thread(path.write_text, "{")
    assert "cannot read" in (await accel.load_calibration(path)).reason
    found = fastest("numpy")
    other = msgspec.structs.replace(found, machine=msgspec.structs.replace(HERE, cpu="Another CPU"))
    await asyncio.to_thread(measurements.save, other, path)
    assert "of another machine: cpu" in (await accel.load_calibration(path)).reason
    assert accel.choose(polynomial, 10).backend == "numba"


async def test_on_a_processor_mlx_is_measured_and_never_chosen(accel: Accelerator) -> None:
    accel.use(fastest("mlx", "CPU only", "cpu"))
    choice = accel.choose(polynomial, 10)
    assert choice.backend == "numpy"
    assert choice.expected_seconds["mlx"] < choice.expected_seconds["numpy"]
    assert (await accel.compute(polynomial, vector(10), 2.0)).backend == "numpy"
    assert accel.device is None


async def test_times_of_another_device_are_dropped_when_mlx_is_loaded(accel: Accelerator) -> None:
    pytest.importorskip("mlx.core")
    accel.use(fastest("mlx", "NVIDIA GPU: gone", "cuda"))
    assert accel.choose(polynomial, 10).backend == "mlx"
    computed = await accel.compute(polynomial, vector(10), 2.0)
    assert computed.backend == "numpy"
    assert "MLX was measured on NVIDIA GPU: gone" in accel.calibrated.reason


async def test_a_machine_without_mlx_computes_all_the_same(accel: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nautilus.accel.devices.importlib.util.find_spec", lambda name: None)
    accel.use(fastest("mlx", "NVIDIA GPU: gone", "cuda"))
    assert (await accel.compute(polynomial, vector(10), 2.0)).backend == "numpy"
    with pytest.raises(Unavailable, match="MLX"):
        await accel.compute_on("mlx", polynomial, vector(10), 2.0)
    assert await accel.device_memory() is None
