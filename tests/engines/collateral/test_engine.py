"""The collateral engine on a test node: live margin, alerts, forecasts with their score, what-if, and HTTP."""

from decimal import Decimal

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.engines.collateral.call_forecast import ForecastRecord, forecast_call
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.accounts import AccountState
from nautilus.model.enums import Side
from nautilus.model.messages import MarginCall, MarginUpdate, PortfolioUpdate
from nautilus.model.orders import OrderFilled
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote

SECOND = 1_000_000_000
ID = "TEST.SIM"


@pytest.fixture
def at_rest():
    return make_node(["collateral"], {"engines.collateral.cooldown_seconds": 60})


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


def fill(node, lots, price=10_000, account_id="a"):
    event = OrderFilled(
        client_order_id="o",
        strategy_id="s",
        account_id=account_id,
        instrument_id=ID,
        ts_event=START_NS,
        ts_init=START_NS,
        venue_order_id="v",
        trade_id="t",
        side=Side.BUY if lots > 0 else Side.SELL,
        quantity_lots=abs(lots),
        price_ticks=price,
        fee="0",
        currency="USD",
        liquidity="taker",
        rule="test",
    )
    node.bus.publish(topics.fill("s"), event)
    return event


def equity(node, amount, account_id="a"):
    zero = Decimal(0)
    state = AccountState(
        account_id=account_id,
        currency="USD",
        cash=zero,
        deposits=zero,
        market_value=zero,
        realized_pnl=zero,
        unrealized_pnl=zero,
        fees=zero,
        equity=Decimal(str(amount)),
        gross_exposure=zero,
        net_exposure=zero,
        ts_event=START_NS,
    )
    node.bus.publish(topics.portfolio(account_id), PortfolioUpdate(ts_event=START_NS, account=state))


def quote(node, bid=10_000, seconds=1.0):
    node.clock.advance_time(int(seconds * SECOND))
    node.bus.publish(topics.quote(ID), make_quote(bid_ticks=bid, ask_ticks=bid, ts_event=node.clock.timestamp_ns()))


async def test_margin_follows_fills_quotes_and_equity(node, client):
    updates: Capture[MarginUpdate] = Capture(node.bus, topics.ALL_MARGINS)
    assert (await client.get("/collateral/margin/a")).status_code == 404
    fill(node, 1_000)
    assert (await client.get("/collateral/margin/a")).status_code == 409
    assert "no equity" in node["collateral"].health().reasons[0]
    equity(node, 50_000)
    quote(node)
    update = updates.messages[-1]
    assert (update.initial_margin, update.maintenance_margin, update.excess) == (25_000.0, 15_000.0, 25_000.0)
    assert update.utilization == 0.5
    quote(node, 20_000)
    assert updates.messages[-1].utilization == 1.0
    answer = (await client.get("/collateral/margin/a")).json()["data"]
    assert answer["margin"]["initial"] == 50_000.0
    assert answer["level"] == "emergency"
    assert answer["forecast"] is None
    assert (await client.get("/collateral/margin")).json()["data"] == ["a"]


async def test_alerts_at_eighty_ninety_and_ninety_five(node, client):
    calls: Capture[MarginCall] = Capture(node.bus, "margin_call.>")
    equity(node, 25_000)
    fill(node, 1_000)
    for price in (7_900, 8_000, 8_100, 9_000, 9_500, 7_000):
        quote(node, price)
    told = [(call.level, call.active, call.action) for call in calls.messages]
    assert told == [
        ("warning", True, "reduce_positions"),
        ("critical", True, "add_collateral"),
        ("emergency", True, "liquidate_positions"),
        ("emergency", False, "monitor_closely"),
    ]
    assert calls.messages[1].required_amount == pytest.approx(22_500 / 0.8 - 25_000)
    listed = (await client.get("/collateral/alerts?limit=2")).json()["data"]
    assert [item["level"] for item in listed] == ["emergency", "emergency"]
    assert (await client.get("/collateral/alerts?account_id=b")).json()["data"] == []


async def test_short_positions_and_closing(node):
    updates: Capture[MarginUpdate] = Capture(node.bus, topics.ALL_MARGINS)
    equity(node, 50_000)
    fill(node, -1_000)
    quote(node)
    assert updates.messages[-1].initial_margin == 25_000.0
    fill(node, 1_000)
    quote(node)
    assert updates.messages[-1].initial_margin == 0.0
    assert updates.messages[-1].utilization == 0.0


