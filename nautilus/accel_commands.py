"""The `nautilus accel` commands: show the devices, measure the kernels, hold them against the machine's ceilings."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nautilus.accel import Accelerator, RoutedKernel
    from nautilus.accel.calibration import Calibration, Step
    from nautilus.accel.ceiling import Ceiling
    from nautilus.accel.measurements import Machine, Point

BAR_STEPS = 1000
BUSY = 0.5
"""Load for each processor from which measurements are not to be trusted."""

_kernels_option = click.option("--kernel", "names", multiple=True, help="Only this kernel; may be given several times.")
_path_option = click.option(
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the measurements (~/.cache/nautilus/calibration.json).",
)


@click.group(invoke_without_command=True)
@click.pass_context
def accel(context: click.Context) -> None:
    """Show the compute devices of this machine; measure its kernels."""
    if context.invoked_subcommand is None:
        _show_devices()


@accel.command()
@_kernels_option
@click.option("--budget", type=click.FloatRange(0, 10, min_open=True), default=0.2, help="Seconds for each size (0.2).")
@_path_option
def calibrate(names: tuple[str, ...], budget: float, path: Path | None) -> None:
    """Measure every kernel on every backend over sizes, and keep the crossovers: the router goes by them."""
    from nautilus.accel import measurements
    from nautilus.errors import StoreError

    path = path or measurements.default_path()
    kernels = _kernels(names)
    _warn_if_busy()
    found = asyncio.run(_calibrate(kernels, budget))
    try:
        old = measurements.load(path)
    except StoreError:
        old = None  # broken, and about to be replaced
    measurements.save(measurements.merged(old, found.measurements), path)
    for name, row in found.measurements.kernels.items():
        click.echo(f"{name:<42} {_crossovers(row, found.measurements.machine)}")
    for what, reason in found.failures.items():
        click.echo(f"{what}: {reason}", err=True)
    click.echo(f"Written to {path}")


@accel.command()
@_path_option
def show(path: Path | None) -> None:
    """Show what was measured on this machine: from which size on which backend runs, and the times."""
    from nautilus.accel import measurements

    path = path or measurements.default_path()
    found = measurements.load(path)
    if found is None:
        raise click.ClickException(f"nothing is measured yet ({path}): run `nautilus accel calibrate`")
    stale = measurements.difference(found.machine, measurements.this_machine())
    click.echo(f"{path}, measured {found.measured} on {found.machine.cpu}" + (f" (not used: {stale})" if stale else ""))
    for name, row in sorted(found.kernels.items()):
        click.echo(f"\n{name}: {_crossovers(row, found.machine)}")
        for backend, points in row.items():
            times = "  ".join(f"{point.size:,}: {_time(point.seconds)}" for point in points)
            unused = "  (never chosen)" if backend in found.machine.never_chosen else ""
            click.echo(f"  {backend:<6} {times}{unused}")


@accel.command()
@_kernels_option
@click.option("--budget", type=click.FloatRange(0, 10, min_open=True), default=0.1, help="Seconds for each size (0.1).")
def bench(names: tuple[str, ...], budget: float) -> None:
    """Print what kernels reach beside the machine's own ceilings.

    The ceilings are NumPy's float64 matrix product and copying of memory; for MLX its own, in float32. The last column
    is the least time the ceilings allow for a call's operations and bytes, over the time it took. A call whose arrays
    stay in the processor's caches can be over 100%.
    """
    asyncio.run(_bench(_kernels(names), budget))


def _warn_if_busy() -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > BUSY * (os.cpu_count() or 1):
        click.echo(f"This machine is busy (load {load:.1f}): measure again when it is not.", err=True)


def _show_devices() -> None:
    from nautilus.accel import discover

    for device in discover(load_mlx=True):
        memory = f", {device.memory_bytes / 2**30:.1f} GiB" if device.memory_bytes else ""
        state = "" if device.available else f" (not available: {device.reason})"
        click.echo(f"{device.backend:<6} {device.kind:<6} {device.description}{memory}{state}")


def _kernels(names: Sequence[str]) -> "list[RoutedKernel[..., Any]]":
    from nautilus.accel.kernels import all_kernels
    from nautilus.errors import NotFound

    known = {kernel.name: kernel for kernel in all_kernels()}
    for name in names:
        if name not in known:
            raise NotFound("kernel", name)
    return [known[name] for name in names or known]


async def _calibrate(kernels: "list[RoutedKernel[..., Any]]", budget: float) -> "Calibration":
    from nautilus.accel import Accelerator
    from nautilus.accel.calibration import calibrate
    from nautilus.clock import LiveClock

    made = Accelerator(threads=1)
    try:
        with click.progressbar(length=BAR_STEPS, label="Measuring", item_show_func=_shown) as bar:

            def step(state: "Step") -> None:
                bar.update(int(state.fraction * BAR_STEPS) - bar.pos, state)

            found = await calibrate(made, LiveClock(), kernels, step, point_seconds=budget)
            bar.update(BAR_STEPS - bar.pos)
        return found
    finally:
        await made.closed()


def _shown(state: "Step | None") -> str:
    return f"{state.kernel}, size {state.size:,}" if state else ""


async def _bench(kernels: "list[RoutedKernel[..., Any]]", budget: float) -> None:
    from nautilus.accel import Accelerator

    made = Accelerator(threads=1)
    try:
        ceilings = await _ceilings(made)
        click.echo(f"{'kernel':<40} {'backend':<7} {'size':>12} {'time':>10} {'GFLOP/s':>9} {'GB/s':>8} {'reached':>8}")
        for kernel in kernels:
            for backend in kernel.implementations:
                if backend in ceilings:
                    await _bench_one(made, kernel, backend, ceilings[backend], budget)
    finally:
        await made.closed()


async def _ceilings(made: "Accelerator") -> "dict[str, Ceiling]":
    from nautilus.accel.ceiling import cpu_ceiling, device_ceiling

    cpu = await made.run(cpu_ceiling)
    click.echo(f"ceiling of the CPU, float64: {_rates(cpu)}")
    ceilings = {"numpy": cpu, "numba": cpu}
    device = await made.load_device()
    if device.available:
        ceilings["mlx"] = await made.run_on_device(device_ceiling)
        click.echo(f"ceiling of MLX, float32, on {device.description}: {_rates(ceilings['mlx'])}")
    else:
        click.echo(f"MLX: {device.reason}")
    return ceilings


async def _bench_one(
    made: "Accelerator", kernel: "RoutedKernel[..., Any]", backend: Any, ceiling: "Ceiling", budget: float
) -> None:
    from nautilus.accel.calibration import measure, outlasts

    run = made.run_on_device if backend == "mlx" else made.run
    points: list[Point] = []
    for size in kernel.sizes:
        if outlasts(points, size):
            break
        arguments = await made.run(kernel.sample, size)
        point = await run(measure, kernel, backend, arguments, budget)
        points = [*points[-1:], point] if not points or point.size > points[-1].size else points
        work = kernel.work(*arguments)
        click.echo(
            f"{kernel.name:<40} {backend:<7} {point.size:>12,} {_time(point.seconds):>10} "
            f"{work.flops / point.seconds / 1e9:>9.3g} {work.bytes / point.seconds / 1e9:>8.3g} "
            f"{ceiling.least_seconds(work) / point.seconds:>8.1%}"
        )


def _rates(ceiling: "Ceiling") -> str:
    return f"{ceiling.flops_per_second / 1e9:.1f} GFLOP/s, {ceiling.bytes_per_second / 1e9:.1f} GB/s"


def _crossovers(row: Any, machine: "Machine") -> str:
    from nautilus.accel.router import crossovers

    return ", ".join(f"{backend} from {size:,}" for size, backend in crossovers(row, machine.never_chosen))


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
