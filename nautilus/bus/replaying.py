"""Playing a recording of `nautilus.bus.recording` into a bus: the same messages, in the same order, at their times."""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from nautilus.bus.bus import Bus
from nautilus.bus.patterns import check_pattern, matches
from nautilus.bus.recording import FORMAT, VERSION, Batch, Header
from nautilus.clock import NANOSECONDS_IN_SECOND, Clock, TestClock
from nautilus.errors import Invalid, NotFound, StoreError
from nautilus.model.topic_types import message_class
from nautilus.store.errors import CorruptFile
from nautilus.store.framing import HEADER, MARKER, PAYLOAD_MAX_BYTES, next_frame, payload_at

BURST = 64
"""After so many messages the rest of the loop gets a turn."""
READ_AHEAD = 8
"""Batches that are decoded before they are due."""
LONGEST_SPEED = 1_000_000.0
_NAP_SECONDS = 0.001

type Recorded = tuple[str, int, Any]
"""Topic, when it was published (ns), message."""


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was played. `missing` were dropped when it was recorded; `torn_bytes` at the end are half a record."""

    messages: int
    missing: int
    torn_bytes: int
    first_ns: int | None
    last_ns: int | None


class RecordingReader:
    """Reads a recording forwards. Blocking: for a thread.

    Iterating gives lists of (topic, ns, message). A torn end, as a crash leaves it, ends the reading and is counted;
    damage that sound records follow raises CorruptFile, and so does a message that its topic's type does not fit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.missing = 0
        self.torn_bytes = 0
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}  # by family
        self._decodes: dict[str, Callable[[msgspec.Raw], Any]] = {}  # by topic
        try:
            self._file: BinaryIO = path.open("rb")
        except FileNotFoundError:
            raise NotFound("recording", str(path)) from None
        except OSError as error:
            raise StoreError(f"the recording {path} cannot be read: {error}") from error
        try:
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __iter__(self) -> Iterator[list[Recorded]]:
        decoder = msgspec.msgpack.Decoder(Batch)
        while (payload := self._payload()) is not None:
            try:
                batch = decoder.decode(payload)
                decoded = [(topic, ts, self._decode(topic)(raw)) for topic, ts, raw in batch.messages]
            except (msgspec.MsgspecError, Invalid) as error:
                raise CorruptFile(self.path, f"a record cannot be decoded: {error}", self._file.tell()) from error
            self.missing += batch.missing
            yield decoded

    def _read_header(self) -> Header:
        payload = self._payload()
        try:
            header = msgspec.msgpack.decode(payload or b"", type=Header)
        except msgspec.MsgspecError:
            header = None
        if header is None or header.format != FORMAT:
            raise Invalid("path", f"{self.path} is no recording of a bus")
        if header.version != VERSION:
            raise Invalid("path", f"{self.path} has version {header.version}; this Nautilus reads {VERSION}")
        return header

    def _payload(self) -> memoryview | None:
        """The next record, or None at the end."""
        start = self._file.tell()
        try:
            data = self._file.read(HEADER.size)
            if not data:
                return None
            if len(data) == HEADER.size:
                marker, length, _ = HEADER.unpack(data)
                if marker == MARKER and length <= PAYLOAD_MAX_BYTES:
                    data += self._file.read(length)
            payload = payload_at(memoryview(data), 0)
            if payload is None:
                data += self._file.read(PAYLOAD_MAX_BYTES)
        except OSError as error:
            raise StoreError(f"the recording {self.path} cannot be read: {error}") from error
        if payload is None:
            self._check_torn(data, start)
        return payload

    def _check_torn(self, data: bytes, start: int) -> None:
        """Writing ends with what fails, so that what is torn is less than one record, and nothing sound follows."""
        following = next_frame(data, 0)
        if following is not None:
            raise CorruptFile(self.path, f"sound records follow at byte {start + following}", start)
        if len(data) > HEADER.size + PAYLOAD_MAX_BYTES:
            raise CorruptFile(self.path, "it goes on for longer than a record can be", start)
        self.torn_bytes = len(data)

    def _decode(self, topic: str) -> Callable[[msgspec.Raw], Any]:
        decode = self._decodes.get(topic)
        if decode is None:
            family = topic.partition(".")[0]
            if family not in self._decoders:
                self._decoders[family] = msgspec.msgpack.Decoder(message_class(topic))
            decode = self._decodes[topic] = self._decoders[family].decode
        return decode


async def replay(
    path: Path, bus: Bus, clock: Clock, *, speed: float | None = None, patterns: Iterable[str] = (">",)
) -> ReplayReport:
    """Publish what was recorded under some patterns; returns when all of it has been.

    A test clock is moved to the time of each message before it is published, so that timers fire in between as they
    did. `speed` is the multiple of real time; None is as fast as mailboxes that have their publishers wait allow.
    Raises NotFound, Invalid for a file that is no recording, CorruptFile where it is damaged.
    """
    wanted = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    for pattern in wanted:
        check_pattern(pattern)
    if speed is not None and not (math.isfinite(speed) and 0 < speed <= LONGEST_SPEED):
        raise Invalid("speed", f"must be positive and at most {LONGEST_SPEED:,.0f}, not {speed}")
    reader = await asyncio.to_thread(RecordingReader, path)
    player = _Player(bus, clock, speed, wanted)
    try:
        batches = iter(reader)
        ahead: list[list[Recorded]] | None = await asyncio.to_thread(_some, batches)
        while ahead:
            reading = asyncio.create_task(asyncio.to_thread(_some, batches))
            try:
                for batch in ahead:
                    await player.play(batch)
            finally:
                await asyncio.gather(reading, return_exceptions=True)
            ahead = reading.result()
    finally:
        await asyncio.to_thread(reader.close)
    return ReplayReport(
        messages=player.messages,
        missing=reader.missing,
        torn_bytes=reader.torn_bytes,
        first_ns=player.first_ns,
        last_ns=player.last_ns,
    )


def _some(batches: Iterator[list[Recorded]]) -> list[list[Recorded]]:
    return [batch for _, batch in zip(range(READ_AHEAD), batches, strict=False)]


class _Player:
    def __init__(self, bus: Bus, clock: Clock, speed: float | None, patterns: tuple[str, ...]) -> None:
        self.messages = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self._bus = bus
        self._clock = clock if isinstance(clock, TestClock) else None
        self._speed = speed
        self._patterns = patterns
        self._wanted: dict[str, bool] = {}
        self._loop = asyncio.get_running_loop()
        self._started = 0.0

    async def play(self, batch: list[Recorded]) -> None:
        for topic, ts, message in batch:
            if not self._is_wanted(topic):
                continue
            if self.first_ns is None:
                self.first_ns, self._started = ts, self._loop.time()
            if self._speed is not None:
                await self._until(ts - self.first_ns, self._speed)
            if self._clock is not None and ts > self._clock.timestamp_ns():
                self._clock.advance_to(ts)
            await self._bus.publish_waiting(topic, message)  # type: ignore[arg-type] # its type was checked when read
            self.last_ns = ts
            self.messages += 1
            if self.messages % BURST == 0:
                await asyncio.sleep(0)

    def _is_wanted(self, topic: str) -> bool:
        wanted = self._wanted.get(topic)
        if wanted is None:
            wanted = self._wanted[topic] = any(matches(pattern, topic) for pattern in self._patterns)
        return wanted

    async def _until(self, after_ns: int, speed: float) -> None:
        left = self._started + after_ns / NANOSECONDS_IN_SECOND / speed - self._loop.time()
        if left > _NAP_SECONDS:  # shorter ones would come late by more than they wait
            await asyncio.sleep(left)
