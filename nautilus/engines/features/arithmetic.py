"""One formula text, two interpreters: the same operations on one row of Python floats or on whole columns.

A feature's formula is written once, as a function whose first argument is an `Arithmetic`. Handed `SCALAR` it works
on floats (streaming), handed `ARRAY` on float64 columns (batch). Addition, subtraction, multiplication, division and
square root are correctly rounded in IEEE 754, so both give the same bits; the logarithm is the C library's in both; and
what is not defined (a ratio over zero, the logarithm of a price that is not positive) is NaN in both.
"""

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel

type Array = NDArray[np.float64]
type Value = Any
"""A float or a column of floats, whichever the formula is handed."""
type Row = tuple[Any, ...]
"""One value for each input of the feature."""


class Arithmetic[T](Protocol):
    """The operations that differ between a float and an array of floats; the rest are operators."""

    def log(self, x: T, /) -> T:
        """Natural logarithm; NaN where x is not positive."""

    def sqrt(self, x: T, /) -> T:
        """Square root; NaN where x is negative."""

    def ratio(self, numerator: T, denominator: T, /) -> T:
        """Quotient; NaN where the denominator is zero."""

    def maximum(self, a: T, b: T, /) -> T:
        """The larger of two; b where they do not compare."""

    def minimum(self, a: T, b: T, /) -> T:
        """The smaller of two; b where they do not compare."""


class ScalarArithmetic:
    """Arithmetic on Python floats.

    >>> SCALAR.ratio(1.0, 4.0), SCALAR.ratio(1.0, 0.0), SCALAR.log(-1.0)
    (0.25, nan, nan)
    """

    __slots__ = ()

    @staticmethod
    def log(x: float, /) -> float:
        """Natural logarithm; NaN where x is not positive."""
        return math.log(x) if x > 0.0 else math.nan

    @staticmethod
    def sqrt(x: float, /) -> float:
        """Square root; NaN where x is negative."""
        return math.sqrt(x) if x >= 0.0 else math.nan

    @staticmethod
    def ratio(numerator: float, denominator: float, /) -> float:
        """Quotient; NaN where the denominator is zero."""
        return numerator / denominator if denominator != 0.0 else math.nan

    @staticmethod
    def maximum(a: float, b: float, /) -> float:
        """The larger of two; b where they do not compare."""
        return max(b, a)

    @staticmethod
    def minimum(a: float, b: float, /) -> float:
        """The smaller of two; b where they do not compare."""
        return min(b, a)


class ArrayArithmetic:
    """Arithmetic on float64 columns, row by row the same as `ScalarArithmetic`."""

    __slots__ = ()

    @staticmethod
    def log(x: Array, /) -> Array:
        """Natural logarithm; NaN where x is not positive."""
        return logarithm(np.ascontiguousarray(x))

    @staticmethod
    def sqrt(x: Array, /) -> Array:
        """Square root; NaN where x is negative."""
        return np.sqrt(x, out=np.full(x.shape, np.nan), where=x >= 0.0)

    @staticmethod
    def ratio(numerator: Array, denominator: Array, /) -> Array:
        """Quotient; NaN where the denominator is zero."""
        shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
        out: Array = np.full(shape, np.nan)
        np.divide(numerator, denominator, out=out, where=np.not_equal(denominator, 0.0))
        return out

    @staticmethod
    def maximum(a: Array, b: Array, /) -> Array:
        """The larger of two; b where they do not compare."""
        return np.where(np.greater(a, b), a, b)

    @staticmethod
    def minimum(a: Array, b: Array, /) -> Array:
        """The smaller of two; b where they do not compare."""
        return np.where(np.less(a, b), a, b)


def _logarithm_reference(x: Array) -> Array:
    return np.array([ScalarArithmetic.log(value) for value in x.tolist()], dtype=np.float64)


@kernel(reference=_logarithm_reference, example=lambda: (np.array([1.0, 2.0, -1.0]),))
def logarithm(x: Array) -> Array:
    """Natural logarithm of each element by the C library's `log`, NaN where it is not positive.

    NumPy's own vectorised logarithm may differ from `math.log` in the last bit; this one does not.
    """
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = math.log(x[i]) if x[i] > 0.0 else np.nan
    return out


SCALAR = ScalarArithmetic()
ARRAY = ArrayArithmetic()
