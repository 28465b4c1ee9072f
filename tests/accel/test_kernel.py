"""Kernels: a compiled form and a reference that the conformance check holds together; registered ones all compile."""

import threading

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from nautilus.accel.kernel import Kernel, jit, kernel
from nautilus.checks import check_kernel
from nautilus.engines.registry import engine_entry_points, engine_type

Floats = NDArray[np.float64]


def running_sum_reference(values: Floats) -> Floats:
    return np.cumsum(values)


@jit
def add(one: float, other: float) -> float:
    return one + other


@kernel(reference=running_sum_reference, example=lambda: (np.arange(5.0),))
def running_sum(values: Floats) -> Floats:
    """Sums of all values so far."""
    sums = np.empty_like(values)
    total = 0.0
    for index in range(len(values)):
        total = add(total, values[index])
        sums[index] = total
    return sums


def wrong(values: Floats) -> Floats:
    """Claims to be the running sum."""
    return values + 1.0


def test_the_compiled_form_equals_the_reference() -> None:
    check_kernel(running_sum)
    values = np.random.default_rng(1).normal(size=1000)
    np.testing.assert_allclose(running_sum(values), running_sum.reference(values), rtol=1e-12)
    assert running_sum.__doc__ == "Sums of all values so far."


def test_the_check_finds_a_kernel_that_differs_from_its_reference() -> None:
    with pytest.raises(AssertionError, match="wrong"):
        check_kernel(Kernel(wrong, running_sum_reference, lambda: (np.arange(3.0),), 1e-9))


def test_warming_compiles_for_the_types_of_the_example() -> None:
    fresh = Kernel(wrong, wrong, lambda: (np.arange(3.0),), 1e-9)
    assert isinstance(fresh.compiled, numba.core.registry.CPUDispatcher)
    assert fresh.compiled.signatures == []
    assert fresh.warm() > 0
    assert len(fresh.compiled.signatures) == 1


def test_a_running_kernel_lets_other_threads_run() -> None:
    values = np.ones(5_000_000)
    running_sum(values[:10])
    beats = 0
    thread = threading.Thread(target=running_sum, args=(values,))
    thread.start()
    while thread.is_alive():
        beats += 1
    thread.join()
    assert beats > 100


def test_every_registered_kernel_has_a_name_of_its_own() -> None:
    kernels = [item for name in engine_entry_points() for item in engine_type(name).kernels]
    distinct = {id(item) for item in kernels}
    assert len({item.name for item in kernels}) == len(distinct)
