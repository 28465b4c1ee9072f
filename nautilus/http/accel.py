"""Operations on acceleration: devices, kernels, what the router goes by and chooses, and calibrating it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from nautilus.accel import (
    Backend,
    Calibrated,
    Choice,
    Compilation,
    Device,
    DeviceMemory,
    RoutedKernel,
    discover,
    measurements,
)
from nautilus.accel.calibration import Step, calibrate
from nautilus.accel.measurements import Point
from nautilus.accel.router import RouterCounts, crossovers
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import Conflict
from nautilus.jobs import Job, Progress

if TYPE_CHECKING:
    from nautilus.node import Node

CALIBRATION = "calibration"


class AccelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Devices and kernels. `kernels` are compiled loops, `routed` have versions for several backends.

    `choices` counts the calls that ran on each backend, and those that failed there and ran elsewhere. `memory` is
    what MLX holds, null while it is not loaded.
    """

    devices: list[Device]
    kernels: list[str]
    routed: list[str]
    compilation: Compilation
    calibration: Calibrated
    choices: RouterCounts
    memory: DeviceMemory | None
    running: int


class Crossover(msgspec.Struct, frozen=True, kw_only=True):
    """From this size on, this backend."""

    size: int
    backend: Backend


class KernelReport(msgspec.Struct, frozen=True, kw_only=True):
    """A routed kernel: its versions and their stated errors, what was measured, and the crossovers that follow."""

    name: str
    summary: str
    parameters: list[str]
    errors: dict[Backend, float]
    deterministic: bool
    sizes: list[int]
    largest: int
    measured: dict[Backend, list[Point]]
    crossovers: list[Crossover]


class ChoiceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A size, in the kernel's own count of elements."""

    size: Annotated[int, Meta(ge=0, le=1 << 53)]


class CalibrationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to measure; no kernels means all. `point_seconds` is spent on each size of each backend."""

    kernels: Annotated[list[str], Meta(max_length=1000)] = []
    point_seconds: Annotated[float, Meta(gt=0, le=10)] = 0.2


class CalibrationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a calibration; `failures` are reasons by "kernel on backend"."""

    calibration: Calibrated
    crossovers: dict[str, list[Crossover]]
    failures: dict[str, str]


def accel_operations(node: "Node") -> list[Operation]:
    """The operations on the node's accelerator."""
    accel = node.accel

    async def report() -> AccelReport:
        """Devices, kernels, calibration, and what ran where."""
        devices = await accel.run(discover)
        if accel.device is not None:
            devices = [accel.device if device.backend == "mlx" else device for device in devices]
        return AccelReport(
            devices=devices,
            kernels=[kernel.name for kernel in accel.kernels],
            routed=[kernel.name for kernel in accel.routed],
            compilation=accel.compilation,
            calibration=accel.calibrated,
            choices=accel.router.counts(),
            memory=await accel.device_memory(),
            running=accel.busy,
        )

    async def kernel(name: str) -> KernelReport:
        """A routed kernel and what was measured of it."""
        return _kernel_report(node, accel.routed_kernel(name))

    async def choose(name: str, body: ChoiceRequest) -> Choice:
        """Which backend a call of a size would run on, and what it should take on each. Runs nothing."""
        return accel.choose(accel.routed_kernel(name), body.size)

    async def start(body: CalibrationRequest) -> Job:
        """Measure kernels on every backend, in a job, and route by the result; it keeps the processors busy."""
        if any(job.kind == CALIBRATION and job.status == "running" for job in node.jobs.all()):
            raise Conflict("a calibration is running")
        kernels = [accel.routed_kernel(name) for name in dict.fromkeys(body.kernels)] or list(accel.routed)
        return node.jobs.start(CALIBRATION, lambda progress: _calibrate(node, kernels, body.point_seconds, progress))

    return [
        get("/accel", report),
        get("/accel/kernels/{name}", kernel),
        post("/accel/kernels/{name}/choose", choose, scope="read"),
        post("/accel/calibrate", start, status=202, scope="admin"),
    ]


def _kernel_report(node: "Node", kernel: RoutedKernel[..., Any]) -> KernelReport:
    measured = {backend: list(points) for backend, points in node.accel.router.table.get(kernel.name, {}).items()}
    return KernelReport(
        name=kernel.name,
        summary=(kernel.__doc__ or "").strip().partition("\n")[0],
        parameters=list(kernel.signature.parameters),
        errors={backend: kernel.error_of(backend) for backend in kernel.implementations},
        deterministic=kernel.deterministic,
        sizes=list(kernel.sizes),
        largest=kernel.largest,
        measured=measured,
        crossovers=[
            Crossover(size=size, backend=backend) for size, backend in crossovers(measured, node.accel.router.never)
        ],
    )


async def _calibrate(
    node: "Node", kernels: list[RoutedKernel[..., Any]], point_seconds: float, progress: Progress
) -> CalibrationResult:
    def step(state: Step) -> None:
        progress.report(state.fraction, f"{state.kernel} on {', '.join(state.backends)}, size {state.size}")

    accel = node.accel
    found = await calibrate(accel, node.clock, kernels, step, point_seconds=point_seconds)
    known = measurements.merged(accel.measurements, found.measurements)
    path = accel.calibrated.path
    if path:
        await accel.run(measurements.save, known, Path(path))
    accel.use(known, Path(path) if path else None)
    return CalibrationResult(
        calibration=accel.calibrated,
        crossovers={
            name: [
                Crossover(size=size, backend=backend) for size, backend in crossovers(row, known.machine.never_chosen)
            ]
            for name, row in found.measurements.kernels.items()
        },
        failures=found.failures,
    )
