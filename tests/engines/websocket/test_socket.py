"""The stream over real sockets: a peer that stops reading is cut off and costs the others nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.node import Node
from nautilus.testing import make_instrument, make_node, make_trade

BATCH = 2000


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> tuple[Node, uvicorn.Server, socket.socket]:
    monkeypatch.setattr("nautilus.http.app.openapi_document", lambda _: {})
    node = make_node(["websocket"], {"engines.websocket.send_timeout_seconds": 0.3})
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        build_app(node), lifespan="off", log_config=None, ws="websockets-sansio", ws_per_message_deflate=False
    )
    return node, uvicorn.Server(config), listener


@pytest.fixture
async def served(resting: tuple[Node, uvicorn.Server, socket.socket]) -> AsyncIterator[tuple[Node, str]]:
    node, server, listener = resting
    node.instruments.add(make_instrument())
    async with node:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield node, f"ws://127.0.0.1:{listener.getsockname()[1]}/websocket/stream"
        server.should_exit = True
        await serving


async def trades(client: ClientConnection, count: int) -> list[int]:
    """Ids of the next trades."""
    found: list[int] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            frame = msgspec.json.decode(await client.recv())
            if frame["type"] == "data":
                found += [message["data"]["trade_id"] for message in frame["messages"]]
    return found


async def subscribed(client: ClientConnection) -> None:
    """Wait for the answer to the first subscription."""
    while msgspec.json.decode(await client.recv())["type"] != "subscribed":
        pass


async def test_a_peer_that_stops_reading_is_cut_off_and_the_others_miss_nothing(served: tuple[Node, str]) -> None:
    node, url = served
    async with connect(f"{url}?topics=trade.>") as healthy:
        await subscribed(healthy)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].split("/")[0]), limit=4096)
        writer.write(
            b"GET /websocket/stream?topics=trade.> HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        number = 0
        engine = node["websocket"]
        async with asyncio.timeout(20):
            while len(engine.connections()) > 1 or not number:  # type: ignore[attr-defined]
                first = number
                for _ in range(BATCH):
                    number += 1
                    node.bus.publish(topics.trade("TEST.SIM"), make_trade(trade_id=number))
                assert await trades(healthy, BATCH) == list(range(first + 1, number + 1))
        writer.close()


async def test_both_formats_arrive_over_the_wire(served: tuple[Node, str]) -> None:
    node, url = served
    async with (
        connect(f"{url}?topics=trade.>") as text,
        connect(f"{url}?topics=trade.>&format=msgpack") as packed,
    ):
        await subscribed(text)
        while msgspec.msgpack.decode(await packed.recv())["type"] != "subscribed":
            pass
        node.bus.publish(topics.trade("TEST.SIM"), make_trade(price_ticks=12_345))
        frame = msgspec.msgpack.decode(await packed.recv())
        assert frame == msgspec.json.decode(await text.recv())
        assert frame["messages"][0]["data"]["price"] == 123.45
