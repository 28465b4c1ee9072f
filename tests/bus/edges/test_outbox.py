"""The plain bounded queue, and how messages are joined into entries."""

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus.edges.codec import Codec
from nautilus.bus.edges.outbox import ENTRY_MAX_BYTES, DropOldest, Packed, Sender, join_packed
from nautilus.model import MessageType
from nautilus.model.messages import ComputeRequest

TOPIC = "compute.request.k"


def request(number: int, size: int = 1) -> ComputeRequest:
    return ComputeRequest(ts_event=number, request_id=str(number), kernel="k", arguments=(np.zeros(size),))


def outbox(capacity: int = 3, max_bytes: int = 1 << 20) -> DropOldest:
    sender = Sender(codec=Codec(array_max_bytes=10_000), instance="i", timestamp_ns=lambda: 0, batch_max_events=10)
    return DropOldest(sender, capacity=capacity, max_bytes=max_bytes)


async def test_the_oldest_make_room_and_are_counted_by_topic() -> None:
    box = outbox()
    for number in range(5):
        box.put(TOPIC, request(number))
    assert len(box) == 3
    assert box.counts.dropped.by_topic() == {TOPIC: 2}
    packets = await box.take()
    assert sum(packet.count for packet in packets) == 3
    assert packets[0].first_sequence == 3  # the first two were dropped
    assert not len(box)
    assert box.waiting_bytes == 0


async def test_arrays_that_wait_are_bounded_in_bytes() -> None:
    box = outbox(capacity=100, max_bytes=10_000)
    for number in range(10):
        box.put(TOPIC, request(number, 500))
    assert box.waiting_bytes <= 10_000
    assert len(box) == 2
    assert "8 messages were dropped" in box.problems()[0]


async def test_an_array_over_the_limit_is_counted_and_the_others_go() -> None:
    box = outbox()
    box.put(TOPIC, request(0, 5_000))
    box.put(TOPIC, request(1))
    assert [packet.count for packet in await box.take()] == [1]
    assert box.counts.unencodable == 1


async def test_who_waits_is_woken_by_the_first_message() -> None:
    box = outbox()
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put(TOPIC, request(0))
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(box.wait(), 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([MessageType.ORDER_EVENT, MessageType.RISK_ALERT]),
            st.sampled_from(["i1", "i2"]),
            st.integers(1, ENTRY_MAX_BYTES),
        ),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_entries_are_of_one_type_and_sender_bounded_and_in_order(
    rows: list[tuple[MessageType, str, int]], most: int
) -> None:
    packed = [Packed(kind, name, number, b"x" * size) for number, (kind, name, size) in enumerate(rows)]
    packets = join_packed(packed, most)
    assert sum(packet.count for packet in packets) == len(packed)
    for packet in packets:
        assert packet.count <= most
        assert packet.count == 1 or len(packet.events) <= ENTRY_MAX_BYTES + 5
    for kind, name in {(one.message_type, one.instance) for one in packed}:
        mine = [one for one in packed if (one.message_type, one.instance) == (kind, name)]
        theirs = [packet for packet in packets if (packet.message_type, packet.instance) == (kind, name)]
        assert b"".join(packet.events[5:] for packet in theirs) == b"".join(one.data for one in mine)
        assert theirs[0].first_sequence == mine[0].sequence
