"""Retained messages: the latest of chosen topics, kept in the cache server, so that who comes later knows them too.

Instruments and the trading state are said once and hold until they are said again; a process that starts afterwards
would never hear of them on a stream. Every process writes what its own engines say, the latest message of each topic,
some milliseconds later and many together. A server that has lost its data gets them again.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.bus.bus import Bus, Subscription
from nautilus.bus.edges.cache_server import ask
from nautilus.bus.edges.codec import Codec
from nautilus.bus.patterns import check_pattern, matches
from nautilus.clock import Clock
from nautilus.errors import Invalid, Unavailable
from nautilus.model.topics import Topic, message_type

if TYPE_CHECKING:
    from redis.asyncio import Redis

DEFAULT_PATTERNS = ("instrument.>", "control.>")
LONGEST_LOAD_SECONDS = 5.0
_VERSION = b"1"
_BATCH = 200
_LONGEST_REQUEST_SECONDS = 1.0
_MOST_DISREGARDED = 16
"""Messages between their arrival and their publication here: as many as channels, and some."""

# One hash: topic -> "version ts instance message". Its field "" names the data's life: it changes when they were lost.
# A message never takes the place of a newer one; a writer's clock that is ahead of the server's counts as the server's.
_WRITE = """
local time = redis.call('TIME')
local now = string.format('%014d%06d', time[1], time[2]) .. '000'
local most, epoch = tonumber(ARGV[1]), redis.call('HGET', KEYS[1], '')
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', KEYS[1], '', epoch)
end
local refused = 0
for i = 3, #ARGV, 4 do
  local topic, ts, instance, message = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if ts > now then ts = now end
  local before = redis.call('HGET', KEYS[1], topic)
  if not before and redis.call('HLEN', KEYS[1]) > most then
    refused = refused + 1
  elseif not before or (string.match(before, '^1 (%d+) ') or '') <= ts then
    redis.call('HSET', KEYS[1], topic, '1 ' .. ts .. ' ' .. instance .. ' ' .. message)
  end
end
return {epoch, refused}
"""


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was said before we came; `ts` is when, in nanoseconds UTC by the clock of who said it."""

    topic: str
    message: Any
    source_instance: str
    ts: int


