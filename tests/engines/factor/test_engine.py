"""The factor engine on a test node: live values, factor returns, and its operations over HTTP."""

import asyncio

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.engines.factor.definition import library
from nautilus.errors import ConfigError, Invalid
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.market import Bar
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_trade

SECOND = 1_000_000_000
NAMES = [f"I{number}.SIM" for number in range(8)]
FEW = ["alpha158_kmid", "alpha158_ma5", "alpha101_004", "alpha101_006", "close_to_vwap", "alpha101_059"]


def options(**changes):
    return {"engines.factor.row_seconds": 1, "engines.factor.factors": FEW, **changes}


async def running(names, changes=None):
    node = make_node(["factor"], {**options(), **(changes or {})})
    await node.start()
    for number, name in enumerate(names):
        node.instruments.add(make_instrument(name, sector=f"s{number % 2}", shares_outstanding=1_000_000 + number))
    return node


@pytest.fixture
async def node():
    node = await running(NAMES)
    yield node
    await node.stop()


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


async def feed(node, names, rows, start=0):
    """Trades and bars of some seconds; the clock closes each row."""
    for second in range(start, start + rows):
        opens = START_NS + second * SECOND
        rng = np.random.default_rng(second)
        for name in names:
            size = int(rng.integers(5, 50))
            prices = [int(price) for price in 10_000 + rng.integers(-200, 200, 5)]
            for number, price in enumerate(prices):
                node.bus.publish(
                    topics.trade(name), make_trade(name, price, size, trade_id=number, ts_event=opens + number)
                )
            bar = Bar(
                name, "1s", prices[0], max(prices), min(prices), prices[-1], 5 * size, int(rng.integers(50)), 5,
                opens, opens + SECOND, opens + SECOND,
            )  # fmt: skip
            node.bus.publish(topics.bar("1s", name), bar)
        node.clock.advance_to(opens + 2 * SECOND)
        await settled(node)


async def settled(node):
    engine = node["factor"]
    for _ in range(5000):
        if not engine._waiting and not engine._wakeup.is_set() and not engine._busy:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("the factor engine did not settle")


async def test_values_are_published_after_every_row(node):
    captured = Capture(node.bus, "factor.>")
    await feed(node, NAMES, 12)
    last = {message.name: message for message in captured.messages}
    assert set(last) == set(FEW) - {"alpha101_059"}
    assert last["alpha158_kmid"].ts_event == START_NS + 12 * SECOND
    assert set(last["alpha158_kmid"].values) == set(NAMES)
    assert sum(message.name == "alpha158_kmid" for message in captured.messages) == 12
    assert sum(message.name == "alpha158_ma5" for message in captured.messages) == 8
    assert all(value is not None for value in last["close_to_vwap"].values.values())


async def test_values_and_reasons_over_http(node, client):
    early = (await client.get("/factor/values/alpha158_ma5")).json()["data"]
    assert early["reason"] == "no row of the live panel is complete yet"
    await feed(node, NAMES, 3)
    warming = (await client.get("/factor/values/alpha158_ma5")).json()["data"]
    assert warming["reason"] == "warming up: 3 of 5 rows"
    await feed(node, NAMES, 5, start=3)
    every = (await client.get("/factor/values")).json()["data"]
    assert {factor["name"] for factor in every} == set(FEW) - {"alpha101_059"}
    ready = (await client.get("/factor/values/alpha158_ma5")).json()["data"]
    assert ready["reason"] is None
    assert len(ready["values"]) == 8
    lacking = (await client.get("/factor/values/alpha101_059")).json()["data"]
    assert lacking["reason"] == "the live panel has no industry"
    unused = (await client.get("/factor/values/alpha158_rsv5")).json()["data"]
    assert unused["reason"] == "not among the configured live factors"
    assert (await client.get("/factor/values/nothing")).status_code == 404
    candles = (await client.get("/factor/values", params={"category": "candle"})).json()["data"]
    assert [factor["name"] for factor in candles] == ["alpha158_kmid"]


async def test_factor_returns_of_the_last_row(node, client):
    assert (await client.get("/factor/returns/latest")).status_code == 409
    await feed(node, NAMES, 4)
    found = (await client.get("/factor/returns/latest")).json()["data"]
    assert found["assets"] == 8
    assert found["weighting"] == "market_cap"
    assert set(found["sectors"]) == {"s0", "s1"}
    assert set(found["residuals"]) == set(NAMES)
    assert "size" in found["styles"]
    assert len(found["left_out"]) == 2


