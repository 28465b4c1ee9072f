"""The features engine on a test node: vectors at bar closes, sets, questions over HTTP, and what is refused."""

import math
from time import perf_counter

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.engines.features.feature_set import FeatureSet, FeatureSpec, default_set
from nautilus.errors import NotReady
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.enums import Side
from nautilus.model.market import Bar
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade

SECOND = 1_000_000_000
ID = "TEST.SIM"


@pytest.fixture
def at_rest():
    return make_node(["features"], {"engines.features.history": 50})


@pytest.fixture
async def node(at_rest):
    async with at_rest as running:
        running.instruments.add(make_instrument())
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def feed(node, bars, instrument_id=ID):
    """Quotes and trades of some seconds, each second closed by its bar."""
    rng = np.random.default_rng(1)
    middle = 10_000
    for second in range(bars):
        start = START_NS + second * SECOND
        path = []
        for k in range(10):
            middle += int(rng.integers(-2, 3))
            path.append(middle)
            now = start + k * 100_000_000
            sizes = (int(rng.integers(1, 50)), int(rng.integers(1, 50)))
            node.bus.publish(
                topics.quote(instrument_id), make_quote(instrument_id, middle - 1, middle + 1, *sizes, now)
            )
            side = Side(int(rng.choice((-1, 1))))
            node.bus.publish(topics.trade(instrument_id), make_trade(instrument_id, middle, sizes[0], side, k, now))
        close = start + SECOND
        bar = Bar(
            instrument_id, "1s", path[0], max(path), min(path), path[-1], 500, 200 + second % 7, 10, start, close, close
        )
        node.bus.publish(topics.bar("1s", instrument_id), bar)


async def test_a_vector_is_published_at_every_bar_close(node):
    captured = Capture(node.bus, "features.>")
    feed(node, 130)
    assert len(captured) == 130
    first, last = captured.messages[0], captured.messages[-1]
    assert last.feature_set == "default@1"
    assert last.ts_event == START_NS + 130 * SECOND
    assert len(last.names) == len(last.values) == 24
    assert dict(zip(first.names, first.values, strict=True))["RSI(14)"] is None
    assert all(value is not None and math.isfinite(value) for value in last.values)


async def test_what_the_node_does_not_know_is_left_alone(node):
    captured = Capture(node.bus, "features.>")
    feed(node, 2, "OTHER.SIM")
    assert len(captured) == 0


async def test_each_instrument_has_its_own_state(node):
    node.instruments.add(make_instrument("OTHER.SIM"))
    captured = Capture(node.bus, "features.>")
    feed(node, 40)
    feed(node, 40, "OTHER.SIM")
    assert [m.values for m in captured.messages[:40]] == [m.values for m in captured.messages[40:]]


async def test_history_is_bounded_and_ordered(node):
    feed(node, 60)
    history = node["features"].history(ID, 10_000)
    assert len(history.values) == 50
    assert history.ts_event == sorted(history.ts_event)
    assert history.ts_event[-1] == node["features"].latest(ID).ts_event


async def test_before_the_first_bar_there_is_nothing_to_say(node):
    with pytest.raises(NotReady):
        node["features"].latest(ID)


async def test_another_set_starts_anew_and_is_remembered(node):
    engine = node["features"]
    feed(node, 3)
    engine.library.put(FeatureSet("small", 2, (FeatureSpec("ROC", {"timeperiod": 1}), FeatureSpec("mid_price"))))
    engine.use_set("small", 2)
    feed(node, 3)
    vector = engine.latest(ID)
    assert (vector.feature_set, vector.names) == ("small@2", ("ROC(1)", "mid_price"))
    assert engine.library.active().key == "small@2"
    assert len(engine.history(ID, 100).values) == 3


async def test_ticks_without_bars_are_a_reason_to_worry(node):
    engine = node["features"]
    assert engine.health().status == "live"
    for _ in range(1_000):
        node.bus.publish(topics.quote(ID), make_quote())
    assert engine.health().status == "degraded"
    assert "1s" in engine.health().reasons[0]


async def test_stopping_leaves_nothing_behind(node):
    engine = node["features"]
    await engine.stop()
    feed(node, 1)
    assert engine.stats.inputs == 0


