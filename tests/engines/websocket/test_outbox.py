"""An outbox is bounded, conflates states and says what it dropped."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.websocket.codec import Item
from nautilus.engines.websocket.models import Gap, Heartbeat, Overflow, Pong
from nautilus.engines.websocket.outbox import FRAMES_MAX, ITEMS_IN_A_FRAME_MAX, Outbox
from nautilus.model import InstrumentRegistry
from nautilus.model.enums import Quality
from nautilus.testing import make_trade

NOBODY = InstrumentRegistry()


def item(sequence: int, topic: str = "trade.TEST.SIM") -> Item:
    return Item(topic, sequence, "update", make_trade(), NOBODY)


def outbox(capacity: int = 4, overflow: Overflow = "gap") -> tuple[Outbox, list[str]]:
    overflows: list[str] = []
    return Outbox(capacity, overflow, lambda: overflows.append("overflow")), overflows


def sequences(items: list[Item]) -> list[int]:
    return [one.sequence for one in items]


def test_of_a_state_only_the_newest_is_taken() -> None:
    box, _ = outbox()
    for sequence in range(1, 101):
        box.state("quote.A", item(sequence))
    box.state("quote.B", item(101))
    assert box.waiting_states == 2
    assert sequences(box.take()[1]) == [100, 101]
    assert box.take() == ([], [])


def test_a_snapshot_never_replaces_something_newer() -> None:
    box, _ = outbox()
    box.state("a", item(5))
    box.snapshot("a", item(1))
    box.snapshot("b", item(2))
    assert sequences(box.take()[1]) == [5, 2]


def test_a_full_outbox_drops_the_oldest_and_says_which() -> None:
    box, overflows = outbox(capacity=3)
    for sequence in range(1, 8):
        box.event(item(sequence))
    frames, items = box.take()
    assert frames == [Gap(reason="slow", dropped=4, from_sequence=1, through_sequence=4)]
    assert sequences(items) == [5, 6, 7]
    assert (box.dropped_events, overflows) == (4, [])
    assert box.take() == ([], [])


def test_the_other_policy_disconnects() -> None:
    box, overflows = outbox(capacity=3, overflow="disconnect")
    for sequence in range(1, 5):
        box.event(item(sequence))
    assert overflows == ["overflow"]
    assert box.waiting_events == 3


def test_answers_nobody_takes_overflow() -> None:
    box, overflows = outbox()
    for number in range(FRAMES_MAX + 1):
        box.frame(Pong(id=number, ts=0))
    assert overflows == ["overflow"]


def test_only_the_newest_heartbeat_waits() -> None:
    box, _ = outbox()
    for ts in range(3):
        box.heartbeat(Heartbeat(ts=ts, sequence=0, quality=Quality.NONE, source=""))
    (beat,), _ = box.take()
    assert isinstance(beat, Heartbeat)
    assert beat.ts == 2


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 10))
def test_what_was_taken_and_what_the_gaps_name_is_all_there_was(takes: list[int], capacity: int) -> None:
    box, _ = outbox(capacity)
    sequence = 0
    seen: list[int] = []

    def take() -> None:
        frames, items = box.take()
        for frame in frames:
            assert isinstance(frame, Gap)
            assert frame.dropped == frame.through_sequence - frame.from_sequence + 1
            seen.extend(range(frame.from_sequence, frame.through_sequence + 1))
        seen.extend(sequences(items))

    for count in takes:
        for _ in range(count):
            sequence += 1
            box.event(item(sequence))
            assert box.waiting_events <= capacity
        take()
    take()
    assert seen == list(range(1, sequence + 1))


def test_one_take_is_one_frame_s_worth() -> None:
    box, _ = outbox(capacity=2 * ITEMS_IN_A_FRAME_MAX)
    for sequence in range(ITEMS_IN_A_FRAME_MAX - 10):
        box.event(item(sequence))
    for number in range(100):
        box.state(str(number), item(number))
    assert len(box.take()[1]) == ITEMS_IN_A_FRAME_MAX
    assert len(box.take()[1]) == 90


@pytest.mark.parametrize("leave", ["event", "state", "frame", "heartbeat"])
async def test_waiting_ends_with_anything_left(leave: str) -> None:
    box, _ = outbox()
    waiting = asyncio.create_task(box.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    what: dict[str, Any] = {
        "event": lambda: box.event(item(1)),
        "state": lambda: box.state("a", item(1)),
        "frame": lambda: box.frame(Pong(id=1, ts=0)),
        "heartbeat": lambda: box.heartbeat(Heartbeat(ts=0, sequence=0, quality=Quality.NONE, source="")),
    }
    what[leave]()
    await asyncio.wait_for(waiting, 1)
