"""Recording what goes over a live bus into a file, from which `nautilus.bus.replaying` plays it again.

A recording is frames as in the journal (marker, length, checksum). The first holds a `Header`, each other one a `Batch`
of messages with topic and time, in the order in which they were published. Publishers only leave a reference in a
bounded buffer; a thread encodes and writes. What does not fit is dropped, counted, and the next batch says how many.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from nautilus.bus.bus import Bus
from nautilus.clock import Clock
from nautilus.errors import Conflict, Invalid, StoreError
from nautilus.model.enums import Channel
from nautilus.model.topic_types import TYPES
from nautilus.model.topics import FAMILIES
from nautilus.store.durable import sync_file
from nautilus.store.framing import PAYLOAD_MAX_BYTES, frame

FORMAT = "nautilus bus recording"
VERSION = 1
BUFFER_MESSAGES = 65_536
LONGEST_FILE_BYTES = 64 * 1024**3
LONGEST_MESSAGE_BYTES = PAYLOAD_MAX_BYTES // 2
BATCH_MESSAGES = 512
"""Messages in one frame: few enough that encoding them holds up no other thread for longer than some 0.2 ms."""
WRITE_EVERY_SECONDS = 0.05


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first record: what the file is, when it was begun and what was to be recorded."""

    format: str = FORMAT
    version: int = VERSION
    started_ns: int
    patterns: tuple[str, ...]


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Messages as (topic, ns when published, the encoded message), and how many are missing since the batch before."""

    missing: int
    messages: list[tuple[str, int, msgspec.Raw]]


class RecordingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `dropped` found the buffer full or the recording failed; `refused` have no form on disk."""

    path: str
    running: bool
    messages: int
    bytes: int
    dropped: int
    refused: int
    failure: str | None


def channel_patterns(channel: Channel) -> tuple[str, ...]:
    """Patterns of everything that a channel carries.

    >>> channel_patterns(Channel.NEURAL_GPU)
    ('compute.>',)
    """
    return tuple(f"{family}.>" for family, kind in FAMILIES.items() if kind.channel is channel)


