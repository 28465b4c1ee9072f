"""A kernel is one array function with a plain reference and a compiled form that must agree with it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, cast

import numba


def jit[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with Numba on its first call, cached on disk, GIL released.

    For the inner functions of kernels. Keep them in the kernel's own file: Numba's cache only watches that one.
    """
    return cast("Callable[P, R]", numba.njit(function, cache=True, nogil=True))


class Kernel[**P, R]:
    """An array function: `kernel(...)` runs the compiled form, `kernel.reference(...)` the obvious one."""

    def __init__(
        self,
        function: Callable[P, R],
        reference: Callable[P, R],
        example: Callable[[], tuple[Any, ...]],
        relative_error: float,
    ) -> None:
        self.__doc__ = function.__doc__
        self.relative_error = relative_error
        self.function = function
        self.reference = reference
        self.example = example
        self.compiled = jit(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the compiled form."""
        return self.compiled(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"

    @property
    def name(self) -> str:
        """Dotted name, unique over the installation."""
        return f"{self.function.__module__}.{self.function.__name__}"

    def warm(self) -> float:
        """Compile (or load from the disk cache) by running the example; returns the seconds it took."""
        started = perf_counter()
        compiled = cast("Callable[..., R]", self.compiled)
        compiled(*self.example())
        return perf_counter() - started


def kernel[**P, R](
    *, reference: Callable[P, R], example: Callable[[], tuple[Any, ...]], relative_error: float = 1e-9
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Declare a kernel: the decorated function is what Numba compiles, `reference` what tests hold it against.

    `example` gives small arguments of the types used in production; running it is what compiles the kernel.
    `relative_error` is how far the two forms may differ.
    """

    def wrap(function: Callable[P, R]) -> Kernel[P, R]:
        return Kernel(function, reference, example, relative_error)

    return wrap
