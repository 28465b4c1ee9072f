"""Presence: who is there is known within a beat, who leaves at once, who dies after three, and silence is not death."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.lease import elapsed_seconds
from nautilus.bus.edges.presence import MISSED_BEATS, InstanceInfo, Presence, PresenceChange
from nautilus.bus.edges.settings import ServerSettings
from nautilus.errors import Invalid, Unavailable
from tests.servers.valkey import Valkey

INTERVAL = 0.1
KEY = "nautilus:instances"


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


def info(instance: str, **changes: Any) -> InstanceInfo:
    return InstanceInfo(instance=instance, node="node", version="1", process_id=1, started_ns=1, **changes)


def presence(connection: Any, instance: str, **options: Any) -> Presence:
    return Presence(connection, lambda: info(instance), **{"interval_seconds": INTERVAL, **options})


def names(one: Presence) -> list[str]:
    return [peer.instance for peer in one.peers()]


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side of a server
            await asyncio.sleep(0.005)


async def test_instances_see_one_another_and_all_that_they_say_of_themselves(connection: Any) -> None:
    said = InstanceInfo(
        instance="a",
        node="trader",
        version="0.1.0",
        engines=("strategy", "risk"),
        started_ns=123,
        http="127.0.0.1:8001",
        market="simulated",
        description="a random walk",
        accounts={"SIM-001": 7},
        process_id=42,
    )
    one = Presence(connection, lambda: said, interval_seconds=INTERVAL)
    two = presence(connection, "b")
    await one.beat()
    await two.beat()
    assert two.peers() == (said,)
    assert one.peers() == ()
    await one.beat()
    assert names(one) == ["b"]
    assert (one.problems(), two.report().peers) == ([], (said,))


async def test_who_comes_and_who_leaves_is_told_at_the_next_beat(connection: Any) -> None:
    changes: list[PresenceChange] = []
    watcher, other = presence(connection, "watcher", on_change=changes.append), presence(connection, "other")
    other.start()
    other.start()
    await until(lambda: other.report().seconds_since_answer is not None)
    await watcher.beat()
    await other.stop()
    await other.stop()
    await watcher.beat()
    assert changes == [
        PresenceChange(joined=(info("other"),), left=()),
        PresenceChange(joined=(), left=(info("other"),)),
    ]
    assert watcher.peers() == ()


async def test_one_that_starts_again_under_its_name_has_left_and_joined(connection: Any) -> None:
    changes: list[PresenceChange] = []
    watcher = presence(connection, "watcher", on_change=changes.append)
    await presence(connection, "other").beat()
    await watcher.beat()
    restarted = info("other")
    again = Presence(connection, lambda: InstanceInfo(instance="other", node="node", version="1", process_id=2))
    await again.beat()
    await watcher.beat()
    assert [one.instance for one in changes[-1].joined] == [one.instance for one in changes[-1].left] == ["other"]
    assert changes[-1].left == (restarted,)
    assert again.problems() == []


async def test_a_process_that_is_killed_is_missed_after_three_beats(server: Valkey, connection: Any) -> None:
    program = (
        "import asyncio, sys\n"
        "from nautilus.bus.edges.connection import open_client\n"
        "from nautilus.bus.edges.presence import InstanceInfo, Presence\n"
        "from nautilus.bus.edges.settings import ServerSettings\n"
        "async def main():\n"
        "    connection = await open_client(ServerSettings(url=sys.argv[1]), name='child')\n"
        "    Presence(connection, lambda: InstanceInfo(instance='child', node='n', version='1'),\n"
        "        interval_seconds=0.1).start()\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    gone: list[float] = []
    watcher = presence(
        connection, "watcher", on_change=lambda change: gone.append(elapsed_seconds()) if change.left else None
    )
    watcher.start()
    child = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", program, server.url])
    try:
        await until(lambda: names(watcher) == ["child"])
    finally:
        child.kill()
        await asyncio.to_thread(child.wait, 20)
    killed = elapsed_seconds()
    await until(lambda: watcher.peers() == ())
    assert gone[0] - killed < (MISSED_BEATS + 1) * INTERVAL + 0.5  # half a second for a busy machine
    await watcher.stop()


async def test_without_a_server_nobody_is_known_and_that_is_a_problem() -> None:
    with Valkey(start=False) as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        alone = presence(connection, "a")
        with pytest.raises(Unavailable):
            await alone.beat()
        alone.start()
        await until(lambda: bool(alone.problems()))
        assert alone.peers() == ()
        await asyncio.to_thread(server.start)
        await until(lambda: not alone.problems())
        await alone.stop()
        await connection.aclose()


async def test_a_server_that_comes_back_empty_makes_nobody_leave() -> None:
    changes: list[PresenceChange] = []
    with Valkey() as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        one, two = presence(connection, "a", on_change=changes.append), presence(connection, "b")
        one.start()
        two.start()
        await until(lambda: names(one) == ["b"])
        server.kill()
        await until(lambda: bool(one.problems()) and one.peers() == ())
        await asyncio.to_thread(server.start)
        await until(lambda: names(one) == ["b"] and not one.problems())
        await connection.flushall()
        await until(lambda: names(one) == ["b"] and names(two) == ["a"])
        assert changes == [PresenceChange(joined=(info("b"),), left=())]
        await one.stop()
        await two.stop()
        await connection.aclose()


async def test_a_frozen_server_makes_nobody_leave() -> None:
    changes: list[PresenceChange] = []
    with Valkey() as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        one, two = presence(connection, "a", on_change=changes.append), presence(connection, "b")
        one.start()
        two.start()
        await until(lambda: names(one) == ["b"])
        server.freeze()
        await until(lambda: bool(one.problems()) and one.peers() == ())
        server.thaw()
        await until(lambda: names(one) == ["b"])
        assert changes == [PresenceChange(joined=(info("b"),), left=())]
        await one.stop()
        await two.stop()
        await connection.aclose()


async def test_two_processes_under_one_name_are_noticed(connection: Any) -> None:
    one, two = presence(connection, "a"), presence(connection, "a")
    await one.beat()
    await two.beat()
    assert two.problems() == []  # it may be the next run of one that has died
    await one.beat()
    assert one.problems() == ["presence: another process calls itself 'a' too"]
    await one.beat()
    assert one.problems() == []


async def test_a_line_that_cannot_be_read_is_passed_over_and_counted(connection: Any) -> None:
    await connection.hset(KEY, "strange", "99999999999999 nonce not json")
    await connection.hset(KEY, "stranger", "99999999999999 nonce")
    later = b'99999999999999 nonce {"instance":"later","node":"n","version":"9","new_field":[1]}'
    await connection.hset(KEY, "later", later)
    one = presence(connection, "a")
    await one.beat()
    assert names(one) == ["later"]
    assert one.report().undecodable == 2


async def test_a_listener_or_description_that_fails_is_a_problem_and_ends_nothing(connection: Any) -> None:
    def fail(change: PresenceChange) -> None:
        raise RuntimeError("no")

    one = presence(connection, "a", on_change=fail)
    await presence(connection, "b").beat()
    await one.beat()
    assert one.problems() == ["presence: on_change failed: RuntimeError: no"]
    assert names(one) == ["b"]

    def undescribed() -> InstanceInfo:
        raise RuntimeError("not ready")

    two = Presence(connection, undescribed, interval_seconds=INTERVAL)
    two.start()
    await until(lambda: two.problems() == ["presence: RuntimeError: not ready"])
    await two.stop()


def test_an_interval_that_cannot_be_is_named() -> None:
    with pytest.raises(Invalid, match="interval_seconds"):
        Presence(None, lambda: info("a"), interval_seconds=0)  # type: ignore[arg-type]


async def test_lines_of_the_long_dead_are_removed(connection: Any) -> None:
    await connection.hset(KEY, "dead", '1 nonce {"instance":"dead","node":"n","version":"1"}')
    await presence(connection, "a").beat()
    assert await connection.hkeys(KEY) == [b"a"]
