"""The machine's own ceilings, which kernels are held against: a large matrix product, and copying memory.

A call that does F operations on B bytes cannot be faster than the longer of F / operations per second and
B / bytes per second. Source: Williams, Waterman and Patterson 2009, "Roofline".
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from nautilus.accel.full_precision import import_mlx
from nautilus.accel.routed import Backend, Work

LONG_ENOUGH_SECONDS = 0.05
LARGEST_MATRIX = 8192
COPY_BYTES = 64 * 1024 * 1024
"""Larger than caches; STREAM counts what is read and what is written."""


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend reaches at most: operations and bytes each second, in float64 (MLX: in float32)."""

    backend: Backend
    flops_per_second: float
    bytes_per_second: float

    def least_seconds(self, work: Work) -> float:
        """The time that a call could take at best."""
        return max(work.flops / self.flops_per_second, work.bytes / self.bytes_per_second)


def cpu_ceiling(dtype: type[np.floating[Any]] = np.float64) -> Ceiling:
    """NumPy's matrix product and copy, with as many threads as its library takes. Takes a second: not on the loop."""

    def product(size: int) -> Callable[[], object]:
        left = np.random.default_rng(0).random((size, size)).astype(dtype)
        out = np.empty_like(left)
        return lambda: np.matmul(left, left, out=out)

    source = np.ones(COPY_BYTES // np.dtype(dtype).itemsize, dtype)
    target = np.zeros_like(source)
    return Ceiling(
        backend="numpy",
        flops_per_second=_flops_per_second(product),
        bytes_per_second=2 * COPY_BYTES / _best(lambda: np.copyto(target, source)),
    )


def device_ceiling() -> Ceiling:
    """MLX's float32 matrix product, and adding one to an array. On the device thread."""
    mx = import_mlx()

    def product(size: int) -> Callable[[], object]:
        left = mx.random.uniform(shape=(size, size))
        mx.eval(left)
        return lambda: mx.eval(left @ left)

    source = mx.ones((COPY_BYTES // 4,))
    mx.eval(source)
    return Ceiling(
        backend="mlx",
        flops_per_second=_flops_per_second(product),
        bytes_per_second=2 * COPY_BYTES / _best(lambda: mx.eval(source + 1.0)),
    )


def _flops_per_second(product: Callable[[int], Callable[[], object]]) -> float:
    """The best rate of products of growing size, up to one that takes long enough."""
    size, best = 256, 0.0
    while size <= LARGEST_MATRIX:
        seconds = _best(product(size))
        best = max(best, 2.0 * size**3 / seconds)
        if seconds > LONG_ENOUGH_SECONDS:
            break
        size *= 2
    return best


def _best(run: Callable[[], object], times: int = 4) -> float:
    run()
    found = []
    for _ in range(times):
        started = perf_counter()
        run()
        found.append(perf_counter() - started)
    return min(found)
