"""The journal: an append-only log of typed records that survives the death of the process and of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any

import msgspec
from msgspec import Struct

from nautilus.errors import StoreError
from nautilus.store.base import RecoveryReport
from nautilus.store.errors import CorruptFile, DiskRefused, UnknownRecord
from nautilus.store.framing import PAYLOAD_MAX_BYTES, frame, frames, next_frame
from nautilus.store.group_commit import GroupCommit
from nautilus.store.segments import Segments

type Bytes = bytes  # `bytes` is a method below

FORMAT = 1
SEGMENT_BYTES = 64 * 1024 * 1024


class SegmentHeader(Struct, frozen=True, tag="nautilus.journal"):
    """First record of every segment: how to read it, and the sequence of the record that follows."""

    format: int
    first_sequence: int


class SegmentedJournal:
    """A journal over numbered segments. `append` and `when_durable` belong to the loop; `replay` may run anywhere.

    `record_types` are tagged Structs; anything else cannot be appended. With `group_commit` off a record counts
    as durable once it is written.
    """

    def __init__(
        self,
        segments: Segments,
        record_types: Sequence[type[Struct]],
        *,
        group_commit: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._segments = segments
        self._types = frozenset(record_types)
        self._decode = _decoder(record_types)
        self._encode = msgspec.msgpack.Encoder().encode
        self._group_commit = group_commit
        self._segment_bytes = segment_bytes
        self._commit: GroupCommit | None = None
        self._open = False
        self._failure: StoreError | None = None
        self._write_problem = ""
        self._number = 0
        self._size = 0
        self._older_bytes = 0
        self._pruned_bytes = 0
        self._last_sequence = 0

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest record, 0 when there is none."""
        return self._last_sequence

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments together."""
        return self._older_bytes - self._pruned_bytes + self._size

    def recover(self) -> RecoveryReport:
        """Find the end of the newest segment, cut a torn last write off, and be ready to append. Blocks.

        Raises CorruptFile when sound records follow a damaged one: that is no torn write, and cutting there
        would lose them.
        """
        numbers = self._segments.numbers()
        report = RecoveryReport(segments=1)
        if not numbers:
            self._number = 1
        else:
            report = self._recover_last(numbers)
        self._older_bytes = sum(self._segments.size(number) for number in numbers[:-1])
        self._segments.open(self._number, self._size)
        self._open = True
        return msgspec.structs.replace(report, last_sequence=self._last_sequence, size_bytes=self.size_bytes)

    def start(self) -> None:
        """Begin group commit on the running loop."""
        if self._group_commit:
            self._commit = GroupCommit(self._sync, lambda: self._last_sequence)

    async def stop(self) -> None:
        """Make everything durable and close the segment; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            if self._commit is not None:
                await self._commit.stop()
        finally:
            self._segments.close()

    def append(self, record: Struct) -> int:
        """Write one record inline (microseconds) and return its sequence.

        Raises UnknownRecord for a type the journal was not made for, and StoreError when the disk refuses; then
        nothing was written and the next append may succeed, unless `problems` says that the journal has failed.
        """
        if type(record) not in self._types:
            raise UnknownRecord(type(record))
        payload = self._encode(record)
        if len(payload) > PAYLOAD_MAX_BYTES:
            raise StoreError(f"a record of {len(payload)} bytes is over the limit of {PAYLOAD_MAX_BYTES}")
        self._write(frame(payload))
        self._last_sequence += 1
        if self._commit is not None:
            self._commit.written()
        return self._last_sequence

    def when_durable(
        self, sequence: int, callback: Callable[[], None], failed: Callable[[StoreError], None] | None = None
    ) -> None:
        """Call `callback` on the loop once record `sequence` is on the disk, at once where nothing is synchronised.

        If the disk fails, `failed` is called with the error instead.
        """
        if not 0 <= sequence <= self._last_sequence:
            raise ValueError(f"record {sequence} has not been written, the last one is {self._last_sequence}")
        if self._commit is None:
            callback()
        else:
            self._commit.when(sequence, callback, failed)

    async def flush(self) -> None:
        """Return once every record appended so far is durable; raises StoreError if that failed."""
        if self._failure is not None:
            raise self._failure
        if self._commit is not None:
            await self._commit.flush()

    def replay(self, after: int = 0) -> Iterator[tuple[int, Struct]]:
        """Every record after sequence `after` that was there when this was called, oldest first, with its sequence.

        Raises CorruptFile, naming file and offset, where a segment does not hold what was written, and StoreError
        when records after `after` have been pruned.
        """
        last, size = self._last_sequence, self._size
        numbers = [number for number in self._segments.numbers() if number < self._number]
        if size:
            numbers.append(self._number)
        firsts = [self._first_sequence(number) for number in numbers]
        if firsts and after + 1 < firsts[0]:
            raise StoreError(f"records {after + 1} to {firsts[0] - 1} have been pruned from the journal")
        return self._replay(numbers, [*firsts, last + 1], after, size)

    def prune(self, through: int) -> int:
        """Delete whole segments that hold no record after sequence `through`; returns the bytes freed. Blocks.

        Oldest first, so that a crash leaves a shorter journal and no hole in it. May run while the loop appends.
        Raises DiskRefused; what was deleted until then is gone.
        """
        before = self._pruned_bytes
        for number, following in pairwise(self._segments.numbers()):
            if (following == self._number and not self._size) or self._first_sequence(following) > through + 1:
                break
            size = self._segments.size(number)
            try:
                self._segments.delete(number)
            except OSError as error:
                raise DiskRefused(self._segments.name(number), error, "could not be removed") from error
            self._pruned_bytes += size
        return self._pruned_bytes - before

    def bytes(self) -> Bytes:
        """The exact bytes of all segments, one after another."""
        return b"".join(self._segments.read(number) for number in self._segments.numbers())

    def problems(self) -> list[str]:
        """Why the journal does not keep its promises; empty when it does."""
        commit_failure = self._commit.failure if self._commit is not None else None
        found = [self._failure, commit_failure, self._write_problem]
        return [str(problem) for problem in found if problem]

    def _recover_last(self, numbers: list[int]) -> RecoveryReport:
        self._number = numbers[-1]
        data = self._segments.read(self._number)
        whole = 0
        records = -1
        first = 0
        for end, payload in frames(memoryview(data)):
            if records < 0:
                first = self._header(self._number, payload).first_sequence
            whole = end
            records += 1
        if whole < len(data) and next_frame(data, whole) is not None:
            raise CorruptFile(self._segments.name(self._number), "sound records follow a damaged one", whole)
        if records < 0:
            first = self._end_of_older(numbers) + 1
        self._size = whole
        self._last_sequence = first - 1 + max(records, 0)
        return RecoveryReport(
            segments=len(numbers),
            cut_bytes=len(data) - whole,
            cut_file=self._segments.name(self._number) if whole < len(data) else "",
            cut_offset=whole,
        )

    def _end_of_older(self, numbers: list[int]) -> int:
        """Last sequence before a newest segment that was torn within its header."""
        if len(numbers) == 1:
            return 0
        number = numbers[-2]
        count = sum(1 for _ in frames(memoryview(self._segments.read(number))))
        return self._first_sequence(number) + count - 2

    def _first_sequence(self, number: int) -> int:
        size = self._size if number == self._number else None
        head = self._segments.read(number, 256 if size is None else min(256, size))
        for _, payload in frames(memoryview(head)):
            return self._header(number, payload).first_sequence
        raise CorruptFile(self._segments.name(number), "the header of the segment cannot be read", 0)

    def _header(self, number: int, payload: memoryview) -> SegmentHeader:
        try:
            header = msgspec.msgpack.decode(payload, type=SegmentHeader)
        except msgspec.MsgspecError as error:
            raise CorruptFile(self._segments.name(number), f"not a segment of a journal ({error})", 0) from error
        if header.format != FORMAT:
            raise StoreError(f"{self._segments.name(number)} has format {header.format}, this version reads {FORMAT}")
        return header

    def _replay(self, numbers: list[int], bounds: list[int], after: int, size: int) -> Iterator[tuple[int, Struct]]:
        for number, first, following in zip(numbers, bounds, bounds[1:], strict=False):
            if following > after + 1:
                data = self._segments.read(number, size if number == self._number else None)
                yield from self._replay_segment(number, memoryview(data), range(first, following), after)

    def _replay_segment(
        self, number: int, data: memoryview, expected: range, after: int
    ) -> Iterator[tuple[int, Struct]]:
        sequence = expected.start - 1
        whole = 0
        for end, payload in frames(data):
            if whole:  # the first frame is the header
                sequence += 1
                if sequence > after:
                    yield sequence, self._decoded(number, whole, payload)
            whole = end
        if whole < len(data) or sequence != expected.stop - 1:
            raise CorruptFile(
                self._segments.name(number), f"records {sequence + 1} to {expected.stop - 1} cannot be read", whole
            )

    def _decoded(self, number: int, offset: int, payload: memoryview) -> Struct:
        try:
            return self._decode(payload)
        except msgspec.MsgspecError as error:
            name = self._segments.name(number)
            raise StoreError(f"{name} at byte {offset}: a record of another version ({error})") from error

    def _write(self, data: Bytes) -> None:
        if not self._open:
            raise StoreError("the journal is not open")
        if self._failure is not None:
            raise self._failure
        try:
            if self._size >= self._segment_bytes:
                self._rotate()
            if self._size == 0:
                data = frame(self._encode(SegmentHeader(FORMAT, self._last_sequence + 1))) + data
            self._segments.write(data)
        except OSError as error:
            refusal = DiskRefused(self._segments.name(self._number), error)
            self._write_problem = str(refusal)
            raise refusal from error
        except StoreError as error:
            self._failure = error
            raise
        self._size += len(data)
        self._write_problem = ""

    def _sync(self) -> None:
        try:
            self._segments.sync()
        except OSError as error:
            raise StoreError(
                f"{self._segments.name(self._number)} could not be synchronised to the disk: {error}; nothing more "
                "counts as durable: restart this node when the disk is sound"
            ) from error

    def _rotate(self) -> None:
        self._segments.open(self._number + 1, 0)
        self._number += 1
        self._older_bytes += self._size
        self._size = 0


def _decoder(record_types: Sequence[type[Struct]]) -> Callable[[memoryview], Struct]:
    for record_type in record_types:
        if record_type.__struct_config__.tag is None:
            raise TypeError(f"{record_type.__name__} needs a tag to be a journal record")
    if not record_types:
        record_types = (SegmentHeader,)
    union: Any = reduce(or_, record_types)
    decoder: msgspec.msgpack.Decoder[Struct] = msgspec.msgpack.Decoder(union)
    return decoder.decode
