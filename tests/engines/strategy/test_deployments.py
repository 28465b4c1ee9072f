"""Strategies under management: what they are called for, pausing, stopping, failing, coming back after a restart."""

from typing import Any

import pytest

from nautilus.engines.strategy import Strategy, StrategyConfig
from nautilus.engines.strategy.deployment import DeploymentStatus
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import OrderStatus, topics
from nautilus.model.messages import SystemAlert, TradingControl
from nautilus.node import Node
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade
from tests.engines.strategy.floor import FakeGate

SECOND = 1_000_000_000
PLAIN = {"instrument_ids": ["TEST.SIM"]}


class Recorder(Strategy[StrategyConfig]):
    """Writes down what it is called for; orders on demand."""

    def __init__(self, config: StrategyConfig) -> None:
        super().__init__(config)
        self.calls: list[str] = []
        self.loaded: dict[str, Any] | None = None

    def on_start(self) -> None:
        self.calls.append("start")
        self.set_timer("tick", SECOND)

    def on_stop(self) -> None:
        self.calls.append("stop")

    def on_quote(self, quote: Any) -> None:
        self.calls.append(f"quote {quote.instrument_id}")

    def on_order(self, event: Any) -> None:
        self.calls.append(type(event).__name__)

    def on_fill(self, fill: Any) -> None:
        self.calls.append("fill")

    def on_timer(self, event: Any) -> None:
        self.calls.append(f"timer {event.name}")

    def save(self) -> dict[str, Any]:
        return {"calls": len(self.calls)}

    def load(self, state: dict[str, Any]) -> None:
        self.loaded = state


class Fragile(Strategy[StrategyConfig]):
    """Buys on the first quote and breaks on the second."""

    def on_start(self) -> None:
        self.seen = 0

    def on_quote(self, quote: Any) -> None:
        self.seen += 1
        if self.seen > 1:
            raise ValueError("a bug of mine")
        self.buy("TEST.SIM", 5, price_ticks=9_000)


class Breaks(Strategy[StrategyConfig]):
    """Cannot even start."""

    def on_start(self) -> None:
        raise KeyError("missing")


def prepare(node: Node) -> Any:
    node.instruments.add(make_instrument())
    node.instruments.add(make_instrument("OTHER.SIM"))
    for name in ("TEST.SIM", "OTHER.SIM"):
        node.bus.publish(topics.instrument(name), node.instruments[name])
    engine = node["strategy"]
    for name, kind in (("recorder", Recorder), ("fragile", Fragile), ("breaks", Breaks)):
        engine.deployments.classes.add(name, kind)
    return engine


@pytest.fixture
async def node() -> Any:
    made = make_node(["strategy"])
    FakeGate(made.bus)
    async with made:
        prepare(made)
        yield made


@pytest.fixture
def engine(node: Node) -> Any:
    return node["strategy"]


def run(engine: Any, name: str = "one", strategy: str = "recorder") -> Any:
    deployment = engine.deployments.deploy(name, strategy, PLAIN, "main")
    deployment.start()
    return deployment


def show(node: Node, bid: int = 10_000, instrument_id: str = "TEST.SIM") -> None:
    now = node.clock.timestamp_ns()
    node.bus.publish(topics.quote(instrument_id), make_quote(instrument_id, bid, bid + 1, ts_event=now))
    node.clock.advance_time(10_000_000)


def test_only_what_is_overridden_is_subscribed_and_only_for_its_instruments(node: Node, engine: Any) -> None:
    deployment = run(engine)
    show(node)
    show(node, instrument_id="OTHER.SIM")
    node.bus.publish(topics.trade("TEST.SIM"), make_trade())
    assert deployment.strategy.calls == ["start", "quote TEST.SIM"]
    assert len(deployment._data) == 1


