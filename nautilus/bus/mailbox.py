"""Mailboxes: bounded queues between the publisher's stack and an async handler, with a stated policy when full."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from typing import Any

from nautilus.errors import Invalid


class Policy(StrEnum):
    """What happens to a message that finds its mailbox full."""

    WAIT = "wait"
    """The publisher waits for room, in `Bus.publish_waiting`. One that cannot wait is refused: its message is not
    delivered here, which is counted and reported as the handler's failure; it never takes an older one's place."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message makes room, and is counted."""
    KEEP_LATEST = "keep_latest"
    """One message waits for each key; a newer one takes its place."""


class Mailbox[M]:
    """Hands messages one by one to an async handler; `put` is called in the publisher's stack and never waits.

    Waits that are over because the mailbox has ended (`run` cancelled, or `close`) return like the others.
    """

    def __init__(
        self,
        handler: Callable[[M], Awaitable[None]],
        *,
        policy: Policy = Policy.DROP_OLDEST,
        capacity: int = 1024,
        key: Callable[[M], Hashable] | None = None,
        on_error: Callable[[Exception], None],
    ) -> None:
        if capacity < 1:
            raise Invalid("capacity", f"must be at least 1, not {capacity}")
        if (policy is Policy.KEEP_LATEST) != (key is not None):
            raise Invalid("key", "goes with the policy keep_latest, and only with it")
        self.policy = policy
        self.capacity = capacity
        self.dropped = 0
        self.handled = 0
        self._handler = handler
        self._key = key
        self._on_error = on_error
        self._queue: deque[M] = deque()
        self._latest: OrderedDict[Hashable, M] = OrderedDict()
        self._wakeup: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue) + len(self._latest)

    @property
    def must_wait(self) -> bool:
        """Whether a publisher should wait for `room` rather than be refused."""
        return self.policy is Policy.WAIT and len(self._queue) >= self.capacity and not self._closed

    def put(self, message: M) -> None:
        """Leave a message; what happens when the box is full is the policy's: `wait` raises asyncio.QueueFull."""
        if self._key is not None:
            key = self._key(message)
            if key in self._latest:
                self.dropped += 1
            elif len(self._latest) >= self.capacity:
                self._latest.popitem(last=False)
                self.dropped += 1
            self._latest[key] = message
        else:
            if len(self._queue) >= self.capacity:
                if self.policy is Policy.WAIT:
                    raise asyncio.QueueFull
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(message)
        if not self._closed:
            self._idle.clear()
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    async def run(self) -> None:
        """Handle messages until cancelled. A handler that raises is reported and does not keep the next one waiting."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self:
                    message = self._latest.popitem(last=False)[1] if self._latest else self._queue.popleft()
                    self._room.set()
                    try:
                        await self._handler(message)
                    except Exception as error:  # noqa: BLE001 - isolation is the mailbox's purpose
                        self._on_error(error)
                    self.handled += 1
                self._idle.set()
                self._wakeup = loop.create_future()
                await self._wakeup
        finally:
            self._wakeup = None
            self.close()

    async def drain(self) -> None:
        """Wait until everything left so far has been handled; what nobody will handle any more stays in `len`."""
        await self._idle.wait()

    async def room(self) -> None:
        """Wait until a message has been taken out of a full mailbox. Look at `must_wait` again: others wait too."""
        if self.must_wait:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Let go of whoever waits: nothing more will be handled."""
        self._closed = True
        self._idle.set()
        self._room.set()

    def statistics(self) -> dict[str, Any]:
        """Depth and counts."""
        return {"waiting": len(self), "capacity": self.capacity, "dropped": self.dropped, "handled": self.handled}
