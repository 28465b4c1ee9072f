"""Dead letters: what could not be read or handled, kept on a stream of its own with the reason, for a person to see."""

from typing import Any, Self

import msgspec
from msgspec import Struct

from nautilus.bus.edges.codec import Fields

LARGEST_DATA_BYTES = 1 << 20
REASON_CHARACTERS = 1_000


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An entry (`data`: its fields as a MessagePack map), or one message of it (`data`: as it was packed)."""

    reason: str
    stream: str
    entry_id: str
    kind: str
    data: bytes

    @classmethod
    def of_entry(cls, stream: str, entry_id: str, fields: Fields, reason: str) -> Self:
        """A whole entry."""
        return cls(reason=reason, stream=stream, entry_id=entry_id, kind="entry", data=msgspec.msgpack.encode(fields))

    @classmethod
    def of_event(cls, stream: str, entry_id: str, data: bytes, reason: str) -> Self:
        """One message; the others of its entry were handled."""
        return cls(reason=reason, stream=stream, entry_id=entry_id, kind="event", data=data)

    def fields(self, group: str, consumer: str) -> dict[Any, Any]:
        """What XADD takes. Data over a mebibyte is cut; `bytes` is what it had."""
        return {
            "reason": self.reason[:REASON_CHARACTERS],
            "stream": self.stream,
            "id": self.entry_id,
            "group": group,
            "consumer": consumer,
            "kind": self.kind,
            "bytes": len(self.data),
            "data": self.data[:LARGEST_DATA_BYTES],
        }
