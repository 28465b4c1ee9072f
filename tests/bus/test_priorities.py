"""Priorities: what is urgent overtakes what waits, and never gives its place to something less urgent."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus import Bus, Mailbox, Policy
from nautilus.bus.mailbox import BURST
from nautilus.bus.waiting import Latest, Queued
from nautilus.errors import Invalid
from nautilus.model import MessagePriority, topics
from nautilus.model.priorities import PRIORITIES, priority

EVERYTHING: Any = ">"
QUOTE: Any = "quote.AAPL.XNAS"
ORDER: Any = "order.ema-1"
FLASH: Any = "flash_crash.AAPL.XNAS"

levels = st.integers(0, 5)


def test_every_family_has_a_priority_and_the_table_names_only_families() -> None:
    assert {priority(f"{family}.x") for family in topics.FAMILIES} == set(MessagePriority)
    assert PRIORITIES.keys() <= topics.FAMILIES.keys()
    with pytest.raises(Invalid, match="unknown family"):
        priority("nonsense.x")


class Box:
    """A mailbox on everything, which is not run before all is in it."""

    def __init__(self, pattern: Any = EVERYTHING, **options: Any) -> None:
        self.seen: list[Any] = []
        self.failures: list[str] = []
        self.bus = Bus(on_error=lambda source, error, count: self.failures.append(type(error).__name__))
        self.subscription, self.box = self.bus.mailbox(pattern, self.handle, **options)

    async def handle(self, message: Any) -> None:
        self.seen.append(message)

    async def run(self) -> list[Any]:
        task = asyncio.create_task(self.box.run())
        await self.box.drain()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return self.seen


async def test_an_urgent_message_overtakes_and_the_rest_stays_in_order() -> None:
    box = Box()
    for topic, message in ((QUOTE, 1), (ORDER, 2), (QUOTE, 3), (FLASH, 4), (ORDER, 5), (topics.CONTROL, 6)):
        box.bus.publish(topic, message)
    assert await box.run() == [4, 6, 2, 5, 1, 3]


async def test_an_urgent_message_overtakes_what_waits_behind_the_one_in_hand() -> None:
    box = Box()

    async def handle(message: Any) -> None:
        box.seen.append(message)
        if message == 1:
            box.bus.publish(topics.CONTROL, "stop")  # type: ignore[arg-type]

    box.box._handler = handle
    for message in (1, 2, 3):
        box.bus.publish(QUOTE, message)
    assert await box.run() == [1, "stop", 2, 3]


async def test_a_function_of_the_message_goes_before_the_topics_priority() -> None:
    box = Box(priority=lambda message: message)
    for message in (1, 5, 0, 3):
        box.bus.publish(FLASH, message)
    assert await box.run() == [5, 3, 1, 0]


async def test_one_mailbox_on_several_patterns_closes_with_the_last() -> None:
    box = Box(topics.ALL_QUOTES)
    control = box.bus.deliver(topics.CONTROL, box.box)  # type: ignore[arg-type]
    box.bus.publish(QUOTE, 1)
    box.bus.publish(topics.CONTROL, 2)  # type: ignore[arg-type]
    box.bus.publish(ORDER, 3)
    box.subscription.cancel()
    box.bus.publish(QUOTE, 4)
    assert await box.run() == [2, 1]
    control.cancel()
    async with asyncio.timeout(1):
        await box.box.drain()


async def test_the_oldest_of_the_lowest_priority_makes_room() -> None:
    box = Box(capacity=3)
    for topic, message in ((QUOTE, 1), (ORDER, 2), (QUOTE, 3), (FLASH, 4), (FLASH, 5)):
        box.bus.publish(topic, message)
    box.bus.publish(QUOTE, 6)  # all that wait are more urgent
    assert box.box.dropped == 3
    assert await box.run() == [4, 5, 2]


async def test_waiting_mailboxes_refuse_even_what_is_urgent() -> None:
    box = Box(policy=Policy.WAIT, capacity=1)
    box.bus.publish(QUOTE, 1)
    box.bus.publish(FLASH, 2)
    assert (await box.run(), box.failures, box.box.dropped) == ([1], ["QueueFull"], 0)


async def test_a_priority_that_is_none_is_reported_as_the_handlers_failure() -> None:
    box = Box(priority=lambda message: message)
    box.bus.publish(QUOTE, 6)
    assert box.failures == ["Invalid"]
    with pytest.raises(Invalid, match="priority"):
        Mailbox(box.handle, priority=-1, on_error=print)  # type: ignore[arg-type]


@given(st.lists(st.tuples(levels, st.booleans())), st.integers(1, 6))
def test_a_queue_equals_a_sorted_list(steps: list[tuple[int, bool]], capacity: int) -> None:
    queue: Queued[int] = Queued(capacity, refuses=False)
    model: list[tuple[int, int]] = []  # (minus priority, when it came)
    dropped = 0
    for number, (level, takes) in enumerate(steps):
        if takes and model:
            assert queue.take() == model.pop(0)[1]
            continue
        dropped += queue.add(number, level)
        model.append((-level, number))
        if len(model) > capacity:
            lowest = max(place for place, _ in model)
            model.remove(min(entry for entry in model if entry[0] == lowest))
        model.sort()
        assert queue.size == len(model)
    assert [queue.take() for _ in range(queue.size)] == [number for _, number in model]
    with pytest.raises(IndexError):
        queue.take()


@given(st.lists(st.tuples(levels, st.integers(0, 5))), st.integers(1, 4))
def test_the_latest_of_each_key_waits_and_nothing_urgent_gives_way(
    arrivals: list[tuple[int, int]], capacity: int
) -> None:
    box: Latest[tuple[int, int, int]] = Latest(capacity, lambda message: message[1])
    model: list[tuple[int, int, tuple[int, int, int]]] = []  # (minus priority, its place in line, message)
    dropped = 0
    for number, (level, key) in enumerate(arrivals):
        message = (level, key, number)
        dropped += box.add(message, level)
        old = next((entry for entry in model if entry[2][1] == key), None)
        if old is not None:
            model.remove(old)
            place = old[:2] if old[0] <= -level else (-level, number)
        else:
            place = (-level, number)
        model.append((*place, message))
        if len(model) > capacity:
            lowest = max(entry[0] for entry in model)
            model.remove(min(entry for entry in model if entry[0] == lowest))
    assert dropped == len(arrivals) - len(model)
    assert [box.take() for _ in range(box.size)] == [message for *_, message in sorted(model)]
    with pytest.raises(IndexError):
        box.take()


async def test_a_flood_leaves_the_loop_its_turns() -> None:
    box = Box(capacity=10 * BURST)
    for message in range(10 * BURST):
        box.bus.publish(QUOTE, message)
    task = asyncio.create_task(box.box.run())
    most, before = 0, 0
    while len(box.box):
        await asyncio.sleep(0)
        most, before = max(most, box.box.handled - before), box.box.handled
    task.cancel()
    assert most == BURST
    assert box.seen == list(range(10 * BURST))


async def test_the_end_of_a_mailbox_between_two_bursts_keeps_what_waits() -> None:
    box = Box(capacity=2 * BURST)
    for message in range(2 * BURST):
        box.bus.publish(QUOTE, message)
    task = asyncio.create_task(box.box.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (len(box.seen), len(box.box)) == (BURST, BURST)
