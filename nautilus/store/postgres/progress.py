"""Who waits for which number: callbacks in order, once a count that only grows has reached them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from nautilus.errors import StoreError

type Callback = Callable[[], None]
type Failed = Callable[[StoreError], None]


class Progress:
    """A count that grows, and those who wait for it to reach a number; all on one loop.

    What waits is bounded by what its callers have in flight: one entry for each call of `when`.
    """

    def __init__(self, reached: int = 0) -> None:
        self.reached = reached
        self.failure: StoreError | None = None
        self._waiting: list[tuple[int, int, Callback, Failed | None]] = []
        self._order = count()

    def when(self, number: int, done: Callback, failed: Failed | None = None) -> None:
        """Call `done` once `number` is reached, now if it is already, or `failed` if it never will be."""
        if number <= self.reached:
            done()
        elif self.failure is not None:
            if failed is not None:
                failed(self.failure)
        else:
            heapq.heappush(self._waiting, (number, next(self._order), done, failed))

    def reach(self, number: int) -> None:
        """The count is at `number` now."""
        self.reached = max(self.reached, number)
        loop = asyncio.get_running_loop()
        while self._waiting and self._waiting[0][0] <= self.reached:
            loop.call_soon(heapq.heappop(self._waiting)[2])

    def fail(self, failure: StoreError) -> None:
        """The count will never grow again."""
        self.failure = failure
        loop = asyncio.get_running_loop()
        lost, self._waiting = self._waiting, []
        for _, _, _, failed in sorted(lost, key=lambda one: one[:2]):
            if failed is not None:
                loop.call_soon(failed, failure)

    async def wait(self, number: int, timeout_s: float, late: Callable[[], str]) -> None:
        """Return once `number` is reached; raises the failure, or StoreError with `late()` after `timeout_s`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: StoreError | None = None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        self.when(number, settle, settle)
        try:
            await asyncio.wait_for(done, timeout_s)
        except TimeoutError:
            raise StoreError(late()) from None
