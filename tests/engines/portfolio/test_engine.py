"""The portfolio engine on a test node: fills and deposits into books, marks into NAV, restarts, HTTP."""

from decimal import Decimal

import httpx2 as httpx
import pytest

from nautilus.engines.portfolio.models import DepositRequest
from nautilus.http.app import build_app
from nautilus.model import AssetClass, OrderFilled, Side, topics
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade

MS = 1_000_000
EURO = make_instrument("SAP.XETR", currency="EUR")
PAIR = make_instrument("EUR/USD.IDEALPRO", asset_class=AssetClass.FX, tick_size=Decimal("0.0001"))


def fill(quantity, ticks, number=1, instrument="TEST.SIM", account="main", fee="0", currency="USD"):
    return OrderFilled(
        client_order_id=f"o-{number}",
        strategy_id="s",
        account_id=account,
        instrument_id=instrument,
        ts_event=START_NS + number,
        ts_init=START_NS + number,
        venue_order_id="v",
        trade_id=f"t-{number}",
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity_lots=abs(quantity),
        price_ticks=ticks,
        fee=fee,
        currency=currency,
        liquidity="taker",
        rule="test",
    )


def trade(node, *arguments, **named):
    """A fill as the strategy engine sends it: into the journal, then onto the bus."""
    event = fill(*arguments, **named)
    node.store.journal.append(event)
    node.bus.publish(topics.fill("s"), event)


def quote(node, bid, ask, instrument="TEST.SIM"):
    node.bus.publish(topics.quote(instrument), make_quote(instrument, bid, ask, ts_event=node.clock.timestamp_ns()))


@pytest.fixture
def at_rest():
    return make_node(["portfolio"])


@pytest.fixture
async def node(at_rest):
    at_rest.instruments.add(make_instrument())
    async with at_rest as running:
        yield running


@pytest.fixture
async def client(node):
    transport = httpx.ASGITransport(app=build_app(node))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as session:
        yield session


@pytest.fixture
def two_accounts():
    options = {"engines.portfolio.accounts": ["a", "b"], "engines.portfolio.initial_cash": "5000.50"}
    return make_node(["portfolio"], options)


@pytest.fixture
def two_lives(tmp_path):
    """The same directory, opened twice, one after the other."""
    nodes = [make_node(["portfolio"], directory=str(tmp_path)) for _ in range(2)]
    for node in nodes:
        node.instruments.add(make_instrument())
    return nodes


async def test_accounts_open_with_their_first_cash(two_accounts):
    async with two_accounts as node:
        nav = node["portfolio"].net_asset_value()
        assert [account.equity for account in nav.accounts] == [Decimal("5000.50")] * 2
        assert nav.totals == {"USD": Decimal("10001.00")}


async def test_a_fill_is_told_at_once(node):
    positions, accounts = Capture(node.bus, "position.>"), Capture(node.bus, "portfolio.>")
    trade(node, 100, 10_000, fee="1.25")
    (change,), (update,) = positions.messages, accounts.messages
    assert change.position.quantity_lots == 100
    assert change.position.cost == Decimal("10000.00")
    assert update.account.cash == Decimal("989998.75")
    assert update.account.equity == Decimal("999998.75")
    assert update.account.fees == Decimal("1.25")


async def test_new_marks_are_told_once_within_the_interval(node):
    trade(node, 100, 10_000)
    accounts = Capture(node.bus, "portfolio.>")
    for step in range(5):
        quote(node, 10_000 + step, 10_002 + step)
    assert len(accounts) == 0
    node.clock.advance_to(START_NS + 250 * MS)
    (update,) = accounts.messages
    assert update.account.equity == Decimal("1000005.00")
    assert update.account.unrealized_pnl == Decimal("5.00")
    node.clock.advance_to(START_NS + 5_000 * MS)
    assert len(accounts) == 1


async def test_what_is_not_held_is_not_marked(node):
    accounts = Capture(node.bus, "portfolio.>")
    quote(node, 10_000, 10_002)
    node.clock.advance_to(START_NS + 1_000 * MS)
    assert len(accounts) == 0
    trade(node, 1, 10_000)
    assert accounts.messages[-1].account.unrealized_pnl == Decimal("0.01")


async def test_without_quotes_the_last_trade_marks(node):
    trade(node, 100, 10_000)
    node.bus.publish(topics.trade("TEST.SIM"), make_trade(price_ticks=10_010))
    assert node["portfolio"].account("main").state.unrealized_pnl == Decimal("10.00")
    quote(node, 10_000, 10_000)
    node.bus.publish(topics.trade("TEST.SIM"), make_trade(price_ticks=9_000))
    assert node["portfolio"].account("main").state.unrealized_pnl == 0


async def test_a_repeated_fill_is_booked_once(node):
    trade(node, 100, 10_000)
    accounts = Capture(node.bus, "portfolio.>")
    trade(node, 100, 10_000)
    assert len(accounts) == 0
    assert node["portfolio"].books["main"].holdings["TEST.SIM"].lots.quantity_lots == 100


