"""A thread with an event loop of its own, so that talking to the server never holds up the loop that trades."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from nautilus.errors import StoreError


class LoopThread:
    """Runs coroutines on its own loop for callers on another loop (`run`) or on a plain thread (`wait`)."""

    def __init__(self, name: str) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name=name, daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """Start the thread and return once its loop runs. Blocks for a moment."""
        self._thread.start()
        self._ready.wait()

    async def run[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine that runs on the thread; cancelling this cancels it there."""
        return await asyncio.wrap_future(self._submit(coroutine))

    def wait[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs on the thread. Blocks: never call it on a loop."""
        return self._submit(coroutine).result()

    def post(self, function: Callable[[], object]) -> None:
        """Call `function` on the thread's loop soon; does nothing once the thread has ended."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    async def stop(self) -> None:
        """Cancel what still runs there and end the thread; a second call does nothing."""
        if self._stopping is not None:
            self.post(self._stopping.set)
            await asyncio.to_thread(self._thread.join)
            self._stopping = self._loop = None

    def _submit[T](self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        if self._loop is None:
            coroutine.close()
            raise StoreError("the store is not open")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()
        await self._stopping.wait()
