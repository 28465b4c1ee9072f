"""Calibration: every kernel timed on every backend that works here, over its sizes, off the loop.

A size is timed by its best call, since noise only ever adds, in rounds that take the backends in turn, so that a
machine that is busy for a while is so for all of them. A backend's sizes end where a single call would outlast
`LONGEST_CALL_SECONDS`.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import msgspec

from nautilus.accel.accelerator import Accelerator
from nautilus.accel.measurements import Measurements, Point, this_machine
from nautilus.accel.routed import BACKENDS, Backend, RoutedKernel
from nautilus.accel.router import seconds_at
from nautilus.clock import Clock
from nautilus.errors import Invalid, Unavailable

POINT_SECONDS = 0.2
"""Time for each size of each backend, used up with repeated calls."""
LONGEST_CALL_SECONDS = 2.0
ROUNDS = 3
MOST_CALLS = 1000
"""In each round."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Where a calibration is: about to measure this, `fraction` of all sizes done."""

    kernel: str
    backends: list[Backend]
    size: int
    fraction: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and what could not be: reasons by "kernel on backend"."""

    measurements: Measurements
    failures: dict[str, str]


async def calibrate(
    accel: Accelerator,
    clock: Clock,
    kernels: Sequence[RoutedKernel[..., Any]],
    progress: Callable[[Step], None] | None = None,
    *,
    point_seconds: float = POINT_SECONDS,
    backends: Sequence[Backend] = BACKENDS,
) -> Calibration:
    """Measure kernels on the accelerator's threads. It changes no routing: hand the result to `accel.use`.

    MLX is measured wherever it loads, on a CPU too: there the figures show why it is not chosen. A kernel that fails
    on a backend is noted, with the times of its smaller sizes. Raises Invalid for a budget that is not positive.
    """
    if not point_seconds > 0:
        raise Invalid("point_seconds", f"must be positive, not {point_seconds}")
    device = await accel.load_device() if "mlx" in backends else None
    has_mlx = device is not None and device.available
    usable = [backend for backend in backends if backend != "mlx" or has_mlx]
    table: dict[str, dict[Backend, list[Point]]] = {}
    failures: dict[str, str] = {}
    done, total = 0, sum(len(kernel.sizes) for kernel in kernels)
    for kernel in kernels:
        rows: dict[Backend, list[Point]] = {backend: [] for backend in usable if backend in kernel.implementations}
        failed: dict[Backend, str] = {}
        for size in kernel.sizes:
            measured = [one for one, points in rows.items() if one not in failed and not outlasts(points, size)]
            if progress and measured:
                progress(Step(kernel=kernel.name, backends=measured, size=size, fraction=done / total))
            for backend, point in (await _in_turn(accel, kernel, measured, size, point_seconds, failed)).items():
                if not rows[backend] or point.size > rows[backend][-1].size:  # a kernel may round two sizes to one
                    rows[backend].append(point)
            done += 1
        failures |= {f"{kernel.name} on {backend}": reason for backend, reason in failed.items()}
        if found := {backend: points for backend, points in rows.items() if points}:
            table[kernel.name] = found
    machine = await accel.run(this_machine)
    if device is not None and has_mlx:
        machine = msgspec.structs.replace(machine, device=device.description, device_kind=device.kind)
    now = clock.utc_now().isoformat(timespec="seconds")
    return Calibration(measurements=Measurements(machine=machine, measured=now, kernels=table), failures=failures)


async def _in_turn(
    accel: Accelerator,
    kernel: RoutedKernel[..., Any],
    backends: Sequence[Backend],
    size: int,
    point_seconds: float,
    failed: dict[Backend, str],
) -> dict[Backend, Point]:
    """The best time of each backend at a size; what goes wrong is put into `failed`."""
    arguments = await accel.run(kernel.sample, size)
    found: dict[Backend, Point] = {}
    for _ in range(ROUNDS):
        for backend in backends:
            if backend in failed:
                continue
            run = accel.run_on_device if backend == "mlx" else accel.run
            try:
                point = await run(measure, kernel, backend, arguments, point_seconds / ROUNDS)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are measured
                failed[backend] = f"size {size}: {type(error).__name__}: {error}"
                found.pop(backend, None)
                continue
            before = found.get(backend, point)
            calls = point.calls + (before.calls if backend in found else 0)
            found[backend] = Point(size=point.size, seconds=min(point.seconds, before.seconds), calls=calls)
    return found


def measure(kernel: RoutedKernel[..., Any], backend: Backend, arguments: tuple[Any, ...], seconds: float) -> Point:
    """Time one backend on prepared arguments, on the thread that is to run it, by the best of at least two calls.

    The first one may compile. The size is the kernel's own count.
    """
    times: list[float] = []
    ends = perf_counter() + seconds
    while len(times) < 2 or (perf_counter() < ends and len(times) < MOST_CALLS):
        times.append(kernel.computed(backend, arguments).seconds)
    return Point(size=max(1, kernel.size(*arguments)), seconds=max(min(times), 1e-9), calls=len(times))


def outlasts(points: Sequence[Point], size: int) -> bool:
    """Whether a call of this size would take too long, going by the smaller ones."""
    return bool(points) and seconds_at(points, size) > LONGEST_CALL_SECONDS
