"""The router: which backend runs a call, by what was measured on this machine, and by what failed lately."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from nautilus.accel.measurements import Point
from nautilus.accel.routed import Backend, RoutedKernel

FLOAT64_ADVANTAGE = 1.1
"""A float64 backend is preferred to a float32 one that is not at least this many times faster."""
STEEPEST = 2.0
"""Beyond the measured sizes a call's time grows at most with this power of the size: more was a disturbance."""
LONGEST_PAUSE = 1024
"""The most calls for which a backend that keeps failing is passed over."""

type Table = Mapping[str, Mapping[Backend, Sequence[Point]]]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the router says of one call. `expected_seconds` has every measured backend, unmeasured ones are absent."""

    kernel: str
    size: int
    backend: Backend
    measured: bool
    expected_seconds: dict[Backend, float]


class RouterCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What ran where, by kernel and backend; `fallbacks` counts calls that failed there and then ran elsewhere."""

    calls: dict[str, dict[str, int]]
    fallbacks: dict[str, dict[str, int]]
    last_failure: dict[str, str]


class Router:
    """Ranks the backends of a kernel at a size. Used on the loop thread alone.

    Measured times are interpolated between the measured sizes, both on logarithmic axes; beyond the largest the last
    slope goes on (at most a square), below the smallest a call takes as long as there. What was not measured is never
    preferred to what was, and without measurements the kernel's default runs: Numba or NumPy, never MLX. `never` are
    backends that are measured for comparison and not chosen.

    A backend that fails where another one succeeds is passed over for 2, 4, 8 ... at most 1024 calls of that kernel,
    and starts afresh with its first success.
    """

    def __init__(self, table: Table | None = None, never: Collection[Backend] = ()) -> None:
        self._table: Table = table or {}
        self._never = frozenset(never)
        self._calls: Counter[tuple[str, Backend]] = Counter()
        self._fallbacks: Counter[tuple[str, Backend]] = Counter()
        self._in_a_row: Counter[tuple[str, Backend]] = Counter()
        self._paused: dict[tuple[str, Backend], int] = {}
        self._last_failure: dict[tuple[str, Backend], str] = {}

    @property
    def table(self) -> Table:
        """What was measured, by kernel and backend, sizes rising."""
        return self._table

    @property
    def never(self) -> frozenset[Backend]:
        """Backends that are not chosen."""
        return self._never

    def use(self, table: Table, never: Collection[Backend] = ()) -> None:
        """Take new measurements; pauses after failures end."""
        self._table = table
        self._never = frozenset(never)
        self._paused.clear()
        self._in_a_row.clear()

    def may_choose(self, kernel: RoutedKernel[..., Any], backend: Backend) -> bool:
        """Whether the measurements hold anything on this backend of the kernel, and it may be chosen."""
        return backend not in self._never and bool(self._table.get(kernel.name, {}).get(backend))

    def prefers(self, kernel: RoutedKernel[..., Any], backend: Backend) -> bool:
        """Whether a backend is the best at any measured size."""
        return any(best == backend for _, best in crossovers(self._table.get(kernel.name, {}), self._never))

    def expected_seconds(self, kernel: RoutedKernel[..., Any], size: int) -> dict[Backend, float]:
        """What a call should take on each backend that was measured."""
        measured = self._table.get(kernel.name, {})
        return {backend: seconds_at(points, size) for backend, points in measured.items() if points}

    def rank(self, kernel: RoutedKernel[..., Any], size: int, available: Collection[Backend]) -> list[Backend]:
        """The backends to try, the best one first; at least one, the reference being always there."""
        expected = self.expected_seconds(kernel, size)
        there = {"numpy", *available} - self._never
        usable = [backend for backend in kernel.implementations if backend in there]
        if not expected:
            usable = [backend for backend in usable if backend != "mlx"]
            return sorted(usable, key=lambda backend: backend != kernel.default)
        return sorted(usable, key=lambda backend: _cost(backend, expected))

    def choose(self, kernel: RoutedKernel[..., Any], size: int, available: Collection[Backend]) -> Choice:
        """The best backend, and why; changes nothing."""
        expected = self.expected_seconds(kernel, size)
        best = self.rank(kernel, size, available)[0]
        return Choice(kernel=kernel.name, size=size, backend=best, measured=best in expected, expected_seconds=expected)

    def attempts(self, kernel: RoutedKernel[..., Any], size: int, available: Collection[Backend]) -> list[Backend]:
        """The ranking for a call that is about to be made: backends that failed lately go last, for a while."""
        ranked = self.rank(kernel, size, available)
        paused = [backend for backend in ranked if self._passes_over(kernel.name, backend)]
        return [backend for backend in ranked if backend not in paused] + paused

    def _passes_over(self, name: str, backend: Backend) -> bool:
        left = self._paused.get((name, backend), 0)
        if left:
            self._paused[name, backend] = left - 1
        return left > 0

    def succeeded(self, kernel: RoutedKernel[..., Any], backend: Backend, failed: Mapping[Backend, Exception]) -> None:
        """Count a call that ran on `backend` after it had failed on others."""
        self._calls[kernel.name, backend] += 1
        self._in_a_row.pop((kernel.name, backend), None)
        for other, error in failed.items():
            key = kernel.name, other
            self._fallbacks[key] += 1
            self._in_a_row[key] += 1
            self._paused[key] = min(LONGEST_PAUSE, 2 ** self._in_a_row[key])
            self._last_failure[key] = f"{type(error).__name__}: {error}"

    def counts(self) -> RouterCounts:
        """What ran where since the start."""
        return RouterCounts(
            calls=_by_kernel(self._calls),
            fallbacks=_by_kernel(self._fallbacks),
            last_failure={f"{name} on {backend}": text for (name, backend), text in self._last_failure.items()},
        )


