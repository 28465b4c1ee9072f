"""The journal's own segments read as raw records, in order, from where the last reading stopped."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from nautilus.store.errors import CorruptFile
from nautilus.store.framing import HEADER, PAYLOAD_MAX_BYTES, frames
from nautilus.store.journal import SegmentHeader
from nautilus.store.segments import DirectorySegments

CHUNK_BYTES = 1024 * 1024


class Raw(NamedTuple):
    """A record as it lies on the disk."""

    sequence: int
    payload: bytes


class SegmentTail:
    """Reads records after sequence `after`. Memory is bounded by a chunk, and by one record where that is larger."""

    def __init__(self, segments: DirectorySegments, after: int) -> None:
        self._segments = segments
        self._after = after
        self._number = 0
        self._offset = 0
        self._sequence = 0

    def first_sequence(self) -> int:
        """Sequence of the oldest record there is, or of the first to come. Blocks."""
        numbers = self._segments.numbers()
        return self._first(numbers[0]) if numbers else 1

    def read(self, through: int) -> list[Raw]:
        """The next records up to sequence `through`, which have been written; none when all were read. Blocks."""
        if not self._number:
            self._locate()
        while self._sequence < through:
            found = self._read_chunk(through)
            if found:
                return found
        return []

    def _locate(self) -> None:
        numbers = self._segments.numbers()
        start = numbers[0]
        for number in numbers:
            if self._segments.size(number) and self._first(number) <= self._after + 1:
                start = number
        self._enter(start)

    def _enter(self, number: int) -> None:
        self._number = number
        self._offset = 0
        self._sequence = self._first(number) - 1

    def _read_chunk(self, through: int) -> list[Raw]:
        """Records of the next chunk; moves to the next segment at the end of one."""
        data = self._read(CHUNK_BYTES)
        found: list[Raw] = []
        whole = 0
        for end, payload in frames(memoryview(data)):
            if self._offset + whole:  # the first frame of a segment is its header
                if self._sequence == through:
                    break
                self._sequence += 1
                if self._sequence > self._after:
                    found.append(Raw(self._sequence, bytes(payload)))
            whole = end
        self._offset += whole
        if not whole:
            if data:
                raise CorruptFile(
                    self._segments.name(self._number), f"record {self._sequence + 1} cannot be read", self._offset
                )
            self._enter(self._following())
        return found

    def _read(self, size: int) -> bytes:
        """The next `size` bytes of the segment, or as many as its next record needs."""
        try:
            with Path(self._segments.name(self._number)).open("rb") as file:
                file.seek(self._offset)
                data = file.read(size)
                if len(data) >= HEADER.size:
                    _, length, _ = HEADER.unpack_from(data)
                    data += file.read(max(HEADER.size + min(length, PAYLOAD_MAX_BYTES) - len(data), 0))
                return data
        except FileNotFoundError:  # pruned after its last record was read
            return b""

    def _following(self) -> int:
        for number in self._segments.numbers():
            if number > self._number:
                return number
        raise CorruptFile(self._segments.name(self._number), f"record {self._sequence + 1} is missing", self._offset)

    def _first(self, number: int) -> int:
        head = self._segments.read(number, 256)
        for _, payload in frames(memoryview(head)):
            return msgspec.msgpack.decode(payload, type=SegmentHeader).first_sequence
        raise CorruptFile(self._segments.name(number), "the header of the segment cannot be read", 0)
