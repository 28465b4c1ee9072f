"""Mailboxes: bounded queues between the publisher's stack and an async handler, with a stated policy when full.

What is more urgent is handled first; messages of one priority in the order in which they came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from enum import StrEnum
from functools import partial
from typing import Any

from nautilus.bus.waiting import Latest, Queued, Waiting, check_priority
from nautilus.errors import Invalid
from nautilus.model.enums import MessagePriority

BURST = 64
"""After so many messages in a row the rest of the loop gets a turn, so that a flood starves nobody. It is a number, not
a time, so that under a test clock the same input is always handled in the same order."""


class Policy(StrEnum):
    """What happens to a message that finds its mailbox full. No message ever takes the place of a more urgent one."""

    WAIT = "wait"
    """The publisher waits for room, in `Bus.publish_waiting`. One that cannot wait is refused: its message is not
    delivered here, which is counted and reported as the handler's failure; it never takes an older one's place."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message of the lowest priority makes room, and is counted; where all that wait are more
    urgent, the new one is dropped."""
    KEEP_LATEST = "keep_latest"
    """One message waits for each key; a newer one takes its place."""


class Mailbox[M]:
    """Hands messages one by one to an async handler; `put` is called in the publisher's stack and never waits.

    `priority` is that of every message, or a function of the message. Waits that are over because the mailbox has
    ended (`run` cancelled, or `close`) return like the others.
    """

    def __init__(
        self,
        handler: Callable[[M], Awaitable[None]],
        *,
        policy: Policy = Policy.DROP_OLDEST,
        capacity: int = 1024,
        key: Callable[[M], Hashable] | None = None,
        priority: MessagePriority | Callable[[M], int] = MessagePriority.NORMAL,
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
        self._on_error = on_error
        self._priority_of = priority if callable(priority) else None
        self._priority = MessagePriority.NORMAL if callable(priority) else check_priority(priority)
        self._waiting: Waiting[M] = (
            Queued(capacity, refuses=policy is Policy.WAIT) if key is None else Latest(capacity, key)
        )
        self._wakeup: asyncio.Future[None] | None = None
        self._busy = False
        self._idle = asyncio.Event()
        self._room = asyncio.Event()
        self._has_publishers_waiting = False
        self._closed = False

    def __len__(self) -> int:
        return self._waiting.size

    @property
    def must_wait(self) -> bool:
        """Whether a publisher should wait for `room` rather than be refused."""
        return self.policy is Policy.WAIT and self._waiting.size >= self.capacity and not self._closed

    def put(self, message: M) -> None:
        """Leave a message; what happens when the box is full is the policy's: `wait` raises asyncio.QueueFull."""
        self.put_at(self._priority if self._priority_of is None else self._priority_of(message), message)

    def put_at(self, priority: int, message: M) -> None:
        """Leave a message that has a priority of its own."""
        self.dropped += self._waiting.add(message, priority)
        wakeup = self._wakeup
        if wakeup is not None:
            self._wakeup = None
            if not wakeup.done():
                wakeup.set_result(None)

    def entrance(self, priority: MessagePriority) -> Callable[[M], None]:
        """What to call with messages that come from a topic of this priority; a `priority` function goes before it."""
        return self.put if self._priority_of is not None else partial(self.put_at, check_priority(priority))

    async def run(self) -> None:
        """Handle messages until cancelled. A handler that raises is reported and does not keep the next one waiting."""
        loop = asyncio.get_running_loop()
        waiting, take, handler = self._waiting, self._waiting.take, self._handler
        try:
            while True:
                self._busy = True
                left = BURST
                while waiting.size:
                    message = take()
                    if self._has_publishers_waiting:
                        self._has_publishers_waiting = False
                        self._room.set()
                    try:
                        await handler(message)
                    except Exception as error:  # noqa: BLE001 - isolation is the mailbox's purpose
                        self._on_error(error)
                    self.handled += 1
                    left -= 1
                    if not left:
                        left = BURST
                        await asyncio.sleep(0)
                self._busy = False
                self._idle.set()
                self._wakeup = loop.create_future()
                await self._wakeup
        finally:
            self._busy = False
            self._wakeup = None
            self.close()

    async def drain(self) -> None:
        """Wait until everything left so far has been handled; what nobody will handle any more stays in `len`."""
        if not self._closed and (self._busy or self._waiting.size):
            self._idle.clear()
            await self._idle.wait()

    async def room(self) -> None:
        """Wait until a message has been taken out of a full mailbox. Look at `must_wait` again: others wait too."""
        if self.must_wait:
            self._has_publishers_waiting = True
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
