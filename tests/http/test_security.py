"""Who may talk to us: hosts and ports in all their forms, origins, and addresses to listen on."""

import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nautilus.config import HttpConfig
from nautilus.errors import ConfigError
from nautilus.http.app import build_app
from nautilus.http.security import Guard, host_name
from nautilus.http.server import bind
from nautilus.testing import make_node


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    guard = Guard(
        PlainTextResponse("in"),
        allowed_hosts=HttpConfig().allowed_hosts,
        allowed_origins=("https://Desk.example",),
    )
    transport = httpx2.ASGITransport(app=guard)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("localhost", True),
        ("LocalHost:8001", True),
        ("localhost:", True),
        ("127.0.0.1", True),
        ("127.0.0.1:80", True),
        ("[::1]", True),
        ("[::1]:8001", True),
        ("localhost:80:80", False),
        ("localhost:port", False),
        ("::1", False),
        ("[::1", False),
        ("[::2]:8001", False),
        ("localhost.evil.example", False),
        ("evil.example:localhost", False),
        ("evil.example", False),
        ("", False),
        ("127.0.0.1.", False),
        ("user@localhost", False),
    ],
)
async def test_only_our_own_hosts_are_served(client: httpx2.AsyncClient, host: str, passes: bool) -> None:
    reply = await client.get("/", headers={"host": host})
    assert reply.status_code == (200 if passes else 403)


@pytest.mark.parametrize(
    "headers", [[], [(b"host", b"localhost"), (b"host", b"localhost")], [(b"host", b"localhost"), (b"host", b"evil")]]
)
async def test_a_request_without_a_host_or_with_several_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    guard = Guard(PlainTextResponse("in"), ("localhost",), ())
    await guard({"type": "http", "method": "GET", "path": "/", "headers": headers}, receive, send)
    assert sent[0]["status"] == 403


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:8001", True),
        ("https://localhost:8001", True),
        ("HTTP://LOCALHOST:8001", True),
        ("https://desk.example", True),
        ("http://localhost:9999", False),
        ("http://desk.example", False),
        ("https://desk.example.evil", False),
        ("null", False),
        ("http://[", False),
        ("http://[::1", False),
        ("ftp://localhost:8001", False),
        ("//localhost:8001", False),
    ],
)
async def test_pages_of_others_change_nothing(client: httpx2.AsyncClient, origin: str, passes: bool) -> None:
    headers: Mapping[str, str] = {"host": "localhost:8001", "origin": origin}
    assert (await client.post("/", headers=headers)).status_code == (200 if passes else 403)
    assert (await client.get("/", headers=headers)).status_code == 200


def test_a_socket_of_a_foreign_page_is_refused() -> None:
    app = TestClient(build_app(make_node([])), base_url="http://localhost")
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        app.websocket_connect("ws://localhost/websocket/stream", headers={"origin": "https://evil.example"}),
    ):
        pass
    assert caught.value.code == 1008


async def test_the_address_that_we_listen_on_is_a_host_of_ours() -> None:
    app = build_app(make_node([], {"http.host": "127.0.0.2"}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.2:8001") as client:
        assert (await client.get("/health/live")).status_code == 200


def test_the_port_is_all_that_is_taken_off_a_host() -> None:
    assert host_name("a.b:1") == "a.b"
    assert host_name("a:b") == "a:b"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", "", "127.0.0.1\x00", "é" * 100])
def test_addresses_beyond_this_machine_are_refused_before_a_socket_is_made(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(ConfigError, match="loopback"):
        bind(HttpConfig(host=host))


def test_a_port_that_somebody_took_but_does_not_answer_yet_is_known_to_be_taken() -> None:
    with bind(HttpConfig(port=0)) as first:
        taken = HttpConfig(port=first.getsockname()[1])
        with pytest.raises(ConfigError, match="in use"):
            bind(taken)