class Recording:
    """A recording in progress; `await Recording.start(...)`, `await recording.stop()`, or use it as a context."""

    def __init__(
        self, bus: Bus, clock: Clock, path: Path, file: BinaryIO, patterns: tuple[str, ...], capacity: int, limit: int
    ) -> None:
        self.path = path
        self._timestamp_ns = clock.timestamp_ns
        self._file = file
        self._capacity = capacity
        self._limit_bytes = limit
        self._buffer: deque[tuple[str, int, Any]] = deque()
        self._first_pattern: dict[str, int] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._messages = self._bytes = self._dropped = self._refused = self._told_missing = 0
        self._failure: str | None = None
        self._subscriptions = [
            bus.tap(pattern, self._taker(number), owner="recording") for number, pattern in enumerate(patterns)
        ]
        self._stop_asked = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nautilus-recording")
        self._writing = asyncio.get_running_loop().create_task(self._write_all(), name="recording")

    @classmethod
    async def start(
        cls,
        bus: Bus,
        clock: Clock,
        path: Path,
        patterns: Iterable[str] | Channel = (">",),
        *,
        buffer_messages: int = BUFFER_MESSAGES,
        longest_file_bytes: int = LONGEST_FILE_BYTES,
    ) -> Self:
        """Begin to record a channel, or what is under some patterns, into a new file.

        Raises Conflict where the file is there already, StoreError where it cannot be made.
        """
        wanted = channel_patterns(patterns) if isinstance(patterns, Channel) else tuple(patterns)
        if isinstance(patterns, str) and not isinstance(patterns, Channel):
            raise Invalid("patterns", f"must be a list of patterns, not the text {patterns!r}")
        if not wanted:
            raise Invalid("patterns", "must name at least one pattern")
        if buffer_messages < 1:
            raise Invalid("buffer_messages", f"must be at least 1, not {buffer_messages}")
        header = frame(msgspec.msgpack.encode(Header(started_ns=clock.timestamp_ns(), patterns=wanted)))
        file = await asyncio.to_thread(_create, path, header)
        try:
            made = cls(bus, clock, path, file, wanted, buffer_messages, longest_file_bytes)
        except BaseException:
            await asyncio.to_thread(_discard, path, file)
            raise
        made._bytes = len(header)
        return made

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def report(self) -> RecordingReport:
        """Counts so far."""
        return RecordingReport(
            path=str(self.path),
            running=not self._writing.done() and self._failure is None,
            messages=self._messages,
            bytes=self._bytes,
            dropped=self._dropped,
            refused=self._refused,
            failure=self._failure,
        )

    async def stop(self) -> RecordingReport:
        """Write what is in the buffer, make it durable and close; a second call does nothing.

        Raises StoreError where something could not be written; the file is good up to there.
        """
        for subscription in self._subscriptions:
            subscription.cancel()
        self._stop_asked.set()
        await asyncio.shield(self._writing)
        if self._failure is not None:
            raise StoreError(f"the recording {self.path} is not complete: {self._failure}")
        return self.report()

    def _taker(self, number: int) -> Callable[[str, Any], None]:
        """A tap; a topic that several patterns match is recorded by the first of them that saw it."""
        first, buffer, capacity, timestamp_ns = self._first_pattern, self._buffer, self._capacity, self._timestamp_ns

        def take(topic: str, message: Any) -> None:
            if first.setdefault(topic, number) != number:
                return
            if len(buffer) >= capacity or self._failure is not None:
                self._dropped += 1
            else:
                buffer.append((topic, timestamp_ns(), message))

        return take

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            is_last = False
            while not is_last:
                is_last = await self._is_stop_asked()
                await self._write_buffer(loop)
        finally:
            try:
                await loop.run_in_executor(self._thread, _close, self._file)
            except OSError as error:
                self._failure = self._failure or str(error)
            self._thread.shutdown(wait=False)

    async def _is_stop_asked(self) -> bool:
        """Wait a little for the recording to be stopped."""
        try:
            async with asyncio.timeout(WRITE_EVERY_SECONDS):
                return await self._stop_asked.wait()
        except TimeoutError:
            return False

    async def _write_buffer(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._failure is None and (self._buffer or self._told_missing < self._dropped):
            taken = [self._buffer.popleft() for _ in range(min(len(self._buffer), BATCH_MESSAGES))]
            missing = self._dropped - self._told_missing
            self._told_missing += missing
            try:
                await loop.run_in_executor(self._thread, self._write, taken, missing)
            except OSError as error:
                self._failure = str(error)
        if self._failure is not None:
            self._dropped += len(self._buffer)
            self._buffer.clear()

    def _write(self, taken: list[tuple[str, int, Any]], missing: int) -> None:
        """Encode and append messages; runs on the thread."""
        for part in _parts(self._encoded(taken)):
            data = frame(self._encoder.encode(Batch(missing, part)))
            missing = 0
            if self._bytes + len(data) > self._limit_bytes:
                raise OSError(f"the file may have {self._limit_bytes} bytes")
            self._file.write(data)
            self._file.flush()
            self._bytes += len(data)
            self._messages += len(part)

    def _encoded(self, taken: list[tuple[str, int, Any]]) -> Iterator[tuple[str, int, msgspec.Raw]]:
        for topic, ts, message in taken:
            try:
                encoded = self._encoder.encode(message)
            except (TypeError, ValueError, OverflowError, RecursionError):  # an array, for example
                encoded = b""
            if 0 < len(encoded) <= LONGEST_MESSAGE_BYTES and topic.partition(".")[0] in TYPES:
                yield topic, ts, msgspec.Raw(encoded)
            else:
                self._refused += 1


def _parts(messages: Iterable[tuple[str, int, msgspec.Raw]]) -> Iterator[list[tuple[str, int, msgspec.Raw]]]:
    """Parts that fit into a frame each; one empty part where there is nothing, for the count of what is missing."""
    part: list[tuple[str, int, msgspec.Raw]] = []
    size = 0
    for message in messages:
        length = len(memoryview(message[2])) + 4 * len(message[0]) + 32
        if part and size + length > LONGEST_MESSAGE_BYTES:
            yield part
            part, size = [], 0
        part.append(message)
        size += length
    yield part


def _create(path: Path, header: bytes) -> BinaryIO:
    try:
        file = path.open("xb")
        file.write(header)
        file.flush()
    except FileExistsError:
        raise Conflict(f"there is a file {path} already; a recording begins a new one") from None
    except OSError as error:
        raise StoreError(f"the recording {path} cannot be made: {error}") from error
    return file


def _discard(path: Path, file: BinaryIO) -> None:
    file.close()
    path.unlink(missing_ok=True)


def _close(file: BinaryIO) -> None:
    try:
        file.flush()
        sync_file(file.fileno())
    finally:
        file.close()
