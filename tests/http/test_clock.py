"""Operations on the clock: what it says, what moves a test clock, market hours; no request makes it fail."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from nautilus.clock import Clock, LiveClock, TestClock, TimeEvent
from nautilus.errors import NautilusError
from nautilus.http import clock as clock_module
from nautilus.http import problems
from nautilus.http.clock import clock_operations
from nautilus.http.endpoint import make_endpoint
from nautilus.model.enums import Quality
from nautilus.testing import START_NS, make_node

# exchange_calendars uses what pandas is about to give up
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DAY_NS = 86_400_000_000_000


@asynccontextmanager
async def client_of(clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """The operations of a node with this clock."""
    node = make_node((), clock=clock)
    handlers: Any = {
        NautilusError: problems.on_nautilus_error,
        HTTPException: problems.on_http_error,
        Exception: problems.on_unexpected,
    }
    routes = [
        Route(operation.path, make_endpoint(operation, "node", clock, lambda: Quality.NONE), methods=[operation.method])
        for operation in clock_operations(node)
    ]
    app = Starlette(routes=routes, exception_handlers=handlers)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
    await node.stop()


@pytest.fixture
def clock() -> TestClock:
    return TestClock(START_NS)


@pytest.fixture
async def client(clock: TestClock) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(clock) as made:
        yield made


async def data(reply: httpx2.Response) -> Any:
    assert reply.status_code == 200, reply.text
    return reply.json()["data"]


async def test_a_test_clock_says_its_time_and_has_no_discipline(client: httpx2.AsyncClient) -> None:
    report = await data(await client.get("/clock"))
    assert (report["kind"], report["timestamp_ns"], report["discipline"]) == ("test", START_NS, None)
    assert report["utc"] == "2023-11-14T22:13:20+00:00"
    assert await data(await client.get("/clock/timestamp_ns")) == {"timestamp_ns": START_NS}


async def test_a_live_clock_says_how_the_machines_behaves_and_is_not_moved() -> None:
    async with client_of(LiveClock()) as client:
        report = await data(await client.get("/clock"))
        assert report["kind"] == "live"
        assert abs(report["timestamp_ns"] - time.time_ns()) < 60_000_000_000
        assert report["discipline"]["steps_seen"] == 0
        for path, body in (("/clock/advance", {"duration_ns": 1}), ("/clock/set", {"to_ns": 1})):
            reply = await client.post(path, json=body)
            assert reply.status_code == 409
            assert "machine's clock" in reply.json()["detail"]


async def test_the_timers_that_are_due_first_are_listed(client: httpx2.AsyncClient, clock: TestClock) -> None:
    for number in range(5):
        clock.set_time_alert_ns(f"t{number}", START_NS + 10 - number, print)
    report = await data(await client.get("/clock/timers?limit=2"))
    assert report == {
        "timers": [{"name": "t4", "due_ns": START_NS + 6}, {"name": "t3", "due_ns": START_NS + 7}],
        "timers_total": 5,
    }


async def test_advancing_fires_what_comes_due_in_order(client: httpx2.AsyncClient, clock: TestClock) -> None:
    seen: list[tuple[str, int]] = []
    clock.set_timer_ns("t", 10, lambda event: seen.append((event.name, event.ts_event - START_NS)))
    clock.set_time_alert_ns("a", START_NS + 15, lambda event: seen.append((event.name, event.ts_event - START_NS)))
    answer = await data(await client.post("/clock/advance", json={"duration_ns": 25}))
    assert answer == {"timestamp_ns": START_NS + 25, "events": 3, "complete": True, "failed": 0, "failures": []}
    assert seen == [("t", 10), ("a", 15), ("t", 20)]


async def test_a_failing_timer_is_told_and_keeps_none_from_firing(client: httpx2.AsyncClient, clock: TestClock) -> None:
    seen: list[int] = []

    def fail(event: TimeEvent) -> None:
        raise ValueError("no")

    clock.set_timer_ns("bad", 1, fail)
    clock.set_time_alert_ns("good", START_NS + 50, lambda event: seen.append(event.ts_event))
    answer = await data(await client.post("/clock/advance", json={"duration_ns": 50}))
    assert (answer["events"], answer["failed"], answer["failures"]) == (51, 50, ["bad: ValueError: no"] * 10)
    assert seen == [START_NS + 50]
    assert clock.on_error is None


async def test_a_timer_of_a_nanosecond_neither_holds_the_loop_nor_runs_for_ever(
    client: httpx2.AsyncClient, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "MOST_EVENTS", 10_000)
    clock.set_timer_ns("t", 1, lambda event: None)
    asking = asyncio.create_task(client.post("/clock/advance", json={"duration_ns": DAY_NS}))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1
    answer = await data(await asking)
    assert not answer["complete"]
    assert 10_000 <= answer["events"] < 10_300
    assert answer["timestamp_ns"] == START_NS + answer["events"]
    assert turns > 30


async def test_a_clock_that_is_being_moved_is_not_moved_by_another(
    client: httpx2.AsyncClient, clock: TestClock
) -> None:
    clock.set_timer_ns("t", 1, lambda event: None)
    replies = await asyncio.gather(
        *(client.post("/clock/advance", json={"duration_ns": 20_000}) for _ in range(3)),
        client.post("/clock/set", json={"to_ns": 5}),
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert clock.timestamp_ns() == START_NS + 20_000
    assert (await client.post("/clock/set", json={"to_ns": 5})).status_code == 200
    assert clock.timestamp_ns() == 5


async def test_an_advance_that_somebody_overtakes_ends(client: httpx2.AsyncClient, clock: TestClock) -> None:
    clock.set_timer_ns("t", 1, lambda event: None)
    asking = asyncio.create_task(client.post("/clock/advance", json={"duration_ns": 100_000}))
    while clock.timestamp_ns() == START_NS:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    clock.set_time(START_NS + 200_000)
    answer = await data(await asking)
    assert answer["complete"]
    assert answer["timestamp_ns"] == START_NS + 200_000


async def test_server_time_gives_back_what_a_client_needs(client: httpx2.AsyncClient) -> None:
    answer = await data(await client.post("/clock/server-time", json={"client_timestamp_ns": 7, "request_id": "x"}))
    assert answer == {
        "client_timestamp_ns": 7,
        "request_id": "x",
        "received_ns": START_NS,
        "sent_ns": START_NS,
    }


async def test_market_hours_are_those_of_the_nodes_time(client: httpx2.AsyncClient) -> None:
    # 2023-11-14 22:13 UTC: New York has closed, foreign exchange goes on
    new_york = await data(await client.get("/clock/calendars/NYSE"))
    assert (new_york["name"], new_york["is_open"], new_york["session"]) == ("XNYS", False, None)
    assert new_york["next_open_ns"] == 1_700_058_600_000_000_000  # 09:30 on the 15th
    assert new_york["next_trading_ns"] == new_york["next_open_ns"]
    exchange = await data(await client.get("/clock/calendars/fx"))
    assert exchange["is_open"]
    assert exchange["session"]["date"] == "2023-11-15"
    open_again = await data(await client.get(f"/clock/calendars/XNYS?at_ns={new_york['next_open_ns']}"))
    assert open_again["is_open"]


async def test_sessions_have_half_days_and_holidays(client: httpx2.AsyncClient) -> None:
    url = "/clock/calendars/XNYS/sessions?start=2024-07-03&end=2024-07-05"
    answer = await data(await client.get(url))
    assert [(session["date"], session["early_close"]) for session in answer["sessions"]] == [
        ("2024-07-03", True),
        ("2024-07-05", False),
    ]
    assert answer["holidays"] == ["2024-07-04"]


async def test_calendars_are_listed_with_their_usual_names(client: httpx2.AsyncClient) -> None:
    names = {entry["name"]: entry["aliases"] for entry in await data(await client.get("/clock/calendars"))}
    assert names["XNYS"] == ["NYSE"]
    assert {"XLON", "XTKS", "XHKG", "CMES", "FX", "CRYPTO"} <= names.keys()


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "field"),
    [
        ("POST", "/clock/advance", {"duration_ns": -1}, 422, "body.duration_ns"),
        ("POST", "/clock/advance", {"duration_ns": 2**63 - 1}, 422, "body.duration_ns"),
        ("POST", "/clock/advance", {"duration_ns": 2**70}, 422, "body.duration_ns"),
        ("POST", "/clock/advance", {"duration_ns": 1.5}, 422, "body.duration_ns"),
        ("POST", "/clock/advance", {}, 422, "body.duration_ns"),
        ("POST", "/clock/advance", {"duration_ns": 1, "x": 1}, 422, "body.x"),
        ("POST", "/clock/set", {"to_ns": -1}, 422, "body.to_ns"),
        ("POST", "/clock/server-time", {"client_timestamp_ns": 1, "request_id": "x" * 200}, 422, "body.request_id"),
        ("GET", "/clock/timers?limit=-1", None, 422, "limit"),
        ("GET", "/clock/timers?limit=1001", None, 422, "limit"),
        ("GET", "/clock/calendars/NOWHERE", None, 404, None),
        ("GET", "/clock/calendars/CRYPTO?at_ns=0", None, 422, "at_ns"),
        ("GET", "/clock/calendars/CRYPTO?at_ns=99999999999999999999", None, 422, "at_ns"),
        ("GET", "/clock/calendars/CRYPTO/sessions", None, 422, "start"),
        ("GET", "/clock/calendars/CRYPTO/sessions?start=2024-01-02&end=2024-01-01", None, 422, "end"),
        ("GET", "/clock/calendars/CRYPTO/sessions?start=x&end=2024-01-01", None, 422, "start"),
        ("GET", "/clock/calendars/CRYPTO/sessions?start=0001-01-01&end=9999-12-31", None, 422, "end"),
        ("GET", "/clock/calendars/CRYPTO/sessions?start=1990-01-01&end=1990-12-31", None, 422, "start"),
    ],
)
async def test_wrong_requests_name_the_field(
    client: httpx2.AsyncClient, method: str, url: str, body: Any, status: int, field: str | None
) -> None:
    reply = await client.request(method, url, json=body)
    assert reply.status_code == status, reply.text
    assert reply.json().get("field") == field


@pytest.mark.parametrize("which", ["first_ns", "last_open_ns", "last_ns"])
async def test_the_ends_of_a_calendar_are_answered(client: httpx2.AsyncClient, which: str) -> None:
    from nautilus.market_calendar import load_calendar

    at_ns = getattr(load_calendar("CRYPTO"), which)
    hours = await data(await client.get(f"/clock/calendars/CRYPTO?at_ns={at_ns}"))
    assert (hours["next_open_ns"] is None) == (which != "first_ns")
    assert (hours["next_close_ns"] is None) == (which == "last_ns")


@pytest.fixture(scope="module")
def anything() -> Any:
    async def ask(name: str, at_ns: int, start: str, end: str) -> list[int]:
        async with client_of(TestClock(5)) as client:
            urls = (
                f"/clock/calendars/{name}?at_ns={at_ns}",
                f"/clock/calendars/{name}/sessions?start={start}&end={end}",
            )
            return [(await client.get(url)).status_code for url in urls]

    return lambda *arguments: asyncio.run(ask(*arguments))


@given(
    st.sampled_from(["CRYPTO", "fx", "%2e%2e", "x%00", "%F0%9F%8E%84", "A" * 300]),
    st.integers(-(2**65), 2**65),
    st.dates().map(str) | st.text("0123456789-T:Z", max_size=12),
    st.dates().map(str),
)
def test_no_request_for_a_calendar_makes_the_server_fail(
    anything: Any, name: str, at_ns: int, start: str, end: str
) -> None:
    assert max(anything(name, at_ns, start, end)) < 500