def seconds_at(points: Sequence[Point], size: int) -> float:
    """Interpolate measured seconds (rising sizes) at a size; straight lines between logarithms.

    >>> points = [Point(size=100, seconds=1e-6), Point(size=10_000, seconds=1e-4)]
    >>> f"{seconds_at(points, 1000):.3g} {seconds_at(points, 100_000):.3g} {seconds_at(points, 1):.3g}"
    '1e-05 0.001 1e-06'
    """
    if size <= points[0].size or len(points) == 1:
        return points[0].seconds * max(1.0, size / points[0].size)
    right = min(bisect_left(points, size, key=lambda point: point.size), len(points) - 1)
    low, high = points[right - 1], points[right]
    slope = math.log(high.seconds / low.seconds) / math.log(high.size / low.size)
    if size > high.size:
        growth = min(max(0.0, slope), STEEPEST)
        return high.seconds * math.exp(growth * math.log(size / high.size))
    return low.seconds * math.exp(slope * math.log(size / low.size))


def crossovers(
    measured: Mapping[Backend, Sequence[Point]], never: Collection[Backend] = ()
) -> list[tuple[int, Backend]]:
    """From which measured size on which backend is the best: rising sizes, each with another backend than before."""
    measured = {backend: points for backend, points in measured.items() if backend not in never}
    sizes = sorted({point.size for points in measured.values() for point in points})
    times = [(size, {one: seconds_at(points, size) for one, points in measured.items() if points}) for size in sizes]
    best = [(size, min(found, key=lambda one, found=found: _cost(one, found))) for size, found in times]  # type: ignore[misc]
    return best[:1] + [after for before, after in pairwise(best) if before[1] != after[1]]


def _cost(backend: Backend, expected: Mapping[Backend, float]) -> float:
    seconds = expected.get(backend, math.inf)
    return seconds * FLOAT64_ADVANTAGE if backend == "mlx" else seconds


def _by_kernel(counts: Mapping[tuple[str, Backend], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (name, backend), count in counts.items():
        found.setdefault(name, {})[backend] = count
    return found