async def test_a_fill_of_an_unknown_instrument_waits_for_it(node):
    engine = node["portfolio"]
    trade(node, 5, 200, instrument="LATE.SIM")
    assert "LATE.SIM" in engine.health().reasons[0]
    late = make_instrument("LATE.SIM")
    node.instruments.add(late)
    node.bus.publish(topics.instrument("LATE.SIM"), late)
    assert engine.health().status == "live"
    assert engine.books["main"].holdings["LATE.SIM"].lots.quantity_lots == 5


async def test_a_fill_that_cannot_be_is_named(node):
    trade(node, 5, 200, fee="NaN")
    assert "fee" in node["portfolio"].health().reasons[0]
    assert not node["portfolio"].books["main"].holdings


async def test_an_account_nobody_opened_still_gets_its_fill(node):
    trade(node, 5, 200, account="other")
    assert node["portfolio"].account("other").state.cash == Decimal("-10.00")


async def test_foreign_money_needs_a_rate(node, client):
    engine = node["portfolio"]
    for instrument in (EURO, PAIR):
        node.instruments.add(instrument)
        node.bus.publish(topics.instrument(instrument.id), instrument)
    refused = await client.post("/portfolio/accounts/main/deposit", json={"amount": "10", "currency": "EUR"})
    assert refused.status_code == 409
    trade(node, 10, 10_000, instrument="SAP.XETR", currency="EUR", fee="1")
    assert engine.account("main").state is None
    assert "EUR" in engine.health().reasons[0]
    quote(node, 12_499, 12_501, PAIR.id)
    state = engine.account("main").state
    assert state.equity == Decimal(1_000_000) - Decimal("1.25")
    assert engine.health().status == "live"


@pytest.mark.parametrize("graceful", [True, False])
async def test_a_restart_finds_the_books_as_they_were(two_lives, graceful):
    """After an orderly stop from the snapshot, after a crash from the journal alone."""
    first, second = two_lives
    await first.start()
    trade(first, 100, 10_000, 1, fee="0.35")
    trade(first, -150, 10_100, 2)
    await first["portfolio"].pay("main", request("250.25", "d-1"))
    before = first["portfolio"].books["main"]
    if not graceful:
        first["portfolio"].snapshot = lambda: None
    await first.stop()
    async with second:
        after = second["portfolio"].books["main"]
        assert after.totals() == before.totals()
        assert [lot.quantity_lots for lot in after.holdings["TEST.SIM"].lots] == [-50]
        assert after.references == before.references
        second["portfolio"].on_fill(fill(-150, 10_100, 2))
        assert after.totals() == before.totals()


def request(amount, deposit_id=None, currency=None):
    return DepositRequest(amount=Decimal(amount), deposit_id=deposit_id, currency=currency)


async def test_deposits_over_http(node, client):
    paid = await client.post("/portfolio/accounts/main/deposit", json={"amount": "100.10", "deposit_id": "d-1"})
    assert paid.status_code == 200
    assert paid.json()["data"]["state"]["deposits"] == "1000100.10"
    again = await client.post("/portfolio/accounts/main/deposit", json={"amount": "100.10", "deposit_id": "d-1"})
    assert again.json()["data"]["state"]["deposits"] == "1000100.10"
    other = await client.post("/portfolio/accounts/main/deposit", json={"amount": "100.20", "deposit_id": "d-1"})
    assert other.status_code == 409
    much = await client.post("/portfolio/accounts/main/deposit", json={"amount": "-2000000"})
    assert much.status_code == 409
    for amount in ("NaN", "Infinity", "0", "1E+999999999", "1E-40", "", "0E-99999999", None, [1]):
        refused = await client.post("/portfolio/accounts/main/deposit", json={"amount": amount})
        assert refused.status_code == 422, amount
    missing = await client.post("/portfolio/accounts/nobody/deposit", json={"amount": "1"})
    assert missing.status_code == 404
    assert (await client.get("/portfolio/nav")).json()["data"]["totals"] == {"USD": "1000100.10"}