async def test_a_tick_costs_microseconds(node):
    feed(node, 130)
    live = node["features"]._live[ID]
    quotes = [make_quote(ts_event=START_NS + 10**12 + i) for i in range(5_000)]
    best = math.inf
    for _ in range(3):
        started = perf_counter()
        for quote in quotes:
            live.on_quote(quote)
        best = min(best, (perf_counter() - started) / len(quotes))
    assert best < 50e-6  # measured 3e-6; the bound is for a busy machine


async def test_routes_answer(node, client):
    feed(node, 40)
    registry = (await client.get("/features/registry")).json()["data"]
    assert len(registry) == len({entry["name"] for entry in registry}) > 240
    assert len((await client.get("/features/registry", params={"group": "volatility"})).json()["data"]) >= 13
    entry = (await client.get("/features/registry/MACD")).json()["data"]
    assert entry["outputs"] == ["macd", "macdsignal", "macdhist"]
    assert entry["warm_up"] == 33
    vector = (await client.get(f"/features/{ID}")).json()
    assert vector["source"] == "features"
    assert vector["data"]["names"][0] == "relative_spread"
    history = (await client.get(f"/features/{ID}/history", params={"limit": 5})).json()["data"]
    assert len(history["ts_event"]) == len(history["values"]) == 5
    assert (await client.get("/features/sets/active")).json()["data"]["name"] == "default"
    assert len((await client.get("/features/sets/default/1")).json()["data"]["features"]) == 24
    assert (await client.get("/features/health")).json()["data"]["status"] == "live"


async def test_sets_over_http(node, client):
    body = {"name": "mine", "version": 1, "features": [{"name": "RSI", "parameters": {"timeperiod": 7}}]}
    assert (await client.put("/features/sets", json=body)).status_code == 200
    assert (await client.put("/features/sets", json=body)).status_code == 200
    changed = {**body, "features": [{"name": "RSI"}]}
    assert (await client.put("/features/sets", json=changed)).status_code == 409
    assert (await client.put("/features/sets/active", json={"name": "mine", "version": 1})).status_code == 200
    assert [each["name"] for each in (await client.get("/features/sets")).json()["data"]] == ["default", "mine"]
    assert (await client.get("/features/sets/mine")).json()["data"][0]["version"] == 1
    assert node["features"].active.key == "mine@1"


async def test_compute_over_http(client):
    body = {"feature": "RSI", "parameters": {"timeperiod": 3}, "columns": {"close": [1, 2, 3, 2, 3, 4]}}
    data = (await client.post("/features/compute", json=body)).json()["data"]
    assert data["values"][:3] == [None] * 3
    assert data["values"][3] == pytest.approx(200 / 3)
    assert (data["feature"], data["warm_up"]) == ("RSI(3)", 3)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/features/NONE.SIM", None, 404),
        ("GET", "/features/NONE.SIM/history", None, 404),
        ("GET", f"/features/{ID}", None, 409),
        ("GET", f"/features/{ID}/history?limit=0", None, 422),
        ("GET", "/features/registry/nothing", None, 404),
        ("GET", "/features/sets/nothing", None, 404),
        ("GET", "/features/sets/default/2", None, 404),
        ("GET", "/features/sets/default/x", None, 422),
        ("PUT", "/features/sets/active", {"name": "nothing", "version": 1}, 404),
        ("PUT", "/features/sets", {"name": "x", "version": 1, "features": [{"name": "nothing"}]}, 422),
        ("PUT", "/features/sets", {"name": "x", "version": 1, "features": []}, 422),
        ("POST", "/features/compute", {"feature": "nothing", "columns": {"close": [1]}}, 404),
        ("POST", "/features/compute", {"feature": "RSI", "columns": {"open": [1]}}, 422),
        ("POST", "/features/compute", {"feature": "RSI", "columns": {"close": []}}, 422),
        ("POST", "/features/compute", {"feature": "ATR", "columns": {"high": [1], "low": [1, 2], "close": [1]}}, 422),
        ("POST", "/features/compute", {"feature": "RSI", "parameters": {"x": 1}, "columns": {"close": [1]}}, 422),
        ("POST", "/features/compute", {"feature": "RSI", "output": "x", "columns": {"close": [1]}}, 422),
    ],
)
async def test_refusals_change_nothing(node, client, method, path, body, status):
    before = node["features"].library.all()
    answer = await client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert node["features"].library.all() == before
    assert node["features"].active == default_set()
