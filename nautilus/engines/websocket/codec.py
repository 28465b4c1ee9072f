"""Bytes of the stream in its two formats. A message is encoded once in each, however many clients receive it.

A data frame is {"type": "data", "messages": [...]}; it is put together from messages that are encoded already.
"""

from collections.abc import Sequence
from struct import pack
from typing import Any, Literal

import msgspec

from nautilus.engines.websocket.models import Command, Format, Frame
from nautilus.engines.websocket.wire import human
from nautilus.model.instruments import InstrumentRegistry

_JSON_HEAD = b'{"type":"data","messages":['
_MSGPACK_HEAD = b"\x82\xa4type\xa4data\xa8messages"

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_from_json = msgspec.json.Decoder(Command)
_from_msgpack = msgspec.msgpack.Decoder(Command)


class Item:
    """One message on its way to clients; its bytes are made when the first of them is written to, and then shared."""

    __slots__ = ("_encoded", "_instruments", "kind", "message", "sequence", "topic")

    def __init__(
        self,
        topic: str,
        sequence: int,
        kind: Literal["update", "snapshot"],
        message: msgspec.Struct,
        instruments: InstrumentRegistry,
    ) -> None:
        self.topic = topic
        self.sequence = sequence
        self.kind = kind
        self.message = message
        self._instruments = instruments
        self._encoded: dict[Format, bytes] = {}

    def encoded(self, form: Format) -> bytes:
        """The message in one of the formats."""
        data = self._encoded.get(form)
        if data is None:
            plain: dict[str, Any] = {
                "topic": self.topic,
                "sequence": self.sequence,
                "kind": self.kind,
                "data": human(self.message, self._instruments),
            }
            data = self._encoded[form] = (_json if form == "json" else _msgpack).encode(plain)
        return data


def encode_frame(frame: Frame, form: Format) -> bytes:
    """One frame that is not data."""
    return (_json if form == "json" else _msgpack).encode(frame)


def encode_items(items: Sequence[Item], form: Format) -> bytes:
    """One data frame of at most 65,535 messages."""
    encoded = [item.encoded(form) for item in items]
    if form == "json":
        return _JSON_HEAD + b",".join(encoded) + b"]}"
    return _MSGPACK_HEAD + pack(">BH", 0xDC, len(encoded)) + b"".join(encoded)


def decode_command(data: str | bytes) -> Command:
    """A client's command: JSON in a text frame, MessagePack in a binary one. Raises msgspec.DecodeError."""
    command: Command = _from_json.decode(data) if isinstance(data, str) else _from_msgpack.decode(data)
    return command
