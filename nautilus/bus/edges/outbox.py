"""Where messages wait until they are sent: what every kind of waiting has in common, and the plain bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from nautilus.bus.edges.codec import Codec, Item, Packet
from nautilus.bus.edges.reports import TopicCounts
from nautilus.errors import Invalid
from nautilus.model.enums import MessageType

ENTRY_MAX_BYTES = 1 << 20
"""An entry is closed at this size, unless it holds a single message."""
FLUSH_MAX_BYTES = 8 << 20
FLUSH_ENTRIES = 16
"""So many full entries go in one exchange with the server: more would hold up the loop while they are packed."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of messages that did not simply go out."""

    conflated: int
    dropped: TopicCounts
    unencodable: int
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What an outbox needs to know of who sends."""

    codec: Codec
    instance: str
    timestamp_ns: Callable[[], int]
    batch_max_events: int


class Outbox(Protocol):
    """Messages on their way out. `put` is called in the publisher's stack; the rest by the one task that sends."""

    counts: Counts

    def __len__(self) -> int:
        """How many messages wait, those just taken not among them."""

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait on the disk or in arrays, where that is bounded; else 0."""

    def put(self, topic: str, message: Any) -> None:
        """Let a message wait, or count it as dropped."""

    async def wait(self) -> None:
        """Return once something waits."""

    async def take(self) -> list[Packet]:
        """The next to be sent, oldest first; asked again only after `settle`."""

    async def settle(self) -> None:
        """The server has acknowledged all that was taken."""

    def trouble(self) -> None:
        """The server is away, frozen or full: what waits may have to wait long."""

    def problems(self) -> list[str]:
        """What an operator should know."""


class Doorbell:
    """Tells one waiting task that there is something; ringing costs next to nothing while nobody waits."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits."""
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Return at the next ring."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


def no_counts() -> Counts:
    """Nothing counted yet."""
    return Counts(conflated=0, dropped=TopicCounts(), unencodable=0, last_error="")


def first_sequence(timestamp_ns: int) -> int:
    """Where an instance begins to count: microseconds, so that one of the same name later never repeats a number."""
    return timestamp_ns // 1_000 + 1


def by_type(items: Iterable[Item], codec: Codec, most: int) -> Iterator[tuple[MessageType, list[Item]]]:
    """Items of one message type, at most so many together, in their order."""
    groups: dict[MessageType, list[Item]] = {}
    for item in items:
        groups.setdefault(codec.message_type(item[1]), []).append(item)
    for message_type, group in groups.items():
        for start in range(0, len(group), most):
            yield message_type, group[start : start + most]


def pack_items(items: Iterable[Item], sender: Sender, counts: Counts) -> list[Packet]:
    """Entries of messages that are all small. One that cannot be encoded is left out and counted."""
    packets = []
    for message_type, group in by_type(items, sender.codec, sender.batch_max_events):
        try:
            events, count = sender.codec.pack(group), len(group)
        except Invalid:
            packed = [one for _, one in pack_each(group, sender.codec, counts)]
            events, count = sender.codec.join(packed), len(packed)
        if count:
            packets.append(Packet(message_type, sender.instance, group[0][0], count, events))
    return packets


def pack_each(items: Iterable[Item], codec: Codec, counts: Counts) -> Iterator[tuple[Item, bytes]]:
    """Messages packed one by one; those that cannot be are left out and counted."""
    for item in items:
        try:
            packed = codec.pack_one(item)
        except Invalid as error:
            counts.unencodable += 1
            counts.last_error = f"{item[1]}: {error}"
        else:
            yield item, packed


@dataclass(frozen=True, slots=True)
class Packed:
    """A message packed alone."""

    message_type: MessageType
    instance: str
    sequence: int
    data: bytes


def join_packed(packed: Iterable[Packed], most: int) -> list[Packet]:
    """Entries of messages packed one by one, in the order of their first: of one type and sender each, and bounded."""
    entries: list[list[Packed]] = []
    open_entries: dict[tuple[MessageType, str], tuple[list[Packed], int]] = {}
    for one in packed:
        key = one.message_type, one.instance
        entry, size = open_entries.get(key, ([], 0))
        if not entry or len(entry) >= most or size + len(one.data) > ENTRY_MAX_BYTES:
            entry, size = [], 0
            entries.append(entry)
        entry.append(one)
        open_entries[key] = entry, size + len(one.data)
    return [
        Packet(
            entry[0].message_type,
            entry[0].instance,
            entry[0].sequence,
            len(entry),
            Codec.join([one.data for one in entry]),
        )
        for entry in entries
    ]


class DropOldest:
    """A queue bounded in messages and in bytes of their arrays; the oldest go. Packed on a thread: arrays are big."""

    def __init__(self, sender: Sender, *, capacity: int, max_bytes: int) -> None:
        self.counts = no_counts()
        self._sender = sender
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._sequence = first_sequence(sender.timestamp_ns())
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._bell = Doorbell()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the arrays that wait."""
        return self._bytes

    def put(self, topic: str, message: Any) -> None:
        """Let a message wait; the oldest make room."""
        size = _array_bytes(message)
        while self._items and (len(self._items) >= self._capacity or self._bytes + size > self._max_bytes):
            oldest, freed = self._items.popleft()
            self._bytes -= freed
            self.counts.dropped.add(oldest[1])
        self._items.append(((self._sequence, topic, self._sender.timestamp_ns(), message), size))
        self._sequence += 1
        self._bytes += size
        self._bell.ring()

    async def wait(self) -> None:
        """Return once something waits."""
        while not self._items:
            await self._bell.wait()

    async def take(self) -> list[Packet]:
        """The oldest, as many as fit in one exchange."""
        taken: list[Item] = []
        total = 0
        while self._items and len(taken) < self._sender.batch_max_events and total < FLUSH_MAX_BYTES:
            item, size = self._items.popleft()
            self._bytes -= size
            total += size
            taken.append(item)
        return await asyncio.to_thread(self._pack, taken)

    async def settle(self) -> None:
        """Nothing to be remembered."""

    def trouble(self) -> None:
        """The bound is all there is to it."""

    def problems(self) -> list[str]:
        """What was dropped."""
        total = self.counts.dropped.total
        return [f"{total} messages were dropped while the server was away or slow"] if total else []

    def _pack(self, items: list[Item]) -> list[Packet]:
        codec, instance = self._sender.codec, self._sender.instance
        packed = pack_each(items, codec, self.counts)
        return join_packed(
            [Packed(codec.message_type(item[1]), instance, item[0], data) for item, data in packed],
            self._sender.batch_max_events,
        )


def _array_bytes(message: Any) -> int:
    held = (*getattr(message, "arguments", ()), *getattr(message, "arrays", ()))
    return sum(getattr(value, "nbytes", 0) for value in held)
