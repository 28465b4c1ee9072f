"""The envelope: how messages are packed into the entries of a stream, and read again, whoever wrote them.

An entry has a header (fields of their own: version, instance, node, count, first_sequence) and the field `events`, a
MessagePack array of events. An event is an array: sequence, topic, ts, priority, engine, correlation_id, payload. Later
minor versions may add fields and end an event with more elements; readers pass over them. Another major version is not
read. A message's id is "{instance}-{sequence}"; an instance never uses a sequence twice on one channel.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw, Struct

from nautilus.bus.edges.arrays import decode_array, encode_array
from nautilus.errors import Invalid
from nautilus.model.enums import Channel, MessageType
from nautilus.model.priorities import priority
from nautilus.model.topic_types import TYPES, message_class, source_engine
from nautilus.model.topics import FAMILIES

VERSION = b"1.0"
MAJOR = b"1"
ARRAY_MAX_BYTES = 67_108_864
CORRELATIONS = ("correlation_id", "client_order_id", "request_id", "run_id")
"""Attributes that tie messages together; the first that a message has is its correlation id."""

type Item = tuple[int, str, int, Any]
"""A message to be sent: sequence, topic, ts (nanoseconds UTC of its publication), message."""
type Fields = dict[bytes, bytes]


class Event(Struct, array_like=True, frozen=True):
    """One message of an entry, its payload not yet read. Empty text where there is no engine or correlation id."""

    sequence: int
    topic: str
    ts: int
    priority: int
    engine: str
    correlation_id: str
    payload: Raw


class Header(Struct, frozen=True):
    """What an entry says of itself."""

    instance: str
    node: str
    count: int
    first_sequence: int

    def message_id(self, event: Event) -> str:
        """The id of one of the entry's messages."""
        return f"{self.instance}-{event.sequence}"


class Entry(Struct, frozen=True):
    """An entry as it was read: its events, and each that could not be, with the reason."""

    header: Header
    events: list[Event]
    damaged: list[tuple[bytes, str]]


class Packet(Struct, frozen=True):
    """An entry to be sent: always the same bytes, however often it takes."""

    message_type: MessageType
    instance: str
    first_sequence: int
    count: int
    events: bytes

    def fields(self, node: str) -> dict[Any, Any]:
        """What XADD takes."""
        return {
            b"version": VERSION,
            b"instance": self.instance,
            b"node": node,
            b"count": self.count,
            b"first_sequence": self.first_sequence,
            b"events": self.events,
        }


def stream_name(prefix: str, message_type: MessageType) -> str:
    """The stream that carries a message type.

    >>> stream_name("nautilus", MessageType.PRICE_UPDATE)
    'nautilus:marketdata:price_update'
    """
    return f"{prefix}:{message_type.channel}:{message_type}"


def dead_letters_name(prefix: str, channel: Channel) -> str:
    """The stream of what could not be read on a channel."""
    return f"{prefix}:{channel}:dead_letters"


class _Family(Struct, frozen=True):
    message_type: MessageType
    priority: int
    engine: str


