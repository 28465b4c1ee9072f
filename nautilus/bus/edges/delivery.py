"""From entries of streams to messages in their order, each once: what this process has handled it passes over."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nautilus.bus.edges.codec import Codec, Entry, Event, Header
from nautilus.bus.edges.consumer_group import Streams, order
from nautilus.bus.edges.dead_letters import DeadLetter
from nautilus.bus.edges.duplicates import RecentMessages
from nautilus.bus.edges.selection import Selection
from nautilus.errors import Invalid

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

type Deliver = Callable[[Any, Event, Header], Awaitable[None] | None]
"""Hands a message on; where it returns something to wait for, the next message waits too."""
type Instances = Callable[[], frozenset[str]]

BREATH_EVENTS = 64
BREATH_SECONDS = 0.002
"""The loop is given to others after this long, looked at after so many messages."""
BIG_PAYLOAD_BYTES = 256 << 10
"""A payload from this size on is decoded on a thread."""


@dataclass(slots=True)
class DeliveryCounts:
    """Messages since the start, but for `entries` and `trimmed` (entries)."""

    received: int = 0
    entries: int = 0
    echoes: int = 0
    duplicates: int = 0
    unselected: int = 0
    dead_letters: int = 0
    trimmed: int = 0
    handler_failures: int = 0


class Arrived(Struct, frozen=True):
    """A message of an entry, not yet decoded, and where it stood."""

    event: Event
    header: Header
    stream: str
    entry_id: str

    @property
    def sequence(self) -> int:
        """Its place among its sender's messages."""
        return self.event.sequence


class Delivery:
    """Hands on the messages that were asked for. `own_instances` says whose messages are no news here."""

    def __init__(
        self,
        selection: Selection,
        deliver: Deliver,
        *,
        codec: Codec,
        own_instances: Instances,
        recent_ids: int,
        timestamp_ns: Callable[[], int],
        log: "BoundLogger",
    ) -> None:
        self.counts = DeliveryCounts()
        self.last_latency_ns: int | None = None
        self.last_error = ""
        self._selection = selection
        self._deliver = deliver
        self._codec = codec
        self._own_instances = own_instances
        self._recent = RecentMessages(recent_ids)
        self._timestamp_ns = timestamp_ns
        self._log = log

    async def hand_on(self, streams: Streams) -> list[DeadLetter]:
        """Hand on every message of what was read; returns what could not be."""
        letters: list[DeadLetter] = []
        arrived: list[list[Arrived]] = []
        for stream, entries in streams.items():
            for entry_id, fields in entries:
                self.counts.entries += 1
                if fields is None:
                    self.counts.trimmed += 1
                    continue
                try:
                    entry = self._codec.read(fields)
                except Invalid as error:
                    letters.append(DeadLetter.of_entry(stream, entry_id, fields, str(error)))
                    continue
                if entry.header.instance in self._own_instances():
                    self.counts.echoes += len(entry.events)
                    continue
                letters += [DeadLetter.of_event(stream, entry_id, data, reason) for data, reason in entry.damaged]
                arrived.append(_arrived(stream, entry_id, entry))
        await self._hand_on(in_order(arrived, len(streams)), letters)
        self.counts.dead_letters += len(letters)
        return letters

    async def _hand_on(self, arrived: Iterable[Arrived], letters: list[DeadLetter]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sender, recent, one = "", self._recent.of(""), None
        for count, one in enumerate(arrived, 1):
            event, header = one.event, one.header
            if header.instance != sender:
                sender = header.instance
                recent = self._recent.of(sender)
            if event.sequence in recent:
                self.counts.duplicates += 1
                continue
            try:
                if event.topic not in self._selection:
                    self.counts.unselected += 1
                    continue
                if len(event.payload) < BIG_PAYLOAD_BYTES:
                    message = self._codec.decode_message(event.topic, event.payload)
                else:
                    message = await asyncio.to_thread(self._codec.decode_message, event.topic, event.payload)
            except Invalid as error:
                data = self._codec.encode_message(event)
                letters.append(DeadLetter.of_event(one.stream, one.entry_id, data, str(error)))
                continue
            try:
                waiting = self._deliver(message, event, header)
                if waiting is not None:
                    await waiting
            except Exception as error:  # noqa: BLE001 - one handler's failure must not stop what comes after
                self._handler_failed(event, error)
            recent.add(event.sequence)
            self.counts.received += 1
            if not count % BREATH_EVENTS and loop.time() - began > BREATH_SECONDS:
                await asyncio.sleep(0)
                began = loop.time()
        if one is not None:
            self.last_latency_ns = self._timestamp_ns() - one.event.ts

    def _handler_failed(self, event: Event, error: Exception) -> None:
        self.counts.handler_failures += 1
        self.last_error = f"{event.topic}: {type(error).__name__}: {error}"
        self._log.error("edge.handler_failed", topic=event.topic, exc_info=error)


def _arrived(stream: str, entry_id: str, entry: Entry) -> list[Arrived]:
    header = entry.header
    return [Arrived(event, header, stream, entry_id) for event in entry.events]


def in_order(entries: list[list[Arrived]], streams: int) -> list[Arrived]:
    """The messages of one read: each sender's in its order, senders among one another in the order of the server.

    What stands on one stream is in order already.
    """
    arrived = [one for entry in entries for one in entry]
    if streams == 1:
        return arrived
    by_sender: dict[str, list[Arrived]] = {}
    for one in arrived:
        by_sender.setdefault(one.header.instance, []).append(one)
    for mine in by_sender.values():
        mine.sort(key=attrgetter("sequence"))
    if len(by_sender) == 1:
        return next(iter(by_sender.values()))
    placed: list[tuple[tuple[int, int], Arrived]] = []
    for mine in by_sender.values():
        latest = (0, 0)
        for one in mine:
            latest = max(latest, order(one.entry_id))
            placed.append((latest, one))
    placed.sort(key=lambda place: place[0])  # stable: a sender's own order stays
    return [one for _, one in placed]
