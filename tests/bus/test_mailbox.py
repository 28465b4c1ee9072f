"""Mailboxes: waiting publishers, draining, and the end of a mailbox, which keeps nobody waiting."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nautilus.bus import Bus, Mailbox, Policy, Subscription

TOPIC: Any = "system_alert.test"


class Desk:
    """A handler that takes a message only when it is let, and the mailbox before it."""

    def __init__(self, capacity: int, policy: Policy = Policy.WAIT) -> None:
        self.failures: list[str] = []
        self.seen: list[Any] = []
        self.permits = asyncio.Semaphore(0)
        self.bus = Bus(on_error=lambda source, error, count: self.failures.append(type(error).__name__))
        made: tuple[Subscription, Mailbox[Any]] = self.bus.mailbox(TOPIC, self.handle, policy=policy, capacity=capacity)
        self.subscription, self.box = made
        self.task = asyncio.create_task(self.box.run())

    async def handle(self, message: Any) -> None:
        await self.permits.acquire()
        self.seen.append(message)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk(capacity=1)
    yield made
    await made.close()


async def publish_all(desk: Desk, messages: list[int]) -> None:
    for message in messages:
        await desk.bus.publish_waiting(TOPIC, message)


async def test_a_waiting_publisher_goes_on_when_there_is_room_and_nothing_is_lost(desk: Desk) -> None:
    publishing = asyncio.create_task(publish_all(desk, [1, 2, 3, 4]))
    await turns()
    assert not publishing.done()
    assert len(desk.box) == 1
    for _ in range(4):
        desk.permits.release()
    await publishing
    await desk.box.drain()
    assert desk.seen == [1, 2, 3, 4]
    assert (desk.failures, desk.box.dropped) == ([], 0)


async def test_several_waiting_publishers_never_overfill_the_mailbox(desk: Desk) -> None:
    publishers = [asyncio.create_task(publish_all(desk, [number] * 3)) for number in range(5)]
    desk.permits = asyncio.Semaphore(100)
    await asyncio.gather(*publishers)
    await desk.box.drain()
    assert sorted(desk.seen) == sorted([0, 1, 2, 3, 4] * 3)
    assert desk.failures == []


async def test_a_publisher_that_cannot_wait_is_refused_and_that_is_reported(desk: Desk) -> None:
    await desk.bus.publish_waiting(TOPIC, 1)
    await turns()
    for message in (2, 3):
        desk.bus.publish(TOPIC, message)
    assert desk.failures == ["QueueFull"]
    assert desk.subscription.errors == 1


async def test_other_policies_keep_no_publisher_waiting() -> None:
    desk = Desk(capacity=1, policy=Policy.DROP_OLDEST)
    async with asyncio.timeout(1):
        await publish_all(desk, [1, 2, 3, 4])
    assert desk.box.dropped > 0
    await desk.close()


async def test_cancelling_the_subscription_lets_a_waiting_publisher_go(desk: Desk) -> None:
    publishing = asyncio.create_task(publish_all(desk, [1, 2, 3]))
    await turns()
    assert not publishing.done()
    desk.subscription.cancel()
    async with asyncio.timeout(1):
        await publishing


async def test_the_end_of_the_mailbox_lets_publishers_and_drainers_go(desk: Desk) -> None:
    publishing = asyncio.create_task(publish_all(desk, [1, 2, 3]))
    draining = asyncio.create_task(desk.box.drain())
    await turns()
    assert not draining.done()
    await desk.close()
    async with asyncio.timeout(1):
        await publishing
        await draining
        await desk.box.drain()
    assert desk.seen == []
    assert len(desk.box) == 1  # what nobody will handle any more


async def test_draining_waits_for_the_message_in_hand(desk: Desk) -> None:
    desk.bus.publish(TOPIC, 1)
    await turns()
    assert len(desk.box) == 0
    draining = asyncio.create_task(desk.box.drain())
    await turns()
    assert not draining.done()
    desk.permits.release()
    await draining
    assert desk.seen == [1]


async def test_an_empty_mailbox_is_drained_at_once(desk: Desk) -> None:
    async with asyncio.timeout(1):
        await desk.box.drain()
    assert desk.box.statistics() == {"waiting": 0, "capacity": 1, "dropped": 0, "handled": 0}
