"""The spool: messages that must not be lost wait in a journal on the disk until the server has acknowledged them.

A message is written, in the publisher's stack, before `put` returns, so that it survives the death of the process. What
was not acknowledged then is sent again, under the same ids, by the next process with the same folder. The spool is
bounded: while it is full new messages are refused, counted and reported, rather than older ones thrown away.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from nautilus.bus.edges.codec import Packet
from nautilus.bus.edges.outbox import (
    FLUSH_ENTRIES,
    FLUSH_MAX_BYTES,
    Doorbell,
    Packed,
    Sender,
    first_sequence,
    join_packed,
    no_counts,
)
from nautilus.errors import Invalid, StoreError
from nautilus.store.framing import frames
from nautilus.store.journal import SegmentedJournal, SegmentHeader
from nautilus.store.lock import DirectoryLock
from nautilus.store.segments import DirectorySegments, MemorySegments

WINDOW_EVENTS = 20_000
"""So many waiting messages are held in memory too; the rest are read back from the disk."""
LARGEST_SEGMENT_BYTES = 8 << 20
MOST_PREDECESSORS = 32
RECORD_BYTES = 16
"""What a record takes on the disk beside its own bytes."""


class Opened(Struct, frozen=True, array_like=True, tag="opened"):
    """An instance took the spool over; its predecessors are itself, earlier."""

    instance: str
    predecessors: tuple[str, ...]


class Spooled(Struct, frozen=True, array_like=True, tag="spooled"):
    """A packed message and who published it."""

    instance: str
    event: bytes


class Shipped(Struct, frozen=True, array_like=True, tag="shipped"):
    """The server has acknowledged every message up to this record."""

    through: int


type Waiting = tuple[int, Packed]
"""Sequence in the journal, and the message."""


class SpoolOutbox:
    """An outbox that loses nothing. `directory` None keeps it in memory, for nodes that keep nothing."""

    def __init__(self, sender: Sender, *, directory: Path | None, max_bytes: int) -> None:
        self.counts = no_counts()
        self.own_instances: frozenset[str] = frozenset({sender.instance})
        """This instance, and those that had the spool before it: what they sent is no news here."""
        self._sender = sender
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = min(LARGEST_SEGMENT_BYTES, max(16_384, max_bytes // 8))
        self._segments = MemorySegments() if directory is None else DirectorySegments(directory)
        self._journal = SegmentedJournal(self._segments, [Opened, Spooled, Shipped], segment_bytes=self._segment_bytes)
        self._lock = DirectoryLock()
        self._predecessors: tuple[str, ...] = ()
        self._sequence = first_sequence(sender.timestamp_ns())
        self._window: deque[Waiting] = deque()
        self._window_end = 0
        self._newest = 0
        self._behind = False  # messages after the window's end are on the disk only
        self._waiting = 0
        self._bytes = 0
        self._taken: list[Waiting] = []
        self._shipped_bytes = 0
        self._disk_work: asyncio.Future[Any] | None = None
        self._full = False
        self._failure = ""
        self._bell = Doorbell()

    def __len__(self) -> int:
        return self._waiting

    @property
    def waiting_bytes(self) -> int:
        """Bytes on the disk that wait for the server."""
        return self._bytes

    def open(self) -> int:
        """Find what an earlier process left to be sent; returns how many messages. Blocks: call it on a thread.

        Raises StoreError where the folder cannot be used, StoreInUse where another process has it.
        """
        if self._directory is not None:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(self._directory)
            except OSError as error:
                raise StoreError(f"the spool {self._directory} cannot be used: {error}") from error
        try:
            self._journal.recover()
            self._recover()
        except BaseException:
            self._lock.release()
            raise
        self._announce()
        return self._waiting

    async def close(self) -> None:
        """Close the files; what waits stays for the next process."""
        if self._disk_work is not None:
            await asyncio.wait([self._disk_work])
        await self._journal.stop()
        await asyncio.to_thread(self._lock.release)

    def put(self, topic: str, message: Any) -> None:
        """Write a message, which is safe from here on; if the spool is full or the disk refuses, it is counted."""
        codec = self._sender.codec
        try:
            data = codec.pack_one((self._sequence, topic, self._sender.timestamp_ns(), message))
        except Invalid as error:
            self.counts.unencodable += 1
            self.counts.last_error = f"{topic}: {error}"
            return
        self._full = self._bytes + len(data) + RECORD_BYTES > self._max_bytes
        if self._full:
            self.counts.dropped.add(topic)
            return
        try:
            self._newest = self._journal.append(Spooled(self._sender.instance, data))
        except StoreError as error:
            self.counts.dropped.add(topic)
            self._failure = str(error)
            return
        self._failure = ""
        self._waiting += 1
        self._bytes += len(data) + RECORD_BYTES
        self._behind = self._behind or len(self._window) >= WINDOW_EVENTS
        if not self._behind:
            packed = Packed(codec.message_type(topic), self._sender.instance, self._sequence, data)
            self._window.append((self._newest, packed))
            self._window_end = self._newest
        self._sequence += 1
        self._bell.ring()

    async def wait(self) -> None:
        """Return once something waits."""
        while not self._waiting:
            await self._bell.wait()

    async def take(self) -> list[Packet]:
        """The oldest, as many as fit in one exchange."""
        if not self._window and self._behind:
            through = self._newest
            read: list[Waiting] = await self._on_thread(self._read, self._window_end, through)
            self._window.extend(read)
            self._window_end = read[-1][0] if read else through
            self._behind = self._window_end < self._newest
        most, total = self._sender.batch_max_events * FLUSH_ENTRIES, 0
        self._taken = []
        while self._window and len(self._taken) < most and total < FLUSH_MAX_BYTES:
            waiting = self._window.popleft()
            total += len(waiting[1].data)
            self._taken.append(waiting)
        return join_packed([packed for _, packed in self._taken], self._sender.batch_max_events)

    async def settle(self) -> None:
        """What was taken will not be sent again, by this process or the next."""
        if not self._taken:
            return
        through = self._taken[-1][0]
        freed = sum(len(packed.data) + RECORD_BYTES for _, packed in self._taken)
        self._waiting -= len(self._taken)
        self._bytes -= freed
        self._shipped_bytes += freed
        self._full = False
        self._taken = []
        try:
            self._journal.append(Shipped(through))
        except StoreError as error:
            self._failure = str(error)
            return
        if self._shipped_bytes > self._segment_bytes:
            self._shipped_bytes = 0
            if await self._on_thread(self._prune, through):
                self._announce()

    def trouble(self) -> None:
        """What waits is on the disk already."""

    def problems(self) -> list[str]:
        """Whether messages were refused, and whether the disk takes them."""
        found = []
        if self._full:
            found.append(f"the spool is full ({self._bytes:,} bytes wait for the server): new messages are refused")
        if self.counts.dropped.total:
            found.append(f"{self.counts.dropped.total} messages were refused and reach no other process")
        if self._failure:
            found.append(f"the spool cannot be written: {self._failure}")
        return found

    def _recover(self) -> None:
        """Two passes over the journal: how far the server had acknowledged, then what it had not."""
        begin = self._oldest() - 1
        shipped, instances = begin, [self._sender.instance]
        for _, record in self._journal.replay(begin):
            if isinstance(record, Shipped):
                shipped = max(shipped, record.through)
            elif isinstance(record, Opened):
                instances = [*record.predecessors, self._sender.instance]
        self._predecessors = tuple(dict.fromkeys(instances))[-MOST_PREDECESSORS:]
        self.own_instances = frozenset(self._predecessors)
        for sequence, record in self._journal.replay(shipped):
            if isinstance(record, Spooled):
                self._waiting += 1
                self._bytes += len(record.event) + RECORD_BYTES
                self._newest = sequence
                self._sequence = max(self._sequence, self._sender.codec.read_event(record.event).sequence + 1)
        self._window_end = shipped
        self._behind = self._waiting > 0

    def _oldest(self) -> int:
        """Sequence of the oldest record that has not been pruned."""
        numbers = self._segments.numbers()
        if numbers:
            for _, payload in frames(memoryview(self._segments.read(numbers[0], 256))):
                return msgspec.msgpack.decode(payload, type=SegmentHeader).first_sequence
        return 1

    def _announce(self) -> None:
        try:
            self._journal.append(Opened(self._sender.instance, self._predecessors))
        except StoreError as error:
            self._failure = str(error)

    def _read(self, after: int, through: int) -> list[Waiting]:
        found: list[Waiting] = []
        for sequence, record in self._journal.replay(after):
            if isinstance(record, Spooled):
                event = self._sender.codec.read_event(record.event)
                message_type = self._sender.codec.message_type(event.topic)
                found.append((sequence, Packed(message_type, record.instance, event.sequence, record.event)))
            if sequence >= through or len(found) >= WINDOW_EVENTS:
                break  # before the end, which the loop may be writing
        return found

    def _prune(self, through: int) -> int:
        self._segments.sync()  # closes the files of finished segments
        return self._journal.prune(through)

    async def _on_thread[T](self, work: Callable[..., T], *arguments: int) -> T:
        """Disk work that `close` waits for, even if the task that asked for it has been cancelled."""
        self._disk_work = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        result: T = await asyncio.shield(self._disk_work)
        return result
