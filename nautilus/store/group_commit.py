"""Group commit: one disk synchronisation, in a thread, for everything that was written while the last one ran."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from nautilus.errors import StoreError

INTERVAL_S = 0.005
IDLE_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Waiting:
    sequence: int
    durable: Callable[[], None]
    failed: Callable[[StoreError], None] | None


class GroupCommit:
    """Calls `sync` at most every 5 ms while someone waits for it, and every 100 ms while something was written.

    All methods are called on the loop; only `sync` runs on a thread. After a failed synchronisation nothing
    becomes durable any more: what the kernel dropped cannot be known, so trying again could claim too much.
    """

    def __init__(self, sync: Callable[[], None], last_written: Callable[[], int]) -> None:
        self._sync = sync
        self._last_written = last_written
        self._waiting: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nautilus-journal")
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._urgent = False
        self._running: asyncio.Future[None] | None = None
        self._started_at = -INTERVAL_S
        self.durable = last_written()
        self.failure: StoreError | None = None

    def written(self) -> None:
        """Something was written that nobody waits for yet."""
        if self._timer is None and self._running is None and self.failure is None:
            self._timer = self._loop.call_later(IDLE_INTERVAL_S, self._start)

    def when(
        self, sequence: int, durable: Callable[[], None], failed: Callable[[StoreError], None] | None = None
    ) -> None:
        """Call `durable` once `sequence` is on the disk, now if it is already."""
        if sequence <= self.durable:
            durable()
        elif self.failure is not None:
            if failed is not None:
                failed(self.failure)
        else:
            self._waiting.append(_Waiting(sequence, durable, failed))
            self._hurry()

    async def flush(self) -> None:
        """Return once all that is written now is durable; raises the StoreError if that failed."""
        done: asyncio.Future[None] = self._loop.create_future()

        def settle(error: StoreError | None = None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        self.when(self._last_written(), settle, settle)
        await done

    async def stop(self) -> None:
        """Synchronise what is left and end the thread; raises the StoreError if that failed."""
        try:
            await self.flush()
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._running is not None:
                await asyncio.wait([self._running])
            await asyncio.to_thread(self._thread.shutdown)

    def _hurry(self) -> None:
        if self._urgent or self._running is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._urgent = True
        self._timer = self._loop.call_at(self._started_at + INTERVAL_S, self._start)

    def _start(self) -> None:
        self._timer = None
        self._urgent = False
        self._started_at = self._loop.time()
        target = self._last_written()
        self._running = self._loop.run_in_executor(self._thread, self._sync)
        self._running.add_done_callback(lambda done: self._finish(done, target))

    def _finish(self, done: asyncio.Future[None], target: int) -> None:
        self._running = None
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            self._fail(
                error
                if isinstance(error, StoreError)
                else StoreError(f"the journal could not be synchronised to the disk: {error}")
            )
            return
        self.durable = target
        ready = [waiting for waiting in self._waiting if waiting.sequence <= target]
        self._waiting = [waiting for waiting in self._waiting if waiting.sequence > target]
        if self._waiting:
            self._hurry()
        elif self._last_written() > target:
            self.written()
        for waiting in ready:
            self._loop.call_soon(waiting.durable)

    def _fail(self, failure: StoreError) -> None:
        self.failure = failure
        lost, self._waiting = self._waiting, []
        for waiting in lost:
            if waiting.failed is not None:
                self._loop.call_soon(waiting.failed, failure)
