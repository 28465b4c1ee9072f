import httpx2
import pytest

from nautilus.http.app import build_app
from nautilus.testing import make_instrument, make_node, make_quote, make_trade

SECOND = 1_000_000_000


class Site:
    def __init__(self, node, client):
        self.node = node
        self.client = client

    async def data(self, path):
        reply = await self.client.get(f"/marketdata{path}")
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    async def status(self, path):
        return (await self.client.get(f"/marketdata{path}")).status_code


async def _sites(options):
    async with make_node(["marketdata"], options) as node:
        transport = httpx2.ASGITransport(app=build_app(node), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield Site(node, client)


@pytest.fixture
async def simulated():
    options = {"engines.marketdata.source": "simulated", "engines.marketdata.record": "always"}
    async for site in _sites(options):
        site.node.clock.advance_time(65 * SECOND)
        yield site


@pytest.fixture
async def external():
    async for site in _sites({}):
        site.node.instruments.add(make_instrument())
        yield site


async def test_instruments_and_quotes(simulated):
    instruments = await simulated.data("/instruments")
    assert len(instruments) == 8
    assert (await simulated.data("/instruments/ALFA.SIM"))["tick_size"] == "0.01"
    quotes = await simulated.data("/quotes")
    assert len(quotes) == 8
    quote = await simulated.data("/quotes/ALFA.SIM")
    assert quote == quotes["ALFA.SIM"]
    assert quote["bid"] < quote["microprice"] < quote["ask"]
    assert quote["mid"] == pytest.approx((quote["bid"] + quote["ask"]) / 2)
    reply = await simulated.client.get("/marketdata/quotes/ALFA.SIM")
    assert reply.json()["quality"] == "simulated"


async def test_book_trades_and_bars(simulated):
    book = await simulated.data("/book/ALFA.SIM?depth=3&vwap_lots=50")
    assert len(book["bids"]) == len(book["asks"]) == 3
    assert book["bids"][0][0] > book["bids"][1][0]
    assert book["buy_vwap"] >= book["asks"][0][0]
    assert book["bid_levels"] > 3
    trades = await simulated.data("/trades/ALFA.SIM?limit=5")
    assert len(trades) == 5
    assert trades[0]["trade_id"] > trades[4]["trade_id"]
    (bar,) = await simulated.data("/bars/ALFA.SIM?spec=60s")
    assert bar["low"] <= bar["close"] <= bar["high"]
    assert bar["ts_event"] - bar["ts_open"] == 60 * SECOND
    assert len(await simulated.data("/bars/ALFA.SIM?spec=1s&limit=7")) == 7


async def test_status_counts_what_came_in(simulated):
    status = await simulated.data("/status")
    assert status["source"] == "simulated"
    assert status["seed"] == 1
    assert status["admitted"]["trade"] > 100
    assert status["refused"] == {}
    assert status["recording"]["enabled"]
    assert status["recording"]["waiting"] > 0


async def test_what_was_recorded_is_listed_and_read(simulated):
    assert await simulated.data("/catalog") == []
    assert await simulated.status("/history/ALFA.SIM") == 404
    await simulated.node["marketdata"].recorder.flush()
    entries = await simulated.data("/catalog")
    assert {entry["kind"] for entry in entries} >= {"quote", "trade", "book", "bar.1s", "bar.60s"}
    history = await simulated.data("/history/ALFA.SIM?kind=trade&limit=5")
    assert history["rows"] == 5
    assert set(history["columns"]) >= {"price_ticks", "size_lots", "aggressor", "ts_event"}
    first = history["columns"]["ts_event"][0]
    part = await simulated.data(f"/history/ALFA.SIM?kind=trade&start_ns={first}&end_ns={first + 1}")
    assert set(part["columns"]["ts_event"]) == {first}
    assert await simulated.status("/history/ALFA.SIM?kind=order") == 422
    assert await simulated.status("/history/ALFA.SIM?start_ns=5&end_ns=4") == 422
    assert await simulated.status("/history/..%2F..%2Fetc?kind=trade") == 404


async def test_the_truth_and_a_flash_crash(simulated):
    truth = await simulated.data("/simulation/truth")
    assert len(truth["instruments"]) == 8
    before = (await simulated.data("/quotes/GOLF.SIM"))["mid"]
    url = "/marketdata/simulation/flash-crash"
    reply = await simulated.client.post(url, json={"instrument_id": "GOLF.SIM", "depth": 0.1, "seconds": 5})
    assert reply.status_code == 200
    assert reply.json()["data"]["instrument_ids"] == ["GOLF.SIM"]
    assert (await simulated.client.post(url, json={"instrument_id": "GOLF.SIM"})).status_code == 409
    assert (await simulated.client.post(url, json={"instrument_id": "NONE.SIM"})).status_code == 404
    assert (await simulated.client.post(url, json={"depth": 0.9})).status_code == 422
    simulated.node.clock.advance_time(5 * SECOND)
    assert (await simulated.data("/quotes/GOLF.SIM"))["mid"] < 0.95 * before
    assert (await simulated.client.post(url, json={})).status_code == 409
    simulated.node.clock.advance_time(SECOND)
    reply = await simulated.client.post(url, json={})
    assert len(reply.json()["data"]["instrument_ids"]) == 8


async def test_what_is_not_there_is_404_and_what_is_not_yet_there_409(external):
    for path in ("/instruments/X.Y", "/quotes/X.Y", "/trades/X.Y", "/book/X.Y", "/bars/X.Y", "/history/X.Y"):
        assert await external.status(path) == 404, path
    for path in ("/quotes/TEST.SIM", "/trades/TEST.SIM", "/book/TEST.SIM", "/bars/TEST.SIM", "/simulation/truth"):
        assert await external.status(path) == 409, path
    external.node.bus.call("marketdata.ingest", make_trade())
    assert await external.status("/quotes/TEST.SIM") == 409
    assert await external.status("/bars/TEST.SIM?spec=9s") == 404
    assert await external.data("/bars/TEST.SIM?spec=60s") == []
    assert (await external.client.post("/marketdata/simulation/flash-crash", json={})).status_code == 409


@pytest.mark.parametrize(
    "path",
    [
        "/trades/TEST.SIM?limit=0",
        "/trades/TEST.SIM?limit=10001",
        "/book/TEST.SIM?depth=0",
        "/book/TEST.SIM?vwap_lots=0",
        "/bars/TEST.SIM?spec=abc",
        "/bars/TEST.SIM?spec=60s&other=1",
    ],
)
async def test_wrong_parameters_are_422(external, path):
    assert await external.status(path) == 422


async def test_an_empty_side_has_no_price(external):
    external.node.bus.call("marketdata.ingest", make_quote(ask_lots=0, ask_ticks=0))
    quote = await external.data("/quotes/TEST.SIM")
    assert quote["bid"] == 100.0
    assert quote["ask"] is None
    assert quote["mid"] is None
    status = await external.data("/status")
    assert status["quality"] == "live"