def test_its_orders_fills_and_timers_come_back_to_it_alone(node: Node, engine: Any) -> None:
    one, two = run(engine, "one"), run(engine, "two")
    show(node)
    one.strategy.calls.clear()
    order = one.strategy.buy("TEST.SIM", 5)
    node.clock.advance_time(2 * SECOND)
    assert order.status is OrderStatus.FILLED
    assert [call for call in one.strategy.calls if "timer" not in call] == [
        "OrderInitialized",
        "OrderSubmitted",
        "OrderAccepted",
        "OrderFilled",
        "fill",
    ]
    assert one.strategy.calls.count("timer tick") == 2
    assert "fill" not in two.strategy.calls
    assert (one.strategy.position("TEST.SIM"), two.strategy.position("TEST.SIM")) == (5, 0)


def test_a_pause_keeps_the_position_cancels_orders_and_ignores_the_market(node: Node, engine: Any) -> None:
    deployment = run(engine)
    show(node)
    deployment.strategy.buy("TEST.SIM", 5)
    order = deployment.strategy.buy("TEST.SIM", 5, price_ticks=9_000)
    node.clock.advance_time(10_000_000)
    deployment.pause()
    node.clock.advance_time(10_000_000)
    assert order.status is OrderStatus.CANCELED
    strategy, calls = deployment.strategy, list(deployment.strategy.calls)
    show(node)
    node.clock.advance_time(3 * SECOND)
    assert strategy.calls == calls
    denied = strategy.buy("TEST.SIM", 5)
    assert (denied.status, strategy.position("TEST.SIM")) == (OrderStatus.DENIED, 5)
    deployment.resume()
    show(node)
    assert strategy.calls[-1] == "quote TEST.SIM"
    assert deployment.strategy is strategy


def test_stopping_cancels_tells_and_keeps_the_state(node: Node, engine: Any) -> None:
    deployment = run(engine)
    show(node)
    strategy = deployment.strategy
    order = strategy.buy("TEST.SIM", 5, price_ticks=9_000)
    deployment.stop()
    node.clock.advance_time(10_000_000)
    assert order.status is OrderStatus.CANCELED
    assert strategy.calls[-1] == "stop"
    assert deployment.status is DeploymentStatus.STOPPED
    show(node)
    assert strategy.calls[-1] == "stop"
    deployment.start()
    assert deployment.strategy is not strategy
    assert deployment.strategy.loaded == {"calls": len(strategy.calls)}


def test_a_strategy_that_raises_ends_alone_with_its_traceback_and_its_orders_cancelled(node: Node, engine: Any) -> None:
    alerts: Capture[SystemAlert] = Capture(node.bus, "system_alert.>")
    fragile, other = run(engine, "fragile", "fragile"), run(engine, "other")
    show(node)
    assert len(engine.record.open_orders("fragile")) == 1
    show(node)
    node.clock.advance_time(10_000_000)
    assert fragile.status is DeploymentStatus.ERROR
    assert "ValueError: a bug of mine" in fragile.record.error
    assert "in on_quote" in fragile.record.error
    assert engine.record.open_orders("fragile") == []
    assert other.strategy.calls.count("quote TEST.SIM") == 2
    assert alerts.messages[-1].message == "strategy fragile: ValueError: a bug of mine"
    assert engine.health().status == "degraded"
    show(node)
    assert other.strategy.calls.count("quote TEST.SIM") == 3
    fragile.start()
    assert fragile.status is DeploymentStatus.RUNNING


def test_a_strategy_that_cannot_start_is_in_error(engine: Any) -> None:
    deployment = run(engine, "x", "breaks")
    assert deployment.status is DeploymentStatus.ERROR
    assert "KeyError" in deployment.record.error
    assert not deployment._data


def test_every_lifecycle_step_checks_where_it_is(engine: Any) -> None:
    deployment = engine.deployments.deploy("one", "recorder", PLAIN, "main")
    for step in (deployment.pause, deployment.resume, deployment.stop):
        with pytest.raises(Conflict, match="is deployed"):
            step()
    deployment.start()
    for step in (deployment.start, deployment.resume):
        with pytest.raises(Conflict, match="is running"):
            step()
    with pytest.raises(Conflict, match="stop it first"):
        engine.deployments.remove("one")
    deployment.stop()
    engine.deployments.remove("one")
    with pytest.raises(NotFound):
        engine.deployments["one"]


