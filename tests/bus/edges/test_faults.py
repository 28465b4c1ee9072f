"""Servers that are away, die, freeze, fill up or ask for a password: what was said to be kept is kept, once."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nautilus.model import Channel, topics
from tests.bus.edges.edge_nodes import ALERTS, EdgeNode, alert, eventually, quote
from tests.servers.valkey import Valkey, free_port

HEAR: dict[str, Any] = {"inbound": (">",)}


@pytest.fixture
def durable() -> Iterator[Valkey]:
    with Valkey(appendonly=True) as server:
        yield server


async def test_a_server_that_is_absent_at_the_start_loses_no_logic_and_only_old_prices(tmp_path: Path) -> None:
    with Valkey(start=False) as server:
        async with (
            EdgeNode(server.url, node="a", spool=tmp_path, engine_logic=None, marketdata=None) as a,
            EdgeNode(server.url, node="b", engine_logic=HEAR, marketdata=HEAR) as b,
        ):
            await eventually(lambda: a.outbound(Channel.MARKETDATA).failures > 0)
            for number in range(500):
                a.bus.publish(ALERTS, alert(number))
                a.bus.publish(topics.quote("A.XNAS"), quote(number))
            assert any("nothing can be sent" in problem for problem in a.edges.problems())
            await eventually(lambda: any("nothing can be read" in problem for problem in b.edges.problems()))
            await asyncio.to_thread(server.start)
            await a.connected()
            await b.connected()
            await eventually(lambda: sum(topic == ALERTS for topic, _ in b.heard) == 500)
            assert [message for topic, message in b.heard if topic == ALERTS] == [alert(n) for n in range(500)]
            assert a.outbound(Channel.MARKETDATA).conflated > 400
            assert a.outbound(Channel.ENGINE_LOGIC).sent == 500
            assert not [problem for problem in a.edges.problems() if "engine_logic" in problem]


async def test_a_server_killed_and_restarted_in_mid_stream_loses_nothing_and_nothing_comes_twice(
    durable: Valkey, tmp_path: Path
) -> None:
    async with (
        EdgeNode(durable.url, node="a", spool=tmp_path, engine_logic={"batch_max_events": 7}) as a,
        EdgeNode(durable.url, node="b", engine_logic=HEAR) as b,
    ):
        await a.connected()
        await b.connected()

        async def publish() -> None:
            for number in range(4_000):
                a.bus.publish(ALERTS, alert(number))
                if number % 10 == 0:
                    await asyncio.sleep(0.001)

        publishing = asyncio.create_task(publish())
        for heard in (200, 900):
            await eventually(lambda heard=heard: len(b.heard) > heard)  # type: ignore[misc]
            await asyncio.to_thread(durable.restart)
        await publishing
        await eventually(lambda: len(b.heard) >= 4_000)
        await a.connected()
        assert [message.ts_event for message in b.messages()] == list(range(4_000))


async def test_a_restart_without_persistence_loses_only_what_the_server_had_acknowledged(tmp_path: Path) -> None:
    with Valkey() as server:
        async with (
            EdgeNode(server.url, node="a", spool=tmp_path, engine_logic=None) as a,
            EdgeNode(server.url, node="b", engine_logic=HEAR) as b,
        ):
            await b.connected()
            a.bus.publish(ALERTS, alert(1))
            await eventually(lambda: b.heard)
            await asyncio.to_thread(server.restart)
            a.bus.publish(ALERTS, alert(2))
            await eventually(lambda: len(b.heard) == 2)
            assert b.messages() == [alert(1), alert(2)]
            assert b.inbound(Channel.ENGINE_LOGIC).groups_remade > 0


async def _frozen_for(server: Valkey, seconds: float, tmp_path: Path) -> None:
    async with (
        EdgeNode(server.url, node="a", spool=tmp_path, engine_logic=None, marketdata=None) as a,
        EdgeNode(server.url, node="b", engine_logic=HEAR, marketdata=HEAR) as b,
    ):
        await a.connected()
        await b.connected()
        server.freeze()
        loop = asyncio.get_running_loop()
        until, longest, number = loop.time() + seconds, 0.0, 0
        while (began := loop.time()) < until:
            a.bus.publish(ALERTS, alert(number))
            a.bus.publish(topics.quote("A.XNAS"), quote(number))
            number += 1
            await asyncio.sleep(0.002)
            longest = max(longest, loop.time() - began)
        assert longest < 0.5, "the loop stood still"
        assert not a.edges.report().channels[0].connected
        server.thaw()
        await eventually(lambda: sum(topic == ALERTS for topic, _ in b.heard) >= number)
        await eventually(lambda: ("quote.A.XNAS", quote(number - 1)) in b.heard)
        assert [message.ts_event for topic, message in b.heard if topic == ALERTS] == list(range(number))
        assert a.outbound(Channel.MARKETDATA).conflated > 0
        # what the frozen server had in its socket it carried out after all: those came twice, and were heard once
        await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).duplicates > 0)


async def test_a_frozen_server_stalls_no_loop_and_what_it_took_unanswered_is_heard_once(
    durable: Valkey, tmp_path: Path
) -> None:
    await _frozen_for(durable, 2.5, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_a_server_frozen_for_a_minute(durable: Valkey, tmp_path: Path) -> None:
    await _frozen_for(durable, 60.0, tmp_path)


async def test_a_full_server_is_reported_and_taken_up_again_when_there_is_room(tmp_path: Path) -> None:
    with Valkey(maxmemory="3mb", maxmemory_policy="noeviction") as server:
        async with EdgeNode(server.url, node="a", spool=tmp_path, engine_logic=None) as a, _client(server) as client:
            await a.connected()
            number = 0
            while not a.outbound(Channel.ENGINE_LOGIC).failures:
                for _ in range(200):
                    a.bus.publish(ALERTS, alert(number, "x" * 200))
                    number += 1
                await asyncio.sleep(0.01)
            assert any("maxmemory" in problem for problem in a.edges.problems())
            a.bus.publish(ALERTS, alert(number))
            number += 1
            await client.config_set("maxmemory", "100mb")
            await eventually(lambda: a.outbound(Channel.ENGINE_LOGIC).sent == number)
            assert not a.edges.problems()
            entries = await client.xrange("test:engine_logic:system_alert")
            assert sum(int(fields[b"count"]) for _, fields in entries) == number


async def test_a_slow_server_conflates_prices_and_drops_the_oldest_trades() -> None:
    from nautilus.model import Side, Trade

    with Valkey() as server:
        async with (
            _slow_server(server, seconds=0.4) as url,
            EdgeNode(
                url,
                node="a",
                marketdata={"queue_max_events": 100, "batch_max_events": 10, "response_timeout_seconds": 5.0},
            ) as a,
            EdgeNode(server.url, node="b", marketdata=HEAR) as b,
        ):
            await a.connected()
            await b.connected()
            trades = [Trade("A.XNAS", 1, 1, Side.BUY, number, number, number) for number in range(1_000)]
            for trade in trades:
                a.bus.publish(topics.quote("A.XNAS"), quote(trade.ts_event))
                a.bus.publish(topics.trade("A.XNAS"), trade)
            await eventually(lambda: ("trade.A.XNAS", trades[-1]) in b.heard)
            report = a.outbound(Channel.MARKETDATA)
            heard_trades = [message for topic, message in b.heard if topic == "trade.A.XNAS"]
            assert report.dropped == {"trade.A.XNAS": 1_000 - len(heard_trades)}
            assert heard_trades[-100:] == trades[-100:]
            quotes = [message for topic, message in b.heard if topic == "quote.A.XNAS"]
            assert quotes[-1] == quote(999)
            assert report.conflated == 1_000 - len(quotes) > 0


async def test_a_password_is_needed_and_shows_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret-word\nsecond line\n")
    with Valkey(password="s3cret-word") as server:
        wrong = {"password": "another-word"}
        async with (
            EdgeNode(server.url, node="a", engine_logic={"password": "s3cret-word"}) as a,
            EdgeNode(server.url, node="b", engine_logic={**HEAR, "password_file": str(file)}) as b,
            EdgeNode(server.url, node="c", engine_logic=wrong) as c,
        ):
            await b.connected()
            a.bus.publish(ALERTS, alert(1))
            await eventually(lambda: b.heard)
            await eventually(c.edges.problems)
            for node in (a, b, c):
                shown = f"{node.config}{node.edges.report()}{node.edges.problems()}"
                assert "s3cret-word" not in shown
                assert "another-word" not in shown


async def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Valkey(unixsocket=str(path)):
        async with (
            EdgeNode(f"unix://{path}", node="a", marketdata=None) as a,
            EdgeNode(f"unix://{path}", node="b", marketdata=HEAR) as b,
        ):
            await b.connected()
            a.bus.publish(topics.quote("A.XNAS"), quote(1))
            await eventually(lambda: b.heard)


async def test_tls_is_spoken_and_a_server_of_another_authority_is_refused(tmp_path: Path) -> None:
    trusted, other = _certificate(tmp_path, "trusted"), _certificate(tmp_path, "other")
    with Valkey() as server:
        async with _tls_server(server, trusted) as url:
            files = {"tls_ca_file": str(trusted[0])}
            async with (
                EdgeNode(url, node="a", engine_logic=files) as a,
                EdgeNode(url, node="b", engine_logic={**HEAR, **files}) as b,
                EdgeNode(url, node="c", engine_logic={"tls_ca_file": str(other[0])}) as c,
            ):
                await b.connected()
                a.bus.publish(ALERTS, alert(1))
                await eventually(lambda: b.heard)
                await eventually(lambda: any("certificate" in problem.lower() for problem in c.edges.problems()))
                assert not c.edges.report().channels[0].connected


def _client(server: Valkey) -> Any:
    from redis.asyncio import Redis

    return Redis.from_url(server.url, protocol=2)


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    try:
        subprocess.run(
            [*command, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl, which makes the certificate, is not installed")
    return certificate, key


@asynccontextmanager
async def _tls_server(server: Valkey, certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """TLS in front of a server: the wheel's has none."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with _proxy(server, context, 0.0) as port:
        yield f"rediss://127.0.0.1:{port}/0"


@asynccontextmanager
async def _slow_server(server: Valkey, seconds: float) -> AsyncIterator[str]:
    """A server whose answers to what is said at once take some time."""
    async with _proxy(server, None, seconds) as port:
        yield f"redis://127.0.0.1:{port}/0"


@asynccontextmanager
async def _proxy(server: Valkey, context: ssl.SSLContext | None, delay: float) -> AsyncIterator[int]:
    connections: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        try:
            while data := await reader.read(1 << 16):
                await asyncio.sleep(delay)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", server.port)
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await asyncio.gather(copy(reader, onward[1], 0.0), copy(onward[0], writer, delay))
        connections.discard(task)

    port = free_port()
    listener = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    try:
        yield port
    finally:
        listener.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