class Codec:
    """Packs and reads. One for each edge: it keeps the decoders of the families that it has met."""

    def __init__(self, array_max_bytes: int = ARRAY_MAX_BYTES) -> None:
        self._encode = msgspec.msgpack.Encoder(enc_hook=partial(encode_array, max_bytes=array_max_bytes)).encode
        self._array = partial(decode_array, max_bytes=array_max_bytes)
        self._families = {family: _family(family) for family in FAMILIES}
        self._events = msgspec.msgpack.Decoder(list[Event])
        self._raw_events = msgspec.msgpack.Decoder(list[Raw])
        self._event = msgspec.msgpack.Decoder(Event)
        self._payloads: dict[str, msgspec.msgpack.Decoder[Any]] = {}
        self._correlations: dict[type, str] = {}

    def message_type(self, topic: str) -> MessageType:
        """The type whose stream carries the topic."""
        return self._families[topic.partition(".")[0]].message_type

    def pack(self, items: Sequence[Item]) -> bytes:
        """Messages in the order given, as the field `events`. Raises Invalid where one of them cannot be encoded."""
        return self._encoded([self._whole(item) for item in items])

    def pack_one(self, item: Item) -> bytes:
        """One message alone, to be joined with others later. Raises Invalid."""
        return self._encoded(self._whole(item))

    @staticmethod
    def join(events: Sequence[bytes]) -> bytes:
        """The field `events` of messages that were packed one by one."""
        return b"".join((b"\xdd", len(events).to_bytes(4, "big"), *events))

    def encode_message(self, message: Any) -> bytes:
        """A message without an envelope. Raises Invalid."""
        return self._encoded(message)

    def decode_message(self, topic: str, data: bytes | memoryview | Raw) -> Any:
        """The message that a topic carries. Raises Invalid where the bytes are none."""
        family = topic.partition(".")[0]
        decoder = self._payloads.get(family)
        if decoder is None:
            decoder = msgspec.msgpack.Decoder(message_class(topic), ext_hook=self._array)
            self._payloads[family] = decoder
        try:
            return decoder.decode(data)
        except (ValueError, RecursionError) as error:  # every error of msgspec's decoding is a ValueError
            raise Invalid("payload", f"is no message of {family!r}: {error}") from error

    def read_event(self, data: bytes) -> Event:
        """One message that `pack_one` packed. Raises Invalid."""
        try:
            return self._event.decode(data)
        except ValueError as error:
            raise Invalid("events", str(error)) from error

    def read(self, fields: Fields) -> Entry:
        """The events of an entry. Raises Invalid where the entry as a whole cannot be read, naming the field."""
        header = self._header(fields)
        packed = fields.get(b"events", b"")
        try:
            return Entry(header, self._events.decode(packed), [])
        except (ValueError, RecursionError):
            pass
        try:
            raws = self._raw_events.decode(packed)
        except (ValueError, RecursionError) as error:
            raise Invalid("events", str(error)) from error
        events, damaged = [], []
        for raw in raws:
            try:
                events.append(self._event.decode(raw))
            except (ValueError, RecursionError) as error:
                damaged.append((bytes(raw), f"events: {error}"))
        return Entry(header, events, damaged)

    def _header(self, fields: Fields) -> Header:
        version = fields.get(b"version", b"")
        if version.partition(b".")[0] != MAJOR:
            raise Invalid("version", f"{version[:32]!r} is not read here, only {MAJOR.decode()}.x")
        try:
            return Header(
                instance=fields[b"instance"].decode(),
                node=fields[b"node"].decode(),
                count=int(fields[b"count"]),
                first_sequence=int(fields[b"first_sequence"]),
            )
        except KeyError as error:
            raise Invalid(error.args[0].decode(), "is missing in the entry's header") from None
        except ValueError as error:
            raise Invalid("header", str(error)) from error

    def _whole(self, item: Item) -> tuple[int, str, int, int, str, str, Any]:
        sequence, topic, ts, message = item
        family = self._families[topic.partition(".")[0]]
        name = self._correlations.get(type(message))
        if name is None:
            name = self._correlations[type(message)] = _correlation(message)
        correlation = getattr(message, name) or "" if name else ""
        return sequence, topic, ts, family.priority, family.engine, correlation, message

    def _encoded(self, value: Any) -> bytes:
        try:
            return self._encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise Invalid("message", f"cannot be encoded: {error}") from error


def _family(family: str) -> _Family:
    message_type = FAMILIES[family]
    engine = source_engine(family) if family in TYPES else None
    return _Family(message_type, int(priority(family)), str(engine) if engine else "")


def _correlation(message: Any) -> str:
    return next((name for name in CORRELATIONS if isinstance(getattr(message, name, None), str)), "")
