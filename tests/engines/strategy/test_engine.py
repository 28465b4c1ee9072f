"""The strategy engine in a node: over HTTP, with the real gate and books, through a crash, and twice the same."""

import shutil
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from nautilus.http.app import build_app
from nautilus.model import Order, OrderStatus, topics
from nautilus.node import Node
from nautilus.testing import Capture, make_instrument, make_node, make_quote
from tests.engines.strategy.floor import FakeGate

MILLISECOND = 1_000_000
TRADING = ("marketdata", "strategy", "risk", "portfolio", "vpin")
LIMIT = {"instrument_id": "TEST.SIM", "side": "buy", "order_type": "limit", "quantity": "10", "price": "99.90"}
EMA = {"name": "ema", "strategy": "ema_cross", "config": {"instrument_ids": ["TEST.SIM"], "fast": 3, "slow": 9}}


@pytest.fixture
async def node() -> Any:
    made = make_node(["strategy"])
    made.instruments.add(make_instrument())
    FakeGate(made.bus)
    async with made:
        show(made)
        yield made


@pytest.fixture
async def client(node: Node) -> Any:
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001/strategy") as session:
        yield session


def show(node: Node, bid: int = 10_000) -> None:
    now = node.clock.timestamp_ns()
    node.bus.publish(topics.quote("TEST.SIM"), make_quote("TEST.SIM", bid, bid + 1, ts_event=now))


async def test_an_order_by_hand_lives_its_life_over_http(node: Node, client: Any) -> None:
    placed = (await client.post("/orders", json=LIMIT)).json()["data"]
    assert (placed["status"], placed["price"], placed["price_ticks"], placed["strategy_id"]) == (
        "submitted",
        "99.90",
        9_990,
        "manual",
    )
    node.clock.advance_time(2 * MILLISECOND)
    path = f"/orders/{placed['client_order_id']}"
    assert (await client.get(path)).json()["data"]["status"] == "accepted"
    assert (await client.get("/orders?status=open")).json()["data"][0]["client_order_id"] == "manual-1"
    await client.post(f"{path}/modify", json={"price": "100.00", "quantity": "20"})
    node.clock.advance_time(2 * MILLISECOND)
    changed = (await client.get(path)).json()["data"]
    assert (changed["price"], changed["quantity"]) == ("100.00", "20")
    await client.post(f"{path}/cancel")
    node.clock.advance_time(2 * MILLISECOND)
    assert (await client.get(path)).json()["data"]["status"] == "canceled"
    again = await client.post(f"{path}/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, "order manual-1 is canceled")


async def test_a_fill_shows_its_rule_and_market(node: Node, client: Any) -> None:
    await client.post(
        "/orders", json={"instrument_id": "TEST.SIM", "side": "sell", "order_type": "market", "quantity": 5}
    )
    node.clock.advance_time(2 * MILLISECOND)
    fill = (await client.get("/fills")).json()["data"][0]
    assert (fill["price"], fill["side"], fill["rule"]) == ("100.00", "sell", "market_takes_displayed")
    assert (fill["bid_ticks"], fill["ask_ticks"]) == (10_000, 10_001)
    assert (await client.get("/statistics")).json()["data"]["fills"] == 1


async def test_the_same_request_twice_is_one_order(node: Node, client: Any) -> None:
    one = await client.post("/orders", json={**LIMIT, "client_order_id": "mine"})
    two = await client.post("/orders", json={**LIMIT, "client_order_id": "mine"})
    other = await client.post("/orders", json={**LIMIT, "client_order_id": "mine", "quantity": "11"})
    assert (one.status_code, two.status_code, other.status_code) == (201, 201, 409)
    assert one.json()["data"] == two.json()["data"]
    assert len((await client.get("/orders")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"price": "99.905"}, 422, "price"),
        ({"price": "1e999999"}, 422, "price"),
        ({"price": "NaN"}, 422, "price"),
        ({"price": None}, 422, "price_ticks"),
        ({"quantity": "0"}, 422, "quantity_lots"),
        ({"quantity": "0.5"}, 422, "quantity"),
        ({"quantity": "-1e-999999"}, 422, "quantity"),
        ({"side": "hold"}, 422, "body.side"),
        ({"instrument_id": "NONE.SIM"}, 404, None),
        ({"strategy_id": "nobody"}, 404, None),
        ({"time_in_force": "gtd"}, 422, "expire_ns"),
        ({"post_only": True, "time_in_force": "ioc"}, 422, "post_only"),
        ({"colour": "blue"}, 422, "body.colour"),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(
    node: Node, client: Any, change: dict[str, Any], status: int, field: str | None
) -> None:
    answer = await client.post("/orders", json={**LIMIT, **change})
    assert answer.status_code == status, answer.text
    if field is not None:
        assert field in answer.text
    assert node.store.journal.last_sequence == 0
    assert (await client.get("/orders")).json()["data"] == []


async def test_strategies_are_steered_over_http(node: Node, client: Any) -> None:
    classes = {item["name"]: item for item in (await client.get("/classes")).json()["data"]}
    assert "fast" in str(classes["ema_cross"]["config_schema"])
    deployed = await client.post("/strategies", json=EMA)
    assert (deployed.status_code, deployed.json()["data"]["status"]) == (201, "running")
    assert (await client.post("/strategies", json=EMA)).status_code == 409
    assert (await client.delete("/strategies/ema")).status_code == 409
    for step, status in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("start", "running")):
        answer = await client.post(f"/strategies/ema/{step}")
        assert answer.json()["data"]["status"] == status
    assert (await client.post("/strategies/ema/resume")).status_code == 409
    await client.post("/strategies/ema/stop")
    assert (await client.delete("/strategies/ema")).status_code == 200
    assert (await client.get("/strategies/ema")).status_code == 404
    assert (await client.get("/strategies")).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"strategy": "os:system"}, 404),
        ({"config": {"instrument_ids": ["NONE.SIM"]}}, 404),
        ({"config": {"instrument_ids": ["TEST.SIM"], "fast": 10**400}}, 422),
        ({"config": {"instrument_ids": 1}}, 422),
        ({"name": "a.b"}, 422),
        ({"name": "manual"}, 409),
    ],
)
async def test_a_wrong_deployment_is_refused(client: Any, change: dict[str, Any], status: int) -> None:
    answer = await client.post("/strategies", json={**EMA, **change})
    assert answer.status_code == status, answer.text
    assert (await client.get("/strategies")).json()["data"] == []


