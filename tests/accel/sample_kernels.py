"""Kernels small enough to see through, of each kind: with all versions, with one that fails, with random numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nautilus.accel import RoutedKernel, Work, routed
from nautilus.accel.arrays import to_device
from nautilus.errors import Invalid

Floats = NDArray[np.float64]


class Extremes(NamedTuple):
    """The least and the greatest value."""

    least: float
    greatest: float


def vector(size: int) -> Floats:
    return np.random.default_rng(size).normal(size=size)


@routed(
    example=lambda size: (vector(size), 2.0),
    size=lambda values, factor: len(values),
    sizes=(10, 1_000, 100_000),
    work=lambda values, factor: Work(2.0 * len(values), 16.0 * len(values)),
)
def polynomial(values: Floats, factor: float = 2.0) -> Floats:
    """factor x^2 + x, of each value x."""
    return factor * values * values + values


@polynomial.numba
def _(values: Floats, factor: float = 2.0) -> Floats:
    found = np.empty(len(values))
    for index in range(len(values)):
        found[index] = factor * values[index] * values[index] + values[index]
    return found


@polynomial.mlx
def _(mx: Any, values: Floats, factor: float = 2.0) -> Any:
    held = to_device(mx, values)
    return factor * held * held + held


@routed(
    example=lambda size: (vector(size),),
    size=len,
    sizes=(10, 1_000),
    work=lambda values: Work(len(values), 8.0 * len(values)),
)
def extremes(values: Floats) -> Extremes:
    """The least and the greatest value; refuses none at all."""
    if len(values) == 0:
        raise Invalid("values", "must not be empty")
    return Extremes(float(values.min()), float(values.max()))


@extremes.mlx
def _(mx: Any, values: Floats) -> Any:
    if len(values) == 0:
        raise Invalid("values", "must not be empty")
    held = to_device(mx, values)
    return Extremes(held.min(), held.max())


def alike(found: Floats, expected: Floats) -> None:
    if len(expected) > 1000:
        np.testing.assert_allclose([np.mean(found), np.std(found)], [np.mean(expected), np.std(expected)], atol=0.05)


@routed(
    example=lambda size: (size, 7),
    size=lambda count, seed: count,
    sizes=(10, 10_000),
    work=lambda count, seed: Work(count, 8.0 * count),
    compare=alike,
    name="sample.draws",
)
def draws(count: int, seed: int) -> Floats:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(count)


@draws.mlx
def _(mx: Any, count: int, seed: int) -> Any:
    return mx.random.normal((count,), key=mx.random.key(seed))


def fragile(failures: dict[str, Exception]) -> RoutedKernel[[Floats], Floats]:
    """A new kernel that doubles; its numba and numpy versions raise what `failures` holds when they are called."""

    def make(backend: str) -> Any:
        def double(values: Floats) -> Floats:
            """Twice the values."""
            if backend in failures:
                raise failures[backend]
            return values * 2.0

        return double

    kernel = routed(
        example=lambda size: (vector(size),),
        size=len,
        sizes=(10, 100),
        work=lambda values: Work(len(values), 16.0 * len(values)),
        name="sample.fragile",
    )(make("numpy"))
    kernel.numba_around(make("numba"))
    return kernel