async def test_a_single_instrument_works():
    node = await running(NAMES[:1])
    try:
        await feed(node, NAMES[:1], 12)
        engine = node["factor"]
        assert engine.live_factor("alpha158_ma5").values[NAMES[0]] is not None
        compared = engine.live_factor("alpha101_004")
        assert compared.values == {NAMES[0]: None}
        assert compared.reason == "compares instruments with one another, and there is only one"
        assert engine.health().status == "live"
    finally:
        await node.stop()


async def test_instruments_that_are_unknown_are_left_alone_and_new_ones_join(node):
    await feed(node, NAMES[:3], 6)
    await feed(node, ["UNKNOWN.SIM"], 1, start=6)
    await feed(node, NAMES, 6, start=7)
    values = node["factor"].live_factor("alpha158_ma5").values
    assert set(values) == set(NAMES)
    assert all(value is not None for value in values.values())


async def test_rows_wait_for_the_calculation_interval():
    node = await running(NAMES, {"engines.factor.calculate_every_rows": 3})
    try:
        captured = Capture(node.bus, "factor.alpha158_kmid")
        for second in range(6):
            await feed_without_settling(node, second)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        assert len(captured) == 2
    finally:
        await node.stop()


async def test_synchronous_calculation_is_done_when_the_row_is_closed():
    node = await running(NAMES, {"engines.factor.synchronous": True})
    try:
        captured = Capture(node.bus, "factor.alpha158_kmid")
        for second in range(3):
            await feed_without_settling(node, second)
            assert len(captured) == second + 1
    finally:
        await node.stop()


async def feed_without_settling(node, second):
    close = START_NS + (second + 1) * SECOND
    for name in NAMES:
        node.bus.publish(topics.bar("1s", name), Bar(name, "1s", 10, 12, 9, 11, 5, 2, 3, close - SECOND, close, close))
    node.clock.advance_to(close + SECOND)


async def test_more_rows_than_may_wait_begin_the_panel_anew():
    node = await running(NAMES[:2], {"engines.factor.waiting_rows": 600})
    try:
        engine = node["factor"]
        for second in range(620):
            close = START_NS + (second + 1) * SECOND
            for name in NAMES[:2]:
                bar = Bar(name, "1s", 10, 12, 9, 11, 5, 2, 3, close - SECOND, close, close)
                node.bus.publish(topics.bar("1s", name), bar)
        assert engine._lost_rows > 0
        assert any("wait for calculation" in reason for reason in engine.health().reasons)
        await settled(node)
        assert engine.live_factor("alpha158_ma5").values[NAMES[0]] is not None
        assert engine._latest.rows == 600
    finally:
        await node.stop()


async def test_it_starts_and_stops_twice_and_leaves_nothing(node):
    engine = node["factor"]
    before = len(node.bus.subscriptions)
    await engine.stop()
    assert len(node.bus.subscriptions) < before
    await engine.start()
    assert len(node.bus.subscriptions) == before
    await feed(node, NAMES, 6)
    assert engine.live_factor("alpha158_ma5").reason is None
    await engine.stop()
    assert not [name for name in node.clock.timer_names if name.startswith("factor")]


async def test_trades_without_bars_are_a_reason_to_worry(node):
    for number in range(1000):
        node.bus.publish(topics.trade(NAMES[0]), make_trade(NAMES[0], trade_id=number))
    assert node["factor"].health().status == "degraded"


async def test_the_library_over_http(client):
    every = (await client.get("/factor/definitions")).json()["data"]
    assert len(every) == len(library())
    one = (await client.get("/factor/definitions/alpha101_101")).json()["data"]
    assert one["formula"] == "(close - open) / (high - low + 0.001)"
    assert (await client.get("/factor/definitions/nothing")).status_code == 404
    candle = (await client.get("/factor/definitions", params={"category": "candle"})).json()["data"]
    assert {entry["category"] for entry in candle} == {"candle"}
    found = (await client.get("/factor/definitions", params={"search": "amihud"})).json()["data"]
    assert [entry["name"] for entry in found] == ["amihud_illiquidity"]
    categories = (await client.get("/factor/categories")).json()["data"]
    assert sum(entry["definitions"] for entry in categories) == len(every)
    language = (await client.get("/factor/language")).json()["data"]
    assert any(entry["signature"] == "ts_corr(x, y, window)" for entry in language["operators"])
    assert all(entry["meaning"] for entry in language["operators"])


