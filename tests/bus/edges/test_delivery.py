"""Messages of one read come in the order in which each sender published them, and each once."""

from typing import Any

import structlog
from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus.edges.codec import Codec, Event, Header, Packet
from nautilus.bus.edges.consumer_group import Streams
from nautilus.bus.edges.delivery import Delivery
from nautilus.bus.edges.selection import Selection
from nautilus.model import Channel, MessageType
from tests.bus.edges.edge_nodes import quote

CODEC = Codec()
TOPICS = {"quote.A": MessageType.PRICE_UPDATE, "depth.A": MessageType.MARKET_DATA}


class Ear:
    def __init__(self, recent_ids: int = 1_000) -> None:
        self.heard: list[tuple[str, int]] = []
        self.delivery = Delivery(
            Selection(("quote.>",), Channel.MARKETDATA, "inbound"),
            self.hear,
            codec=CODEC,
            own_instances=lambda: frozenset({"me"}),
            recent_ids=recent_ids,
            timestamp_ns=lambda: 1_000,
            log=structlog.wrap_logger(structlog.ReturnLogger(), processors=[structlog.processors.JSONRenderer()]),
        )

    def hear(self, _message: Any, event: Event, header: Header) -> None:
        self.heard.append((header.instance, event.sequence))


def entry(instance: str, sequences: list[int]) -> dict[bytes, bytes]:
    items: list[Any] = [(sequence, "quote.A", 0, quote(sequence)) for sequence in sequences]
    fields = Packet(MessageType.PRICE_UPDATE, instance, 0, len(items), CODEC.pack(items)).fields("n")
    return {name: value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["s1", "s2", "s3"]), st.integers(1, 3)), max_size=20),
)
async def test_across_streams_a_senders_order_is_kept_and_nothing_is_left_out(rows: list[tuple[str, str, int]]) -> None:
    streams: Streams = {}
    said: dict[str, list[int]] = {}
    for position, (instance, stream, count) in enumerate(rows):
        sequences = list(range(len(said.get(instance, [])), len(said.get(instance, [])) + count))
        said.setdefault(instance, []).extend(sequences)
        streams.setdefault(stream, []).append((f"{position // 3}-{position}", entry(instance, sequences)))
    ear = Ear()
    assert not await ear.delivery.hand_on(streams)
    for instance, sequences in said.items():
        assert [sequence for name, sequence in ear.heard if name == instance] == sequences
    assert len(ear.heard) == sum(len(sequences) for sequences in said.values())


@given(st.lists(st.integers(0, 30), max_size=60))
async def test_a_message_that_was_handed_on_is_passed_over(sequences: list[int]) -> None:
    ear = Ear()
    for position, sequence in enumerate(sequences):
        await ear.delivery.hand_on({"s": [(f"{position}-0", entry("a", [sequence]))]})
    assert [sequence for _, sequence in ear.heard] == list(dict.fromkeys(sequences))
    assert ear.delivery.counts.duplicates == len(sequences) - len(ear.heard)


async def test_own_messages_and_entries_that_are_gone_are_counted_and_not_handed_on() -> None:
    ear = Ear()
    await ear.delivery.hand_on({"s": [("1-0", entry("me", [1, 2])), ("2-0", None), ("3-0", entry("a", [3]))]})
    assert ear.heard == [("a", 3)]
    assert (ear.delivery.counts.echoes, ear.delivery.counts.trimmed, ear.delivery.counts.received) == (2, 1, 1)
    assert ear.delivery.last_latency_ns == 1_000
