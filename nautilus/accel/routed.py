"""A routed kernel is one array function with a float64 NumPy reference and faster versions of it on other backends."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import Any, Concatenate, Literal, cast

import msgspec

from nautilus.accel.arguments import copied_bytes, like
from nautilus.accel.full_precision import import_mlx
from nautilus.errors import Conflict, Invalid, NotFound

Backend = Literal["numpy", "numba", "mlx"]
BACKENDS: tuple[Backend, ...] = ("numpy", "numba", "mlx")
LARGEST = 1_000_000_000
"""The size up to which others may ask for a kernel that does not say otherwise."""


class Work(msgspec.Struct, frozen=True):
    """What one call must do at least: floating point operations, and bytes read and written once each."""

    flops: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Computed[R]:
    """A result: which backend made it, how far it may lie from the float64 reference, seconds on the thread."""

    value: R
    backend: Backend
    relative_error: float
    seconds: float


class RoutedKernel[**P, R]:
    """An array function with several implementations; `kernel(...)` runs the best one of the CPU, here and now.

    Inside a node, `await accel.compute(kernel, ...)` runs it off the loop on the backend that measurements favour.
    Every implementation gets the same arguments, brought to the types of `example`: arrays are float64 (or whatever
    the example's are), C-contiguous and read-only, numbers are Python's. So each compiles once, whoever calls.
    """

    def __init__(
        self,
        reference: Callable[P, R],
        *,
        name: str,
        example: Callable[[int], tuple[Any, ...]],
        size: Callable[..., int],
        sizes: tuple[int, ...],
        work: Callable[..., Work],
        relative_error: float = 1e-12,
        float32_error: float = 1e-4,
        compare: Callable[[Any, Any], None] | None = None,
        largest: int = LARGEST,
    ) -> None:
        if not sizes or list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
            raise Invalid("sizes", f"must be positive and rising, not {sizes}")
        self.__doc__ = reference.__doc__
        self.name = name
        self.reference = reference
        self.example = example
        self.size = size
        self.sizes = sizes
        self.work = work
        self.relative_error = relative_error
        self.float32_error = float32_error
        self.compare = compare
        self.largest = largest
        self.implementations: dict[Backend, Callable[..., Any]] = {"numpy": reference}
        self._compiles = False

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the Numba version, or the reference where there is none, on the calling thread."""
        return self.run(self.default, self.prepare(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<routed kernel {self.name}: {', '.join(self.implementations)}>"

    @property
    def default(self) -> Backend:
        """What runs where nothing has been measured: never MLX."""
        return "numba" if "numba" in self.implementations else "numpy"

    @property
    def deterministic(self) -> bool:
        """Whether all implementations give equal values; one that draws its own numbers gives equal moments."""
        return self.compare is None

    # -- declaring implementations -------------------------------------------------------------------------------

    def numba(self, function: Callable[P, R]) -> Callable[P, R]:
        """Add the version that Numba compiles at its first call: cached on disk, GIL released."""
        self._add("numba", function)
        self._compiles = True
        return function

    def numba_around(self, function: Callable[P, R]) -> Callable[P, R]:
        """Add a Numba version that is a Python function itself and calls others that `jit` has compiled."""
        self._add("numba", function)
        return function

    def mlx(self, function: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate[Any, P], Any]:
        """Add the MLX version: called as `f(mx, *arguments)` on the device thread, with NumPy arguments.

        It brings them over with `nautilus.accel.arrays.to_device` and returns MLX arrays in the shape of the
        reference's result (an array, or a tuple of them; one without dimensions becomes a number).
        """
        self._add("mlx", function)
        return function

    def _add(self, backend: Backend, function: Callable[..., Any]) -> None:
        if backend in self.implementations:
            raise Conflict(f"{self.name} has a version for {backend} already")
        self.implementations[backend] = function

    # -- running -------------------------------------------------------------------------------------------------

    def prepare(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Any, ...]:
        """The arguments by position, in the types of the example; raises Invalid naming what does not fit."""
        return self._prepared(args, kwargs)

    def _prepared(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        pairs = zip(self._parameters, self._pattern, self._positioned(args, kwargs), strict=True)
        return tuple(like(pattern, value, parameter) for parameter, pattern, value in pairs)

    def copied_bytes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """About how many bytes `prepare` would copy."""
        return sum(map(copied_bytes, self._pattern, self._positioned(args, kwargs)))

    def run(self, backend: Backend, arguments: tuple[Any, ...]) -> R:
        """Run one implementation on prepared arguments. MLX's only on the device thread. Results are NumPy's.

        MLX's results are read-only float32 views of its memory.
        """
        if backend == "mlx":
            return cast("R", self._run_mlx(arguments))
        return cast("R", self._on_cpu(backend)(*arguments))

    def computed(self, backend: Backend, arguments: tuple[Any, ...]) -> Computed[R]:
        """The result of `run`, and how it was come by."""
        started = perf_counter()
        value = self.run(backend, arguments)
        return Computed(value, backend, self.error_of(backend), perf_counter() - started)

    def error_of(self, backend: Backend) -> float:
        """The stated bound of a backend's relative difference to the reference."""
        return {"numpy": 0.0, "numba": self.relative_error, "mlx": self.float32_error}[backend]

    def warm(self) -> float:
        """Compile the CPU version (or load it from the disk cache) by running it; returns the seconds it took."""
        started = perf_counter()
        self.run(self.default, self.sample(self.sizes[0]))
        return perf_counter() - started

    def sample(self, size: int) -> tuple[Any, ...]:
        """Prepared arguments of about this size, the same every time."""
        return self._prepared(self.example(size), {})

    def _on_cpu(self, backend: Backend) -> Callable[..., Any]:
        if backend == "numba" and self._compiles:
            return self._compiled
        try:
            return self.implementations[backend]
        except KeyError:
            raise NotFound(f"version of {self.name} for", backend) from None

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        from nautilus.accel.kernel import jit  # Numba takes a while to import

        return jit(self.implementations["numba"])

    def _run_mlx(self, arguments: tuple[Any, ...]) -> Any:
        function = self._on_cpu("mlx")
        from nautilus.accel.arrays import from_device

        mx = import_mlx()
        return from_device(mx, function(mx, *arguments))

    # -- arguments -----------------------------------------------------------------------------------------------

    @cached_property
    def signature(self) -> inspect.Signature:
        """The reference's."""
        return inspect.signature(self.reference)

    @cached_property
    def _parameters(self) -> tuple[str, ...]:
        return tuple(self.signature.parameters)

    @cached_property
    def _pattern(self) -> tuple[Any, ...]:
        return self._bound(self.example(self.sizes[0]), {})

    def _positioned(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        return self._bound(args, kwargs) if kwargs or len(args) != len(self._parameters) else args

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise Invalid(self.name, f"{error}; takes {self.signature}") from None
        bound.apply_defaults()
        return tuple(bound.arguments.values())


def routed[**P, R](
    *,
    example: Callable[[int], tuple[Any, ...]],
    size: Callable[..., int],
    sizes: tuple[int, ...],
    work: Callable[..., Work],
    relative_error: float = 1e-12,
    float32_error: float = 1e-4,
    compare: Callable[[Any, Any], None] | None = None,
    largest: int = LARGEST,
    name: str = "",
) -> Callable[[Callable[P, R]], RoutedKernel[P, R]]:
    """Make the decorated function, plain NumPy in float64, the reference of a routed kernel.

    `example(size)` gives arguments of about a size (also 0 and 1), the same every time; their types are the kernel's.
    `size(*arguments)` is the elements of work, the axis on which backends are compared; `sizes` are measured by
    calibration; `work(*arguments)` is what a call must do at least. `relative_error` and `float32_error` state how far
    Numba's and MLX's results may lie from the reference, relative to the largest value of each result.

    A kernel that draws random numbers takes a seed, and each version may draw its own: it is reproducible on one
    backend, and `compare(found, expected)` raises AssertionError where the two are not alike in distribution.

    `largest` is the greatest size that other processes may ask for. The name is module and function, such
    as "covariance.covariance_matrix".
    """

    def wrap(function: Callable[P, R]) -> RoutedKernel[P, R]:
        return RoutedKernel(
            function,
            name=name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}",
            example=example,
            size=size,
            sizes=sizes,
            work=work,
            relative_error=relative_error,
            float32_error=float32_error,
            compare=compare,
            largest=largest,
        )

    return wrap
