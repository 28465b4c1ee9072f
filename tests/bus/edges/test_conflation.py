"""Market data that waits: everything while the server keeps up, the newest once it does not."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus.edges.codec import Codec, Packet
from nautilus.bus.edges.conflation import PATIENCE_NS, ConflatingOutbox
from nautilus.bus.edges.outbox import Sender
from nautilus.clock import TestClock
from nautilus.model import Trade
from nautilus.model.enums import Side
from tests.bus.edges.edge_nodes import quote

CODEC = Codec()
type Said = tuple[str, Any]


def sender(timestamp_ns: Callable[[], int] = TestClock(1_000).timestamp_ns, batch: int = 4) -> Sender:
    return Sender(codec=CODEC, instance="i", timestamp_ns=timestamp_ns, batch_max_events=batch)


def said(packets: list[Packet]) -> list[Said]:
    """The messages of packets in the order of their sequences."""
    events = [event for packet in packets for event in _events(packet)]
    events.sort(key=lambda event: event.sequence)
    return [(event.topic, CODEC.decode_message(event.topic, event.payload)) for event in events]


def _events(packet: Packet) -> list[Any]:
    fields = packet.fields("n")
    return CODEC.read(
        {name: value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()}
    ).events


def message(topic: str, number: int) -> Any:
    return Trade("A", number, 1, Side.BUY, number, number, number) if topic.startswith("trade") else quote(number)


async def drain(outbox: ConflatingOutbox) -> list[Said]:
    found = []
    while len(outbox):
        found += said(await outbox.take())
        await outbox.settle()
    return found


topics = st.sampled_from(["quote.A", "quote.B", "trade.A", "trade.B"])


@given(st.lists(topics, max_size=60), st.integers(0, 60))
async def test_in_trouble_the_latest_of_each_topic_and_the_newest_trades_are_left_in_order(
    names: list[str], trouble_at: int
) -> None:
    outbox = ConflatingOutbox(sender(), capacity=10)
    everything = [(topic, message(topic, number)) for number, topic in enumerate(names)]
    for number, (topic, one) in enumerate(everything):
        if number == trouble_at:
            outbox.trouble()
        outbox.put(topic, one)
    if trouble_at >= len(everything):
        outbox.trouble()
    latest = {topic: one for topic, one in everything if topic.startswith("quote")}
    trades = [one for topic, one in everything if topic.startswith("trade")][-10:]
    expected = [(topic, one) for topic, one in everything if one in trades or latest.get(topic) is one]
    counts = outbox.counts
    assert await drain(outbox) == expected
    assert counts.dropped.total + counts.conflated + len(expected) == len(everything)
    assert counts.conflated == sum(topic.startswith("quote") for topic, _ in everything) - len(latest)


@given(st.lists(topics, max_size=10))
async def test_without_trouble_everything_goes_out_in_order(names: list[str]) -> None:
    outbox = ConflatingOutbox(sender(), capacity=10)
    everything = [(topic, message(topic, number)) for number, topic in enumerate(names)]
    for topic, one in everything:
        outbox.put(topic, one)
    assert await drain(outbox) == everything
    assert not outbox.counts.conflated
    assert not outbox.problems()


async def test_a_server_is_slow_once_the_oldest_has_waited_a_second_and_well_again_when_nothing_waits() -> None:
    clock = TestClock(0)
    outbox = ConflatingOutbox(sender(clock.timestamp_ns), capacity=1_000)
    for number in range(100):
        outbox.put("quote.A", quote(number))
    clock.advance_time(PATIENCE_NS + 1)
    assert said(await outbox.take()) == [("quote.A", quote(99))]
    assert not outbox.conflating
    for number in range(2):
        outbox.put("quote.A", quote(number))
    assert len(outbox) == 2


async def test_a_message_that_cannot_be_encoded_is_counted_and_the_others_go() -> None:
    outbox = ConflatingOutbox(sender(), capacity=10)
    outbox.put("quote.A", quote(1))
    outbox.put("quote.A", object())
    outbox.put("quote.A", quote(2))
    assert said(await outbox.take()) == [("quote.A", quote(1)), ("quote.A", quote(2))]
    assert outbox.counts.unencodable == 1


async def test_entries_hold_one_type_and_no_more_than_the_batch() -> None:
    outbox = ConflatingOutbox(sender(batch=4), capacity=100)
    for number in range(10):
        outbox.put("quote.A", quote(number))
        outbox.put("trade.A", message("trade.A", number))
    packets = await outbox.take()
    assert [(str(packet.message_type), packet.count) for packet in packets] == [
        ("price_update", 4),
        ("price_update", 4),
        ("price_update", 2),
        ("trade_execution", 4),
        ("trade_execution", 4),
        ("trade_execution", 2),
    ]


def test_the_topics_kept_are_bounded_too() -> None:
    outbox = ConflatingOutbox(sender(), capacity=10)
    outbox.trouble()
    for number in range(25):
        outbox.put(f"quote.{number}", quote(number))
    assert len(outbox) == 10
    assert outbox.counts.dropped.total == 15


def test_a_later_process_of_the_same_name_uses_no_sequence_again() -> None:
    first, second = ConflatingOutbox(sender(lambda: 5_000_000), capacity=10), []
    for number in range(3):
        first.put("quote.A", quote(number))
    later = ConflatingOutbox(sender(lambda: 6_000_000), capacity=10)
    later.put("quote.A", quote(0))
    second = [item[0] for item in later._queue]
    assert min(second) > max(item[0] for item in first._queue)
