"""Products of many pairs of matrices at once.

In float32 the error is relative to the largest value of all products, as long as MLX is kept from multiplying in TF32
(the environment variable MLX_ENABLE_TF32=0). NaN and infinity spread as in any sum; beyond 3.4e38 float32 is infinite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernel import jit
from nautilus.accel.kernels.argument_checks import check_shape
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]

_SMALL = 8
"""Up to this many rows, columns and inner items plain loops beat a call of BLAS."""


def _example(size: int) -> tuple[Any, ...]:
    side = max(1, round((size / 16.0) ** (1.0 / 3.0)))
    batch = size // side**3
    source = np.random.default_rng(22)
    return source.normal(size=(batch, side, side)), source.normal(size=(batch, side, side))


def multiplications(left: Floats, right: Floats) -> int:
    """How many pairs of numbers are multiplied."""
    return int(left.size * right.shape[2])


def _work(left: Floats, right: Floats) -> Work:
    products = left.shape[0] * left.shape[1] * right.shape[2]
    return Work(flops=2.0 * multiplications(left, right), bytes=8.0 * (left.size + right.size + products))


@routed(
    example=_example,
    size=multiplications,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
    work=_work,
    relative_error=1e-12,
    float32_error=2e-5,
)
def matrix_product(left: Floats, right: Floats) -> Floats:
    """left[i] @ right[i] for every i: (batch, rows, inner) times (batch, inner, columns) is (batch, rows, columns).

    Raises Invalid for shapes that do not match.

    >>> matrix_product([[[1.0, 2.0]]], [[[3.0], [4.0]]]).tolist()
    [[[11.0]]]
    """
    _check(left, right)
    product: Floats = np.matmul(left, right)
    return product


@matrix_product.numba_around
def _(left: Floats, right: Floats) -> Floats:
    # not with np.dot in compiled code: that is SciPy's BLAS, whose threads fight with those of NumPy's
    _check(left, right)
    small = max(left.shape[1], *right.shape[1:]) <= _SMALL
    return _loops(left, right) if small else matrix_product.reference(left, right)


@jit
def _loops(left: Floats, right: Floats) -> Floats:
    batch, rows, inner = left.shape
    columns = right.shape[2]
    product = np.zeros((batch, rows, columns))
    for index in range(batch):
        for row in range(rows):
            for item in range(inner):
                factor = left[index, row, item]
                for column in range(columns):
                    product[index, row, column] += factor * right[index, item, column]
    return product


@matrix_product.mlx
def _(mx: Any, left: Floats, right: Floats) -> Any:
    _check(left, right)
    return mx.matmul(to_device(mx, left), to_device(mx, right))


def _check(left: Floats, right: Floats) -> None:
    check_shape("right", right, (left.shape[0], left.shape[2], right.shape[2]))
