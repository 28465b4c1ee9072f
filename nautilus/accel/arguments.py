"""Arguments of kernels, brought to the types of an example, so that every caller meets the same compiled code."""

import operator
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

_SEQUENCE_ITEM_BYTES = 64
"""What an item of a list is reckoned at: converting it takes about as long as copying this much."""


def like(example: Any, value: Any, name: str) -> Any:
    """`value` in the type of `example`: an array in its dtype, C-contiguous and read-only; a number as Python's own.

    An array that has the type already is not copied. Tuples go item by item; the first item of the example stands for
    all where their numbers differ. Raises Invalid, naming the argument, where that would lose something.

    >>> like(1.5, 2, "rate")
    2.0
    >>> like(np.zeros(3), [1, 2], "spot")
    array([1., 2.])
    >>> like(1, 2.5, "paths")
    Traceback (most recent call last):
    nautilus.errors.Invalid: paths: must be a whole number, not 2.5
    """
    if isinstance(example, np.ndarray):
        return _array_like(example, value, name)
    if isinstance(example, bool):
        if not isinstance(value, bool | np.bool_):
            raise Invalid(name, f"must be true or false, not {value!r}")
        return bool(value)
    if isinstance(example, int):
        return _whole(value, name)
    if isinstance(example, float):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise Invalid(name, f"must be a number, not {_shown(value)}")
        return float(value)
    if isinstance(example, tuple):
        return _tuple_like(example, value, name)
    if not isinstance(value, type(example)):
        raise Invalid(name, f"must be a {type(example).__name__}, not {_shown(value)}")
    return value


def copied_bytes(example: Any, value: Any) -> int:
    """About how many bytes `like` would copy: what is much should not be copied on the loop."""
    if isinstance(example, tuple) and isinstance(value, tuple | list):
        examples = example if len(example) == len(value) else example[:1] * len(value)
        return sum(map(copied_bytes, examples, value))
    if not isinstance(example, np.ndarray):
        return 0
    if isinstance(value, np.ndarray):
        return 0 if value.dtype == example.dtype and value.flags.c_contiguous else value.size * example.itemsize
    return _SEQUENCE_ITEM_BYTES * len(value) if hasattr(value, "__len__") else 0


def _array_like(example: NDArray[Any], value: Any, name: str) -> NDArray[Any]:
    try:
        given = np.asarray(value)
    except ValueError as error:
        raise Invalid(name, f"must be an array: {error}") from None
    if given.size and not np.can_cast(given.dtype, example.dtype, "same_kind"):
        raise Invalid(name, f"must be an array of {example.dtype}, not of {given.dtype}")
    if given.ndim != example.ndim:
        raise Invalid(name, f"must have {example.ndim} dimensions, not {given.ndim}")
    array = np.ascontiguousarray(given, dtype=example.dtype) if example.ndim else given.astype(example.dtype)
    view = array.view()
    view.flags.writeable = False
    return view


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool):
        raise Invalid(name, f"must be a whole number, not {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise Invalid(name, f"must be a whole number, not {_shown(value)}") from None


def _tuple_like(example: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise Invalid(name, f"must be a tuple, not {_shown(value)}")
    if len(example) != len(value):
        example = example[:1] * len(value)
    items = (
        like(one, other, f"{name}[{index}]") for index, (one, other) in enumerate(zip(example, value, strict=True))
    )
    return tuple(items)


def _shown(value: Any) -> str:
    return f"{value!r:.60}" if isinstance(value, str | float | int) else f"a {type(value).__name__}"
