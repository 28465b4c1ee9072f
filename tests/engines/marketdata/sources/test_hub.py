"""Sources of a running node: HTTP, the bus, series that are kept fresh, keys from the environment."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from nautilus.engines.marketdata.engine import MarketDataEngine
from nautilus.engines.marketdata.sources.hub import SourceHub
from nautilus.engines.marketdata.sources.provenance import SourceTable
from nautilus.engines.marketdata.sources.registry import SOURCES, source_type
from nautilus.engines.marketdata.sources.settings import SourcesConfig, SourceSettings
from nautilus.engines.marketdata.sources.source import SeriesRequest, SourceQuery
from nautilus.errors import ConfigError, Conflict, NotFound, Unavailable
from nautilus.http.app import build_app
from nautilus.node import Node
from nautilus.testing import START_NS, make_node
from tests.fakes.source_server import HTML, SourceServer

SECOND = 1_000_000_000
SERIES, OBSERVATIONS = "/fred/series", "/fred/series/observations"
DESCRIBED = {
    "seriess": [
        {
            "id": "GDP",
            "title": "Gross Domestic Product",
            "observation_start": "1947-01-01",
            "observation_end": "2024-07-01",
            "frequency_short": "Q",
            "units": "Billions of Dollars",
            "last_updated": "2024-10-30 07:54:01-05",
        }
    ]
}
OBSERVED = {
    "count": 2,
    "observations": [
        {"realtime_start": "2023-11-14", "realtime_end": "2023-11-14", "date": "2023-01-01", "value": "26813.6"},
        {"realtime_start": "2023-11-14", "realtime_end": "2023-11-14", "date": "2023-04-01", "value": "."},
    ],
}


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        running.play(SERIES, DESCRIBED)
        running.play("/fred/series/search", DESCRIBED)
        yield running


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SOURCES:
        kind = source_type(name)
        for variable in filter(None, (kind.key_variable, kind.contact_variable)):
            monkeypatch.delenv(variable, raising=False)


def options(server: SourceServer, **more: Any) -> dict[str, Any]:
    prefix = "engines.marketdata.sources"
    return {
        f"{prefix}.fred.key": "test-key",
        f"{prefix}.fred.base_url": server.url,
        f"{prefix}.yahoo.enabled": False,
        f"{prefix}.requests.attempts": 1,
        f"{prefix}.requests.pause_seconds": 0.0,
        **{f"{prefix}.{name}": value for name, value in more.items()},
    }


class Site:
    def __init__(self, node: Node, client: httpx2.AsyncClient) -> None:
        self.node = node
        self.client = client

    @property
    def engine(self) -> MarketDataEngine:
        engine = self.node.engines["marketdata"]
        assert isinstance(engine, MarketDataEngine)
        return engine

    async def get(self, path: str, status: int = 200) -> Any:
        reply = await self.client.get(f"/marketdata/sources{path}")
        assert reply.status_code == status, reply.text
        assert "test-key" not in reply.text
        return reply.json()["data"] if status == 200 else reply.json()


@asynccontextmanager
async def site(settings: dict[str, Any]) -> AsyncIterator[Site]:
    async with make_node(["marketdata"], settings) as node:
        transport = httpx2.ASGITransport(app=build_app(node), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Site(node, client)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no event is set by what is waited for
            await asyncio.sleep(0.005)


async def test_every_source_is_listed_with_what_it_can_do_and_what_it_lacks(server: SourceServer) -> None:
    async with site(options(server)) as here:
        listed = {one["source"]: one for one in (await here.get(""))["sources"]}
        assert sorted(listed) == sorted(SOURCES)
        assert listed["fred"]["state"] == "ready"
        assert listed["fred"]["capabilities"]["vintages"] is True
        assert listed["yahoo"]["state"] == "disabled"
        assert (listed["edgar"]["state"], listed["datagov"]["state"]) == ("unconfigured", "unconfigured")
        assert "DATA_GOV_API_KEY" in listed["datagov"]["reason"]
        assert (await here.get("/fred"))["title"].startswith("FRED")
        await here.get("/nobody", 404)
    assert not server.requests


async def test_a_series_comes_with_types_and_provenance_first_live_then_cached_then_stale(
    server: SourceServer,
) -> None:
    server.play(OBSERVATIONS, OBSERVED, times=1)
    server.play(OBSERVATIONS, HTML, content_type="text/html")
    async with site(options(server)) as here:
        data = await here.get("/fred/series?series=GDP")
        assert data["columns"]["period_end"] == ["2023-03-31", "2023-06-30"]
        assert data["columns"]["value"] == [26813.6, None]
        assert data["types"]["value"] == "Float64"
        assert data["provenance"]["quality"] == "live"
        assert data["provenance"]["url"].startswith(f"{server.url}/fred/series/observations?series_id=GDP")
        again = (await here.get("/fred/series?series=GDP"))["provenance"]
        assert (again["cached"], again["stale"], again["retrieved_at"]) == (True, False, START_NS)
        stale = (await here.get("/fred/series?series=GDP&max_age_seconds=0"))["provenance"]
        assert (stale["stale"], stale["quality"]) == (True, "stale")
        assert "HTML" in stale["note"]
        assert (await here.get("/fred"))["state"] == "failing"


async def test_search_gives_instants_in_nanoseconds(server: SourceServer) -> None:
    async with site(options(server)) as here:
        data = await here.get("/fred/search?query=gross")
        assert data["columns"]["series"] == ["GDP"]
        assert data["columns"]["updated_at"] == [1730292841 * SECOND]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/fred/series", 422),
        ("/fred/series?series=GDP&start=soon", 422),
        ("/fred/series?series=GDP&start=2024-01-02&end=2024-01-01", 422),
        ("/fred/series?series=GDP&vintages=true&as_of=2024-01-01", 422),
        ("/fred/series?series=GDP&kind=weather", 422),
        ("/fred/series?series=GDP&interval=1d", 422),
        ("/fred/series?series=GDP&limit=0", 422),
        ("/fred/series?series=%0a", 422),
        ("/fred/series?series=%20", 422),
        ("/fred/series?series=GDP&max_age_seconds=nan", 422),
        ("/fred/search?query=%20", 422),
        ("/fred/search", 422),
        ("/fred/series?series=GDP", 404),
        ("/yahoo/series?series=AAPL", 409),
        ("/edgar/series?series=AAPL", 503),
        ("/datagov/search?query=water", 503),
        ("/nobody/series?series=GDP", 404),
        ("/nobody/search?query=GDP", 404),
    ],
)
async def test_every_wrong_question_has_its_status(server: SourceServer, path: str, status: int) -> None:
    async with site(options(server)) as here:
        assert (await here.get(path, status))["status"] == status


async def test_other_engines_ask_on_the_bus(server: SourceServer) -> None:
    server.play(OBSERVATIONS, OBSERVED)
    query = SourceQuery(source="fred", request=SeriesRequest(series="GDP"))
    async with site(options(server)) as here:
        table = await here.node.bus.request("marketdata.series", query, 10.0)
        assert isinstance(table, SourceTable)
        assert table.frame["value"].to_list() == [26813.6, None]
        with pytest.raises(NotFound):
            await here.node.bus.request("marketdata.series", SourceQuery(source="nobody", request=query.request), 10.0)


async def test_a_configured_series_is_kept_fresh_and_says_when_it_is_not(server: SourceServer) -> None:
    server.play(OBSERVATIONS, OBSERVED, times=2)
    server.play(OBSERVATIONS, "", status=502)
    keep = [{"source": "fred", "series": "GDP", "every_seconds": 600}]
    async with site(options(server, keep=keep)) as here:
        kept = here.engine.keeper.kept[0]
        await until(lambda: kept.refreshed == 1)
        here.node.clock.advance_time(600 * SECOND)  # type: ignore[attr-defined]
        await until(lambda: kept.refreshed == 2)
        assert kept.last_ns == START_NS + 600 * SECOND
        assert not here.engine.degraded()
        here.node.clock.advance_time(600 * SECOND)  # type: ignore[attr-defined]
        await until(lambda: bool(kept.failure))
        assert "fred GDP is not kept fresh" in here.engine.degraded()[0]
        status = (await here.get(""))["kept"][0]
        assert (status["refreshed"], status["retrieved_at"]) == (2, START_NS + 600 * SECOND)
        assert "502" in status["failure"]


async def test_a_kept_series_of_no_source_is_refused(server: SourceServer) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        make_node(["marketdata"], options(server, keep=[{"source": "nobody", "series": "GDP"}]))


async def test_what_is_under_way_ends_with_the_node(server: SourceServer) -> None:
    server.released.clear()
    async with site(options(server)) as here:
        asking = asyncio.create_task(here.engine.sources.fetch("fred", SeriesRequest(series="GDP")))
        await until(lambda: len(server.requests) == 1)
    with pytest.raises(Unavailable):
        await asking
    with pytest.raises(Unavailable, match="not running"):
        await here.engine.sources.fetch("fred", SeriesRequest(series="GDP"))


def test_a_key_of_the_environment_serves_where_none_is_configured() -> None:
    from nautilus.clock import TestClock

    environment = {"FRED_API_KEY": " from-environment\n", "SEC_EDGAR_CONTACT": "Us us@example.org"}
    config = SourcesConfig(datagov=SourceSettings(key="configured"))
    hub = SourceHub(config, TestClock(START_NS), asyncio.to_thread, {**environment, "DATA_GOV_API_KEY": "other"})
    hub.open()
    assert (hub.source("fred").key, hub.source("datagov").key) == ("from-environment", "configured")
    assert hub.source("edgar").unconfigured() == ""
    assert "configured" not in repr(config)


@pytest.mark.parametrize("name", sorted(SOURCES))
async def test_every_source_says_what_it_is_and_asks_nothing_by_being_made(name: str) -> None:
    from nautilus.clock import TestClock

    kind = source_type(name)
    assert kind.name == name
    assert kind.__doc__
    assert kind.title
    assert kind.host.startswith("https://")
    assert kind.rate_limits
    assert kind.fresh_seconds >= 0
    assert kind.capabilities.kinds
    assert bool(kind.key_variable) == (kind.capabilities.key != "none")
    config = SourcesConfig(**{name: SourceSettings(enabled=False)})
    hub = SourceHub(config, TestClock(START_NS), asyncio.to_thread, {})
    hub.open()
    assert (hub.source(name).unconfigured() != "") == (kind.capabilities.key == "required" or name == "edgar")
    with pytest.raises(Conflict):
        await hub.fetch(name, SeriesRequest(series="X"))
    await hub.close()
