"""Where work goes that would block the loop: a few threads for kernels, one thread of its own for MLX.

`run` takes any function. `compute` takes a routed kernel and runs it where the measurements of this machine say.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.accel import measurements
from nautilus.accel.device_memory import CACHE_BYTES, DeviceMemory, free_cache, memory_in_use, set_limits
from nautilus.accel.devices import Device, mlx_device
from nautilus.accel.full_precision import import_mlx, precision_problem
from nautilus.accel.routed import Backend, Computed, RoutedKernel
from nautilus.accel.router import Choice, Router
from nautilus.errors import Conflict, Invalid, NautilusError, NotFound, StoreError, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from nautilus.accel.kernel import Kernel
    from nautilus.accel.measurements import Measurements

WAITING_CALLS = 1024
"""Most computations that may be queued or running; more are refused."""
INLINE_BYTES = 65_536
"""Arguments of which more must be copied are brought to their types on a thread."""


class Compilation(msgspec.Struct, kw_only=True):
    """How far compiling the kernels is; `failures` maps those that do not compile to the reason."""

    total: int = 0
    done: int = 0
    current: str = ""
    seconds: float = 0.0
    failures: dict[str, str] = msgspec.field(default_factory=dict)


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """Which measurements the router goes by; `reason` says why there are none, or why some of them are not used."""

    path: str = ""
    measured: str = ""
    kernels: int = 0
    reason: str = "not calibrated: run `nautilus accel calibrate`"


class Accelerator:
    """Runs functions off the loop. Arrays are handed over by reference and must not change meanwhile."""

    def __init__(
        self, threads: int = 2, *, cache_bytes: int = CACHE_BYTES, memory_bytes: int = 0, waiting: int = WAITING_CALLS
    ) -> None:
        self.compilation = Compilation()
        self.calibrated = Calibrated()
        self.router = Router()
        self.device: Device | None = None
        """What MLX runs on, once it has been loaded."""
        self._measurements: Measurements | None = None
        self._kernels: dict[str, Kernel[..., Any]] = {}
        self._routed: dict[str, RoutedKernel[..., Any]] = {}
        self._limits = cache_bytes, memory_bytes
        self._most_waiting = waiting
        self._computing = 0
        self._loading = asyncio.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="accel")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="accel-device")
        self._running: set[Future[Any]] = set()
        self._closed = False

    @property
    def busy(self) -> int:
        """How many calls are queued or running; a running one cannot be interrupted, it ends by itself."""
        return len(self._running)

    @property
    def kernels(self) -> "tuple[Kernel[..., Any], ...]":
        """The kernels registered so far."""
        return tuple(self._kernels.values())

    def register(self, kernels: "Iterable[Kernel[..., Any]]") -> None:
        """Make kernels known, for compiling ahead."""
        self._kernels.update((kernel.name, kernel) for kernel in kernels)

    @property
    def routed(self) -> tuple[RoutedKernel[..., Any], ...]:
        """The routed kernels registered so far."""
        return tuple(self._routed.values())

    def routed_kernel(self, name: str) -> RoutedKernel[..., Any]:
        """The registered kernel of a name; raises NotFound."""
        try:
            return self._routed[name]
        except KeyError:
            raise NotFound("kernel", name) from None

    def register_routed(self, kernels: Iterable[RoutedKernel[..., Any]]) -> None:
        """Make routed kernels known: for compiling ahead, calibration, and requests by name. Raises Conflict."""
        for kernel in kernels:
            if self._routed.setdefault(kernel.name, kernel) is not kernel:
                raise Conflict(f"two kernels are called {kernel.name}")

    async def run[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on a thread and await its result. A cancelled caller cancels work still queued.

        Raises Unavailable once the accelerator is closed.
        """
        return await self._await(self._pool, function, *args, **kwargs)

    async def run_on_device[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on the one thread whose MLX streams live there; it returns NumPy arrays, never lazy ones."""
        return await self._await(self._device, function, *args, **kwargs)

    # -- routed kernels ------------------------------------------------------------------------------------------

    async def compute[**P, R](self, kernel: RoutedKernel[P, R], *args: P.args, **kwargs: P.kwargs) -> Computed[R]:
        """Run a kernel off the loop on the backend that should be fastest; where that fails, on the next one.

        A cancelled caller cancels work still queued. Raises Invalid for wrong arguments, TooManyRequests when too
        many calls wait, Unavailable once closed, and what the last backend raised when all fail.
        """
        return await self._compute(kernel, args, kwargs, kernel.implementations)

    async def compute_exactly[**P, R](
        self, kernel: RoutedKernel[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> Computed[R]:
        """Like `compute`, but in float64: never on MLX."""
        return await self._compute(kernel, args, kwargs, [one for one in kernel.implementations if one != "mlx"])

    async def compute_on[**P, R](
        self, backend: Backend, kernel: RoutedKernel[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> Computed[R]:
        """Like `compute`, but on this backend alone; raises NotFound where the kernel has no version for it."""
        if backend not in kernel.implementations:
            raise NotFound(f"version of {kernel.name} for", backend)
        return await self._compute(kernel, args, kwargs, [backend])

    async def prepare[**P, R](self, kernel: RoutedKernel[P, R], *args: P.args, **kwargs: P.kwargs) -> tuple[Any, ...]:
        """The kernel's `prepare`, on a thread where much must be copied."""
        if kernel.copied_bytes(args, kwargs) > INLINE_BYTES:
            return await self.run(kernel.prepare, *args, **kwargs)
        return kernel.prepare(*args, **kwargs)

    def choose(self, kernel: RoutedKernel[..., Any], size: int) -> Choice:
        """What the router would choose at a size, and why. Nothing runs, nothing is counted."""
        if size < 0:
            raise Invalid("size", f"must not be negative, not {size}")
        return self.router.choose(kernel, size, self._available(kernel))

    async def _compute(
        self,
        kernel: RoutedKernel[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        backends: "Iterable[Backend]",
    ) -> Computed[Any]:
        if self._computing >= self._most_waiting:
            raise TooManyRequests(f"{self._computing} computations are queued or running")
        self._computing += 1
        try:
            arguments = await self.prepare(kernel, *args, **kwargs)
            return await self._attempt(kernel, arguments, list(backends))
        finally:
            self._computing -= 1

    async def _attempt(
        self, kernel: RoutedKernel[..., Any], arguments: tuple[Any, ...], backends: list[Backend]
    ) -> Computed[Any]:
        attempts: Sequence[Backend] = backends
        if len(backends) > 1:
            size = kernel.size(*arguments)
            if self.device is None and self.router.rank(kernel, size, backends)[0] == "mlx":
                await self.load_device()
            loaded = self.device is not None and self.device.available
            attempts = self.router.attempts(kernel, size, [one for one in backends if one != "mlx" or loaded])
        failed: dict[Backend, Exception] = {}
        for backend in attempts:
            try:
                computed = await self._compute_on(backend, kernel, arguments)
            except NautilusError:
                raise
            except Exception as error:
                failed[backend] = error
                if backend == attempts[-1]:
                    raise
            else:
                self.router.succeeded(kernel, backend, failed)
                return computed
        raise AssertionError("there is always a backend to try")

    async def _compute_on(
        self, backend: Backend, kernel: RoutedKernel[..., Any], arguments: tuple[Any, ...]
    ) -> Computed[Any]:
        if backend != "mlx":
            return await self.run(kernel.computed, backend, arguments)
        device = await self.load_device()
        if not device.available:
            raise Unavailable(f"MLX: {device.reason}")
        return await self.run_on_device(_computed_by_mlx, kernel, arguments)

    def _available(self, kernel: RoutedKernel[..., Any]) -> list[Backend]:
        there = self.device is not None and self.device.available
        if self.device is None:
            there = self.router.may_choose(kernel, "mlx")  # it was there when it was measured
        return [backend for backend in kernel.implementations if backend != "mlx" or there]

    # -- the device and the measurements -------------------------------------------------------------------------

    async def load_device(self) -> Device:
        """Load MLX on its thread, once, and bound its memory; returns what it runs on, or why it does not."""
        async with self._loading:
            if self.device is None:
                self.device = await self.run_on_device(_load_device, *self._limits)
                self._use_measurements()
            return self.device

    async def device_memory(self) -> DeviceMemory | None:
        """What MLX holds; None while it is not loaded."""
        if self.device is None or not self.device.available:
            return None
        return await self.run_on_device(memory_in_use, *self._limits)

    async def load_calibration(self, path: Path) -> Calibrated:
        """Route by the measurements in a file, where they were made on this machine; says so where they were not.

        Never raises for a file that is absent, broken or of another machine: calls then run on kernels' defaults.
        """
        try:
            found, machine = await self.run(_measurements_and_machine, path)
        except StoreError as error:
            self.calibrated = Calibrated(path=str(path), reason=str(error))
            return self.calibrated
        if found is None:
            self.calibrated = Calibrated(path=str(path))
        elif stale := measurements.difference(found.machine, machine):
            self.calibrated = Calibrated(path=str(path), measured=found.measured, reason=f"of another machine: {stale}")
        else:
            self.use(found, path)
        return self.calibrated

    @property
    def measurements(self) -> "Measurements | None":
        """What the router goes by, as it was measured."""
        return self._measurements

    def use(self, found: "Measurements", path: Path | None = None) -> None:
        """Route by these measurements, which were made on this machine."""
        self._measurements = found
        self.calibrated = Calibrated(
            path=str(path or ""), measured=found.measured, kernels=len(found.kernels), reason=""
        )
        self._use_measurements()

    def _use_measurements(self) -> None:
        found = self._measurements
        if found is None:
            return
        table = found.kernels
        device, machine = self.device, found.machine
        if device is not None and _identity(device) != (machine.device, machine.device_kind):
            table = {name: {one: times for one, times in row.items() if one != "mlx"} for name, row in table.items()}
            reason = f"MLX was measured on {machine.device or 'nothing'}, now there is {device.description}"
            self.calibrated = msgspec.structs.replace(self.calibrated, reason=reason)
        self.router.use(table, machine.never_chosen)

    # -- compiling ahead and ending ------------------------------------------------------------------------------

    async def compile(self, progress: Callable[[Compilation], None] | None = None) -> Compilation:
        """Compile every registered kernel, routed ones too, on a thread one after another, reporting before each.

        One that does not compile is noted among the failures and keeps none of the others waiting.
        """
        kernels: dict[str, Kernel[..., Any] | RoutedKernel[..., Any]] = {**self._kernels, **self._routed}
        state = self.compilation = Compilation(total=len(kernels))
        started = perf_counter()
        for name, kernel in kernels.items():
            state.current = name
            if progress:
                progress(state)
            try:
                await self.run(kernel.warm)
                if isinstance(kernel, RoutedKernel) and self.router.prefers(kernel, "mlx"):
                    await self.compute_on("mlx", kernel, *await self.run(kernel.sample, kernel.sizes[0]))
            except Exception as error:
                if self._closed:
                    raise
                state.failures[name] = f"{type(error).__name__}: {error}"
            state.done += 1
            state.seconds = perf_counter() - started
        state.current = ""
        if progress:
            progress(state)
        return state

    def close(self) -> None:
        """Take no more work and drop what is queued; never waits for what is running."""
        self._closed = True
        for pool in (self._pool, self._device):
            pool.shutdown(wait=False, cancel_futures=True)

    async def closed(self) -> None:
        """Close, and return when nothing runs any more."""
        self.close()
        await asyncio.gather(*map(asyncio.wrap_future, tuple(self._running)), return_exceptions=True)

    async def _await[**P, R](
        self, pool: ThreadPoolExecutor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        if self._closed:
            raise Unavailable("the accelerator is closed: the node is stopping")
        future = pool.submit(function, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)


def _identity(device: Device) -> tuple[str, str]:
    return (device.description, device.kind) if device.available else ("", "")


def _load_device(cache_bytes: int, memory_bytes: int) -> Device:
    device = mlx_device(load=True)
    if not device.available:
        return device
    set_limits(cache_bytes, memory_bytes)
    problem = precision_problem(import_mlx())
    return msgspec.structs.replace(device, available=not problem, reason=problem)


def _computed_by_mlx(kernel: RoutedKernel[..., Any], arguments: tuple[Any, ...]) -> Computed[Any]:
    try:
        return kernel.computed("mlx", arguments)
    except Exception:
        free_cache()  # it may have been memory that was missing
        raise


def _measurements_and_machine(path: Path) -> "tuple[Measurements | None, measurements.Machine]":
    return measurements.load(path), measurements.this_machine()
