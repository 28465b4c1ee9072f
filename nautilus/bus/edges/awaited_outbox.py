"""Messages whose publisher waits until the server has them: a bounded queue with an answer for each."""

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import Any

from nautilus.bus.edges.codec import Event, Packet
from nautilus.bus.edges.outbox import Doorbell, Packed, Sender, first_sequence, join_packed, no_counts
from nautilus.errors import Unavailable


@dataclass(slots=True, eq=False)
class Letter:
    """A message on its way, and the future that is done once the server has it."""

    packed: Packed
    topic: str
    acknowledged: asyncio.Future[None]

    @property
    def message_id(self) -> str:
        """The id by which readers tell it from others."""
        return f"{self.packed.instance}-{self.packed.sequence}"


class AwaitedOutbox:
    """At most `capacity` messages wait. One more is refused: its publisher is told, so nothing is dropped unseen."""

    def __init__(self, sender: Sender, *, engine: str, capacity: int) -> None:
        self.counts = no_counts()
        self._sender = sender
        self._engine = engine
        self._capacity = capacity
        self._sequence = first_sequence(sender.timestamp_ns())
        self._waiting: dict[int, Letter] = {}
        self._taken: list[Letter] = []
        self._bell = Doorbell()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Not bounded in bytes."""
        return 0

    def put(self, topic: str, message: Any) -> None:
        """Let a message wait that nobody waits for."""
        self.post(topic, message)

    def post(
        self, topic: str, message: Any, *, priority: int | None = None, correlation_id: str | None = None
    ) -> Letter:
        """Let a message wait. Raises Unavailable where too many do, Invalid where it cannot be encoded.

        `priority` and `correlation_id` take the place of those that follow from topic and message.
        """
        if len(self._waiting) >= self._capacity:
            self.counts.dropped.add(topic)
            raise Unavailable(f"{self._capacity} messages wait for the server already")
        codec = self._sender.codec
        event = codec.read_event(codec.pack_one((self._sequence, topic, self._sender.timestamp_ns(), message)))
        data = codec.encode_message(
            Event(
                sequence=event.sequence,
                topic=topic,
                ts=event.ts,
                priority=event.priority if priority is None else priority,
                engine=self._engine,
                correlation_id=event.correlation_id if correlation_id is None else correlation_id,
                payload=event.payload,
            )
        )
        packed = Packed(codec.message_type(topic), self._sender.instance, self._sequence, data)
        self._sequence += 1
        letter = Letter(packed, topic, asyncio.get_running_loop().create_future())
        self._waiting[packed.sequence] = letter
        self._bell.ring()
        return letter

    def withdraw(self, letter: Letter) -> bool:
        """Take a message back; False where it is under way already, and may arrive."""
        return self._waiting.pop(letter.packed.sequence, None) is not None

    async def wait(self) -> None:
        """Return once something waits."""
        while not self._waiting:
            await self._bell.wait()

    async def take(self) -> list[Packet]:
        """The oldest, as many as fit in one exchange."""
        for sequence in tuple(islice(self._waiting, self._sender.batch_max_events)):
            self._taken.append(self._waiting.pop(sequence))
        return join_packed([letter.packed for letter in self._taken], self._sender.batch_max_events)

    async def settle(self) -> None:
        """Tell the publishers that the server has their messages."""
        taken, self._taken = self._taken, []
        for letter in taken:
            if not letter.acknowledged.done():
                letter.acknowledged.set_result(None)

    def trouble(self) -> None:
        """Who publishes waits, and gives up in time."""

    def problems(self) -> list[str]:
        """What was refused."""
        total = self.counts.dropped.total
        return [f"{total} messages were refused: too many waited for the server"] if total else []

    def close(self) -> None:
        """Nothing will be sent any more: whoever waits is told so."""
        for letter in (*self._taken, *self._waiting.values()):
            if not letter.acknowledged.done():
                letter.acknowledged.set_exception(
                    Unavailable("the client was closed before the server had the message")
                )
        self._waiting.clear()
        self._taken.clear()
