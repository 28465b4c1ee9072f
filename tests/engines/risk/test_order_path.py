"""The whole path with every real part: strategy, gate, venue, portfolio and collateral in one node."""

from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from nautilus.engines.risk import Limit, LimitKind
from nautilus.engines.risk.controls import ManualState
from nautilus.engines.strategy import Strategy, StrategyConfig
from nautilus.http.app import build_app
from nautilus.model import OrderStatus, topics
from nautilus.node import Node
from nautilus.testing import make_instrument, make_node, make_quote

SECOND = 1_000_000_000
LIMIT = {"instrument_id": "TEST.SIM", "side": "buy", "order_type": "limit", "quantity": "10", "price": "99.90"}
MARKET = {"instrument_id": "TEST.SIM", "side": "buy", "order_type": "market", "quantity": "100"}


@pytest.fixture
def at_rest() -> Node:
    made = make_node(["strategy", "risk", "portfolio", "collateral"])
    made.instruments.add(make_instrument())
    return made


@pytest.fixture
async def node(at_rest: Node) -> Any:
    async with at_rest as running:
        show(running)
        yield running


@pytest.fixture
async def client(node: Node) -> Any:
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def show(node: Node, bid: int = 10_000, seconds: float = 0.0) -> None:
    node.clock.advance_time(int(seconds * SECOND))
    now = node.clock.timestamp_ns()
    quote = make_quote("TEST.SIM", bid, bid + 1, 100_000, 100_000, ts_event=now)
    node.bus.publish(topics.quote("TEST.SIM"), quote)


async def send(node: Node, client: Any, order: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/strategy/orders", json=order)
    assert answer.status_code == 201, answer.text
    node.clock.advance_time(SECOND // 100)
    placed = answer.json()["data"]["client_order_id"]
    order_now = (await client.get(f"/strategy/orders/{placed}")).json()["data"]
    assert isinstance(order_now, dict)
    return order_now


async def test_every_part_agrees_on_what_is_held(node: Node, client: Any) -> None:
    filled = await send(node, client, MARKET)
    assert filled["status"] == "filled"
    working = await send(node, client, LIMIT)
    assert working["status"] == "accepted"
    show(node, seconds=2)
    report = (await client.get("/risk/exposures")).json()["data"]
    position = report["positions"][0]
    assert (position["position_lots"], position["open_buy_lots"]) == (100, 10)
    account = position["account_id"]
    margin = (await client.get(f"/collateral/margin/{account}")).json()["data"]["margin"]
    assert margin["positions"][0]["market_value"] == pytest.approx(10_000.5)
    assert margin["requirement"] == pytest.approx(2_500.125)
    views = {(item["scope"], item["name"]): item for item in report["exposures"]}
    assert views["account", account]["equity"] == pytest.approx(margin["collateral"])


async def test_the_kill_switch_cancels_what_is_open_and_refuses_what_comes(node: Node, client: Any) -> None:
    working = await send(node, client, LIMIT)
    assert working["status"] == "accepted"
    assert (await client.post("/risk/kill", json={"reason": "drill"})).status_code == 200
    node.clock.advance_time(SECOND)
    order = (await client.get(f"/strategy/orders/{working['client_order_id']}")).json()["data"]
    assert order["status"] == "canceled"
    refused = await send(node, client, LIMIT)
    assert refused["status"] == "denied"
    assert (await client.get("/risk/state")).json()["data"]["open_orders"] == 0


async def test_a_liquidating_limit_closes_the_position(node: Node, client: Any) -> None:
    await send(node, client, MARKET)
    engine: Any = node["risk"]
    engine.put_limit(Limit(limit_id="g", kind=LimitKind.GROSS_EXPOSURE, value=5_000.0, action="liquidate"))
    for _ in range(5):
        show(node, seconds=1)
    assert not engine.holdings.positions()
    breach = (await client.get("/risk/breaches/g")).json()["data"]
    assert (breach["over"], breach["status"]) == (False, "detected")
    assert (await client.post("/risk/breaches/g/resolve", json={})).status_code == 200
    assert (await send(node, client, {**MARKET, "quantity": "10"}))["status"] == "filled"


async def test_the_gate_counts_a_rejected_order_no_more(node: Node, client: Any) -> None:
    engine: Any = node["risk"]
    for _ in range(3):
        placed = await send(node, client, LIMIT)
        await client.post(f"/strategy/orders/{placed['client_order_id']}/cancel")
        node.clock.advance_time(SECOND)
    assert not engine.holdings.orders
    assert engine.holdings.everything.gross == pytest.approx(0.0, abs=1e-9)


async def test_a_kill_switch_that_liquidates_closes_the_position_and_lets_nothing_else_through(
    node: Node, client: Any
) -> None:
    await send(node, client, MARKET)
    await send(node, client, LIMIT)
    killed = await client.post("/risk/kill", json={"reason": "drill"})
    assert killed.json()["data"]["kill_switch"]["liquidate"] is False
    node.clock.advance_time(SECOND)
    engine: Any = node["risk"]
    assert engine.holdings.positions()
    answer = await client.post("/risk/kill", json={"reason": "all out", "liquidate": True})
    assert answer.json()["data"]["kill_switch"]["liquidate"] is True
    node.clock.advance_time(SECOND)
    assert not engine.holdings.positions()
    assert not engine.holdings.orders
    assert (await send(node, client, MARKET))["status"] == "denied"


async def test_a_modification_refused_by_the_venue_is_counted_no_more(node: Node, client: Any) -> None:
    placed = await send(node, client, {**LIMIT, "post_only": True})
    name = placed["client_order_id"]
    engine: Any = node["risk"]
    answer = await client.post(f"/strategy/orders/{name}/modify", json={"quantity": "500", "price": "100.01"})
    assert answer.status_code == 200, answer.text
    assert engine.holdings.orders[name].remaining_lots == 500
    node.clock.advance_time(SECOND)
    assert engine.holdings.orders[name].remaining_lots == 10


class Hasty(Strategy[StrategyConfig]):
    """Orders before anything else has happened."""

    def on_start(self) -> None:
        self.order = self.buy("TEST.SIM", 10, price_ticks=9_000)


async def test_an_order_sent_at_start_meets_what_was_in_force_before(tmp_path: Path) -> None:
    def build() -> Node:
        made = make_node(["strategy", "risk"], directory=str(tmp_path))
        made.instruments.add(make_instrument())
        return made

    async with build() as node:
        strategy: Any = node["strategy"]
        strategy.deployments.classes._classes["hasty"] = Hasty
        strategy.deployments.deploy("hasty", "hasty", {}, "main").start()
        assert strategy.deployments["hasty"].strategy.order.status is OrderStatus.SUBMITTED
        node["risk"].set_state(ManualState(scope="global", state="halted"))  # type: ignore[attr-defined]
    node = build()
    strategy = node["strategy"]
    setup = strategy.setup

    async def with_hasty() -> None:
        await setup()
        strategy.deployments.classes._classes["hasty"] = Hasty

    strategy.setup = with_hasty
    async with node:
        order = strategy.deployments["hasty"].strategy.order
        assert (order.status, order.reason) == (OrderStatus.DENIED, "trading is halted")
