"""The analytics engine on a test node: NAV sampled, fills matched, costs measured, restarts, HTTP."""

import math
from decimal import Decimal

import httpx2 as httpx
import pytest

from nautilus.http.app import build_app
from nautilus.model import AccountState, OrderCanceled, OrderFilled, OrderSubmitted, Side, topics
from nautilus.model.messages import PortfolioUpdate
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote

MINUTE = 60 * 10**9


def common(number, instrument="TEST.SIM"):
    return {
        "client_order_id": f"o-{number}",
        "strategy_id": "s",
        "account_id": "main",
        "instrument_id": instrument,
        "ts_event": START_NS + number,
        "ts_init": START_NS + number,
    }


def fill(quantity, ticks, number=1, instrument="TEST.SIM", fee="0", market=(None, None)):
    return OrderFilled(
        **common(number, instrument),
        venue_order_id="v",
        trade_id=f"t-{number}",
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity_lots=abs(quantity),
        price_ticks=ticks,
        fee=fee,
        currency="USD",
        liquidity="taker",
        rule="test",
        bid_ticks=market[0],
        ask_ticks=market[1],
    )


def order(node, event):
    """An order event as the strategy engine sends it."""
    node.store.journal.append(event)
    node.bus.publish(topics.order("s"), event)


def quote(node, bid, ask, instrument="TEST.SIM"):
    node.bus.publish(topics.quote(instrument), make_quote(instrument, bid, ask, ts_event=node.clock.timestamp_ns()))


def account(node, equity, deposits=1000):
    equity, deposits = Decimal(equity), Decimal(deposits)
    state = AccountState(
        account_id="main",
        currency="USD",
        cash=equity,
        deposits=deposits,
        market_value=Decimal(0),
        realized_pnl=equity - deposits,
        unrealized_pnl=Decimal(0),
        fees=Decimal(0),
        equity=equity,
        gross_exposure=Decimal(0),
        net_exposure=Decimal(0),
        ts_event=node.clock.timestamp_ns(),
    )
    node.bus.publish(topics.portfolio("main"), PortfolioUpdate(ts_event=state.ts_event, account=state))


@pytest.fixture
def at_rest():
    node = make_node(["analytics"], {"engines.analytics.samples": 100})
    node.instruments.add(make_instrument())
    return node


@pytest.fixture
async def node(at_rest):
    async with at_rest as running:
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


def minutes(node, equities, deposits=None):
    """One NAV a minute."""
    for index, equity in enumerate(equities):
        account(node, equity, (deposits or {}).get(index, 1000))
        if index == 0:
            quote(node, 10_000, 10_002)
        else:
            node.clock.advance_to(START_NS + index * MINUTE)


async def test_nav_is_sampled_and_measured(node):
    results = Capture(node.bus, "analytics.>")
    minutes(node, [1000, 1100, 550, 660])
    assert [message.observations for message in results.messages] == [1, 2, 3]
    statistics = results.messages[-1].statistics
    assert statistics["total_return"] == pytest.approx(-0.34)
    assert statistics["max_drawdown"] == pytest.approx(-0.5)


async def test_money_paid_in_is_no_return(node):
    minutes(node, [1000, 1100, 2200], {2: 2000})
    samples = node["analytics"].record("main").samples
    assert [sample.period_return for sample in samples] == [None, pytest.approx(0.1), pytest.approx(1200 / 1100 - 1)]


async def test_before_market_data_nothing_is_sampled(node):
    account(node, 1000)
    node.clock.advance_to(START_NS + 5 * MINUTE)
    assert not node["analytics"].record("main").samples


async def test_histories_are_bounded(node):
    minutes(node, [1000 + index for index in range(150)])
    record = node["analytics"].record("main")
    assert len(record.samples) == 100
    assert record.running.periods == 149


async def test_round_trips_over_http(node, client):
    account(node, 1000)
    order(node, fill(100, 10_000, 1, fee="1"))
    quote(node, 9_949, 9_951)
    quote(node, 10_149, 10_151)
    order(node, fill(-100, 10_100, 2, fee="1"))
    order(node, fill(-50, 10_100, 3))
    order(node, fill(50, 10_200, 4))
    data = (await client.get("/analytics/round-trips/main")).json()["data"]
    newest, oldest = data["trips"]
    assert (oldest["net_pnl"], oldest["side"]) == ("98.00", 1)
    assert Decimal(oldest["adverse_excursion"]) == -50
    assert Decimal(oldest["favorable_excursion"]) == 150
    assert (newest["net_pnl"], newest["side"]) == ("-50.00", -1)
    found = data["statistics"]["USD"]
    assert (found["trades"], found["win_rate"], data["closed"]) == (2, 0.5, 2)
    assert found["profit_factor"] == pytest.approx(98 / 50)
    assert len((await client.get("/analytics/round-trips/main?limit=1")).json()["data"]["trips"]) == 1


async def test_execution_costs_over_http(node, client):
    quote(node, 10_000, 10_002)
    order(node, OrderSubmitted(**common(1)))
    quote(node, 10_010, 10_012)
    order(node, fill(100, 10_012, 1, fee="2", market=(10_010, 10_012)))
    total = (await client.get("/analytics/execution/main")).json()["data"]["total"]
    assert total["arrival_slippage_bps"] == pytest.approx(11 / 10_001 * 1e4)
    assert total["effective_half_spread_bps"] == pytest.approx(1 / 10_011 * 1e4)
    assert total["delay_and_impact_bps"] == pytest.approx(10 / 10_001 * 1e4)
    assert total["fee_bps"] == pytest.approx(2 / 10_012 * 1e4)
    order(node, OrderSubmitted(**common(2)))
    order(node, OrderCanceled(**common(2)))
    assert "o-2" not in node["analytics"]._arrivals


