"""A node's place in the streams that it reads: one consumer group for the node, one consumer for each process of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nautilus.bus.edges.codec import Fields
from nautilus.bus.edges.dead_letters import DeadLetter

if TYPE_CHECKING:
    from redis.asyncio import Redis

FORGET_CONSUMER_MS = 3_600_000
"""A consumer of a process that ended long ago, and left nothing, is deleted."""
ENTRIES_A_LOOK = 256

type Streams = dict[str, list[tuple[str, Fields | None]]]
"""Entries by stream: id and fields, None where the entry is no longer there."""


def gone(error: object) -> bool:
    """Whether an answer says that a stream or its group is not there (any more)."""
    return isinstance(error, Exception) and any(word in str(error) for word in ("NOGROUP", "UNBLOCKED"))


def order(entry_id: str) -> tuple[int, int]:
    """An entry's id as numbers, to be compared.

    >>> order("1700000000000-3") < order("1700000000000-12")
    True
    """
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the group is, over all of its streams; None where the server does not know."""

    lag: int | None
    pending: int


class ConsumerGroup:
    """Makes, reads, acknowledges and takes over. `start_id` is where a new group of a stream that exists begins."""

    def __init__(
        self,
        streams: Sequence[str],
        *,
        group: str,
        consumer: str,
        start_id: str,
        resume: bool,
        dead_letters: str,
        dead_letters_max_entries: int,
    ) -> None:
        self.remade = 0
        self._streams = tuple(streams)
        self._group = group
        self._consumer = consumer
        self._start_id = start_id
        self._resume = resume
        self._dead_letters = dead_letters
        self._dead_letters_max = dead_letters_max_entries
        self._positions: dict[str, str] = {}
        self._joined = False

    async def join(self, client: "Redis") -> None:
        """Make the groups that are not there. Without `resume` the first time skips what came before."""
        for stream in self._streams:
            made = await self._create(client, stream)
            if made and self._joined:
                self.remade += 1
            if not made and not self._joined and not self._resume:
                await client.xgroup_setid(stream, self._group, "$")
        self._joined = True

    async def read(self, client: "Redis", acknowledged: dict[str, list[str]], count: int, block_ms: int) -> Streams:
        """Acknowledge, and read what is new, in one exchange. Raises what the server answered to the reading."""
        async with client.pipeline(transaction=False) as exchange:
            for stream, ids in acknowledged.items():
                exchange.xack(stream, self._group, *ids)
            exchange.xreadgroup(
                self._group, self._consumer, dict.fromkeys(self._streams, ">"), count=count, block=block_ms
            )
            answers = await exchange.execute(raise_on_error=False)
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        found = _by_stream(answers[-1])
        for stream, entries in found.items():
            self._positions[stream] = entries[-1][0]
        return found

    async def own_pending(self, client: "Redis", count: int) -> Streams:
        """What was given to this consumer and not acknowledged, such as an answer that was lost on its way."""
        streams: Any = dict.fromkeys(self._streams, "0")
        answer: Any = await client.xreadgroup(self._group, self._consumer, streams, count=count)
        return _by_stream(answer)

    async def acknowledge(self, client: "Redis", acknowledged: dict[str, list[str]]) -> None:
        """Tell the server that entries have been handled."""
        async with client.pipeline(transaction=False) as exchange:
            for stream, ids in acknowledged.items():
                exchange.xack(stream, self._group, *ids)
            await exchange.execute()

    async def keep(self, client: "Redis", entries: dict[str, list[str]]) -> None:
        """Say that these entries are still being handled here, so that nobody takes them over."""
        for stream, ids in entries.items():
            await client.xclaim(stream, self._group, self._consumer, 0, tuple(ids), justid=True)  # type: ignore[arg-type]

    async def take_over(self, client: "Redis", idle_ms: int) -> tuple[Streams, int]:
        """Entries that some consumer has held too long, now this one's; and how many of them had been trimmed."""
        answers = await self._of_each(
            client,
            lambda exchange, stream: exchange.xautoclaim(
                stream, self._group, self._consumer, idle_ms, count=ENTRIES_A_LOOK
            ),
        )
        found = {stream: _entries(entries) for stream, (_, entries, _) in answers.items() if entries}
        return found, sum(len(deleted) for _, _, deleted in answers.values())

    async def hopeless(self, client: "Redis", idle_ms: int, max_deliveries: int) -> list[DeadLetter]:
        """Entries that were delivered too often, now this consumer's, as dead letters."""
        answers = await self._of_each(
            client,
            lambda exchange, stream: exchange.xpending_range(
                stream, self._group, min="-", max="+", count=ENTRIES_A_LOOK, idle=idle_ms
            ),
        )
        found = []
        for stream, pending in answers.items():
            often = {_text(one["message_id"]): one["times_delivered"] for one in pending}
            ids: Any = [entry_id for entry_id, times in often.items() if times > max_deliveries]
            if ids:
                claimed: Any = await client.xclaim(stream, self._group, self._consumer, idle_ms, ids)
                for entry_id, fields in _entries(claimed):
                    reason = f"delivered {often[entry_id]} times and never acknowledged"
                    found.append(DeadLetter.of_entry(stream, entry_id, fields or {}, reason))
        return found

    async def bury(self, client: "Redis", letters: Iterable[DeadLetter], acknowledged: dict[str, list[str]]) -> None:
        """Put dead letters on their stream and acknowledge entries, both or neither."""
        async with client.pipeline(transaction=True) as exchange:
            for letter in letters:
                exchange.xadd(
                    self._dead_letters,
                    letter.fields(self._group, self._consumer),
                    maxlen=self._dead_letters_max,
                    approximate=True,
                )
            for stream, ids in acknowledged.items():
                exchange.xack(stream, self._group, *ids)
            await exchange.execute()

    async def standing(self, client: "Redis") -> Standing:
        """How much is unread and unacknowledged."""
        answers = await self._of_each(client, lambda exchange, stream: exchange.xinfo_groups(stream))
        lag: int | None = 0
        pending = 0
        for groups in answers.values():
            for group in groups:
                if _text(group["name"]) == self._group:
                    pending += group["pending"]
                    lag = None if lag is None or group.get("lag") is None else lag + group["lag"]
        return Standing(lag, pending)

    async def forget_the_dead(self, client: "Redis") -> None:
        """Delete consumers that have been away long and left nothing."""
        answers = await self._of_each(client, lambda exchange, stream: exchange.xinfo_consumers(stream, self._group))
        for stream, consumers in answers.items():
            for consumer in consumers:
                if consumer["pending"] == 0 and consumer["idle"] > FORGET_CONSUMER_MS:
                    await client.xgroup_delconsumer(stream, self._group, consumer["name"])

    async def leave(self, client: "Redis") -> None:
        """Delete this consumer from the streams in which nothing is left with it; others take over the rest."""
        for stream in self._streams:
            left = await client.xpending_range(
                stream, self._group, min="-", max="+", count=1, consumername=self._consumer
            )
            if not left:
                await client.xgroup_delconsumer(stream, self._group, self._consumer)

    async def _of_each(self, client: "Redis", ask: Callable[[Any, str], object]) -> dict[str, Any]:
        """The same question about every stream, in one exchange."""
        async with client.pipeline(transaction=False) as exchange:
            for stream in self._streams:
                ask(exchange, stream)
            return dict(zip(self._streams, await exchange.execute(), strict=True))

    async def _create(self, client: "Redis", stream: str) -> bool:
        from redis.exceptions import ResponseError

        try:
            await client.xgroup_create(stream, self._group, await self._begin(client, stream), mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            return False
        return True

    async def _begin(self, client: "Redis", stream: str) -> str:
        """Where a new group begins: what is known to have been read is skipped, unless the stream began anew."""
        if not await client.exists(stream):
            return "0"
        if not self._joined and not self._resume:
            return "$"
        position = self._positions.get(stream)
        if position is None:
            return self._start_id
        newest = _text((await client.xinfo_stream(stream))["last-generated-id"])
        return "0" if order(newest) < order(position) else position


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _entries(answer: Iterable[tuple[bytes | None, Any]]) -> list[tuple[str, Fields | None]]:
    return [(entry_id.decode(), fields) for entry_id, fields in answer if entry_id is not None]


def _by_stream(answer: Iterable[tuple[bytes, Any]]) -> Streams:
    return {stream.decode(): _entries(entries) for stream, entries in answer if entries}
