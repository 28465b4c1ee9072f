"""The risk engine on a test node: the gate's endpoint, the kill switch, limits that act, measures, and HTTP."""

from decimal import Decimal
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.engines.risk import Limit, LimitKind, LimitScope
from nautilus.errors import Conflict
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.accounts import AccountState
from nautilus.model.enums import OrderType, Side
from nautilus.model.messages import Clearance, GateDecision, MarginUpdate, PortfolioUpdate, TradingControl
from nautilus.model.orders import CancelOrder, OrderFilled, SubmitOrder
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote

SECOND = 1_000_000_000
ID = "TEST.SIM"
LIMIT: dict[str, Any] = {"limit_id": "gross", "kind": "gross_exposure", "value": 5_000.0}


def configured(**options: Any) -> dict[str, Any]:
    return {"engines.risk.minimum_returns": 20, "engines.risk.rules.max_quote_age_seconds": 3_600.0, **options}


@pytest.fixture
def at_rest():
    return make_node(["risk"], configured())


@pytest.fixture
async def node(at_rest):
    async with at_rest as running:
        add(running, make_instrument(sector="technology"))
        running.bus.publish(topics.quote(ID), make_quote())
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def add(node, instrument):
    node.instruments.add(instrument)
    node.bus.publish(topics.instrument(instrument.id), instrument)


def order(number: int, lots: int = 10, side: Side = Side.BUY, **changes: Any) -> SubmitOrder:
    values: dict[str, Any] = {
        "client_order_id": f"o{number}",
        "strategy_id": "s",
        "account_id": "a",
        "instrument_id": ID,
        "side": side,
        "order_type": OrderType.MARKET,
        "quantity_lots": lots,
    }
    return SubmitOrder(**(values | changes))


def fill(node, command: SubmitOrder, price: int = 10_000) -> OrderFilled:
    event = OrderFilled(
        client_order_id=command.client_order_id,
        strategy_id=command.strategy_id,
        account_id=command.account_id,
        instrument_id=command.instrument_id,
        ts_event=node.clock.timestamp_ns(),
        ts_init=node.clock.timestamp_ns(),
        venue_order_id="v",
        trade_id="t-" + command.client_order_id,
        side=command.side,
        quantity_lots=command.quantity_lots,
        price_ticks=price,
        fee="0",
        currency="USD",
        liquidity="taker",
        rule="test",
    )
    node.bus.publish(topics.order(command.strategy_id), event)
    return event


def ask(node, command) -> GateDecision:
    return node.bus.call("risk.gate", command)


def hold(node, number: int, lots: int, **changes: Any) -> None:
    command = order(number, abs(lots), Side.BUY if lots > 0 else Side.SELL, **changes)
    decision = ask(node, command)
    assert decision.clearance is not None, decision.reason
    fill(node, command)


def equity(node, amount: float, deposits: float = 10_000.0) -> None:
    zero = Decimal(0)
    state = AccountState(
        account_id="a",
        currency="USD",
        cash=Decimal(str(amount)),
        deposits=Decimal(str(deposits)),
        market_value=zero,
        realized_pnl=zero,
        unrealized_pnl=zero,
        fees=zero,
        equity=Decimal(str(amount)),
        gross_exposure=zero,
        net_exposure=zero,
        ts_event=node.clock.timestamp_ns(),
    )
    node.bus.publish(topics.portfolio("a"), PortfolioUpdate(ts_event=node.clock.timestamp_ns(), account=state))


def quote_later(node, seconds: float, bid: int = 10_000, instrument_id: str = ID) -> None:
    node.clock.advance_time(int(seconds * SECOND))
    now = node.clock.timestamp_ns()
    node.bus.publish(topics.quote(instrument_id), make_quote(instrument_id, bid, bid + 1, ts_event=now))


async def test_a_clearance_is_honoured_once_and_only_the_very_one(node):
    command = order(1)
    clearance = ask(node, command).clearance
    assert clearance.command is command
    forged = Clearance(clearance_id=clearance.clearance_id, command=command)
    assert node.bus.call("risk.redeem", forged) is False
    assert node.bus.call("risk.redeem", clearance) is True
    assert node.bus.call("risk.redeem", clearance) is False


async def test_a_refusal_has_code_reason_and_count(node, client):
    decision = ask(node, order(1, instrument_id="NOPE.SIM"))
    assert decision.clearance is None
    assert decision.code == "UNKNOWN_INSTRUMENT"
    assert "NOPE.SIM" in decision.reason
    checks = (await client.get("/risk/checks")).json()["data"]
    assert {item["code"]: item["denied"] for item in checks}["UNKNOWN_INSTRUMENT"] == 1


