"""The vpin engine on a test node: calculations, alerts, restarts, questions over HTTP, and what is refused."""

import httpx2 as httpx
import numpy as np
import pytest

from nautilus.engines.vpin import VpinSettings, vpin_series
from nautilus.engines.vpin.engine import VpinEngine
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.enums import Side
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade

SECOND = 1_000_000_000
ID = "TEST.SIM"
OPTIONS = {
    "engines.vpin.bucket_lots": 100,
    "engines.vpin.window": 10,
    "engines.vpin.minimum_buckets": 5,
    "engines.vpin.cdf_minimum": 5,
}


@pytest.fixture
async def node():
    async with make_node(["vpin"], OPTIONS) as running:
        running.instruments.add(make_instrument())
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def trades(count, seed=0, toxic=0.5, start=START_NS, instrument_id=ID):
    """Ten trades a second whose prices follow their sides; `toxic` is the share of buyers."""
    generator = np.random.default_rng(seed)
    price, made = 10_000, []
    for k in range(count):
        side = Side.BUY if generator.random() < toxic else Side.SELL
        price += int(side) * int(generator.integers(0, 2))
        made.append(make_trade(instrument_id, price, int(generator.integers(1, 60)), side, k, start + k * SECOND // 10))
    return made


def feed(node, made):
    for trade in made:
        node.bus.publish(topics.trade(trade.instrument_id), trade)


async def test_published_numbers_equal_the_batch(node):
    captured = Capture(node.bus, "vpin.>")
    made = trades(600)
    feed(node, made)
    columns = [
        np.array([getattr(t, name) for t in made], dtype=np.int64)
        for name in ("ts_event", "price_ticks", "size_lots", "aggressor")
    ]
    settings = VpinSettings(
        bucket_lots=100, bar_interval_ns=SECOND, window=10, minimum_buckets=5, cdf_minimum=5, cdf_capacity=1000
    )
    batch = vpin_series(*columns, settings)
    assert len(captured) > 50
    for message in captured.messages:
        k = message.bucket_index
        assert (message.vpin, message.bucket_lots) == (batch.vpin_bulk[k], 100)
        assert message.buy_lots == batch.bulk_buy_lots[k]
        assert message.buy_lots + message.sell_lots == pytest.approx(100)
        assert message.cdf in (None, batch.cdf_bulk[k])
    assert captured.messages[-1].cdf is not None
    assert captured.messages[0].level == "unknown"


async def test_a_quiet_instrument_is_answered_by_the_clock(node):
    captured = Capture(node.bus, "vpin.>")
    made = trades(200)
    feed(node, made)
    before = len(captured)
    feed(node, [make_trade(size_lots=500, ts_event=made[-1].ts_event + 1)])
    assert len(captured) == before
    node.clock.advance_time(made[-1].ts_event - START_NS + 3 * SECOND)
    assert len(captured) >= before + 5


async def test_toxic_flow_raises_one_alert_and_calm_flow_ends_it():
    options = {
        **OPTIONS,
        "engines.vpin.bucket_lots": 300,
        "engines.vpin.classification": "signed",
        "engines.vpin.level_on": "vpin",
        "engines.vpin.thresholds": {"elevated": 0.5, "high": 0.7, "extreme": 0.95, "margin": 0.05},
    }
    async with make_node(["vpin"], options) as node:
        node.instruments.add(make_instrument())
        alerts = Capture(node.bus, "toxicity.>")
        feed(node, trades(300))
        assert len(alerts) == 0
        feed(node, trades(300, toxic=1.0, start=START_NS + 30 * SECOND))
        assert [(a.level, a.active) for a in alerts.messages] == [("high", True), ("extreme", True)]
        feed(node, trades(300, start=START_NS + 60 * SECOND))
        assert alerts.messages[-1].active is False
        assert len(alerts) <= 5
        assert node["vpin"].alerts(ID, 2) == alerts.messages[:-3:-1]
        assert node["vpin"].alerts("OTHER.SIM", 2) == []


@pytest.mark.parametrize("cut", [0, 37, 250])
async def test_state_survives_a_restart(tmp_path, cut):
    made, whole = trades(500), []
    async with make_node(["vpin"], OPTIONS) as node:
        node.instruments.add(make_instrument())
        captured = Capture(node.bus, "vpin.>")
        feed(node, made)
        whole = captured.messages
    parts = []
    for piece in (made[:cut], made[cut:]):
        async with make_node(["vpin"], OPTIONS, directory=str(tmp_path)) as node:
            node.instruments.add(make_instrument())
            captured = Capture(node.bus, "vpin.>")
            feed(node, piece)
            parts += captured.messages
    assert parts == whole


async def test_a_snapshot_made_under_other_rules_is_left_alone(tmp_path):
    for window in (10, 20):
        options = {**OPTIONS, "engines.vpin.window": window}
        async with make_node(["vpin"], options, directory=str(tmp_path)) as node:
            node.instruments.add(make_instrument())
            assert node["vpin"].active() == []
            feed(node, trades(300))
            assert node["vpin"].active()


async def test_the_bucket_adapts_to_the_volume():
    options = {"engines.vpin.bucket_seconds": 5.0, "engines.vpin.resize_seconds": 60.0}
    async with make_node(["vpin"], options) as node:
        node.instruments.add(make_instrument())
        engine = node["vpin"]
        feed(node, trades(1500))  # 10 trades of 30 lots a second on average
        first = engine.live(ID).rows(1000)
        assert first[0].ts_open == START_NS  # what traded while the volume was observed is not lost
        assert 1200 < first[0].bucket_lots < 1800
        assert sum(row.bucket_lots for row in first) <= sum(t.size_lots for t in trades(1500))
        double = [make_trade(ID, 10_000, 120, Side.BUY, k, START_NS + (150 + k // 10) * SECOND) for k in range(1500)]
        feed(node, double)
        assert 5500 < engine.live(ID).filling().bucket_lots < 6500
        later = START_NS + 86_400 * SECOND  # a night says nothing about the rate of trading
        feed(node, [make_trade(ID, 10_000, 1, Side.BUY, 1, later), make_trade(ID, 10_000, 1, Side.BUY, 2, later + 1)])
        assert 5500 < engine.live(ID).filling().bucket_lots < 6500


async def test_lee_ready_listens_to_quotes():
    async with make_node(["vpin"], {**OPTIONS, "engines.vpin.side_rule": "lee_ready"}) as node:
        node.instruments.add(make_instrument())
        node.bus.publish(topics.quote(ID), make_quote())
        for k in range(60):
            feed(node, [make_trade(ID, 10_001, 20, Side.SELL, k, START_NS + k * SECOND)])
        assert all((row.buy_lots, row.sell_lots) == (100, 0) for row in node["vpin"].live(ID).rows(100))


async def test_an_unknown_instrument_is_left_alone(node):
    feed(node, trades(50, instrument_id="OTHER.SIM"))
    assert node["vpin"].active() == []


async def test_an_absurd_trade_is_counted_and_changes_nothing(node):
    feed(node, trades(100))
    before = node["vpin"].snapshot()
    feed(node, [make_trade(size_lots=10**9, ts_event=START_NS + 11 * SECOND)])
    assert node["vpin"].stats.errors == 1
    assert node["vpin"].snapshot() == before


async def test_questions_over_http(node, client):
    for path in (f"/vpin/{ID}", f"/vpin/{ID}/history", f"/vpin/{ID}/bucket"):
        assert (await client.get(path)).status_code == 409
        assert (await client.get(path.replace(ID, "NONE.SIM"))).status_code == 404
    feed(node, trades(400))
    state = (await client.get(f"/vpin/{ID}")).json()["data"]
    assert 0 <= state["vpin"] == state["vpin_bulk"] <= 1
    assert 0 <= state["vpin_signed"] <= 1
    assert state["fed_share"] == 1.0
    assert 0.5 < state["bulk_accuracy"] < 1.0
    rows = (await client.get(f"/vpin/{ID}/history?limit=3")).json()["data"]
    assert [row["bucket_index"] for row in rows] == [state["buckets"] - 3, state["buckets"] - 2, state["buckets"] - 1]
    fill = (await client.get(f"/vpin/{ID}/bucket")).json()["data"]
    assert fill["filled_lots"] < fill["bucket_lots"] == 100
    assert fill["expected_seconds"] > 0
    assert len((await client.get("/vpin/active")).json()["data"]) == 1
    assert (await client.get("/vpin/alerts")).status_code == 200
    assert (await client.get(f"/vpin/{ID}/history?limit=0")).status_code == 422


async def test_settings_of_one_instrument(node, client):
    assert (await client.get(f"/vpin/{ID}/config")).json()["data"]["bucket_lots"] == 100
    body = {"bucket_lots": 40, "thresholds": {"elevated": 0.5, "high": 0.6, "extreme": 0.7, "margin": 0.1}}
    assert (await client.put(f"/vpin/{ID}/config", json=body)).json()["data"] == body
    feed(node, trades(100))
    assert node["vpin"].live(ID).rows(1)[0].bucket_lots == 40
    wrong = {"bucket_lots": 10, "thresholds": {"elevated": 0.9, "high": 0.6, "extreme": 0.7, "margin": 0.1}}
    answer = await client.put(f"/vpin/{ID}/config", json=wrong)
    assert answer.status_code == 422
    assert (await client.get(f"/vpin/{ID}/config")).json()["data"] == body
    assert (await client.put("/vpin/NONE.SIM/config", json=body)).status_code == 404


async def test_compute_answers_or_names_the_field(client):
    body = {
        "ts_event": [0, SECOND, 2 * SECOND, 3 * SECOND],
        "price_ticks": [100, 101, 100, 102],
        "size_lots": [5, 5, 5, 5],
        "aggressor": [1, 1, -1, 1],
        "bucket_lots": 10,
        "bar_seconds": 1.0,
        "window": 2,
    }
    data = (await client.post("/vpin/compute", json=body)).json()["data"]
    assert (data["buy_lots"], data["sell_lots"]) == ([10, 5], [0, 5])
    assert data["vpin_signed"] == [None, 0.5]
    for change, field in (
        ({"price_ticks": [100]}, "price_ticks"),
        ({"ts_event": [3, 2, 1, 0]}, "ts_event"),
        ({"size_lots": [10**6] * 4, "bucket_lots": 1}, "bucket_lots"),
        ({"window": 0}, "window"),
        ({"minimum_buckets": 3}, "minimum_buckets"),
        ({"aggressor": [2, 0, 0, 0]}, "aggressor"),
    ):
        answer = await client.post("/vpin/compute", json=body | change)
        assert answer.status_code == 422
        assert field in answer.text


async def test_thresholds_out_of_order_are_refused_at_configuration():
    with pytest.raises(Exception, match="must rise"):
        make_node(["vpin"], {"engines.vpin.thresholds": {"elevated": 0.9, "high": 0.5}})
    assert VpinEngine.kernels
