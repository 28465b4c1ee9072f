"""Operators that treat every cell on its own; NaN in any operand that counts gives NaN, and so does any infinity.

Comparisons and logic give 1.0 and 0.0; anything but zero is true. All accept panels and plain numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Values = NDArray[np.float64]


def _finite(x: Values) -> Values:
    return np.where(np.isfinite(x), x, np.nan)


def _flag(truth: NDArray[np.bool_], *operands: Values) -> Values:
    missing = np.zeros(np.shape(truth), dtype=bool)
    for operand in operands:
        missing |= np.isnan(operand)
    return np.where(missing, np.nan, truth.astype(np.float64))


def add(x: Values, y: Values) -> Values:
    """Sum."""
    return _finite(np.add(x, y))


def subtract(x: Values, y: Values) -> Values:
    """Difference."""
    return _finite(np.subtract(x, y))


def multiply(x: Values, y: Values) -> Values:
    """Product."""
    return _finite(np.multiply(x, y))


def divide(x: Values, y: Values) -> Values:
    """Quotient; NaN where the divisor is zero."""
    return _finite(np.divide(x, y))


def power(x: Values, y: Values) -> Values:
    """x to the power y; NaN for a fractional power of a negative and a negative power of zero."""
    value = np.power(x, y)
    return np.where(np.isfinite(value) & ~np.isnan(x) & ~np.isnan(y), value, np.nan)


def signed_power(x: Values, y: Values) -> Values:
    """Sign of x times its magnitude to the power y."""
    return np.sign(x) * power(np.abs(x), y)


def negate(x: Values) -> Values:
    """Minus x."""
    return np.negative(x)


def absolute(x: Values) -> Values:
    """Magnitude."""
    return np.abs(x)


def sign(x: Values) -> Values:
    """-1, 0 or 1."""
    return np.sign(x)


def logarithm(x: Values) -> Values:
    """Natural logarithm; NaN unless x is positive."""
    return _finite(np.log(x))


def exponential(x: Values) -> Values:
    """e to the power x."""
    return _finite(np.exp(x))


def square_root(x: Values) -> Values:
    """Square root; NaN for a negative."""
    return np.sqrt(x)


def smaller(x: Values, y: Values) -> Values:
    """The smaller of two."""
    return np.minimum(x, y)


def larger(x: Values, y: Values) -> Values:
    """The larger of two."""
    return np.maximum(x, y)


def clip(x: Values, low: float, high: float) -> Values:
    """x, but at least `low` and at most `high`."""
    return np.minimum(np.maximum(x, low), high)


def fill(x: Values, value: float) -> Values:
    """x, with `value` in place of NaN."""
    return np.where(np.isnan(x), value, x)


def defined(x: Values) -> Values:
    """1 where x is a number, 0 where it is NaN."""
    return np.where(np.isnan(x), 0.0, 1.0)


def where(condition: Values, chosen: Values, other: Values) -> Values:
    """`chosen` where the condition is true, `other` where it is zero, NaN where it is NaN."""
    return np.where(np.isnan(condition), np.nan, np.where(np.not_equal(condition, 0.0), chosen, other))


def less(x: Values, y: Values) -> Values:
    """1 where x < y."""
    return _flag(np.less(x, y), x, y)


def less_equal(x: Values, y: Values) -> Values:
    """1 where x <= y."""
    return _flag(np.less_equal(x, y), x, y)


def equal(x: Values, y: Values) -> Values:
    """1 where x equals y exactly."""
    return _flag(np.equal(x, y), x, y)


def not_equal(x: Values, y: Values) -> Values:
    """1 where x differs from y."""
    return _flag(np.not_equal(x, y), x, y)


def both(x: Values, y: Values) -> Values:
    """1 where x and y are both true."""
    return _flag(np.logical_and(np.not_equal(x, 0.0), np.not_equal(y, 0.0)), x, y)


def either(x: Values, y: Values) -> Values:
    """1 where x or y is true."""
    return _flag(np.logical_or(np.not_equal(x, 0.0), np.not_equal(y, 0.0)), x, y)


def negation(x: Values) -> Values:
    """1 where x is zero."""
    return _flag(np.equal(x, 0.0), x)