async def test_questions_over_http(node, client):
    trade(node, 100, 10_000, 1)
    trade(node, 50, 10_100, 2)
    trade(node, -100, 10_200, 3)
    quote(node, 10_299, 10_301)
    account = (await client.get("/portfolio/accounts/main")).json()["data"]
    assert account["positions"] == 1
    assert account["state"]["realized_pnl"] == "200.00"
    assert Decimal(account["state"]["unrealized_pnl"]) == 100
    assert [one["account_id"] for one in (await client.get("/portfolio/accounts")).json()["data"]] == ["main"]
    (position,) = (await client.get("/portfolio/accounts/main/positions")).json()["data"]
    assert position["average_price_ticks"] == 10_100
    (lot,) = (await client.get("/portfolio/accounts/main/lots")).json()["data"]
    assert (lot["trade_id"], lot["quantity_lots"], Decimal(lot["unrealized_pnl"])) == ("t-2", 50, 100)
    entries = (await client.get("/portfolio/accounts/main/ledger?limit=2")).json()["data"]
    assert [entry["kind"] for entry in entries] == ["fill", "fill"]
    assert sum(Decimal(posting["amount"]) for posting in entries[0]["postings"]) == 0
    trade(node, -50, 10_200, 4)
    assert (await client.get("/portfolio/accounts/main/positions")).json()["data"] == []
    assert len((await client.get("/portfolio/accounts/main/positions?closed=true")).json()["data"]) == 1
    assert (await client.get("/portfolio/accounts/main/lots?instrument_id=NONE")).json()["data"] == []
    for path in ("", "/positions", "/lots", "/ledger"):
        assert (await client.get(f"/portfolio/accounts/nobody{path}")).status_code == 404


METHODS = [
    "minimum_variance",
    "mean_variance",
    "maximum_sharpe",
    "maximum_diversification",
    "minimum_correlation",
    "minimum_cvar",
    "risk_budgeting",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "equal_weight",
]
RETURNS = [[0.01, 0.02, -0.01], [-0.01, 0.03, 0.02], [0.02, -0.02, 0.01], [0.0, 0.01, 0.01], [0.01, -0.01, 0.0]]


@pytest.mark.parametrize("method", METHODS)
async def test_every_method_over_http(client, method):
    answer = await client.post(
        "/portfolio/optimize", json={"method": method, "returns": RETURNS, "names": ["A", "B", "C"]}
    )
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert sum(data["weights"].values()) == pytest.approx(1.0, abs=1e-7)
    assert sum(data["risk_contributions"].values()) == pytest.approx(1.0)
    assert 1.0 <= data["effective_assets"] <= 3.0 + 1e-9


async def test_the_frontier_over_http(client):
    body = {"returns": RETURNS, "expected_returns": [0.001, 0.002, 0.005], "points": 4}
    answer = await client.post("/portfolio/frontier", json=body)
    risks = [one["volatility"] for one in answer.json()["data"]]
    assert risks == sorted(risks)
    assert len(risks) == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"upper": 0.2}, "limits"),
        ({"upper": [0.2, 0.2]}, "upper"),
        ({"groups": [{"name": "g", "members": [7]}]}, "groups"),
        ({"groups": [{"name": "g", "members": [0, 1, 2], "upper": 0.5}]}, "limits"),
        ({"names": ["A", "A", "B"]}, "names"),
        ({"returns": [[0.1], [0.1, 0.2]]}, "returns"),
        ({"returns": [[0.1, 0.2, 0.3]]}, "returns"),
        ({"returns": [[0.1, 0.2, 0.3]] * 3}, "covariance"),
        ({"returns": None}, "returns"),
        ({"returns": None, "covariance": [[1.0, 0.0], [0.0, 1.0]], "method": "maximum_sharpe"}, "expected_returns"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "covariance"),
        ({"method": "risk_budgeting", "lower": 0.1}, "method"),
        ({"method": "risk_budgeting", "budgets": [1, 0, 1]}, "budgets"),
        ({"method": "magic"}, "body.method"),
        ({"risk_free": 5}, "body.risk_free"),
        ({"unknown": 5}, "body.unknown"),
    ],
)
async def test_wrong_problems_name_their_field(client, change, field):
    body = {"method": "minimum_variance", "returns": RETURNS, **change}
    answer = await client.post("/portfolio/optimize", json=body)
    assert answer.status_code == 422, answer.text
    assert field in answer.text


async def test_infeasible_limits_are_named(client):
    body = {"method": "minimum_variance", "returns": RETURNS, "names": ["A", "B", "C"], "lower": 0.4}
    detail = (await client.post("/portfolio/optimize", json=body)).json()["detail"]
    assert "weight of A >= 0.4" in detail
    assert "weights sum to 1" in detail


async def test_stopping_leaves_nothing_behind(node):
    trade(node, 1, 10_000)
    quote(node, 10_000, 10_002)
    await node["portfolio"].stop()
    seen = node["portfolio"].stats.inputs
    quote(node, 10_000, 10_004)
    node.clock.advance_to(START_NS + 1_000 * MS)
    assert node["portfolio"].stats.inputs == seen
    assert node.clock.timer_count == 0


async def test_who_looks_at_an_account_does_not_keep_its_news_from_the_others(node):
    quote(node, 9_999, 10_001)
    trade(node, 10, 10_000)
    updates = Capture(node.bus, topics.ALL_PORTFOLIOS)
    quote(node, 10_099, 10_101)
    node["portfolio"].account("main")
    await node.snapshot()
    assert not updates.messages
    node.clock.advance_time(10_000 * MS)
    assert [update.account.unrealized_pnl for update in updates.messages] == [Decimal("10.00")]
