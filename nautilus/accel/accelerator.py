"""Where work goes that would block the loop: a few threads for kernels, one thread of its own for MLX."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.errors import Unavailable

if TYPE_CHECKING:
    from nautilus.accel.kernel import Kernel


class Compilation(msgspec.Struct, kw_only=True):
    """How far compiling the kernels is; `failures` maps those that do not compile to the reason."""

    total: int = 0
    done: int = 0
    current: str = ""
    seconds: float = 0.0
    failures: dict[str, str] = msgspec.field(default_factory=dict)


class Accelerator:
    """Runs functions off the loop. Arrays are handed over by reference and must not change meanwhile."""

    def __init__(self, threads: int = 2) -> None:
        self.compilation = Compilation()
        self._kernels: dict[str, Kernel[..., Any]] = {}
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

    async def run[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on a thread and await its result. A cancelled caller cancels work still queued.

        Raises Unavailable once the accelerator is closed.
        """
        return await self._await(self._pool, function, *args, **kwargs)

    async def run_on_device[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on the one thread whose MLX streams live there; it returns NumPy arrays, never lazy ones."""
        return await self._await(self._device, function, *args, **kwargs)

    async def compile(self, progress: Callable[[Compilation], None] | None = None) -> Compilation:
        """Compile every registered kernel on a thread, one after another, reporting before each.

        One that does not compile is noted among the failures and keeps none of the others waiting.
        """
        state = self.compilation = Compilation(total=len(self._kernels))
        started = perf_counter()
        for name, kernel in tuple(self._kernels.items()):
            state.current = name
            if progress:
                progress(state)
            try:
                await self.run(kernel.warm)
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
