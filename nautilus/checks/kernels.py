"""What every kernel must do: agree with its reference, in what it returns and what it fills."""

import copy
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from nautilus.accel.kernel import Kernel
from nautilus.accel.routed import Backend, RoutedKernel
from nautilus.errors import Invalid

ODD_SIZES = (0, 1, 7, 33)
"""Sizes beside the smallest of calibration: none, one, and what fits no vector register."""


def check_kernel(kernel: Kernel[..., Any]) -> None:
    """Raise AssertionError where the two forms differ on the example by more than the kernel's stated error."""
    relative_error = kernel.relative_error
    arguments = kernel.example()
    others = copy.deepcopy(arguments)
    found = kernel.compiled(*arguments)
    expected = kernel.reference(*others)
    if expected is not None:
        _assert_equal(found, expected, relative_error, kernel.name)
    _assert_equal(arguments, others, relative_error, kernel.name)
    assert kernel.__doc__, f"{kernel.name} has no docstring"


def _assert_equal(found: Any, expected: Any, relative_error: float, name: str) -> None:
    if isinstance(expected, tuple):
        assert len(found) == len(expected), name
        for one, other in zip(found, expected, strict=True):
            _assert_equal(one, other, relative_error, name)
    else:
        np.testing.assert_allclose(found, expected, rtol=relative_error, atol=1e-12, err_msg=name)


def check_routed_kernel(kernel: RoutedKernel[..., Any], sizes: Sequence[int] = ()) -> None:
    """Hold every implementation that works here against the reference at several sizes; raises AssertionError.

    At each of `ODD_SIZES`, the smallest size of calibration and `sizes`: the example is the same every time, results
    have the reference's shapes and lie within the stated errors (or are alike, for a kernel with its own `compare`),
    the same arguments give the same result again, no argument changes and no result shares memory with one. The
    reference computes in float64. Where it refuses a size, all of them do. What a kernel does with NaN and infinity
    is its own to say. Compiles on the calling thread: not for a loop.
    """
    assert kernel.__doc__, f"{kernel.name} has no docstring"
    for size in sorted({*ODD_SIZES, kernel.sizes[0], *sizes}):
        try:
            arguments = kernel.sample(size)
            assert _leaves_equal(arguments, kernel.sample(size)), f"{kernel.name}: another example the second time"
            expected = kernel.run("numpy", arguments)
        except Invalid:
            for backend in _backends(kernel):
                assert _refuses(kernel, backend, size), f"{kernel.name} on {backend} takes size {size}"
            continue
        _check_declarations(kernel, arguments, f"{kernel.name} at {size}")
        assert not _float32(expected), f"{kernel.name}: the reference computes in float32"
        for backend in _backends(kernel):
            _check_backend(kernel, backend, arguments, expected, f"{kernel.name} on {backend} at {size}")


def _backends(kernel: RoutedKernel[..., Any]) -> list[Backend]:
    has_mlx = importlib.util.find_spec("mlx") is not None
    return [backend for backend in kernel.implementations if backend != "mlx" or has_mlx]


def _refuses(kernel: RoutedKernel[..., Any], backend: Backend, size: int) -> bool:
    try:
        kernel.run(backend, kernel.sample(size))
    except Invalid:
        return True
    return False


def _check_declarations(kernel: RoutedKernel[..., Any], arguments: tuple[Any, ...], name: str) -> None:
    assert kernel.size(*arguments) >= 0, f"{name} has a negative size"
    work = kernel.work(*arguments)
    assert np.isfinite([work.flops, work.bytes]).all(), f"{name} has no finite work"
    assert min(work.flops, work.bytes) >= 0, f"{name} has negative work"


def _check_backend(
    kernel: RoutedKernel[..., Any], backend: Backend, arguments: tuple[Any, ...], expected: Any, name: str
) -> None:
    before = copy.deepcopy(arguments)
    found = kernel.run(backend, arguments)
    again = kernel.run(backend, arguments)
    assert _leaves_equal(arguments, before), f"{name} changes its arguments"
    assert _leaves_equal(found, again), f"{name} gives another result the second time"
    inputs = [leaf for leaf in _leaves(arguments) if isinstance(leaf, np.ndarray)]
    for leaf in _leaves(found):
        if isinstance(leaf, np.ndarray):
            shared = any(np.shares_memory(leaf, one) for one in inputs)
            assert not shared, f"{name} returns the memory of an argument"
    if kernel.compare is not None:
        kernel.compare(found, expected)
        return
    _assert_within(found, expected, kernel.error_of(backend), name)


def _assert_within(found: Any, expected: Any, error: float, name: str) -> None:
    """Each result's error is relative to its largest value, which is what sums of products promise."""
    if isinstance(expected, tuple):
        assert isinstance(found, tuple), f"{name} returns a {type(found).__name__}, not a tuple"
        assert len(found) == len(expected), f"{name} returns {len(found)} results, not {len(expected)}"
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            _assert_within(one, other, error, f"{name}, result {index}")
        return
    assert np.shape(found) == np.shape(expected), f"{name} has shape {np.shape(found)}, not {np.shape(expected)}"
    finite = np.abs(expected)[np.isfinite(expected)]
    scale = float(finite.max()) if np.size(finite) else 0.0
    np.testing.assert_allclose(found, expected, rtol=error, atol=error * scale, err_msg=name)


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, tuple) else [value]


def _leaves_equal(one: Any, other: Any) -> bool:
    pairs = zip(_leaves(one), _leaves(other), strict=True)
    return all(np.array_equal(left, right, equal_nan=_is_float(left)) for left, right in pairs)


def _is_float(value: Any) -> bool:
    return np.issubdtype(np.asarray(value).dtype, np.inexact)


def _float32(value: Any) -> bool:
    return any(np.asarray(leaf).dtype == np.float32 for leaf in _leaves(value))
