"""How records lie in a journal segment: marker, length and checksum before each, so that any damage shows.

A frame is 2 bytes marker, uint32 length, uint32 CRC-32 (little-endian), then the payload. The checksum is
seeded with the length, so that a damaged length cannot pass. The marker starts with 0xC1, the one byte that
MessagePack never uses as a type, and lets a reader find the next frame after a damaged one.
"""

from collections.abc import Iterator
from struct import Struct
from zlib import crc32

MARKER = b"\xc1N"
HEADER = Struct("<2sII")
PAYLOAD_MAX_BYTES = 16 * 1024 * 1024


def frame(payload: bytes) -> bytes:
    """Payload with its header before it.

    >>> frame(b"hi").hex()
    'c14e020000002e48a5ea6869'
    """
    length = len(payload)
    return HEADER.pack(MARKER, length, crc32(payload, length)) + payload


def payload_at(data: memoryview, offset: int) -> memoryview | None:
    """The payload of the frame at `offset`, or None where no whole and sound frame starts."""
    start = offset + HEADER.size
    if start > len(data):
        return None
    marker, length, checksum = HEADER.unpack_from(data, offset)
    payload = data[start : start + length]
    if marker != MARKER or not 0 < length <= PAYLOAD_MAX_BYTES or len(payload) != length:
        return None
    return payload if crc32(payload, length) == checksum else None


def frames(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Each sound frame from the start of `data` as (offset of its end, payload), up to the first that is not."""
    offset = 0
    while (payload := payload_at(data, offset)) is not None:
        offset += HEADER.size + len(payload)
        yield offset, payload


def next_frame(data: bytes, offset: int) -> int | None:
    """Offset of the first sound frame that starts after `offset`, or None."""
    view = memoryview(data)
    while (offset := data.find(MARKER, offset + 1)) >= 0:
        if payload_at(view, offset) is not None:
            return offset
    return None
