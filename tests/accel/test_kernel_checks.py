"""The conformance check of routed kernels: it passes what keeps its promises and names what breaks them."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

from nautilus.accel import RoutedKernel, Work, kernels, routed
from nautilus.accel.kernels import all_kernels
from nautilus.checks import check_routed_kernel
from nautilus.errors import Invalid
from tests.accel.sample_kernels import draws, extremes, polynomial, vector


@pytest.mark.parametrize("kernel", [polynomial, extremes, draws], ids=lambda kernel: kernel.name)
def test_kernels_that_keep_their_promises_pass(kernel: RoutedKernel[..., Any]) -> None:
    check_routed_kernel(kernel, sizes=[100])


@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.name)
def test_every_kernel_of_the_package_conforms(kernel: RoutedKernel[..., Any]) -> None:
    check_routed_kernel(kernel)


def test_no_kernel_of_the_package_is_left_out() -> None:
    modules = [import_module(f"{kernels.__name__}.{found.name}") for found in iter_modules(kernels.__path__)]
    declared = {item.name for module in modules for item in vars(module).values() if isinstance(item, RoutedKernel)}
    assert declared == {kernel.name for kernel in all_kernels()}


def test_every_kernel_of_the_package_has_a_name_of_its_own() -> None:
    names = [kernel.name for kernel in all_kernels()]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


def broken(numba: Any, reference: Any = None, **changes: Any) -> RoutedKernel[..., Any]:
    def double(values: Any) -> Any:
        """Twice the values."""
        return values * 2.0

    options: dict[str, Any] = {
        "example": lambda size: (vector(size),),
        "size": len,
        "sizes": (10,),
        "work": lambda values: Work(1.0, 1.0),
        "name": "broken",
    }
    kernel = routed(**options | changes)(reference or double)
    kernel.numba_around(numba)
    return kernel


def refuse_none(values: Any) -> Any:
    """Twice the values, of which there must be some."""
    if not len(values):
        raise Invalid("values", "must not be empty")
    return values * 2.0


def in_float32(values: Any) -> Any:
    """Twice the values, in too few digits."""
    return values.astype(np.float32) * 2


def into_its_argument(values: Any) -> Any:
    values *= 2.0
    return values


COUNT = iter(range(10**9))


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        (broken(lambda values: values * 2.001), "broken on numba at 1"),
        (broken(lambda values: values[:-1] * 2.0), "has shape"),
        (broken(lambda values: (values * 2.0,)), "has shape"),
        (broken(lambda values: values, lambda values: values + 0.0), "has no docstring"),
        (broken(lambda values: values * 2.0 + next(COUNT)), "another result the second time"),
        (broken(lambda values: values * 2.0, refuse_none), "takes size 0"),
        (broken(lambda values: values * 2.0, in_float32), "computes in float32"),
        (broken(lambda values: values * 2.0, work=lambda values: Work(np.nan, 1.0)), "no finite work"),
        (broken(lambda values: values * 2.0, work=lambda values: Work(-1.0, 1.0)), "negative work"),
        (broken(lambda values: values * 2.0, example=lambda size: (np.full(size, next(COUNT)),)), "another example"),
    ],
)
def test_broken_promises_are_named(kernel: RoutedKernel[..., Any], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_routed_kernel(kernel)


def test_a_result_in_the_memory_of_an_argument_is_found() -> None:
    def same(values: Any) -> Any:
        """The values."""
        return values.copy()

    with pytest.raises(AssertionError, match="returns the memory of an argument"):
        check_routed_kernel(broken(lambda values: values, same))


def test_an_argument_cannot_even_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        check_routed_kernel(broken(into_its_argument))
