"""The enhanced_vpin engine on a test node: assessments, crash alerts, PIN, questions over HTTP, and what is refused."""

import asyncio

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.clock import LiveClock
from nautilus.engines.enhanced_vpin.live_microstructure import LiveMicrostructure
from nautilus.engines.enhanced_vpin.recommendation import RECOMMENDATIONS
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.enums import Side
from nautilus.model.messages import VpinCalculation
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade

SECOND = 1_000_000_000
ID = "TEST.SIM"
IMPACT = 0.02  # half ticks per lot
OPTIONS = {
    "engines.enhanced_vpin.interval_seconds": 1.0,
    "engines.enhanced_vpin.minimum_intervals": 20,
    "engines.enhanced_vpin.pin_interval_seconds": 10.0,
    "engines.enhanced_vpin.pin_minimum": 10,
    "engines.enhanced_vpin.pin_every_seconds": 60.0,
    "engines.enhanced_vpin.horizons_seconds": [1.0, 5.0],
}


@pytest.fixture
async def node():
    async with make_node(["enhanced_vpin"], OPTIONS) as running:
        running.instruments.add(make_instrument())
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def run(node, seconds, seed=0, instrument_id=ID, informed=True, start=10_000.0):
    """A market of ten trades a second at a spread of two ticks whose midpoint moves by IMPACT half ticks a lot."""
    generator = np.random.default_rng(seed)
    middle = start
    for k in range(seconds * 10):
        now = node.clock.timestamp_ns()
        bid = round(middle) - 1
        sizes = generator.integers(50, 150, 2).tolist()
        node.bus.publish(topics.quote(instrument_id), make_quote(instrument_id, bid, bid + 2, *sizes, now))
        lean = 0.8 if informed and (k // 200) % 2 else 0.5
        side = Side.BUY if generator.random() < lean else Side.SELL
        lots = int(generator.integers(1, 60))
        price = bid + 2 if side is Side.BUY else bid
        node.bus.publish(topics.trade(instrument_id), make_trade(instrument_id, price, lots, side, k, now + 1))
        middle += int(side) * lots * IMPACT / 2 + generator.normal(0, 0.2)
        node.clock.advance_time(SECOND // 10)
    return middle


async def test_assessments_are_published_each_second(node):
    captured = Capture(node.bus, "enhanced_vpin.>")
    run(node, 30)
    assert 28 <= len(captured) <= 31
    last = captured.messages[-1]
    assert last.instrument_id == ID
    assert last.recommendation in RECOMMENDATIONS
    assert last.metrics["vpin"] is None
    assert last.metrics["effective_spread_bps"] == pytest.approx(2.0, rel=0.1)
    assert last.metrics["price_impact_bps_1s"] is not None
    assert all(value is None or np.isfinite(value) for value in last.metrics.values())
    node.clock.advance_time(10 * SECOND)
    assert len(captured) <= 32  # what does not move is not assessed again


async def test_kyles_lambda_is_that_of_the_market(node):
    run(node, 200)
    state = node["enhanced_vpin"].live(ID).lambdas()
    truth = IMPACT * 0.005  # a half tick is half a cent
    assert abs(state.kyle.slope - truth) < 3 * state.kyle.standard_error
    assert state.kyle.t_statistic > 10
    assert state.hasbrouck.slope > 0
    assert state.amihud > 0
    assert 0.0 <= state.ratio < 1.5


async def test_pin_is_estimated_from_the_counts_of_intervals(node):
    run(node, 190)
    state = node["enhanced_vpin"].live(ID).pin_state()
    assert state.interval_seconds == 10.0
    assert 10 <= state.estimate.days <= 19
    assert 0.05 < state.estimate.pin < 0.5


async def test_vpin_enters_the_recommendation(node):
    captured = Capture(node.bus, "enhanced_vpin.>")
    calculation = VpinCalculation(
        ts_event=START_NS,
        instrument_id=ID,
        vpin=0.6,
        cdf=0.97,
        level="high",
        classification="bulk",
        bucket_index=9,
        bucket_lots=10,
        buy_lots=1.0,
        sell_lots=9.0,
    )
    node.bus.publish(topics.vpin(ID), calculation)
    node.clock.advance_time(SECOND)
    assert captured.messages[-1].recommendation == "reduce_size"
    assert captured.messages[-1].evidence == ("vpin_cdf 0.97 >= 0.95: reduce_size",)


async def test_a_crash_raises_one_alert(node):
    alerts, assessments = Capture(node.bus, "flash_crash.>"), Capture(node.bus, "enhanced_vpin.>")
    middle = run(node, 60, informed=False)
    assert len(alerts) == 0
    for k in range(30):
        middle *= 0.99
        now = node.clock.timestamp_ns()
        bid = round(middle)
        node.bus.publish(topics.quote(ID), make_quote(ID, bid, bid + 40, 3, 3, now))
        node.bus.publish(topics.trade(ID), make_trade(ID, bid, 5000, Side.SELL, k, now + 1))
        node.clock.advance_time(SECOND // 2)
    assert len(alerts) == 1
    assert alerts.messages[0].score >= 0.7
    assert set(alerts.messages[0].components) == {"volume", "price", "volatility", "liquidity"}
    gravest = max(RECOMMENDATIONS.index(message.recommendation) for message in assessments.messages)
    assert RECOMMENDATIONS[gravest] in ("reduce_size", "avoid")
    assert node["enhanced_vpin"].crashes()[0].alert_active


async def test_trades_without_a_side_are_signed_by_the_quote(node):
    live = None
    for k in range(20):
        now = node.clock.timestamp_ns()
        node.bus.publish(topics.quote(ID), make_quote(ID, 99, 101, 10, 10, now))
        node.bus.publish(topics.trade(ID), make_trade(ID, 101, 5, Side.NONE, k, now))
        live = node["enhanced_vpin"].live(ID)
        assert live.flows.net_lots > 0
        node.clock.advance_time(SECOND // 10)


async def test_an_unknown_instrument_is_left_alone(node):
    run(node, 2, instrument_id="OTHER.SIM")
    assert node["enhanced_vpin"].active() == []


async def test_both_engines_together():
    options = {
        **OPTIONS,
        "engines.vpin.bucket_lots": 500,
        "engines.vpin.minimum_buckets": 5,
        "engines.enhanced_vpin.ivpin_window": 20,
    }
    async with make_node(["vpin", "enhanced_vpin"], options) as node:
        node.instruments.add(make_instrument())
        run(node, 60)
        engine = node["enhanced_vpin"]
        assert engine.live(ID).latest().metrics["vpin"] == node["vpin"].live(ID).state().vpin
        assert engine.degraded() == []
        run(node, 70, seed=1)
        estimate = engine.live(ID).ivpin_state()
        assert 0.0 <= estimate.ivpin <= 1.0
        assert engine.live(ID).latest().metrics["improved_vpin"] == estimate.ivpin


async def test_the_same_input_gives_the_same_assessments():
    seen = []
    for _ in range(2):
        async with make_node(["enhanced_vpin"], OPTIONS) as node:
            node.instruments.add(make_instrument())
            captured = Capture(node.bus, "enhanced_vpin.>")
            run(node, 130)
            seen.append(captured.messages)
    assert seen[0] == seen[1]
    assert seen[0][-1].metrics["pin"] is not None


async def test_questions_over_http(node, client):
    paths = ["", "/history", "/kyles-lambda", "/spreads", "/order-flow", "/pin", "/flash-crash"]
    for path in [*paths, "/improved-vpin"]:
        assert (await client.get(f"/enhanced-vpin/{ID}{path}")).status_code == 409
        assert (await client.get(f"/enhanced-vpin/NONE.SIM{path}")).status_code == 404
    run(node, 1)
    for path in ("/kyles-lambda", "/spreads", "/order-flow", "/flash-crash"):  # too little data is no error
        assert (await client.get(f"/enhanced-vpin/{ID}{path}")).status_code == 200
    run(node, 130)
    for path in paths:
        assert (await client.get(f"/enhanced-vpin/{ID}{path}")).status_code == 200
    spreads = (await client.get(f"/enhanced-vpin/{ID}/spreads")).json()["data"]
    assert spreads["quoted_bps"] == pytest.approx(2.0, rel=0.1)
    assert spreads["bars"] > 100
    assert spreads["edge_bps"] is not None
    flow = (await client.get(f"/enhanced-vpin/{ID}/order-flow")).json()["data"]
    assert -1 <= flow["quote_imbalance"] <= 1
    assert len((await client.get(f"/enhanced-vpin/{ID}/history?limit=5")).json()["data"]) == 5
    assert len((await client.get("/enhanced-vpin/active")).json()["data"]) == 1
    assert len((await client.get("/enhanced-vpin/flash-crash")).json()["data"]) == 1


async def test_computations_answer_or_name_the_field(client):
    generator = np.random.default_rng(0)
    counts = {"buys": generator.poisson(100, 30).tolist(), "sells": generator.poisson(100, 30).tolist()}
    assert 0 <= (await client.post("/enhanced-vpin/pin", json=counts)).json()["data"]["pin"] < 1
    for change, field in (({"buys": [1, 2]}, "sells"), ({"buys": [0] * 30}, "buys"), ({"buys": [-1] * 30}, "buys")):
        answer = await client.post("/enhanced-vpin/pin", json=counts | change)
        assert answer.status_code == 422
        assert field in answer.text
    bars = {"open": [10, 11, 10, 11], "high": [12, 12, 12, 12], "low": [9, 9, 9, 9], "close": [11, 10, 11, 10]}
    assert (await client.post("/enhanced-vpin/spreads", json=bars)).status_code == 200
    for change, field in (({"low": [9]}, "low"), ({"close": [13, 10, 11, 10]}, "close")):
        answer = await client.post("/enhanced-vpin/spreads", json=bars | change)
        assert answer.status_code == 422
        assert field in answer.text


async def test_on_a_live_clock_pin_comes_from_a_thread(monkeypatch):
    options = {**OPTIONS, "engines.enhanced_vpin.pin_every_seconds": 1.0, "engines.enhanced_vpin.pin_minimum": 5}
    estimated = asyncio.Event()
    keep = LiveMicrostructure.set_pin

    def noted(self, ts, estimate):
        keep(self, ts, estimate)
        estimated.set()

    monkeypatch.setattr(LiveMicrostructure, "set_pin", noted)
    async with make_node(["enhanced_vpin"], options, clock=LiveClock()) as node:
        node.instruments.add(make_instrument())
        generator = np.random.default_rng(0)
        for k in range(800):
            side = Side.BUY if generator.random() < 0.5 + 0.3 * (k // 100 % 2) else Side.SELL
            node.bus.publish(topics.trade(ID), make_trade(ID, 100, 1, side, k, START_NS + k * SECOND // 10))
        async with asyncio.timeout(20):
            await estimated.wait()
        assert node["enhanced_vpin"].live(ID).pin_state().estimate.days == 7