@pytest.mark.parametrize(
    ("strategy", "config", "error", "text"),
    [
        ("nothing", PLAIN, NotFound, "nothing"),
        ("recorder", {"instrument_ids": ["NONE.SIM"]}, NotFound, "NONE.SIM"),
        ("recorder", {"instrument_ids": "TEST.SIM"}, Invalid, "config.instrument_ids"),
        ("ema_cross", {**PLAIN, "fast": 5, "slow": 5}, Invalid, "config.fast"),
        ("ema_cross", {**PLAIN, "fast": "5"}, Invalid, "config.fast"),
        ("ema_cross", {**PLAIN, "colour": 1}, Invalid, "colour"),
    ],
)
def test_what_cannot_be_deployed_is_refused(
    engine: Any, strategy: str, config: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        engine.deployments.deploy("x", strategy, config, "main")
    assert "x" not in engine.deployments


def control(node: Node, action: str, scope: str = "global") -> None:
    message = TradingControl(
        ts_event=START_NS, state="reducing", kill_switch=False, action=action, scope=scope, reason="test"
    )
    node.bus.publish(topics.CONTROL, message)
    node.clock.advance_time(10_000_000)


def test_the_risk_manager_can_have_everything_cancelled(node: Node, engine: Any) -> None:
    one, two = run(engine, "one"), run(engine, "two")
    show(node)
    orders = [item.strategy.buy("TEST.SIM", 5, price_ticks=9_000) for item in (one, two)]
    node.clock.advance_time(10_000_000)
    control(node, "cancel_all", scope="one")
    assert [order.status for order in orders] == [OrderStatus.CANCELED, OrderStatus.ACCEPTED]
    control(node, "cancel_all")
    assert orders[1].status is OrderStatus.CANCELED


def test_the_risk_manager_can_have_positions_closed(node: Node, engine: Any) -> None:
    one, two = run(engine, "one"), run(engine, "two")
    show(node)
    one.strategy.buy("TEST.SIM", 30)
    two.strategy.sell("TEST.SIM", 20)
    resting = one.strategy.sell("TEST.SIM", 30, price_ticks=11_000)
    node.clock.advance_time(10_000_000)
    control(node, "liquidate", scope="one")
    assert resting.status is OrderStatus.CANCELED
    assert engine.record.positions() == {("two", "main", "TEST.SIM"): -20}
    assert engine.record.fills[-1].side == -1
    assert engine.record[engine.record.fills[-1].client_order_id].request.reduce_only
    control(node, "liquidate")
    assert engine.record.positions() == {}
    assert not engine.liquidation


def test_a_liquidation_that_is_refused_is_reported_and_tried_for_as_long_as_it_takes(node: Node, engine: Any) -> None:
    one = run(engine)
    show(node)
    one.strategy.buy("TEST.SIM", 30)
    node.clock.advance_time(10_000_000)
    gate = node.bus._endpoints["risk.gate"].__self__
    gate.denial = ("HALTED", "no")
    control(node, "liquidate")
    node.clock.advance_time(60 * SECOND)
    assert "TEST.SIM of one could not be liquidated yet" in engine.degraded()
    denied = sum(order.status is OrderStatus.DENIED for order in engine.record.closed_orders(100))
    assert denied == 20 + 5, "twenty at once, then one every ten seconds"
    gate.denial = None
    show(node)
    node.clock.advance_time(11 * SECOND)
    assert engine.record.positions() == {}
    assert not engine.liquidation.stuck


async def test_a_restart_brings_back_strategies_orders_and_positions(tmp_path: Any) -> None:
    def build() -> Node:
        made = make_node(["strategy"], directory=str(tmp_path))
        made.instruments.add(make_instrument())
        FakeGate(made.bus)
        return made

    async with build() as node:
        engine = node["strategy"]
        engine.deployments.deploy("ema", "ema_cross", PLAIN, "main").start()
        engine.deployments.deploy("paused", "ema_cross", PLAIN, "main").start()
        engine.deployments["paused"].pause()
        engine.deployments.deploy("idle", "ema_cross", PLAIN, "main")
        show(node)
        desk = engine.deployments["ema"].strategy
        desk.buy("TEST.SIM", 30)
        await node.store.journal.flush()
        node.clock.advance_time(SECOND)
        resting = desk.buy("TEST.SIM", 5, price_ticks=9_000)
        await node.store.journal.flush()
        node.clock.advance_time(SECOND)
        assert resting.status is OrderStatus.ACCEPTED
        before = engine.record.export()
        clock = node.clock.timestamp_ns()
    for _ in range(2):
        async with build() as node:
            engine = node["strategy"]
            node.clock.set_time(clock)
            assert engine.record.export() == before
            assert {item.record.name: item.status.value for item in engine.deployments} == {
                "ema": "running",
                "paused": "paused",
                "idle": "deployed",
            }
            strategy = engine.deployments["ema"].strategy
            assert strategy.position("TEST.SIM") == 30
            assert strategy.save()["TEST.SIM"][2] == 1
            assert [order.client_order_id for order in strategy.open_orders()] == [resting.client_order_id]
            assert engine.venues["SIM"].working == 1
            engine.deployments["paused"].resume()
            engine.deployments["paused"].pause()


async def test_a_cancel_that_was_on_its_way_is_asked_again_after_a_restart(tmp_path: Any) -> None:
    def build() -> Node:
        made = make_node(["strategy"], directory=str(tmp_path))
        made.instruments.add(make_instrument())
        FakeGate(made.bus)
        return made

    async with build() as node:
        engine = node["strategy"]
        deployment = engine.deployments.deploy("ema", "ema_cross", PLAIN, "main")
        deployment.start()
        show(node)
        resting = deployment.strategy.buy("TEST.SIM", 5, price_ticks=9_000)
        await node.store.journal.flush()
        node.clock.advance_time(SECOND)
        deployment.pause()
        assert engine.record[resting.client_order_id].status is OrderStatus.ACCEPTED, "the venue has not answered"
    async with build() as node:
        node.clock.advance_time(SECOND)
        assert node["strategy"].record[resting.client_order_id].status is OrderStatus.CANCELED


async def test_a_strategy_whose_class_is_gone_comes_back_in_error(tmp_path: Any) -> None:
    made = make_node(["strategy"], directory=str(tmp_path))
    async with made:
        run(prepare(made))
    async with make_node(["strategy"], directory=str(tmp_path)) as node:
        deployment = node["strategy"].deployments["one"]
        assert deployment.status is DeploymentStatus.ERROR
        assert "recorder" in deployment.record.error


async def test_the_configuration_deploys_and_a_restart_remembers_what_was_stopped(tmp_path: Any) -> None:
    item = {"name": "ema", "strategy": "ema_cross", "config": {**PLAIN, "fast": 3, "slow": 9}}
    options = {"engines.strategy.deployments": [item]}
    made = make_node(["strategy"], options, directory=str(tmp_path))
    made.instruments.add(make_instrument())
    async with made:
        deployment = made["strategy"].deployments["ema"]
        assert deployment.status is DeploymentStatus.RUNNING
        assert deployment.strategy.config.slow == 9
        deployment.stop()
    item["config"] = {**PLAIN, "fast": 3, "slow": 10}
    again = make_node(["strategy"], options, directory=str(tmp_path))
    again.instruments.add(make_instrument())
    async with again:
        deployment = again["strategy"].deployments["ema"]
        assert deployment.status is DeploymentStatus.STOPPED
        deployment.start()
        assert deployment.strategy.config.slow == 10