async def test_what_is_unknown_is_not_found(client: Any) -> None:
    for path in ("/orders/nope", "/strategies/nope", "/orders?strategy_id=nope", "/fills?strategy_id=nope"):
        assert (await client.get(path)).status_code == 404
    for path in ("/orders/nope/cancel", "/strategies/nope/start"):
        assert (await client.post(path)).status_code == 404


async def test_a_simulated_venue_says_what_it_is(node: Node, client: Any) -> None:
    venue = (await client.get("/venues")).json()["data"][0]
    assert (venue["name"], venue["simulated"], venue["instruments"]) == ("SIM", True, 1)
    assert "1000 us" in venue["assumptions"]["latency"]


async def test_without_a_risk_engine_every_order_is_denied() -> None:
    async with make_node(["strategy"]) as node:
        node.instruments.add(make_instrument())
        node.bus.publish(topics.instrument("TEST.SIM"), node.instruments["TEST.SIM"])
        show(node)
        transport = httpx.ASGITransport(app=build_app(node))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001/strategy") as session:
            placed = (await session.post("/orders", json=LIMIT)).json()["data"]
            assert placed["status"] == "denied"
            assert "no risk gate" in placed["reason"]
            health = (await session.get("/health")).json()
        assert "no risk gate" in str(health)


async def test_another_engines_venue_is_left_to_it() -> None:
    made = make_node(["strategy"])
    made.instruments.add(make_instrument())
    made.bus.register("venue.SIM", lambda clearance: None)
    async with made:
        assert made["strategy"].venues == {}


async def test_the_engine_starts_and_stops_without_leaving_anything_behind() -> None:
    made = make_node(["strategy"])
    made.instruments.add(make_instrument())
    before = (len(made.bus.subscriptions), made.bus.endpoints)
    async with made:
        made["strategy"].deployments.deploy("ema", EMA["strategy"], EMA["config"], "main").start()
    assert (len(made.bus.subscriptions), made.bus.endpoints) == before
    assert made.clock.timer_names == []


