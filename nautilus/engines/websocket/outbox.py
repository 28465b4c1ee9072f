"""What waits for one client: bounded, filled without waiting, emptied by the one task that writes to it."""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice

from nautilus.engines.websocket.codec import Item
from nautilus.engines.websocket.models import Frame, Gap, Heartbeat, Overflow

FRAMES_MAX = 256
ITEMS_IN_A_FRAME_MAX = 500


class Outbox:
    """Frames, events in order, and the latest of each state.

    Of a state that changes before it is taken only the newest is sent. When `capacity` events wait, the policy "gap"
    lets go of the oldest and says so in a Gap frame before what follows; "disconnect" calls `on_overflow`.
    """

    def __init__(self, capacity: int, overflow: Overflow, on_overflow: Callable[[], None]) -> None:
        self.overflow: Overflow = overflow
        self._on_overflow = on_overflow
        self.dropped_events = 0
        self._capacity = capacity
        self._frames: deque[Frame] = deque()
        self._heartbeat: Heartbeat | None = None
        self._events: deque[Item] = deque()
        self._states: dict[str, Item] = {}
        self._gap: Gap | None = None
        self._wakeup: asyncio.Future[None] | None = None

    @property
    def waiting_events(self) -> int:
        """Events not taken yet."""
        return len(self._events)

    @property
    def waiting_states(self) -> int:
        """Changed states not taken yet."""
        return len(self._states)

    def frame(self, frame: Frame) -> None:
        """Leave an answer or a notice; one who lets hundreds of them lie has overflowed."""
        if len(self._frames) >= FRAMES_MAX:
            self._on_overflow()
        else:
            self._frames.append(frame)
            self._wake()

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat; one that still waits is replaced."""
        self._heartbeat = heartbeat
        self._wake()

    def event(self, item: Item) -> None:
        """Leave an event."""
        if len(self._events) >= self._capacity:
            if self.overflow == "disconnect":
                self._on_overflow()
                return
            self._drop(self._events.popleft())
        self._events.append(item)
        self._wake()

    def state(self, key: str, item: Item) -> None:
        """Leave the newest of a state in place of an older one."""
        self._states[key] = item
        self._wake()

    def snapshot(self, key: str, item: Item) -> None:
        """Leave a state as it was found, unless a newer one waits already."""
        self._states.setdefault(key, item)
        self._wake()

    def take(self) -> tuple[list[Frame], list[Item]]:
        """What is to be written now, at most a frame's worth of messages: frames first, then events, then states."""
        frames = list(self._frames)
        self._frames.clear()
        if self._gap is not None:
            frames.append(self._gap)
            self._gap = None
        if self._heartbeat is not None:
            frames.append(self._heartbeat)
            self._heartbeat = None
        items = [self._events.popleft() for _ in range(min(len(self._events), ITEMS_IN_A_FRAME_MAX))]
        keys = list(islice(self._states, ITEMS_IN_A_FRAME_MAX - len(items)))
        items.extend(self._states.pop(key) for key in keys)
        return frames, items

    async def wait(self) -> None:
        """Return when there is something to take."""
        while not (self._frames or self._events or self._states or self._gap or self._heartbeat):
            self._wakeup = asyncio.get_running_loop().create_future()
            await self._wakeup

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    def _drop(self, item: Item) -> None:
        self.dropped_events += 1
        before = self._gap
        self._gap = Gap(
            reason="slow",
            dropped=1 if before is None else (before.dropped or 0) + 1,
            from_sequence=item.sequence if before is None else before.from_sequence,
            through_sequence=item.sequence,
        )