async def test_the_kill_switch_refuses_cancels_and_is_told(node, client):
    waiting = ask(node, order(1)).clearance
    told: Capture[TradingControl] = Capture(node.bus, topics.CONTROL)
    answer = await client.post("/risk/kill", json={"reason": "drill", "actor": "me"})
    assert answer.status_code == 200
    assert answer.json()["data"]["kill_switch"]["engaged"] is True
    assert [(item.kill_switch, item.state, item.action) for item in told.messages] == [(True, "halted", "cancel_all")]
    assert ask(node, order(2)).code == "KILL_SWITCH"
    assert node.bus.call("risk.redeem", waiting) is False, "an order on its way is caught too"
    cancel = ask(node, CancelOrder(client_order_id="o1"))
    assert node.bus.call("risk.redeem", cancel.clearance) is True
    assert "kill switch" in node["risk"].health().reasons[0]
    assert (await client.post("/risk/kill/lift", json={"reason": "over"})).status_code == 200
    assert (await client.post("/risk/kill/lift", json={"reason": "over"})).status_code == 409
    assert told.messages[-1].kill_switch is False
    assert ask(node, order(3)).clearance is not None


async def test_another_parts_kill_message_is_obeyed(node):
    message = TradingControl(ts_event=START_NS, state="halted", kill_switch=True, reason="flash crash", actor="vpin")
    node.bus.publish(topics.CONTROL, message)
    assert ask(node, order(1)).code == "KILL_SWITCH"


@pytest.fixture
def two_lives(tmp_path):
    return [make_node(["risk"], configured(), directory=str(tmp_path)) for _ in range(2)]


async def test_the_kill_switch_positions_and_limits_survive_a_restart(two_lives):
    async with two_lives[0] as first:
        add(first, make_instrument())
        first.bus.publish(topics.quote(ID), make_quote())
        hold(first, 1, 20)
        engine = first["risk"]
        engine.put_limit(Limit(limit_id="gross", kind=LimitKind.GROSS_EXPOSURE, value=1_000.0, action="halt"))
        engine.kill("drill", "me")
        await first.snapshot()
    async with two_lives[1] as second:
        engine = second["risk"]
        assert engine.gate.killed
        add(second, make_instrument())
        second.bus.publish(topics.quote(ID), make_quote())
        engine.lift_kill("over", "me")
        assert engine.holdings.everything.gross == pytest.approx(2_000.1)
        assert ask(second, order(2, 5, Side.SELL)).code == "HALTED", "the breach still halts"
        assert ask(second, order(1)).code == "HALTED"


async def test_a_breached_limit_halts_until_it_is_resolved(node, client):
    hold(node, 1, 40)
    created = await client.post("/risk/limits", json={**LIMIT, "value": 4_500.0, "action": "halt"})
    assert created.status_code == 200
    assert ask(node, order(2, 20)).code == "GROSS_EXPOSURE", "enforced before the order leaves"
    breaches: Capture[Any] = Capture(node.bus, "risk_breach.>")
    quote_later(node, 1.5, 12_000)
    assert [(item.severity, item.status) for item in breaches.messages] == [("minor", "detected")]
    assert ask(node, order(3, 1, Side.SELL)).code == "HALTED"
    resolve = await client.post("/risk/breaches/gross/resolve", json={})
    assert resolve.status_code == 409
    assert "still beyond" in resolve.json()["detail"]
    assert (await client.post("/risk/breaches/gross/acknowledge", json={"actor": "me"})).status_code == 200
    assert (await client.delete("/risk/limits/gross")).status_code == 409
    quote_later(node, 1.5, 10_000)
    assert ask(node, order(4, 1, Side.SELL)).code == "HALTED", "a halt is lifted by a person"
    assert (await client.post("/risk/breaches/gross/resolve", json={"note": "sold off"})).status_code == 200
    assert ask(node, order(5, 1, Side.SELL)).clearance is not None
    history = (await client.get("/risk/breaches/gross")).json()["data"]["history"]
    assert [step["status"] for step in history] == ["detected", "acknowledged", "resolved"]
    assert (await client.delete("/risk/limits/gross")).status_code == 200
    assert (await client.get("/risk/limits/gross")).status_code == 404


async def test_an_unattended_breach_escalates_by_time_alone(node):
    engine = node["risk"]
    hold(node, 1, 40)
    engine.put_limit(
        Limit(
            limit_id="gross",
            kind=LimitKind.GROSS_EXPOSURE,
            value=1_000.0,
            escalate_after_seconds=60,
            escalated_action="liquidate",
        )
    )
    assert engine.monitor.breach("gross").severity == "emergency"
    assert ask(node, order(2, 1, Side.SELL)).clearance is not None
    told: Capture[TradingControl] = Capture(node.bus, topics.CONTROL)
    node.clock.advance_time(61 * SECOND)
    assert engine.monitor.breach("gross").level == "risk_manager"
    assert [(item.scope, item.state, item.action) for item in told.messages] == [("global", "reducing", "liquidate")]
    assert ask(node, order(3, 1)).code == "REDUCING"
    node.clock.advance_time(3_600 * SECOND)
    assert engine.monitor.breach("gross").level == "executive"


