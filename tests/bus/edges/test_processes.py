"""Real processes that are killed: what one was told is published arrives, and what one had read another takes over."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nautilus.model import Channel
from tests.bus.edges.edge_nodes import ALERTS, EdgeNode, alert, eventually
from tests.servers.valkey import Valkey

REPOSITORY = Path(__file__).resolve().parents[3]
HEAR: dict[str, Any] = {"inbound": (">",)}

PRODUCER = """
import asyncio, os, sys
from pathlib import Path
from tests.bus.edges.edge_nodes import ALERTS, EdgeNode, alert

async def main(url, spool):
    async with EdgeNode(url, node="a", instance="a1", spool=Path(spool), engine_logic={"batch_max_events": 5}) as a:
        for number in range(1_000_000):
            a.bus.publish(ALERTS, alert(number))
            os.write(1, b"%d\\n" % number)  # told: it is published
            if number % 20 == 0:
                await asyncio.sleep(0.001)

asyncio.run(main(*sys.argv[1:]))
"""

CONSUMER = """
import asyncio, os, sys
from tests.bus.edges.edge_nodes import EdgeNode

async def main(url):
    def handle(topic, message, source):
        os.write(1, b"%d\\n" % message.ts_event)
        if message.ts_event == 5:
            asyncio.get_running_loop().stop()  # stands still in the middle of an entry, to be killed there
            sys.stdin.read()
    async with EdgeNode(url, node="b", instance="b1", engine_logic={"inbound": (">",)}, on_receive=handle) as b:
        await b.connected()
        os.write(1, b"ready\\n")
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def child(program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()


def lines(process: subprocess.Popen[bytes], until: bytes | None = None) -> list[bytes]:
    """What the child wrote, up to a line, or up to its end."""
    assert process.stdout is not None
    found = []
    for line in process.stdout:
        found.append(line.strip())
        if found[-1] == until:
            break
    return found


@pytest.mark.parametrize("server_is_away", [False, True], ids=["server there", "server away"])
async def test_what_a_killed_producer_was_told_is_published_arrives_once(tmp_path: Path, server_is_away: bool) -> None:
    history = {**HEAR, "history_seconds": 600.0}
    with Valkey(appendonly=True, start=not server_is_away) as server:
        async with EdgeNode(server.url, node="b", engine_logic=HEAR) as b:
            if not server_is_away:
                await b.connected()
            with child(PRODUCER, server.url, str(tmp_path)) as producer:
                await asyncio.to_thread(lines, producer, b"500")
                producer.kill()
                told = int((await asyncio.to_thread(lines, producer) or [b"500"])[-1])
            if server_is_away:
                await asyncio.to_thread(server.start)
            async with EdgeNode(server.url, node="a", instance="a2", spool=tmp_path, engine_logic=history) as heir:
                heir.bus.publish(ALERTS, alert(-1))
                await eventually(lambda: b.heard and b.messages()[-1] == alert(-1))
                await eventually(lambda: heir.inbound(Channel.ENGINE_LOGIC).echoes > told)
                # the heir hears nothing of what it said before it died
                assert heir.messages() == [alert(-1)]
            arrived = [message.ts_event for message in b.messages()[:-1]]
            assert arrived == list(range(len(arrived)))
            assert len(arrived) in {told + 1, told + 2}  # the last may have been published and not yet told


async def test_what_a_consumer_killed_between_reading_and_acknowledging_had_is_taken_over(tmp_path: Path) -> None:
    with Valkey() as server:
        async with EdgeNode(server.url, node="a", spool=tmp_path, engine_logic={"batch_max_seconds": 0.05}) as a:
            with child(CONSUMER, server.url) as consumer:
                await asyncio.to_thread(lines, consumer, b"ready")
                await a.connected()
                for number in range(10):
                    a.bus.publish(ALERTS, alert(number))
                handled = await asyncio.to_thread(lines, consumer, b"5")
                assert handled == [b"%d" % number for number in range(6)]
            a.bus.publish(ALERTS, alert(10))
            async with EdgeNode(server.url, node="b", instance="b2", engine_logic=HEAR) as b:
                await eventually(lambda: len(b.heard) == 11)
                assert sorted(message.ts_event for message in b.messages()) == list(range(11))
                assert b.inbound(Channel.ENGINE_LOGIC).claimed == 1
                await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).pending_entries == 0)
