"""How well the router chooses: calibrated once, then every kernel measured again; and what routing a call costs."""

import asyncio
from time import perf_counter

from benchmarks.measure import spread
from nautilus.accel import Accelerator, Router
from nautilus.accel.calibration import Calibration, calibrate
from nautilus.accel.kernels import all_kernels
from nautilus.accel.kernels.covariance import covariance_matrix
from nautilus.clock import LiveClock

POINT_SECONDS = 0.1
CALLS = 500
ROUNDS = 7


def slower_than_best(first: Calibration, second: Calibration) -> list[tuple[float, str]]:
    """By the first, at every size of the second: the chosen backend's time over the best one's."""
    never = first.measurements.machine.never_chosen
    router = Router(first.measurements.kernels, never)
    found = []
    for kernel in all_kernels():
        rows = {one: row for one, row in second.measurements.kernels[kernel.name].items() if one not in never}
        for size in sorted({point.size for row in rows.values() for point in row}):
            times = {one: point.seconds for one, row in rows.items() for point in row if point.size == size}
            chosen = router.choose(kernel, size, list(rows)).backend
            found.append(
                (times.get(chosen, float("inf")) / min(times.values()), f"{kernel.name} at {size:,}: {chosen}")
            )
    return sorted(found, reverse=True)


async def measure() -> None:
    accel = Accelerator()
    kernels, clock = all_kernels(), LiveClock()
    started = perf_counter()
    first = await calibrate(accel, clock, kernels, point_seconds=POINT_SECONDS)
    print(f"calibrating {len(kernels)} kernels took {perf_counter() - started:.0f} s")
    second = await calibrate(accel, clock, kernels, point_seconds=POINT_SECONDS)
    ratios = slower_than_best(first, second)
    over = sum(ratio > 1.2 for ratio, _ in ratios)
    print(f"{len(ratios)} sizes: the worst choice {ratios[0][0]:.2f} times the best ({ratios[0][1]}), {over} over 1.2")
    panel = covariance_matrix.example(covariance_matrix.sizes[0])[0]
    await accel.compute(covariance_matrix, panel)
    routed, direct = [], []
    for _ in range(ROUNDS):
        started = perf_counter()
        for _ in range(CALLS):
            await accel.compute(covariance_matrix, panel)
        routed.append(1e6 * (perf_counter() - started) / CALLS)
        started = perf_counter()
        for _ in range(CALLS):
            await accel.run(covariance_matrix, panel)
        direct.append(1e6 * (perf_counter() - started) / CALLS)
    print(f"a routed call {spread(routed)} us, the same kernel by `run` {spread(direct)} us")
    await accel.closed()


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()