async def test_an_account_breach_reaches_the_strategies_that_trade_in_it(node):
    engine = node["risk"]
    hold(node, 1, 40)
    told: Capture[TradingControl] = Capture(node.bus, topics.CONTROL)
    engine.put_limit(
        Limit(
            limit_id="acc",
            kind=LimitKind.GROSS_EXPOSURE,
            value=1_000.0,
            scope=LimitScope.ACCOUNT,
            target="a",
            action="freeze",
        )
    )
    assert [(item.scope, item.state, item.action) for item in told.messages] == [("s", "halted", "cancel_all")]
    assert ask(node, order(2)).code == "HALTED"
    assert ask(node, order(3, account_id="b", strategy_id="t")).clearance is not None


async def test_a_sector_breach_halts_its_instruments_only(node):
    engine = node["risk"]
    add(node, make_instrument("OTHER.SIM", sector="energy"))
    node.bus.publish(topics.quote("OTHER.SIM"), make_quote("OTHER.SIM"))
    hold(node, 1, 40)
    engine.put_limit(
        Limit(
            limit_id="tech",
            kind=LimitKind.GROSS_EXPOSURE,
            value=1_000.0,
            scope=LimitScope.SECTOR,
            target="technology",
            action="reduce_only",
        )
    )
    assert ask(node, order(2)).code == "REDUCING"
    assert ask(node, order(3, instrument_id="OTHER.SIM")).clearance is not None


async def test_warnings_daily_loss_and_drawdown(node):
    engine = node["risk"]
    alerts: Capture[Any] = Capture(node.bus, "risk_alert.>")
    equity(node, 10_000.0)
    engine.put_limit(Limit(limit_id="loss", kind=LimitKind.DAILY_LOSS, value=1_000.0))
    engine.put_limit(Limit(limit_id="fall", kind=LimitKind.DRAWDOWN, value=0.2))
    equity(node, 9_150.0)
    quote_later(node, 2.0)
    assert [(item.kind, item.value) for item in alerts.messages] == [("limit_warning", 850.0)]
    quote_later(node, 2.0)
    assert len(alerts) == 1, "a warning is told once"
    equity(node, 4_150.0, deposits=5_000.0)
    quote_later(node, 2.0)
    assert not [item for item in engine.monitor.breaches if item.is_open], "taking money out is no loss"
    equity(node, 3_900.0, deposits=5_000.0)
    quote_later(node, 2.0)
    assert {item.limit_id for item in engine.monitor.breaches if item.is_open} == {"loss", "fall"}


async def test_margin_utilisation_comes_from_the_bus(node):
    equity(node, 100_000.0)
    update = MarginUpdate(
        ts_event=START_NS,
        account_id="a",
        model="house",
        initial_margin=1.0,
        maintenance_margin=1.0,
        excess=0.0,
        utilization=0.96,
        minutes_to_margin_call=None,
    )
    node.bus.publish(topics.margin("a"), update)
    assert ask(node, order(1)).code == "MARGIN"


async def test_what_if_over_http_counts_nothing(node, client):
    body = {"instrument_id": ID, "side": 1, "quantity_lots": 10, "account_id": "a"}
    for _ in range(3):
        answer = await client.post("/risk/check", json=body)
        assert answer.json()["data"] == {"allowed": True, "code": "", "reason": ""}
    assert node["risk"].passed == 0
    assert not node["risk"].holdings.orders
    refused = await client.post("/risk/check", json={**body, "order_type": "limit", "price_ticks": 20_000})
    assert refused.json()["data"]["code"] == "PRICE_COLLAR"
    assert (await client.post("/risk/check", json={**body, "instrument_id": "NOPE.SIM"})).status_code == 404
    assert (await client.post("/risk/check", json={**body, "quantity_lots": 0})).status_code == 422


async def test_states_and_restrictions_by_hand(node, client):
    put = await client.put("/risk/state", json={"state": "halted", "scope": "s", "reason": "look"})
    assert put.json()["data"]["states"] == {"s": "halted"}
    assert ask(node, order(1)).code == "HALTED"
    assert (await client.put("/risk/state", json={"state": "active", "scope": "s"})).json()["data"]["states"] == {}
    assert (await client.put(f"/risk/restricted/{ID}")).json()["data"]["instrument_ids"] == [ID]
    assert ask(node, order(2)).code == "RESTRICTED"
    assert (await client.put("/risk/restricted/NOPE.SIM")).status_code == 404
    assert (await client.delete(f"/risk/restricted/{ID}")).status_code == 200
    assert (await client.delete(f"/risk/restricted/{ID}")).status_code == 404