async def test_the_forecast_comes_with_enough_returns(node, client):
    equity(node, 35_000)
    fill(node, 1_000)
    moves = np.random.default_rng(0).integers(-8, 9, 60)
    for move in moves:
        quote(node, 10_000 + int(move), seconds=10)
    answer = (await client.get("/collateral/margin/a")).json()["data"]
    forecast = answer["forecast"]
    assert forecast["returns"] >= 50
    assert 0.0 < forecast["probability"] <= 1.0
    assert forecast["minutes_five_percent"] < forecast["minutes_median"]
    assert answer["margin"]["notes"] == [], "volatility is known by now"
    assert answer["calibration"]["forecasts"] == 0
    quote(node, 60_000, seconds=10)
    answer = (await client.get("/collateral/margin/a")).json()["data"]
    assert answer["calibration"]["call_frequency"] == 1.0, "the call came within the hour of every forecast"


async def test_what_if_on_a_live_account(node, client):
    equity(node, 30_000)
    fill(node, 1_000)
    quote(node)
    body = {"account_id": "a", "instrument_id": ID, "quantity_lots": 500}
    answer = (await client.post("/collateral/what-if", json=body)).json()["data"]
    assert answer["before"]["initial"] == 25_000.0
    assert answer["after"]["initial"] == 37_500.0
    assert answer["allowed"] is False
    less = (await client.post("/collateral/what-if", json={**body, "quantity_lots": -500})).json()["data"]
    assert less["allowed"] is True
    reg_t = (await client.post("/collateral/what-if", json={**body, "model": "reg_t"})).json()["data"]
    assert reg_t["after"]["initial"] == 75_000.0
    for change, status in (
        ({"account_id": "b"}, 404),
        ({"instrument_id": "NOPE.SIM"}, 404),
        ({"quantity_lots": 0}, 422),
        ({"price_ticks": 0}, 422),
        ({"model": "magic"}, 422),
    ):
        assert (await client.post("/collateral/what-if", json={**body, **change})).status_code == status


async def test_margin_of_positions_given(client):
    body = {
        "positions": [{"instrument_id": "X", "asset_class": "equity", "quantity": 1000, "price": 50}],
        "collateral": 25_000,
        "model": "reg_t",
    }
    answer = (await client.post("/collateral/margin", json=body)).json()["data"]
    assert (answer["initial"], answer["maintenance"], answer["utilization"]) == (25_000.0, 12_500.0, 0.5)
    empty = (await client.post("/collateral/margin", json={"positions": [], "collateral": 0})).json()["data"]
    assert empty["utilization"] == 0.0
    body["positions"][0]["price"] = -1
    assert (await client.post("/collateral/margin", json=body)).status_code == 422
    names = [item["name"] for item in (await client.get("/collateral/models")).json()["data"]]
    assert names == ["house", "reg_t"]


@pytest.fixture
def two_lives(tmp_path):
    return [make_node(["collateral"], directory=str(tmp_path)) for _ in range(2)]


async def test_positions_survive_a_restart_from_snapshot_and_journal(two_lives):
    async with two_lives[0] as first:
        first.instruments.add(make_instrument())
        first.store.journal.append(fill(first, 1_000))
        await first.snapshot()
        first.store.journal.append(fill(first, 500))
    async with two_lives[1] as second:
        assert second["collateral"].accounts["a"].lots == {ID: 1_500}


def test_forecasts_are_scored_when_their_time_has_come():
    record = ForecastRecord()
    assert record.calibration.brier_score is None
    record.add(100, 0.2)
    record.add(200, 0.4)
    record.observe(5.0, 100)
    assert record.calibration.forecasts == 1
    record.observe(-1.0, 150)
    score = record.calibration
    assert (score.forecasts, score.call_frequency) == (2, 0.5)
    assert score.mean_probability == pytest.approx(0.3)
    assert score.brier_score == pytest.approx((0.04 + 0.36) / 2)


def test_a_call_seen_after_the_horizon_does_not_count_for_it():
    record = ForecastRecord()
    record.add(100, 0.2)
    record.observe(-1.0, 101)
    assert record.calibration.call_frequency == 0.0


def test_forecasts_are_calibrated_on_simulated_accounts():
    rng = np.random.default_rng(4)
    record, steps = ForecastRecord(), 240
    for account in range(1_500):
        excess = float(rng.uniform(0.2, 2.5)) * np.sqrt(steps)
        start = account * 10_000
        record.add(start + steps, forecast_call(excess + 0.5826, 1.0, 60.0, float(steps), 1).probability)
        path = excess + np.cumsum(rng.normal(size=steps))
        hit = np.flatnonzero(path <= 0.0)
        record.observe(-1.0 if hit.size else 1.0, start + (int(hit[0]) + 1 if hit.size else steps))
    score = record.calibration
    assert score.forecasts == 1_500
    assert score.call_frequency == pytest.approx(score.mean_probability, abs=0.035)
    assert score.brier_score < 0.2
