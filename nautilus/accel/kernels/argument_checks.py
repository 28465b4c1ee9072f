"""What kernels ask of their arguments: compiled loops would read beyond an array that is too short."""

from typing import Any

from numpy.typing import NDArray

from nautilus.errors import Invalid


def check_lengths(**vectors: NDArray[Any]) -> None:
    """Raise Invalid, naming the first vector that has not as many values as the first of all.

    >>> import numpy as np
    >>> check_lengths(spot=np.zeros(2), strike=np.zeros(3))
    Traceback (most recent call last):
    nautilus.errors.Invalid: strike: must have as many values as spot, 2, not 3
    """
    first, *others = vectors
    count = vectors[first].size
    for name in others:
        if vectors[name].size != count:
            raise Invalid(name, f"must have as many values as {first}, {count}, not {vectors[name].size}")


def check_shape(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise Invalid unless the array has this shape."""
    if array.shape != shape:
        raise Invalid(name, f"must have shape {shape}, not {array.shape}")


def check_positive(**numbers: float) -> None:
    """Raise Invalid, naming the first number that is not above zero; NaN is not.

    >>> check_positive(limit=-1.0)
    Traceback (most recent call last):
    nautilus.errors.Invalid: limit: must be positive, not -1.0
    """
    for name, number in numbers.items():
        if not number > 0:
            raise Invalid(name, f"must be positive, not {number}")


def check_not_negative(**numbers: float) -> None:
    """Raise Invalid, naming the first number that is below zero or NaN.

    >>> check_not_negative(expiry=-1.0)
    Traceback (most recent call last):
    nautilus.errors.Invalid: expiry: must not be negative, not -1.0
    """
    for name, number in numbers.items():
        if not number >= 0:
            raise Invalid(name, f"must not be negative, not {number}")
