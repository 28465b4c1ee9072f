"""What every kernel must do: agree with its reference on its own example, in what it returns and what it fills."""

import copy
from typing import Any

import numpy as np

from nautilus.accel.kernel import Kernel


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
