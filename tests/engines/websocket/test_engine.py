"""The websocket engine from outside: what clients see, and what they cannot do to one another."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette

from nautilus.clock import TestClock
from nautilus.engines.websocket.engine import WebSocketEngine
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.enums import Quality
from nautilus.model.messages import RiskAlert
from nautilus.node import Node
from nautilus.testing import START_NS, make_instrument, make_node, make_quote, make_trade
from tests.engines.websocket.harness import Connection, SocketClosed

FLUSH_NS = 50_000_000
STREAM = "/websocket/stream"

pytestmark = pytest.mark.usefixtures("node")


@pytest.fixture
def options() -> dict[str, Any]:
    return {"engines.websocket.send_timeout_seconds": 0.2}


@pytest.fixture
def resting(options: dict[str, Any]) -> Node:
    return make_node(["websocket"], options)


@pytest.fixture
async def node(resting: Node) -> AsyncIterator[Node]:
    resting.instruments.add(make_instrument())
    async with resting:
        resting.context.source.set(Quality.SIMULATED, "simulated market")
        yield resting


@pytest.fixture
def app(resting: Node, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    monkeypatch.setattr(
        "nautilus.http.app.openapi_document", lambda _: {}
    )  # tests/http has it; here it only takes time
    return build_app(resting)


def flush(node: Node) -> None:
    assert isinstance(node.clock, TestClock)
    node.clock.advance_time(FLUSH_NS)


def engine_of(node: Node) -> WebSocketEngine:
    engine = node["websocket"]
    assert isinstance(engine, WebSocketEngine)
    return engine


def alert(message: str) -> RiskAlert:
    return RiskAlert(ts_event=START_NS, scope="desk", kind="test", severity="warning", message=message)


async def settled(node: Node, clients: int) -> None:
    """Wait until the engine knows as many clients."""
    async with asyncio.timeout(5):
        while len(engine_of(node).connections()) != clients:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_the_first_frame_says_what_the_data_rest_on(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        welcome = await client.frame()
    assert welcome["type"] == "welcome"
    assert (welcome["quality"], welcome["source"]) == ("simulated", "simulated market")
    assert welcome["session"] == engine_of(node).session
    await settled(node, 0)


async def test_quotes_come_conflated_with_prices(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        client.command(op="subscribe", id=7, topics=["quote.>"])
        answer = await client.until("subscribed")
        assert (answer["id"], answer["topics"]) == (7, ["quote.>"])
        for bid in (9990, 9995):
            node.bus.publish(topics.quote("TEST.SIM"), make_quote(bid_ticks=bid))
        flush(node)
        (message,) = await client.data()
        assert message["topic"] == "quote.TEST.SIM"
        assert (message["data"]["bid_ticks"], message["data"]["bid"]) == (9995, 99.95)
        assert client.received.empty()


async def test_a_snapshot_comes_before_updates(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=quote.>") as first:
        await first.until("subscribed")
        node.bus.publish(topics.quote("TEST.SIM"), make_quote(bid_ticks=1))
        flush(node)
        await first.data()
        async with Connection(app, STREAM) as second:
            second.command(op="subscribe", topics=["quote.TEST.SIM", "instrument.>"])
            messages = await second.data(2)
            assert {(message["kind"], message["topic"]) for message in messages} == {
                ("snapshot", "quote.TEST.SIM"),
                ("snapshot", "instrument.TEST.SIM"),
            }
            node.bus.publish(topics.quote("TEST.SIM"), make_quote(bid_ticks=2))
            flush(node)
            (update,) = await second.data()
            assert (update["kind"], update["data"]["bid_ticks"]) == ("update", 2)
            assert update["sequence"] > max(message["sequence"] for message in messages)


async def test_no_snapshot_for_who_wants_none(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        client.command(op="subscribe", topics=["instrument.>"], snapshot=False)
        await client.until("subscribed")
        client.command(op="ping", id=3)
        assert (await client.frame())["type"] == "pong"


async def test_unsubscribed_topics_come_no_more(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=trade.>,quote.>") as client:
        await client.until("subscribed")
        client.command(op="unsubscribe", id=2, topics=["trade.>"])
        assert (await client.until("subscribed"))["topics"] == ["quote.>"]
        node.bus.publish(topics.trade("TEST.SIM"), make_trade())
        node.bus.publish(topics.quote("TEST.SIM"), make_quote())
        flush(node)
        (message,) = await client.data()
        assert message["topic"] == "quote.TEST.SIM"


async def test_messagepack_carries_the_same(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?format=msgpack") as packed, Connection(app, STREAM) as text:
        packed.raw(bytes=msgspec.msgpack.encode({"op": "subscribe", "topics": ["trade.>"]}))
        text.command(op="subscribe", topics=["trade.>"])
        await packed.until("subscribed")
        await text.until("subscribed")
        for number in range(20):
            node.bus.publish(topics.trade("TEST.SIM"), make_trade(trade_id=number))
        assert await packed.data(20) == await text.data(20)


async def test_who_comes_back_gets_the_events_missed(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=risk_alert.>") as client:
        session = (await client.until("welcome"))["session"]
        await client.until("subscribed")
        node.bus.publish(topics.risk_alert("desk"), alert("one"))
        (first,) = await client.data()
    await settled(node, 0)
    node.bus.publish(topics.risk_alert("desk"), alert("two"))
    async with Connection(app, STREAM) as client:
        client.command(op="subscribe", topics=["risk_alert.>"], after=first["sequence"], session=session)
        (missed,) = await client.data()
        assert missed["data"]["message"] == "two"
    async with Connection(app, STREAM) as client:
        client.command(op="subscribe", topics=["risk_alert.>"], after=first["sequence"], session="another")
        assert (await client.until("gap"))["reason"] == "session"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"op":"subscribe"}',
        '{"op":"subscribe","topics":[]}',
        '{"op":"subscribe","topics":["quote"]}',
        '{"op":"subscribe","topics":["nonsense.>"]}',
        '{"op":"subscribe","topics":["quote.>"],"after":-1}',
        '{"op":"unsubscribe","topics":["quote.>"]}',
        '{"op":"fly"}',
        '{"op":"ping","more":1}',
        "[" * 2000,
    ],
)
async def test_a_wrong_command_is_answered_and_changes_nothing(app: Starlette, node: Node, text: str) -> None:
    async with Connection(app, STREAM) as client:
        client.raw(text=text)
        error = await client.until("error")
        assert error["title"]
        client.command(op="ping", id=9)
        assert (await client.until("pong"))["id"] == 9
        assert engine_of(node).connections()[0].patterns == []


async def test_too_many_patterns_are_refused(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        for part in range(2):
            client.command(op="subscribe", topics=[f"quote.N{part}{number}.X" for number in range(200)])
        await client.until("subscribed")
        assert "256 patterns" in (await client.until("error"))["detail"]


async def test_a_huge_command_ends_the_connection(app: Starlette) -> None:
    async with Connection(app, STREAM) as client:
        client.raw(text="x" * 70_000)
        with pytest.raises(SocketClosed, match="1009"):
            await client.until("never")


@pytest.mark.parametrize("query", ["format=xml", "overflow=never", "topics=nonsense.>", "topics=" + "quote.A.X," * 65])
async def test_a_wrong_query_ends_the_connection_with_the_reason(app: Starlette, query: str) -> None:
    async with Connection(app, f"{STREAM}?{query}") as client:
        with pytest.raises(SocketClosed, match="1008"):
            await client.until("never")


async def test_a_foreign_page_is_refused(app: Starlette) -> None:
    with pytest.raises(SocketClosed, match="1008"):
        async with Connection(app, STREAM, {"origin": "https://elsewhere.example"}):
            pass
    async with Connection(app, STREAM, {"origin": "http://127.0.0.1:8001"}) as client:
        assert (await client.frame())["type"] == "welcome"


async def test_a_stuck_client_holds_up_nobody_and_is_cut(app: Starlette, node: Node) -> None:
    async with (
        Connection(app, f"{STREAM}?topics=trade.>") as stuck,
        Connection(app, f"{STREAM}?topics=trade.>") as healthy,
    ):
        await stuck.until("subscribed")
        await healthy.until("subscribed")
        stuck.reading.clear()
        for number in range(10_000):
            node.bus.publish(topics.trade("TEST.SIM"), make_trade(trade_id=number))
            if number % 1000 == 999:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        trades = await healthy.data(4096)
        assert trades
        report = engine_of(node).connections()[0]
        assert report.waiting_events <= 4096
        await settled(node, 1)
        await asyncio.wait_for(stuck.task, 5)
        assert not healthy.task.done()


async def test_a_slow_client_gets_the_newest_and_is_told_of_the_gap(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=trade.>") as client:
        await client.until("subscribed")
        for number in range(5000):
            node.bus.publish(topics.trade("TEST.SIM"), make_trade(trade_id=number))
        gap = await client.until("gap")
        assert (gap["reason"], gap["dropped"]) == ("slow", 5000 - 4096)
        messages = await client.data(4096)
        assert [message["data"]["trade_id"] for message in messages] == list(range(5000 - 4096, 5000))


async def test_a_slow_client_that_asked_for_it_is_cut_instead(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=trade.>&overflow=disconnect") as client:
        await client.until("subscribed")
        for number in range(5000):
            node.bus.publish(topics.trade("TEST.SIM"), make_trade(trade_id=number))
        with pytest.raises(SocketClosed, match="4008"):
            await client.until("never")


async def test_heartbeats_say_the_quality(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        await client.until("welcome")
        node.context.source.set(Quality.REPLAYED, "a replay")
        assert isinstance(node.clock, TestClock)
        node.clock.advance_time(5_000_000_000)
        beat = await client.until("heartbeat")
        assert (beat["quality"], beat["source"]) == ("replayed", "a replay")


async def test_the_short_streams_come_subscribed(app: Starlette, node: Node) -> None:
    async with (
        Connection(app, "/websocket/market-data") as market,
        Connection(app, "/websocket/alerts") as alerts,
    ):
        assert "trade.>" in (await market.until("subscribed"))["topics"]
        assert "risk_alert.>" in (await alerts.until("subscribed"))["topics"]
        node.bus.publish(topics.risk_alert("desk"), alert("one"))
        assert (await alerts.data())[0]["data"]["message"] == "one"


async def test_the_node_says_goodbye(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as client:
        await client.until("welcome")
        await node.stop()
        with pytest.raises(SocketClosed, match="1001"):
            await client.until("never")
    async with Connection(app, STREAM) as client:
        with pytest.raises(SocketClosed, match="1013"):
            await client.until("never")


@pytest.mark.parametrize("options", [{"engines.websocket.clients_max": 1}])
async def test_more_clients_than_allowed_are_told_to_come_later(app: Starlette, node: Node) -> None:
    async with Connection(app, STREAM) as first, Connection(app, STREAM) as second:
        await first.until("welcome")
        with pytest.raises(SocketClosed, match="1013"):
            await second.until("never")


async def test_clients_that_are_gone_leave_nothing_behind(app: Starlette, node: Node) -> None:
    before = len(node.bus.subscriptions)
    tasks = len(asyncio.all_tasks())
    for _ in range(10):
        async with Connection(app, f"{STREAM}?topics=quote.>,trade.A.X,book.*.X") as client:
            await client.until("subscribed")
    await settled(node, 0)
    assert len(node.bus.subscriptions) == before
    assert len(asyncio.all_tasks()) == tasks


async def request(app: Starlette, method: str, path: str, body: Any = None) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as http:
        return await http.request(method, path, json=body)


async def test_rest_shows_clients_and_topics_and_reaches_everybody(app: Starlette, node: Node) -> None:
    async with Connection(app, f"{STREAM}?topics=quote.>") as client:
        await client.until("subscribed")
        (shown,) = (await request(app, "GET", "/websocket/connections")).json()["data"]
        assert (shown["patterns"], shown["format"], shown["remote"]) == (["quote.>"], "json", "127.0.0.1:5000")
        families = (await request(app, "GET", "/websocket/topics")).json()["data"]
        quote = next(family for family in families if family["family"] == "quote")
        assert (quote["delivery"], quote["clients"], quote["bus_patterns"]) == ("state", 1, ["quote.>"])
        answer = await request(app, "POST", "/websocket/broadcast", {"message": "closing early"})
        assert answer.json()["data"] == {"clients": 1}
        words = await client.until("broadcast")
        assert (words["message"], words["severity"]) == ("closing early", "info")
        cut = await request(app, "DELETE", f"/websocket/connections/{shown['client_id']}")
        assert cut.status_code == 200
        with pytest.raises(SocketClosed, match="1008"):
            await client.until("never")
    missing = await request(app, "DELETE", "/websocket/connections/999")
    assert missing.status_code == 404
    empty = await request(app, "POST", "/websocket/broadcast", {"message": ""})
    assert empty.status_code == 422
