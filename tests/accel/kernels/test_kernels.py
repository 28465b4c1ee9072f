"""Every kernel of finance passes the conformance check, and the examples in its docstring are right."""

import doctest
from importlib import import_module

import pytest

from nautilus.accel.routed import RoutedKernel
from nautilus.checks.kernels import check_routed_kernel

MODULES = (
    "covariance",
    "elementwise",
    "implied_volatility",
    "matrix_product",
    "monte_carlo",
    "option_simulation",
    "options",
    "student_distribution",
)
KERNELS = [
    item
    for module in MODULES
    for item in vars(import_module(f"nautilus.accel.kernels.{module}")).values()
    if isinstance(item, RoutedKernel)
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_every_version_agrees_with_the_reference(kernel):
    check_routed_kernel(kernel, sizes=kernel.sizes[:2])


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_examples_in_its_docstring_are_right(kernel):
    finder = doctest.DocTestParser()
    test = finder.get_doctest(kernel.__doc__, vars(import_module(kernel.reference.__module__)), kernel.name, None, 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_names_are_distinct():
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)
