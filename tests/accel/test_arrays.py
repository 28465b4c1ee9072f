"""What NumPy, MLX and Polars share is shared by address, read-only; what is copied loses only what is stated."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.accel.arrays import column_view, from_device, read_only_view, to_device
from nautilus.accel.full_precision import import_mlx
from nautilus.errors import Invalid
from tests.accel.sample_kernels import Extremes


@pytest.fixture(scope="module")
def mx() -> Any:
    pytest.importorskip("mlx.core")
    return import_mlx()


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def device_address(array: Any) -> int:
    """Where MLX says that its memory is."""
    return address(np.frombuffer(memoryview(array).cast("B"), np.uint8))


def test_from_mlx_to_numpy_nothing_is_copied(mx: Any) -> None:
    held = mx.arange(1000, dtype=mx.float32)
    mx.eval(held)
    view = read_only_view(held)
    assert address(view) == device_address(held)
    assert address(read_only_view(held)) == address(view)
    np.testing.assert_array_equal(view, np.arange(1000, dtype=np.float32))


def test_nobody_can_write_to_what_mlx_holds(mx: Any) -> None:
    view = from_device(mx, mx.zeros((3,)))
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        view.flags.writeable = True


def test_a_view_outlives_the_array_that_it_shows(mx: Any) -> None:
    views = [from_device(mx, mx.full((1000,), float(number))) for number in range(50)]
    mx.clear_cache()
    assert [float(view.sum()) for view in views] == [1000.0 * number for number in range(50)]


def test_from_numpy_to_mlx_everything_is_copied(mx: Any) -> None:
    values = np.ones(10, np.float32)
    held = to_device(mx, values)
    mx.eval(held)
    values[:] = 2.0
    assert device_address(held) != address(values)
    np.testing.assert_array_equal(read_only_view(held), np.ones(10))


@given(arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats(width=64)))
def test_float64_becomes_the_nearest_float32(values: np.ndarray) -> None:
    mx = import_mlx()
    found = from_device(mx, to_device(mx, values))
    assert found.dtype == np.float32
    normal = (np.abs(values) >= np.finfo(np.float32).tiny) | (values == 0) | ~np.isfinite(values)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found[normal], values[normal].astype(np.float32))


def test_float64_is_kept_where_it_is_asked_for_on_the_cpu(mx: Any) -> None:
    values = np.array([1.0 + 2.0**-50])
    with mx.stream(mx.cpu):
        if mx.default_device() != mx.cpu:
            with pytest.raises(Invalid, match="has no float64"):
                to_device(mx, values, keep_float64=True)
            return
        found = from_device(mx, to_device(mx, values, keep_float64=True))
    assert found.dtype == np.float64
    assert found[0] == values[0]


def test_a_gpu_is_told_to_have_no_float64() -> None:
    class Gpu:
        cpu, float64 = "cpu", "float64"

        def default_device(self) -> str:
            return "gpu"

    with pytest.raises(Invalid, match="gpu has no float64"):
        to_device(Gpu(), np.zeros(1), keep_float64=True)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.bool_, np.uint8])
def test_other_types_keep_theirs(mx: Any, dtype: Any) -> None:
    values = np.array([[0, 1], [1, 0]], dtype)
    for given_ in (values, values.T, values[:0]):
        found = from_device(mx, to_device(mx, given_))
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, given_)


def test_results_keep_their_structure_and_numbers_become_pythons(mx: Any) -> None:
    values = mx.array([3.0, 1.0, 2.0])
    found = from_device(mx, Extremes(values.min(), values.max()))
    assert found == Extremes(1.0, 3.0)
    assert type(found.least) is float
    nested = from_device(mx, ((values, values[1:]), 5))
    assert nested[1] == 5
    assert nested[0][1].tolist() == [1.0, 2.0]


def test_views_of_strided_arrays_show_the_right_values(mx: Any) -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    held = to_device(mx, values)
    for change in (lambda one: one.transpose(2, 0, 1), lambda one: one[:, 1:, ::2]):
        np.testing.assert_array_equal(from_device(mx, change(held)), change(values))


def test_from_polars_to_numpy_nothing_is_copied() -> None:
    series = pl.Series("price", [1.0, 2.0, 3.0])
    first = column_view(series)
    assert address(column_view(series)) == address(first)
    assert address(column_view(series.slice(1))) == address(first) + 8
    assert not first.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 9.0


@pytest.mark.parametrize(
    "series",
    [
        pl.Series("price", [1.0, None]),
        pl.Series("price", [1.0]).append(pl.Series([2.0])),
        pl.Series("price", ["a"]),
    ],
)
def test_a_column_that_cannot_be_shared_is_refused_rather_than_copied(series: pl.Series) -> None:
    with pytest.raises(Invalid, match="price: cannot be shared"):
        column_view(series)
