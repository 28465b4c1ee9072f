"""The HTTP layer: typed requests, envelopes, problems, security, documents."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import msgspec
import pytest
from msgspec import Meta
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from nautilus.clock import TestClock
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import Conflict, NautilusError
from nautilus.http import problems
from nautilus.http.app import build_app
from nautilus.http.endpoint import make_endpoint
from nautilus.http.openapi import openapi_document
from nautilus.model.enums import Quality
from nautilus.testing import make_node


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """An order."""

    quantity: Annotated[int, Meta(gt=0)]
    note: str = ""


class Taken(msgspec.Struct):
    """What was taken."""

    name: str
    limit: int
    tags: list[str]
    total: float


async def take(
    name: str,
    body: Order,
    limit: Annotated[int, Meta(ge=1, le=10)] = 5,
    tags: list[str] | None = None,
    rate: float = 1.0,
) -> Taken:
    """Take an order.

    And say what was taken.
    """
    if name == "busy":
        raise Conflict("busy now")
    if name == "broken":
        raise RuntimeError("secret detail")
    return Taken(name, limit, tags or [], body.quantity * rate)


OPERATION = post("/take/{name}", take, status=201)


def client_for(app: Starlette) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    endpoint = make_endpoint(OPERATION, "test", TestClock(7), lambda: Quality.SIMULATED)
    handlers: Any = {
        NautilusError: problems.on_nautilus_error,
        HTTPException: problems.on_http_error,
        Exception: problems.on_unexpected,
    }
    app = Starlette(routes=[Route("/take/{name}", endpoint, methods=["POST"])], exception_handlers=handlers)
    async with client_for(app) as made:
        yield made


async def test_an_answer_says_when_who_and_on_what_it_rests(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/take/a?limit=3&tags=x&tags=y&rate=0.5", json={"quantity": 4})
    assert reply.status_code == 201
    assert reply.json() == {
        "ts": 7,
        "source": "test",
        "quality": "simulated",
        "data": {"name": "a", "limit": 3, "tags": ["x", "y"], "total": 2.0},
    }


@pytest.mark.parametrize(
    ("url", "content", "status", "field"),
    [
        ("/take/a", '{"quantity": 0}', 422, "body.quantity"),
        ("/take/a", '{"quantity": "1"}', 422, "body.quantity"),
        ("/take/a", '{"quantity": 1, "other": 2}', 422, "body.other"),
        ("/take/a", "{}", 422, "body.quantity"),
        ("/take/a", "[]", 422, "body"),
        ("/take/a", '{"quantity": NaN}', 400, None),
        ("/take/a", "", 400, None),
        ("/take/a", "[" * 100_000, 422, "body"),
        ("/take/a?limit=11", '{"quantity": 1}', 422, "limit"),
        ("/take/a?limit=x", '{"quantity": 1}', 422, "limit"),
        ("/take/a?rate=nan", '{"quantity": 1}', 422, "rate"),
        ("/take/a?nonsense=1", '{"quantity": 1}', 422, "nonsense"),
        ("/take/%00", '{"quantity": 1}', 422, "name"),
        ("/take/busy", '{"quantity": 1}', 409, None),
    ],
)
async def test_wrong_requests_get_a_problem_that_names_the_field(
    client: httpx2.AsyncClient, url: str, content: str, status: int, field: str | None
) -> None:
    reply = await client.post(url, content=content, headers={"content-type": "application/json; charset=utf-8"})
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json().get("field") == field


async def test_a_body_that_is_not_json_is_refused(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/take/a", content='{"quantity": 1}', headers={"content-type": "text/plain"})
    assert reply.status_code == 415


async def test_our_own_faults_tell_nothing_of_the_inside(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/take/broken", json={"quantity": 1})
    assert reply.status_code == 500
    assert "secret" not in reply.text


def test_the_document_is_valid_and_made_from_the_types() -> None:
    async def one() -> Taken:
        """One."""
        raise NotImplementedError

    operations: list[Operation] = [OPERATION, get("/one", one, envelope=False)]
    document = openapi_document([("test", "/prefix", operations)])
    validate(document)
    operation = document["paths"]["/prefix/take/{name}"]["post"]
    assert operation["summary"] == "Take an order."
    assert operation["description"] == "And say what was taken."
    assert {(item["name"], item["in"], item["required"]) for item in operation["parameters"]} == {
        ("name", "path", True),
        ("limit", "query", False),
        ("tags", "query", False),
        ("rate", "query", False),
    }
    assert "201" in operation["responses"]


@pytest.fixture
async def system() -> AsyncIterator[httpx2.AsyncClient]:
    async with make_node([]) as node, client_for(build_app(node)) as made:
        yield made


async def test_node_wide_endpoints_answer(system: httpx2.AsyncClient) -> None:
    for path in ("/health/live", "/health/ready", "/engines", "/bus", "/clock", "/accel", "/jobs", "/openapi.json"):
        reply = await system.get(path)
        assert reply.status_code == 200, path
    assert "nautilus_ready 1.0" in (await system.get("/metrics")).text
    validate((await system.get("/openapi.json")).json())


async def test_pages_load_nothing_from_outside(system: httpx2.AsyncClient) -> None:
    for path in ("/", "/docs"):
        reply = await system.get(path)
        assert reply.status_code == 200
        assert "http://" not in reply.text.replace("http://www.w3.org", "")
        assert "https://" not in reply.text
        assert reply.headers["content-security-policy"].startswith("default-src 'self'")


async def test_what_does_not_exist_is_a_problem(system: httpx2.AsyncClient) -> None:
    for path in ("/nonsense", "/engines/none", "/jobs/none"):
        reply = await system.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    reply = await system.post("/engines")
    assert reply.status_code == 405
    assert "GET" in reply.headers["allow"]


async def test_foreign_hosts_and_foreign_pages_are_refused(system: httpx2.AsyncClient) -> None:
    assert (await system.get("/engines", headers={"host": "evil.example"})).status_code == 403
    foreign = {"origin": "https://evil.example"}
    assert (await system.post("/jobs/x/cancel", headers=foreign)).status_code == 403
    assert (await system.get("/engines", headers=foreign)).status_code == 200
    own = {"origin": "http://localhost"}
    assert (await system.post("/jobs/x/cancel", headers=own)).status_code == 404


async def test_a_node_that_is_not_ready_says_so() -> None:
    node = make_node([])
    async with client_for(build_app(node)) as client:
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
    await node.stop()
