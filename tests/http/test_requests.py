"""Requests of odd shapes: each gets a problem document that says what is wrong, or the answer it deserves."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

import httpx2
import msgspec
import pytest
from msgspec import Meta
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from nautilus.engines import registry
from nautilus.engines.base import Engine, EngineConfig
from nautilus.engines.operation import Operation, Socket, get, post, websocket
from nautilus.errors import Conflict
from nautilus.http.app import build_app
from nautilus.log import make_logger
from nautilus.model import EngineType
from nautilus.node import Node
from nautilus.testing import make_node

LIMIT = 2048


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """A note."""

    text: Annotated[str, Meta(max_length=1000)] = ""
    number: float = 0.0
    count: Annotated[int, Meta(ge=-(2**62), le=2**63 - 1)] = 0
    inner: Any = None


class Echo(Engine[EngineConfig]):
    """Says what it was told."""

    name = "echo"
    prefix = "/echo"
    engine_type = EngineType.ANALYTICS
    config_type = EngineConfig

    async def setup(self) -> None:
        """Nothing."""

    def routes(self) -> list[Operation | Socket]:
        async def note(body: Note) -> Note:
            """Give a note back."""
            return Note(body.text, body.number, body.count)

        async def named(name: str) -> str:
            """Give a name back."""
            if name == "broken":
                raise RuntimeError("secret detail")
            return name

        async def listed(
            numbers: list[float] | None = None, limit: int = 1, exact: Decimal = Decimal(0), names: tuple[str, ...] = ()
        ) -> list[str]:
            """Give parameters back."""
            return [str(numbers), str(limit), str(exact), *names]

        async def talk(socket: WebSocket) -> None:
            await socket.accept()
            word = await socket.receive_text()
            if word == "broken":
                raise RuntimeError("secret detail")
            if word == "busy":
                raise Conflict("busy " * 100)
            await socket.send_text(word)
            await socket.receive_text()

        async def unwilling(socket: WebSocket) -> None:
            raise Conflict("not now")

        return [
            post("/note", note),
            get("/listed", listed),
            get("/named/{name}", named),
            websocket("/talk", talk),
            websocket("/unwilling", unwilling),
        ]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(registry, "engine_type", {"echo": Echo}.__getitem__)
    monkeypatch.setattr("nautilus.node.engine_type", {"echo": Echo}.__getitem__)
    return make_node(["echo"], {"http.max_body_bytes": LIMIT, "log.level": "error"})


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=build_app(node))
    async with node, httpx2.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


def is_problem(reply: httpx2.Response, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["status"] == status
    return document


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ('{"number": 1e400}', 422),
        ('{"number": -1e400}', 422),
        ('{"number": 1e308}', 200),
        ('{"count": 9223372036854775807}', 200),
        ('{"count": 9223372036854775808}', 422),
        ('{"count": ' + "9" * 1000 + "}", 422),
        ('{"text": "\\ud800"}', 400),
        ('{"text": "\\ud83d\\ude00"}', 200),
        (b'{"text": "\xed\xa0\x80"}', 400),
        (b'{"text": "\xff"}', 400),
        ('{"text": "\\u0000"}', 200),
        ('{"inner": ' + "[" * 900 + "]" * 900 + "}", 200),
        ('{"text": "a", "text": "b"}', 200),
        ('{"number": Infinity}', 400),
        ('{"count": 1.5}', 422),
        ('{"count": true}', 422),
        ("null", 422),
        ("\ufeff{}", 400),
    ],
)
async def test_bodies_are_taken_or_refused_never_a_fault(
    client: httpx2.AsyncClient, content: str | bytes, status: int
) -> None:
    reply = await client.post("/echo/note", content=content)
    if status == 200:
        assert reply.status_code == 200, reply.text
    else:
        is_problem(reply, status)


async def test_json_nested_too_deeply_is_refused(client: httpx2.AsyncClient, node: Node) -> None:
    endless = '{"inner": ' + "[" * 1500
    assert is_problem(await client.post("/echo/note", content=endless), 400)


async def test_a_body_over_the_limit_is_refused_announced_or_not(client: httpx2.AsyncClient) -> None:
    fitting = msgspec.json.encode({"text": "x" * 900}).ljust(LIMIT)
    assert (await client.post("/echo/note", content=fitting)).status_code == 200
    document = is_problem(await client.post("/echo/note", content=fitting + b" "), 413)
    assert (document["title"], str(LIMIT) in document["detail"]) == ("Body too large", True)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 300

    is_problem(await client.post("/echo/note", content=parts()), 413)


async def test_a_parameter_given_twice_is_refused_unless_it_is_a_list(client: httpx2.AsyncClient) -> None:
    document = is_problem(await client.get("/echo/listed?limit=1&limit=2"), 422)
    assert (document["field"], document["detail"]) == ("limit", "limit: is given 2 times")
    reply = await client.get("/echo/listed?numbers=1&numbers=2&names=a&names=b")
    assert reply.json()["data"] == ["[1.0, 2.0]", "1", "0", "a", "b"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=" + "9" * 5000, "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("numbers=1&numbers=1e400", "numbers"),
        ("numbers=nan", "numbers"),
        ("exact=NaN", "exact"),
        ("exact=Infinity", "exact"),
        ("names=a%00b", "names"),
        ("=1", ""),
    ],
)
async def test_parameters_that_cannot_be_are_named(client: httpx2.AsyncClient, query: str, field: str) -> None:
    document = is_problem(await client.get(f"/echo/listed?{query}"), 422)
    assert document["field"].partition("[")[0] == field


async def test_paths_are_decoded_once_and_slashes_in_names_are_no_names(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/echo/named/a%20b%25")).json()["data"] == "a b%"
    assert (await client.get("/echo/named/%2e%2e")).json()["data"] == ".."
    is_problem(await client.get("/echo/named/a%2Fb"), 404)
    assert (await client.get("/echo/named/%ED%A0%80")).status_code == 200


async def test_what_is_not_there_is_a_problem_also_below_an_engine(client: httpx2.AsyncClient) -> None:
    for path in ("/nothing", "/echo/nothing", "/echo/named/a/b", "/docs/nothing.js", "/dashboard/../cli.py"):
        is_problem(await client.get(path), 404)
    reply = await client.delete("/echo/note")
    is_problem(reply, 405)
    assert reply.headers["allow"] == "POST"


async def test_a_trailing_slash_leads_to_the_path_without(client: httpx2.AsyncClient) -> None:
    for path in ("/engines/", "/echo/listed/"):
        reply = await client.get(path)
        assert (reply.status_code, reply.headers["location"]) == (307, f"http://localhost{path.rstrip('/')}")


async def test_head_is_get_without_the_body_and_options_names_the_methods(client: httpx2.AsyncClient) -> None:
    reply = await client.head("/echo/health")
    assert reply.status_code == 200
    reply = await client.options("/echo/health")
    is_problem(reply, 405)
    assert {"GET", "HEAD"} == set(reply.headers["allow"].replace(" ", "").split(","))


async def test_a_fault_of_ours_is_told_without_details_and_logged_with_them(
    client: httpx2.AsyncClient, node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    node.log = make_logger(node.config.log, "test")
    document = is_problem(await client.get("/echo/named/broken"), 500)
    assert "secret" not in str(document)
    line = msgspec.json.decode(capsys.readouterr().err.splitlines()[-1])
    assert (line["event"], line["path"], line["engine"]) == ("request.failed", "/echo/named/broken", "echo")
    assert "secret detail" in line["exception"]


def test_a_socket_handler_that_fails_closes_with_a_code_and_counts(node: Node) -> None:
    client = TestClient(build_app(node), base_url="http://localhost")
    for word, code, reason in (("broken", 1011, "Internal error"), ("busy", 1008, "busy ")):
        with client.websocket_connect("ws://localhost/echo/talk") as socket:
            socket.send_text(word)
            with pytest.raises(WebSocketDisconnect) as caught:
                socket.receive_text()
        assert caught.value.code == code
        assert caught.value.reason.startswith(reason)
        assert len(caught.value.reason) <= 123
    assert node["echo"].stats.errors == 1


def test_a_socket_that_is_refused_before_it_opens_and_one_that_its_client_leaves(node: Node) -> None:
    client = TestClient(build_app(node), base_url="http://localhost")
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        client.websocket_connect("ws://localhost/echo/unwilling"),
    ):
        pass
    with client.websocket_connect("ws://localhost/echo/talk") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    assert node["echo"].stats.errors == 0
