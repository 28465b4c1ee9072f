"""Arrays between NumPy, MLX and Polars: the one place that knows what is shared, what is copied and what loses digits.

| from   | to    | memory | values                                                                    |
|--------|-------|--------|---------------------------------------------------------------------------|
| NumPy  | MLX   | copied | float64 becomes float32, or stays float64 where asked for and on the CPU  |
| MLX    | NumPy | shared | unchanged, read-only                                                      |
| Polars | NumPy | shared | unchanged, read-only; refused where it cannot be shared                   |
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.errors import Invalid

if TYPE_CHECKING:
    import polars as pl


def to_device(mx: Any, array: ArrayLike, *, keep_float64: bool = False) -> Any:
    """Copy an array to MLX, on the device thread. float64 becomes float32: some seven digits, and at most 3.4e38.

    What is larger becomes infinite; NaN stays NaN. `keep_float64` keeps all digits; GPUs have no float64, so that it
    raises Invalid there.
    """
    given = np.asarray(array)
    if given.dtype != np.float64:
        return mx.array(given)
    if not keep_float64:
        return mx.array(given, dtype=mx.float32)
    if mx.default_device() != mx.cpu:
        raise Invalid("keep_float64", f"{mx.default_device()} has no float64; only the CPU has")
    return mx.array(given, dtype=mx.float64)


def from_device(mx: Any, value: Any) -> Any:
    """Evaluate MLX arrays (one, or a tuple of any depth, named or not) on the device thread and give them to NumPy.

    Arrays are read-only views of MLX's memory, which lives as long as they do; one without dimensions becomes a
    Python number.
    """
    mx.eval(value)
    return _given(mx, value)


def _given(mx: Any, value: Any) -> Any:
    if isinstance(value, tuple):
        items = [_given(mx, item) for item in value]
        return type(value)._make(items) if hasattr(value, "_make") else tuple(items)
    if not isinstance(value, mx.array):
        return value
    if value.ndim == 0:
        return value.item()
    return read_only_view(value)


def read_only_view(array: Any) -> NDArray[Any]:
    """An evaluated MLX array as NumPy sees it: the same memory, which nobody can be made to write."""
    if array.size == 0:
        return np.empty(array.shape, dtype=str(array.dtype).rpartition(".")[2])  # nothing to share
    return np.asarray(memoryview(array).toreadonly())


def column_view(series: "pl.Series") -> NDArray[Any]:
    """A Polars column as NumPy sees it: the same memory, read-only.

    Raises Invalid where it would have to be copied: nulls, several chunks (`rechunk` it), or a type NumPy has not.
    """
    try:
        return series.to_numpy(allow_copy=False)
    except RuntimeError as error:
        raise Invalid(series.name or "series", f"cannot be shared with NumPy: {error}") from None
