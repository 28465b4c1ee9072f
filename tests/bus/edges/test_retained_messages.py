"""Retained messages: who comes later hears what holds, the newest of each topic, whatever became of the server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest

from nautilus.bus import Bus
from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.retained_messages import RetainedMessages
from nautilus.bus.edges.settings import ServerSettings
from nautilus.clock import LiveClock, TestClock
from nautilus.errors import Invalid, Unavailable
from nautilus.model import topics
from nautilus.model.messages import SystemAlert, TradingControl
from tests.servers.valkey import Valkey

KEY = "nautilus:retained"


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as made:
        yield made


@pytest.fixture
async def connection(server: Valkey) -> AsyncIterator[Any]:
    client = await open_client(ServerSettings(url=server.url), name="test")
    await client.flushall()
    yield client
    await client.aclose()


def control(reason: str = "") -> TradingControl:
    return TradingControl(ts_event=1, state="halted", kill_switch=True, reason=reason)


def alert(number: int) -> SystemAlert:
    return SystemAlert(ts_event=number, source="test", severity="info", code="n", message=str(number))


class Instance:
    """A bus and what retains its messages."""

    def __init__(self, connection: Any, name: str, **options: Any) -> None:
        self.bus = Bus()
        self.clock = options.pop("clock", None) or LiveClock()
        options = {"linger_seconds": 0.001, "check_seconds": 0.05, **options}
        self.retained = RetainedMessages(connection, self.bus, self.clock, instance=name, **options)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side of a server
            await asyncio.sleep(0.005)


async def test_who_comes_later_hears_the_latest_of_each_topic_and_who_said_it(connection: Any) -> None:
    early, late = Instance(connection, "early"), Instance(connection, "late")
    early.retained.start()
    early.retained.start()
    for reason in ("first", "second"):
        early.bus.publish(topics.CONTROL, control(reason))
    early.bus.publish(topics.quote("A.X"), object())  # type: ignore[arg-type]  # of no retained pattern
    await until(lambda: early.retained.report().written > 0)
    heard: list[Any] = []
    late.bus.tap("control.>", lambda topic, message: heard.append((topic, message)))
    late.retained.start()
    (found,) = await late.retained.replay()
    assert (found.topic, found.message, found.source_instance) == ("control.trading", control("second"), "early")
    assert abs(found.ts - late.clock.timestamp_ns()) < 60_000_000_000
    assert heard == [("control.trading", control("second"))]
    assert late.retained.report().topics == 0  # what was replayed is not the late one's own word
    assert await early.retained.replay() == []  # and nobody hears himself
    for one in (early, late):
        await one.retained.stop()
        await one.retained.stop()


async def test_what_came_from_another_process_is_not_written_again(connection: Any) -> None:
    foreign = control("from afar")
    one = Instance(connection, "one")
    one.retained.start()
    one.retained.disregard(topics.CONTROL, foreign)
    one.bus.publish(topics.CONTROL, foreign)
    assert one.retained.report().waiting == 0
    await one.retained.stop()
    assert await one.retained.load() == []


async def test_stopping_writes_what_still_waits(connection: Any) -> None:
    one = Instance(connection, "one", linger_seconds=60, check_seconds=120)
    one.retained.start()
    one.bus.publish(topics.CONTROL, control())
    await one.retained.stop()
    assert [found.message for found in await one.retained.load()] == [control()]


async def test_an_older_message_never_takes_the_place_of_a_newer_one(connection: Any) -> None:
    ahead, behind = Instance(connection, "a", clock=TestClock(2_000)), Instance(connection, "b", clock=TestClock(1_000))
    for one, reason in ((ahead, "newer"), (behind, "older")):
        one.retained.start()
        one.bus.publish(topics.CONTROL, control(reason))
        await one.retained.stop()
    assert [found.message.reason for found in await ahead.retained.load()] == ["newer"]


async def test_a_clock_that_is_far_ahead_does_not_pin_its_message(connection: Any) -> None:
    ahead, right = Instance(connection, "a", clock=TestClock(2**62)), Instance(connection, "b")
    for one, reason in ((ahead, "of the future"), (right, "of today")):
        one.retained.start()
        one.bus.publish(topics.CONTROL, control(reason))
        await one.retained.stop()
    await right.retained.flush()
    assert [found.message.reason for found in await ahead.retained.load()] == ["of today"]


async def test_a_server_that_was_away_or_lost_its_data_gets_everything_again() -> None:
    with Valkey(start=False) as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        one = Instance(connection, "one", patterns=["system_alert.>"])
        other = Instance(connection, "other", patterns=["control.>"])
        for each in (one, other):
            each.retained.start()
        for number in range(500):
            one.bus.publish(topics.system_alert(str(number)), alert(number))
        other.bus.publish(topics.CONTROL, control())
        await until(lambda: bool(one.retained.problems()))
        with pytest.raises(Unavailable):
            await one.retained.load()

        async def complete() -> None:
            async with asyncio.timeout(20):
                while True:
                    found = await one.retained.load(["system_alert.>", "control.>"])
                    if len(found) == 501:
                        break
                    await asyncio.sleep(0.01)
            assert {retained.topic: retained.message for retained in found} == {
                "control.trading": control(),
                **{f"system_alert.{number}": alert(number) for number in range(500)},
            }

        await asyncio.to_thread(server.start)
        await complete()
        await asyncio.to_thread(server.restart)
        await until(lambda: not one.retained.problems())
        await complete()
        await connection.flushall()
        await complete()
        assert one.retained.problems() == []
        for each in (one, other):
            await each.retained.stop()
        await connection.aclose()


async def test_beyond_the_most_topics_and_the_largest_message_is_refused_and_counted(connection: Any) -> None:
    one = Instance(connection, "one", patterns=["system_alert.>"], most_topics=3, max_message_bytes=200)
    two = Instance(connection, "two", patterns=["control.>"], most_topics=3)
    one.retained.start()
    for number in range(5):
        one.bus.publish(topics.system_alert(str(number)), alert(number))
    big = msgspec.structs.replace(alert(0), message="x" * 1_000)
    one.bus.publish(topics.system_alert("0"), alert(0))
    await one.retained.flush()
    one.bus.publish(topics.system_alert("0"), big)
    await one.retained.stop()
    two.retained.start()
    two.bus.publish(topics.CONTROL, control())
    await two.retained.stop()
    assert [found.topic for found in await one.retained.load(["system_alert.>", "control.>"])] == [
        "system_alert.0",
        "system_alert.1",
        "system_alert.2",
    ]
    assert (one.retained.report().refused, two.retained.report().refused) == (3, 1)
    assert "3 refused" in one.retained.problems()[0]


async def test_what_cannot_be_read_is_left_out_and_counted(connection: Any) -> None:
    one = Instance(connection, "one")
    one.retained.start()
    one.bus.publish(topics.CONTROL, control())
    await one.retained.stop()
    good = await connection.hget(KEY, "control.trading")
    await connection.hset(
        KEY,
        mapping={
            "control.damaged": good[:-5],
            "control.later": b"2" + good[1:],
            "control.strange": b"?",
            b"control.\xff": good,
        },
    )
    assert [found.topic for found in await one.retained.load(["control.*"])] == ["control.trading"]
    assert one.retained.report().undecodable == 4


async def test_forgotten_topics_are_gone_until_they_are_said_again(connection: Any) -> None:
    one = Instance(connection, "one")
    one.retained.start()
    one.bus.publish(topics.CONTROL, control())
    await one.retained.flush()
    await one.retained.forget(["control.trading"])
    await one.retained.forget([])
    assert await one.retained.load() == []
    one.bus.publish(topics.CONTROL, control("again"))
    await one.retained.stop()
    assert [found.message.reason for found in await one.retained.load()] == ["again"]


@pytest.mark.parametrize("patterns", ["instrument.>", ["nonsense.>"], ["quote..A"], [">"]])
def test_patterns_that_cannot_be_are_refused(patterns: Any) -> None:
    with pytest.raises(Invalid):
        RetainedMessages(None, Bus(), TestClock(), instance="one", patterns=patterns)  # type: ignore[arg-type]


def test_an_instance_is_one_word() -> None:
    with pytest.raises(Invalid, match="instance"):
        RetainedMessages(None, Bus(), TestClock(), instance="two words")  # type: ignore[arg-type]
