"""Routed kernels: one function, several versions, the same arguments for all, and what each states about itself."""

from typing import Any

import numba
import numpy as np
import pytest

from nautilus.accel import Work, routed
from nautilus.errors import Conflict, Invalid, NotFound
from tests.accel.sample_kernels import extremes, polynomial, vector


def declared(**changes: Any) -> Any:
    return routed(
        **{
            "example": lambda size: (vector(size), 2.0),
            "size": lambda values, factor: len(values),
            "sizes": (10, 100),
            "work": lambda values, factor: Work(1.0, 1.0),
            **changes,
        }
    )


def scale(values: Any, factor: float = 2.0) -> Any:
    """Each value times the factor."""
    return values * factor


def test_a_kernel_is_called_by_module_and_function_or_as_it_is_told() -> None:
    assert polynomial.name == "sample_kernels.polynomial"
    assert declared(name="my.scale")(scale).name == "my.scale"
    assert polynomial.__doc__ == "factor x^2 + x, of each value x."
    assert repr(polynomial) == "<routed kernel sample_kernels.polynomial: numpy, numba, mlx>"


def test_calling_runs_numba_where_there_is_a_version_and_the_reference_elsewhere() -> None:
    values = vector(50)
    assert polynomial.default == "numba"
    np.testing.assert_allclose(polynomial(values, 3.0), polynomial.reference(values, 3.0), rtol=1e-12)
    assert extremes.default == "numpy"
    assert extremes(values) == (values.min(), values.max())


def test_however_it_is_called_numba_compiles_once() -> None:
    values = vector(20)
    read_only = values.copy()
    read_only.flags.writeable = False
    for args in ((values, 2.0), (read_only, 2), (values.astype(np.float32), np.float32(2)), (list(values), 2.0)):
        polynomial(*args)
    polynomial(vector(40)[::2], factor=1.0)
    compiled = polynomial._compiled
    assert isinstance(compiled, numba.core.registry.CPUDispatcher)
    assert len(compiled.signatures) == 1


def test_names_and_defaults_bind_like_the_references_own() -> None:
    values = vector(5)
    assert polynomial.prepare(factor=3, values=values)[1] == 3.0
    assert polynomial.prepare(values)[1] == 2.0
    with pytest.raises(Invalid, match=r"polynomial: missing a required argument: 'values'; takes \(values"):
        polynomial(factor=1.0)  # type: ignore[call-arg]
    with pytest.raises(Invalid, match="too many positional arguments"):
        polynomial.prepare(values, 1.0, 2.0)  # type: ignore[call-arg]
    with pytest.raises(Invalid, match="values: must have 1 dimensions, not 2"):
        polynomial(np.zeros((2, 2)))


def test_each_backend_states_its_error() -> None:
    assert [polynomial.error_of(backend) for backend in ("numpy", "numba", "mlx")] == [0.0, 1e-12, 1e-4]


def test_mlx_gives_read_only_float32_within_the_stated_error() -> None:
    pytest.importorskip("mlx.core")
    arguments = polynomial.sample(1000)
    computed = polynomial.computed("mlx", arguments)
    expected = polynomial.run("numpy", arguments)
    assert (computed.backend, computed.relative_error) == ("mlx", 1e-4)
    assert computed.seconds > 0
    assert computed.value.dtype == np.float32
    assert not computed.value.flags.writeable
    assert np.abs(computed.value - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_version_that_is_missing_is_named() -> None:
    with pytest.raises(NotFound, match=r"no version of .*extremes for 'numba'"):
        extremes.run("numba", extremes.sample(3))


def test_a_second_version_for_one_backend_is_refused() -> None:
    kernel = declared()(scale)
    kernel.numba(scale)
    with pytest.raises(Conflict, match="has a version for numba already"):
        kernel.numba_around(scale)


@pytest.mark.parametrize("sizes", [(), (0, 1), (5, 5), (9, 3)])
def test_sizes_that_cannot_be_measured_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(Invalid, match="sizes: must be positive and rising"):
        declared(sizes=sizes)(scale)


def test_warming_compiles_the_version_of_the_cpu() -> None:
    kernel = declared(name="my.warm")(scale)
    kernel.numba(scale)
    assert kernel.warm() > 0
    assert len(kernel._compiled.signatures) == 1