async def test_value_at_risk_of_what_is_held(node, client):
    assert (await client.get("/risk/var")).json()["data"]["value_at_risk"] == 0.0
    hold(node, 1, 100)
    assert (await client.get("/risk/var")).status_code == 409
    assert (await client.get("/risk/var?account_id=nobody")).status_code == 404
    rng = np.random.default_rng(0)
    metrics: Capture[Any] = Capture(node.bus, "risk_metric.>")
    for step in rng.integers(-20, 21, 60):
        quote_later(node, 1.0, 10_000 + int(step))
    answers = {}
    for method in ("historical", "filtered_historical", "normal", "monte_carlo"):
        answer = await client.get(f"/risk/var?method={method}&confidence=0.95&horizon_seconds=1&account_id=a")
        assert answer.status_code == 200, answer.text
        answers[method] = answer.json()["data"]
    engine = node["risk"]
    returns = engine.history.returns([ID])[:, 0]
    value = 100 * engine.gate.mark(ID) / 100.0
    losses = np.sort(-returns * value)
    assert answers["historical"]["value_at_risk"] == pytest.approx(losses[int(np.ceil(0.95 * losses.size)) - 1])
    assert answers["historical"]["observations"] == losses.size
    share = answers["historical"]["shares"][0]
    assert share["component_expected_shortfall"] == pytest.approx(answers["historical"]["expected_shortfall"])
    assert share["component_value_at_risk"] == pytest.approx(1.644854 * returns.std(ddof=1) * value, rel=1e-5)
    assert {item.name for item in metrics.messages} == {"value_at_risk", "expected_shortfall"}


async def test_posted_returns_and_backtests(client):
    answer = await client.post("/risk/var", json={"returns": [-0.02, 0.01, -0.01, 0.03], "confidence": 0.75})
    assert answer.json()["data"]["value_at_risk"] == pytest.approx(0.01)
    assert (await client.post("/risk/var", json={"returns": [0.1]})).status_code == 422
    flat = await client.post("/risk/var", json={"returns": [0.0, 0.0], "method": "filtered_historical"})
    assert flat.status_code == 422
    tested = await client.post(
        "/risk/var/backtest", json={"returns": [-0.02, 0.01] * 50, "value_at_risk": [0.03] * 100}
    )
    assert tested.json()["data"]["exceptions"] == 0
    assert tested.json()["data"]["kupiec_tuff"] is None
    short = await client.post("/risk/var/backtest", json={"returns": [0.1, 0.1], "value_at_risk": [0.1, 0.1, 0.1]})
    assert short.status_code == 422


async def test_exposures_over_http(node, client):
    hold(node, 1, 100)
    assert ask(node, order(2, 50, order_type=OrderType.LIMIT, price_ticks=9_990)).clearance is not None
    equity(node, 100_000.0)
    data = (await client.get("/risk/exposures")).json()["data"]
    views = {(item["scope"], item["name"]): item for item in data["exposures"]}
    assert views["global", "global"]["gross"] == pytest.approx(15_000.75)
    assert views["account", "a"]["leverage"] == pytest.approx(0.1500075)
    assert views["sector", "technology"]["gross"] == pytest.approx(15_000.75)
    assert data["positions"][0]["position_lots"] == 100
    assert data["positions"][0]["open_buy_lots"] == 50


async def test_wrong_limits_name_the_field(client):
    for body, field in (
        ({**LIMIT, "kind": "nonsense"}, "kind"),
        ({**LIMIT, "value": -1}, "value"),
        ({**LIMIT, "target": "a"}, "target"),
        ({**LIMIT, "kind": "leverage", "scope": "sector", "target": "x"}, "kind"),
        ({**LIMIT, "scope": "sector", "target": "x", "action": "liquidate"}, "action"),
    ):
        answer = await client.post("/risk/limits", json=body)
        assert answer.status_code == 422, answer.text
        assert field in answer.text


@pytest.fixture
def with_limits():
    limits = [{"limit_id": "desk", "kind": "gross_exposure", "value": 1_000.0}]
    return make_node(["risk"], configured(**{"engines.risk.limits": limits}))


async def test_configured_limits_cannot_be_changed_over_http(with_limits):
    async with with_limits as node:
        engine = node["risk"]
        assert [item.limit_id for item in engine.monitor.limits] == ["desk"]
        with pytest.raises(Conflict):
            engine.remove_limit("desk")


async def test_stop_and_start_again_leave_nothing_behind(node):
    engine = node["risk"]
    await engine.stop()
    assert not [item for item in node.bus.subscriptions if item.owner == "risk"]
    assert not node.bus.has_endpoint("risk.gate")
    await engine.start()
    assert node.bus.has_endpoint("risk.gate")
