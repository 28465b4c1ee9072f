"""Where work goes that would block the loop: a few threads for kernels, one thread of its own for MLX."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from nautilus.accel.kernel import Kernel


class Compilation(msgspec.Struct, kw_only=True):
    """How far compiling the kernels is."""

    total: int = 0
    done: int = 0
    current: str = ""
    seconds: float = 0.0


class Accelerator:
    """Runs functions off the loop. Arrays are handed over by reference and must not change meanwhile."""

    def __init__(self, threads: int = 2) -> None:
        self.compilation = Compilation()
        self._kernels: dict[str, Kernel[..., Any]] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="accel")
        self._device = ThreadPoolExecutor(1, thread_name_prefix="accel-device")

    @property
    def kernels(self) -> "tuple[Kernel[..., Any], ...]":
        """The kernels registered so far."""
        return tuple(self._kernels.values())

    def register(self, kernels: "Iterable[Kernel[..., Any]]") -> None:
        """Make kernels known, for compiling ahead."""
        self._kernels.update((kernel.name, kernel) for kernel in kernels)

    async def run[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on a thread and await its result. A cancelled caller cancels work still queued."""
        return await _await(self._pool, function, *args, **kwargs)

    async def run_on_device[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on the one thread whose MLX streams live there; it returns NumPy arrays, never lazy ones."""
        return await _await(self._device, function, *args, **kwargs)

    async def compile(self, progress: Callable[[Compilation], None] | None = None) -> Compilation:
        """Compile every registered kernel on a thread, one after another, reporting before each."""
        state = self.compilation = Compilation(total=len(self._kernels))
        started = perf_counter()
        for name, kernel in self._kernels.items():
            state.current = name
            if progress:
                progress(state)
            await self.run(kernel.warm)
            state.done += 1
            state.seconds = perf_counter() - started
        state.current = ""
        if progress:
            progress(state)
        return state

    def close(self) -> None:
        """Stop the threads; work still queued is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._device.shutdown(wait=True, cancel_futures=True)


async def _await[**P, R](pool: ThreadPoolExecutor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    future = pool.submit(function, *args, **kwargs)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        future.cancel()
        raise