# -- the whole desk ----------------------------------------------------------------------------------------------------


def simulated(directory: str = ":memory:", seed: int = 5) -> Node:
    options = {
        "engines.marketdata.source": "simulated",
        "engines.marketdata.record": "never",
        "engines.marketdata.seed": seed,
        "store.sync": "none",
    }
    return make_node(TRADING, options, directory=directory)


def pass_time(node: Node, seconds: float) -> None:
    for _ in range(round(seconds * 20)):
        node.clock.advance_time(50 * MILLISECOND)


async def test_the_configured_strategies_trade_on_the_simulated_market_through_gate_venue_and_books() -> None:
    async with simulated() as node:
        alerts: Capture[Any] = Capture(node.bus, "system_alert.>")
        positions: Capture[Any] = Capture(node.bus, "position.>")
        pass_time(node, 90)
        engine = node["strategy"]
        assert {item.record.name: item.status.value for item in engine.deployments} == {
            "ema-cross": "running",
            "market-maker": "running",
        }
        statistics = engine.orders.statistics()
        assert statistics.fills > 20
        assert (statistics.denied, statistics.refused_events, statistics.duplicate_fills) == (0, 0, 0)
        assert {fill.strategy_id for fill in engine.record.fills} == {"ema-cross", "market-maker"}
        assert engine.health().status == "live"
        assert not [alert for alert in alerts.messages if alert.severity != "info"]
        held = {key[2]: lots for key, lots in engine.record.positions().items()}
        booked = {update.position.instrument_id: update.position.quantity_lots for update in positions.messages}
        assert {name: lots for name, lots in booked.items() if lots} == held


async def test_the_same_market_gives_the_same_journal_byte_for_byte() -> None:
    journals = []
    for seed in (5, 5, 6):
        async with simulated(seed=seed) as node:
            pass_time(node, 60)
            journals.append(node.store.journal.bytes())
    assert journals[0] == journals[1] != journals[2]


async def test_after_a_crash_orders_positions_and_ids_are_the_same(tmp_path: Path) -> None:
    """The directory is copied while the node runs, which is what `kill -9` leaves behind."""
    async with simulated(str(tmp_path / "running")) as node:
        engine = node["strategy"]
        pass_time(node, 40)
        await node.snapshot()
        pass_time(node, 20)
        await node.store.state.flush()
        expected = engine.record.export()
        counters = {name: (venue.order_count, venue.trade_count) for name, venue in engine.venues.items()}
        open_before = {order.client_order_id: order.status for order in engine.record.open_orders()}
        now = node.clock.timestamp_ns()
        shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    made = simulated(str(tmp_path / "crashed"))
    made.clock.set_time(now)
    async with made as again:
        engine = again["strategy"]
        assert engine.record.positions() == {tuple(item[:3]): item[3] for item in expected.positions}
        closed = {order.client_order_id: order for order in engine.record.closed_orders(10_000)}
        for identifier, status in open_before.items():
            order: Order = engine.record[identifier]
            assert order.status is (OrderStatus.REJECTED if status is OrderStatus.SUBMITTED else status)
        assert len(closed) + engine.record.open_count == len(expected.closed) + len(expected.open)
        assert {name: (venue.order_count, venue.trade_count) for name, venue in engine.venues.items()} == counters
        assert {item.status.value for item in engine.deployments} == {"running"}
        pass_time(again, 30)
        assert engine.orders.refused_events == 0
        identifiers = [fill.trade_id for fill in engine.record.fills]
        assert len(set(identifiers)) == len(identifiers)


async def test_a_strategy_whose_instrument_comes_from_another_process_waits_for_it() -> None:
    options = {"engines.strategy.deployments": [EMA]}
    async with make_node(["strategy"], options) as made:
        (deployment,) = made["strategy"].deployments
        assert deployment.strategy is None
        assert "strategy ema waits: no instrument 'TEST.SIM'" in made["strategy"].health().reasons
        made.instruments.add(make_instrument())
        made.bus.publish(topics.instrument("TEST.SIM"), make_instrument())
        assert deployment.strategy is not None
        assert deployment.status == "running"
        assert not any("waits" in reason for reason in made["strategy"].health().reasons)