class RetainedReport(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start."""

    topics: int
    waiting: int
    written: int
    refused: int
    undecodable: int
    problem: str


class RetainedMessages:
    """Writes the latest message of every topic under `patterns`, and reads what all processes wrote.

    `connection` is the caller's, to the cache server. `instance` is one word. At most `most_topics` are kept, here and
    there, of at most `max_message_bytes` each; what is beyond is refused and counted.
    """

    def __init__(
        self,
        connection: "Redis",
        bus: Bus,
        clock: Clock,
        *,
        instance: str,
        prefix: str = "nautilus",
        patterns: Iterable[str] = DEFAULT_PATTERNS,
        most_topics: int = 10_000,
        max_message_bytes: int = 65_536,
        linger_seconds: float = 0.02,
        check_seconds: float = 5.0,
    ) -> None:
        if not instance or any(character.isspace() for character in instance):
            raise Invalid("instance", f"must be one word, not {instance!r}")
        self.patterns = _checked(patterns)
        self._connection = connection
        self._bus = bus
        self._clock = clock
        self._instance = instance
        self._key = f"{prefix}:retained"
        self._most_topics = most_topics
        self._max_message_bytes = max_message_bytes
        self._linger_seconds = linger_seconds
        self._check_seconds = check_seconds
        self._codec = Codec()
        self._said: dict[str, tuple[int, Any]] = {}
        self._waiting: dict[str, None] = {}
        self._arrived = asyncio.Event()
        self._subscriptions: list[Subscription] = []
        self._task: asyncio.Task[None] | None = None
        self._families = frozenset(pattern.partition(".")[0] for pattern in self.patterns)
        self._disregarded: deque[Any] = deque(maxlen=_MOST_DISREGARDED)
        self._epoch = b""
        self._problem = ""
        self._written = self._refused = self._undecodable = 0

    def start(self) -> None:
        """Retain from now on what is said on the bus; a second call does nothing."""
        if self._task is None:
            self._subscriptions = [self._bus.tap(pattern, self._hear, owner="retained") for pattern in self.patterns]
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="retained messages")

    async def stop(self) -> None:
        """Write what still waits, if the server takes it, and end; a second call does nothing."""
        task, self._task = self._task, None
        if task is None:
            return
        for subscription in self._subscriptions:
            subscription.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            await self.flush()
        except Unavailable as error:
            self._problem = str(error)

    def problems(self) -> list[str]:
        """What is wrong: the server does not take the messages, or there are too many."""
        found = [f"retained messages: {self._problem}"] if self._problem else []
        if self._refused:
            found.append(
                f"retained messages: {self._refused} refused: beyond the most topics, too big or not to be encoded"
            )
        return found

    def report(self) -> RetainedReport:
        """How it stands."""
        return RetainedReport(
            topics=len(self._said),
            waiting=len(self._waiting),
            written=self._written,
            refused=self._refused,
            undecodable=self._undecodable,
            problem=self._problem,
        )

    async def load(self, patterns: Iterable[str] | None = None) -> list[Retained]:
        """What is known under the patterns (default: our own), by topic; raises Unavailable.

        What cannot be read, because another version wrote it or nobody did, is left out and counted.
        """
        wanted = self.patterns if patterns is None else _checked(patterns)
        request: Any = self._connection.hgetall(self._key)
        found: dict[bytes, bytes] = await ask(request, LONGEST_LOAD_SECONDS)
        read = (self._read(topic, value, wanted) for topic, value in sorted(found.items()) if topic)
        return [retained for retained in read if retained is not None]

    async def replay(self, patterns: Iterable[str] | None = None) -> list[Retained]:
        """Load, and publish on our bus what other instances said; returns that. Raises Unavailable."""
        others = [one for one in await self.load(patterns) if one.source_instance != self._instance]
        for one in others:
            self.disregard(one.topic, one.message)
            self._bus.publish(Topic(one.topic), one.message)
        return others

    async def forget(self, topics: Iterable[str]) -> None:
        """Retain nothing on these topics until something is said there again; raises Unavailable."""
        names = list(topics)
        for topic in names:
            self._said.pop(topic, None)
            self._waiting.pop(topic, None)
        if names:
            request: Any = self._connection.hdel(self._key, *names)
            await ask(request, _LONGEST_REQUEST_SECONDS)

    async def flush(self) -> None:
        """Write all that waits now; raises Unavailable, and what was not written still waits."""
        while self._waiting:
            topics = list(islice(self._waiting, _BATCH))
            said = {topic: self._said[topic] for topic in topics}
            await self._write(said)
            for topic, entry in said.items():
                if self._said.get(topic) in (entry, None):  # else it was said again meanwhile
                    self._waiting.pop(topic, None)

    def disregard(self, topic: str, message: Any) -> None:
        """Do not write this message, about to be published here: it came from another process, which writes it."""
        if topic.partition(".")[0] in self._families:
            self._disregarded.append(message)

    def _hear(self, topic: str, message: Any) -> None:
        if any(message is one for one in self._disregarded):
            return
        if topic not in self._said and len(self._said) >= self._most_topics:
            self._refused += 1
            return
        self._said[topic] = (self._clock.timestamp_ns(), message)
        self._waiting[topic] = None
        self._arrived.set()

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._check_seconds):
                    await self._arrived.wait()
                    await asyncio.sleep(self._linger_seconds)  # for company
            except TimeoutError:
                pass
            self._arrived.clear()
            try:
                if not self._waiting:
                    await self._write({})  # to see whether the server still has what was written
                await self.flush()
                self._problem = ""
            except Unavailable as error:
                self._problem = str(error)
                self._arrived.set()
                await asyncio.sleep(self._check_seconds / 5)

    async def _write(self, said: dict[str, tuple[int, Any]]) -> None:
        arguments: list[str | bytes | int] = [self._most_topics, secrets.token_hex(8)]
        for topic, (ts, message) in said.items():
            packed = self._packed(message)
            if packed is not None:
                arguments += (topic, f"{ts:023d}", self._instance, packed)
        request: Any = self._connection.eval(_WRITE, 1, self._key, *arguments)
        epoch, refused = await ask(request, _LONGEST_REQUEST_SECONDS)
        self._refused += refused
        self._written += (len(arguments) - 2) // 4 - refused
        if epoch != self._epoch:
            if self._epoch:  # the server has lost what we had written
                self._waiting = dict.fromkeys(self._said)
                self._arrived.set()
            self._epoch = epoch

    def _packed(self, message: Any) -> bytes | None:
        try:
            packed = self._codec.encode_message(message)
        except Invalid:
            packed = b""
        if 0 < len(packed) <= self._max_message_bytes:
            return packed
        self._refused += 1
        return None

    def _read(self, raw_topic: bytes, value: bytes, wanted: tuple[str, ...]) -> Retained | None:
        try:
            topic = raw_topic.decode()
            if not any(matches(pattern, topic) for pattern in wanted):
                return None
            version, ts, instance, packed = value.split(b" ", 3)
            if version != _VERSION:
                raise Invalid("version", f"{version!r} is not read here")
            message = self._codec.decode_message(topic, packed)
            return Retained(topic=topic, message=message, source_instance=instance.decode(), ts=int(ts))
        except (ValueError, Invalid):
            self._undecodable += 1
            return None


def _checked(patterns: Iterable[str]) -> tuple[str, ...]:
    if isinstance(patterns, str):
        raise Invalid("patterns", f"must be a list of patterns, not the text {patterns!r}")
    checked = tuple(patterns)
    for pattern in checked:
        check_pattern(pattern)
        message_type(pattern)
    return checked