async def test_a_formula_over_given_panels(client):
    body = {
        "expression": "group_neutralize(returns, sector) + 0 * rank(volume)",
        "fields": {"close": [[1, 2, 4], [2, 3, None], [3, 3, 8]], "volume": [[1, 2, 3]] * 3},
        "groups": {"sector": ["a", "a", ""]},
        "last": 2,
    }
    answer = await client.post("/factor/evaluate", json=body)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["lookback"] == 2
    assert data["cross_sectional"] is True
    assert data["defined"] == 4
    assert data["values"][0] == [0.25, -0.25, None]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expression": "rank(closs)"}, "expression"),
        ({"expression": "__import__('os').system('x')"}, "expression"),
        ({"expression": "(" * 3000}, "expression"),
        ({"expression": ""}, "body.expression"),
        ({"fields": {"close": [[1, 2], [1]]}}, "fields.close[1]"),
        ({"fields": {"close": [[1, 2]], "open": [[1]]}}, "open"),
        ({"fields": {"close": [[1e99]]}}, "body"),
        ({"fields": {}}, "body.fields"),
        ({"groups": {"sector": ["a"]}}, "groups.sector"),
        ({"groups": {"close": ["a", "b"]}}, "groups.close"),
        ({"last": 0}, "body.last"),
        ({"more": 1}, "body.more"),
    ],
)
async def test_wrong_formulas_and_panels_name_the_field(client, change, field):
    body = {"expression": "rank(close)", "fields": {"close": [[1, 2], [3, 4]]}, **change}
    answer = await client.post("/factor/evaluate", json=body)
    assert answer.status_code == 422, answer.text
    assert field in answer.text


async def test_a_formula_that_would_take_too_long_is_refused(client):
    long = " + ".join(f"ts_kurt(close, {1024 - k})" for k in range(50))
    body = {"expression": long, "fields": {"close": [[1.0] * 200] * 1000}}
    answer = await client.post("/factor/evaluate", json=body)
    assert answer.status_code == 422
    assert "too long" in answer.text


async def test_factor_returns_of_given_panels(client):
    rng = np.random.default_rng(0)
    body = {
        "returns": rng.normal(0, 0.01, (3, 6)).tolist(),
        "market_caps": np.full((3, 6), 1e9).tolist(),
        "sectors": ["a", "a", "a", "b", "b", ""],
        "styles": {"size": rng.normal(size=(3, 6)).tolist()},
    }
    answer = await client.post("/factor/returns", json=body)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert (len(data["market"]), set(data["sectors"]), set(data["styles"])) == (3, {"a", "b"}, {"size"})
    assert data["assets"] == [6, 6, 6]
    for change, field in (
        ({"sectors": ["a"]}, "sectors"), ({"market_caps": [[1.0]]}, "market_caps"),
        ({"winsor_share": 0.5}, "winsor_share"),
        ({"constraint": "none"}, "constraint"), ({"styles": {"size": [[1.0]]}}, "styles.size"),
    ):  # fmt: skip
        refused = await client.post("/factor/returns", json={**body, **change})
        assert refused.status_code == 422, refused.text
        assert field in refused.text


async def test_extreme_but_valid_returns_do_not_break_it(client):
    body = {
        "returns": [[1000, -1000, 0, None]], "market_caps": [[1e15, 1e-15, -5, None]],
        "styles": {"x": [[1e15, 1e15, 1e-15, 0]], "y": [[1e15, 1e15, 0, 0]]},
    }  # fmt: skip
    for method in ("joint", "sequential"):
        answer = await client.post("/factor/returns", json={**body, "method": method})
        assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize(
    "changes",
    [
        {"engines.factor.factors": ["nothing"]},
        {"engines.factor.expressions": {"x": "close +"}},
        {"engines.factor.styles": {"x": "rank(1)"}},
    ],
)
async def test_a_wrong_live_set_disables_the_engine_with_the_reason(changes):
    node = make_node(["factor"], {**options(), **changes})
    engine = node["factor"]
    with pytest.raises((Invalid, ConfigError), match="factor"):
        await engine.start()
    node.accel.close()