async def test_performance_and_drawdowns_over_http(node, client):
    assert (await client.get("/analytics/performance/main")).status_code == 404
    account(node, 1000)
    assert (await client.get("/analytics/performance/main")).status_code == 409
    assert (await client.get("/analytics/drawdowns/main")).status_code == 409
    minutes(node, [1000, 1100, 550, 660, 1210])
    data = (await client.get("/analytics/performance/main")).json()["data"]
    assert (data["observations"], data["equity"], data["sample_seconds"]) == (4, 1210.0, 60.0)
    assert data["statistics"]["max_drawdown"] == pytest.approx(-0.5)
    assert data["recent"]["value_at_risk"] < 0
    (entry,) = (await client.get("/analytics/drawdowns/main?top=3")).json()["data"]
    assert entry["depth"] == pytest.approx(-0.5)
    assert entry["ts_peak"] == START_NS + MINUTE
    assert entry["ts_valley"] == START_NS + 2 * MINUTE
    assert entry["ts_recovery"] == START_NS + 4 * MINUTE


async def test_series_over_http(client):
    body = {"returns": [[0.01, None, -0.02], [0.0, 0.01, 0.02]], "names": ["A", "B"], "benchmark": [0.01, 0.0, -0.01]}
    data = (await client.post("/analytics/performance", json=body)).json()["data"]
    assert data["A"]["statistics"]["total_return"] == pytest.approx(1.01 * 0.98 - 1)
    assert data["A"]["statistics"]["value_at_risk"] is None
    assert data["B"]["statistics"]["max_drawdown"] == 0.0
    assert data["B"]["statistics"]["calmar_ratio"] is None
    assert data["A"]["drawdowns"][0]["depth"] == pytest.approx(-0.02)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"returns": [[0.1], [0.1, 0.2]]}, "returns"),
        ({"returns": []}, "body.returns"),
        ({"returns": [[]]}, "body.returns[0]"),
        ({"returns": [[1e9]]}, "body.returns[0][0]"),
        ({"returns": [[0.1]], "benchmark": [0.1, 0.2]}, "benchmark"),
        ({"returns": [[0.1]], "names": ["a", "b"]}, "names"),
        ({"returns": [[0.1]], "cutoff": 1}, "body.cutoff"),
        ({"returns": [[0.1]], "periods_per_year": 0}, "body.periods_per_year"),
        ({"returns": [[0.0] * 100_000] * 6}, "returns"),
    ],
)
async def test_wrong_series_name_their_field(client, body, field):
    answer = await client.post("/analytics/performance", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field


@pytest.mark.parametrize(
    "returns", [[-1.0, 1e6, -1e6], [1e6] * 50, [-1.0] * 3, [1e-300, -1e-300], [5e-324] * 4, [None]]
)
async def test_extreme_returns_are_answered(client, returns):
    body = {"returns": [returns], "benchmark": returns, "periods_per_year": 1e8}
    answer = await client.post("/analytics/performance", json=body)
    assert answer.status_code == 200
    values = answer.json()["data"]["0"]["statistics"].values()
    assert all(value is None or math.isfinite(value) for value in values)


async def test_fills_without_sense_are_counted_not_kept(node):
    order(node, fill(1, 100, 1, fee="NaN"))
    order(node, fill(1, 100, 2, instrument="NONE.SIM"))
    assert any("2 fills" in reason for reason in node["analytics"].health().reasons)
    assert not node["analytics"].records


@pytest.fixture
def two_lives(tmp_path):
    """The same directory, opened twice, one after the other."""
    nodes = [make_node(["analytics"], directory=str(tmp_path)) for _ in range(2)]
    for node in nodes:
        node.instruments.add(make_instrument())
    return nodes


async def test_a_restart_goes_on_where_it_stopped(two_lives):
    first, second = two_lives
    async with first:
        minutes(first, [1000, 1100, 990])
        order(first, fill(100, 10_000, 1))
        order(first, fill(-60, 10_100, 2))
        before = first["analytics"].record("main").saved()
    async with second:
        assert second["analytics"].record("main").saved() == before
        order(second, fill(-40, 10_100, 3))
        assert second["analytics"].record("main").trips_closed == 2
        account(second, 1089)
        quote(second, 10_000, 10_002)
        assert second["analytics"].record("main").samples[-1].period_return == pytest.approx(0.1)


async def test_after_a_crash_the_journal_gives_the_round_trips_back(two_lives):
    first, second = two_lives
    async with first:
        order(first, fill(100, 10_000, 1))
        order(first, fill(-60, 10_100, 2))
        first["analytics"].snapshot = lambda: None
    async with second:
        assert [trip.quantity_lots for trip in second["analytics"].record("main").trips] == [60]


async def test_stopping_leaves_nothing_behind(node):
    minutes(node, [1000, 1100])
    await node["analytics"].stop()
    assert node.clock.timer_count == 0
    before = node["analytics"].stats.inputs
    quote(node, 1, 2)
    assert node["analytics"].stats.inputs == before
