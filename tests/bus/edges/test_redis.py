"""Two and more nodes joined by a real server: what is said on one bus is heard on the other, once, in order."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from nautilus.bus.edges.codec import Codec
from nautilus.bus.mailbox import Policy
from nautilus.errors import Invalid
from nautilus.model import Channel, topics
from nautilus.model.messages import ComputeRequest
from tests.bus.edges.edge_nodes import ALERTS, EdgeNode, alert, eventually, quote
from tests.servers.valkey import Valkey

HEAR_ALL = {"inbound": (">",)}
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """Keys of one test alone."""
    return f"test{next(_numbers)}"


async def test_a_message_of_each_channel_reaches_the_other_bus(server: Valkey, prefix: str) -> None:
    every: Any = {"marketdata": HEAR_ALL, "engine_logic": HEAR_ALL, "neural_gpu": HEAR_ALL}
    request = ComputeRequest(ts_event=1, request_id="r1", kernel="add", arguments=(np.arange(4.0), 2))
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", **every) as a,
        EdgeNode(server.url, prefix=prefix, node="b", **every) as b,
    ):
        await a.connected()
        await b.connected()
        a.bus.publish(topics.quote("A.XNAS"), quote(1))
        a.bus.publish(ALERTS, alert(2))
        a.bus.publish(topics.compute_request("add"), request)
        await eventually(lambda: len(b.heard) == 3)
        heard = dict(b.heard)
        assert heard["quote.A.XNAS"] == quote(1)
        assert heard[ALERTS] == alert(2)
        arrived = heard["compute.request.add"]
        np.testing.assert_array_equal(arrived.arguments[0], request.arguments[0])
        assert not arrived.arguments[0].flags.writeable
        assert not a.edges.problems()
        assert not b.edges.problems()


async def test_what_came_in_does_not_go_out_again_and_own_echoes_are_dropped(server: Valkey, prefix: str) -> None:
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=HEAR_ALL) as a,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
    ):
        await a.connected()
        await b.connected()
        a.bus.publish(ALERTS, alert(1))
        await eventually(lambda: b.heard)
        b.bus.publish(ALERTS, alert(2))
        await eventually(lambda: len(a.heard) == 2)
        await eventually(lambda: a.inbound(Channel.ENGINE_LOGIC).echoes == 1)
        assert a.messages() == b.messages() == [alert(1), alert(2)]
        assert a.outbound(Channel.ENGINE_LOGIC).sent == b.outbound(Channel.ENGINE_LOGIC).sent == 1


async def test_a_message_that_a_handler_says_again_on_another_topic_goes_out(server: Valkey, prefix: str) -> None:
    again: Any = topics.system_alert("again")
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
        EdgeNode(server.url, prefix=prefix, node="c", engine_logic={"inbound": ("system_alert.again",)}) as c,
    ):
        b.bus.subscribe(ALERTS, lambda message: b.bus.publish(again, message))
        await b.connected()
        await c.connected()
        a.bus.publish(ALERTS, alert(1))
        await eventually(lambda: c.heard == [(again, alert(1))])
        assert b.outbound(Channel.ENGINE_LOGIC).sent == 1


async def test_a_node_may_speak_before_it_listens(server: Valkey, prefix: str) -> None:
    settings = {"inbound": (">",), "history_seconds": 60.0}
    a = EdgeNode(server.url, prefix=prefix, node="a", engine_logic=settings)
    await a.edges.send()
    async with EdgeNode(server.url, prefix=prefix, node="b", engine_logic=settings) as b:
        a.bus.publish(ALERTS, alert(1))
        await eventually(lambda: b.heard)
        b.bus.publish(ALERTS, alert(2))
        await eventually(lambda: b.outbound(Channel.ENGINE_LOGIC).sent == 1)
        assert a.messages() == [alert(1)]
        await a.edges.start()
        await eventually(lambda: len(a.heard) == 2)
        assert a.messages() == [alert(1), alert(2)]
        await a.edges.stop()


async def test_what_is_handled_slowly_is_not_taken_over_by_another(server: Valkey, prefix: str) -> None:
    release = asyncio.Event()

    async def handle(_message: Any) -> None:
        await release.wait()

    hears = {**HEAR_ALL, "outbound": (), "read_max_entries": 1, "claim_idle_seconds": 0.6}
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", instance="b1", engine_logic=hears) as slow,
    ):
        _, box = slow.bus.mailbox(topics.ALL_SYSTEM_ALERTS, handle, policy=Policy.WAIT, capacity=1)
        task = asyncio.create_task(box.run())
        await slow.connected()
        for number in range(5):
            a.bus.publish(ALERTS, alert(number))
        await eventually(lambda: len(box) == 1)
        async with (
            Valkey_connection(server) as client,
            EdgeNode(server.url, prefix=prefix, node="b", instance="b2", engine_logic=hears) as other,
        ):
            await other.connected()
            began = asyncio.get_running_loop().time()
            await eventually(lambda: asyncio.get_running_loop().time() > began + 2.0)
            assert not other.heard
            pending = await client.xpending_range(f"{prefix}:engine_logic:system_alert", f"{prefix}:b", "-", "+", 10)
            assert [one["consumer"] for one in pending] == [b"b1"]
            release.set()
            await eventually(lambda: len(slow.heard) == 5)
        task.cancel()


async def test_only_the_patterns_of_the_configuration_cross_and_overlapping_ones_once(
    server: Valkey, prefix: str
) -> None:
    out = {"outbound": ("quote.>", "quote.A.*", "trade.A.XNAS")}
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", marketdata=out) as a,
        EdgeNode(server.url, prefix=prefix, node="b", marketdata={"outbound": (), "inbound": ("quote.*.XNAS",)}) as b,
    ):
        await a.connected()
        await b.connected()
        for symbol in ("A.XLON", "A.XNAS", "B.XNAS"):
            a.bus.publish(topics.quote(symbol), quote(1))
        a.bus.publish(topics.bar("1s", "A.XNAS"), quote(1))  # type: ignore[arg-type]
        await eventually(lambda: len(b.heard) == 2)
        assert [topic for topic, _ in b.heard] == ["quote.A.XNAS", "quote.B.XNAS"]
        await eventually(lambda: b.inbound(Channel.MARKETDATA).unselected == 1)
        assert a.outbound(Channel.MARKETDATA).sent == 3


async def test_quotes_and_trades_of_one_sender_keep_their_order_across_streams(server: Valkey, prefix: str) -> None:
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", marketdata={"batch_max_seconds": 0.02}) as a,
        EdgeNode(server.url, prefix=prefix, node="b", marketdata=HEAR_ALL) as b,
    ):
        await a.connected()
        await b.connected()
        said = []
        for number in range(3_000):
            topic: Any = ("quote.A.XNAS", "quote.B.XNAS", "quote.C.XNAS")[number % 3]
            kind = quote(number)
            if number % 7 == 0:
                topic, kind = "depth.A.XNAS", _depth(number)
            a.bus.publish(topic, kind)
            said.append(kind)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: len(b.heard) == len(said))
        assert b.messages() == said


def _depth(number: int) -> Any:
    from nautilus.model import BookDepth

    return BookDepth("A.XNAS", ((100, number),), (), number, number)


async def test_two_consumers_of_one_group_share_what_comes_and_neither_hears_it_twice(
    server: Valkey, prefix: str
) -> None:
    one_a_read = {"inbound": (">",), "outbound": (), "read_max_entries": 1}
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic={"batch_max_events": 5}) as a,
        EdgeNode(server.url, prefix=prefix, node="b", instance="b1", engine_logic=one_a_read) as first,
        EdgeNode(server.url, prefix=prefix, node="b", instance="b2", engine_logic=one_a_read) as second,
    ):
        await a.connected()
        await first.connected()
        await second.connected()
        for number in range(1_000):
            a.bus.publish(ALERTS, alert(number))
            if number % 10 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: len(first.heard) + len(second.heard) >= 1_000)
        together = sorted(message.ts_event for message in first.messages() + second.messages())
        assert together == list(range(1_000))
        assert first.heard
        assert second.heard


async def test_a_node_that_was_away_goes_on_where_it_was_and_market_data_begins_anew(
    server: Valkey, prefix: str
) -> None:
    hears: Any = {"engine_logic": HEAR_ALL, "marketdata": HEAR_ALL}
    async with EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None, marketdata=None) as a:
        await a.connected()
        async with EdgeNode(server.url, prefix=prefix, node="b", instance="b1", **hears) as b:
            await b.connected()
            a.bus.publish(ALERTS, alert(1))
            a.bus.publish(topics.quote("A.XNAS"), quote(1))
            await eventually(lambda: len(b.heard) == 2)
        a.bus.publish(ALERTS, alert(2))
        a.bus.publish(topics.quote("A.XNAS"), quote(2))
        await eventually(lambda: a.outbound(Channel.MARKETDATA).sent == a.outbound(Channel.ENGINE_LOGIC).sent == 2)
        async with EdgeNode(server.url, prefix=prefix, node="b", instance="b2", **hears) as b:
            await b.connected()
            a.bus.publish(ALERTS, alert(3))
            a.bus.publish(topics.quote("A.XNAS"), quote(3))
            await eventually(lambda: len(b.heard) == 3)
            assert [message for topic, message in b.heard if topic == ALERTS] == [alert(2), alert(3)]
            assert [message for topic, message in b.heard if topic != ALERTS] == [quote(3)]


async def test_a_publisher_waits_for_a_full_mailbox_on_the_other_side(server: Valkey, prefix: str) -> None:
    release = asyncio.Event()
    handled: list[Any] = []

    async def handle(message: Any) -> None:
        await release.wait()
        handled.append(message)

    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
    ):
        _, box = b.bus.mailbox(topics.ALL_SYSTEM_ALERTS, handle, policy=Policy.WAIT, capacity=4)
        task = asyncio.create_task(box.run())
        await b.connected()
        for number in range(100):
            a.bus.publish(ALERTS, alert(number))
        await eventually(lambda: len(box) == 4)
        assert len(b.heard) <= 5
        release.set()
        await eventually(lambda: len(handled) == 100)
        assert [message.ts_event for message in handled] == list(range(100))
        assert not b.errors
        task.cancel()


async def test_the_node_is_told_of_a_message_and_its_sender_before_the_bus_is(server: Valkey, prefix: str) -> None:
    told: list[tuple[str, Any, str, int]] = []
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", marketdata=None) as a,
        EdgeNode(
            server.url,
            prefix=prefix,
            node="b",
            marketdata=HEAR_ALL,
            on_receive=lambda topic, message, source: told.append((topic, message, source, len(b.heard))),
        ) as b,
    ):
        await a.connected()
        await b.connected()
        a.bus.publish(topics.quote("A.XNAS"), quote(1))
        await eventually(lambda: b.heard)
        assert told == [("quote.A.XNAS", quote(1), "a1", 0)]


async def test_a_handler_that_fails_here_stops_neither_the_reading_nor_the_next_message(
    server: Valkey, prefix: str
) -> None:
    def refuse(_topic: str, message: Any, _source: str) -> None:
        if message.ts_event == 1:
            raise ValueError("no")

    async with (
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL, on_receive=refuse) as b,
    ):
        await b.connected()
        for number in range(3):
            a.bus.publish(ALERTS, alert(number))
        await eventually(lambda: len(b.heard) == 2)
        assert b.inbound(Channel.ENGINE_LOGIC).handler_failures == 1
        assert any("failed in a handler" in problem for problem in b.edges.problems())


async def test_a_server_that_was_emptied_gets_its_groups_again(server: Valkey, prefix: str) -> None:
    from redis.asyncio import Redis

    async with (
        Valkey_connection(server) as client,
        EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
    ):
        assert isinstance(client, Redis)
        await b.connected()
        a.bus.publish(ALERTS, alert(1))
        await eventually(lambda: b.heard)
        await client.flushall()
        a.bus.publish(ALERTS, alert(2))
        await eventually(lambda: len(b.heard) == 2)
        assert b.messages() == [alert(1), alert(2)]
        assert b.inbound(Channel.ENGINE_LOGIC).groups_remade > 0


def Valkey_connection(server: Valkey) -> Any:
    from redis.asyncio import Redis

    return Redis.from_url(server.url, protocol=2)


async def test_wrong_data_goes_to_the_dead_letters_and_the_rest_arrives(server: Valkey, prefix: str) -> None:
    stream = f"{prefix}:engine_logic:system_alert"
    codec = Codec()
    good = codec.pack_one((2, ALERTS, 0, alert(2)))
    foreign = codec.pack_one((3, "quote.A.XNAS", 0, quote(1)))
    head = {"version": "1.7", "instance": "x", "node": "x", "count": 1, "first_sequence": 1, "later_field": "?"}
    async with (
        Valkey_connection(server) as client,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
    ):
        await b.connected()
        await client.xadd(stream, {"anything": b"\xff\x00"})
        await client.xadd(stream, {**head, "version": "2.0", "events": b"\x90"})
        await client.xadd(stream, {**head, "events": b"\xc1"})
        await client.xadd(stream, {**head, "events": codec.join([b"\x93\x01\x02\x03", good, foreign])})
        await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).dead_letters == 5)
        assert b.messages() == [alert(2)]
        letters = [fields for _, fields in await client.xrange(f"{prefix}:engine_logic:dead_letters")]
        assert [(letter[b"kind"], letter[b"stream"]) for letter in letters] == [
            *[(b"entry", stream.encode())] * 3,
            *[(b"event", stream.encode())] * 2,
        ]
        reasons = b" ".join(letter[b"reason"] for letter in letters)
        assert b"version: b'2.0' is not read here" in reasons
        assert b"belongs to the channel marketdata" in reasons
        await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).pending_entries == 0)
        assert any("dead letters" in problem for problem in b.edges.problems())


async def test_an_entry_that_is_never_acknowledged_ends_in_the_dead_letters(server: Valkey, prefix: str) -> None:
    stream, group = f"{prefix}:engine_logic:system_alert", f"{prefix}:b"
    packed = Codec().join([Codec().pack_one((2, ALERTS, 0, alert(2)))])
    head = {"version": "1.0", "instance": "x", "node": "x", "count": 1, "first_sequence": 2, "events": packed}
    async with Valkey_connection(server) as client:
        await client.xgroup_create(stream, group, "0", mkstream=True)
        poison = await client.xadd(stream, head)
        for victim in range(6):  # processes that died over it
            if victim == 0:
                await client.xreadgroup(group, "dead", {stream: ">"})
            else:
                await client.xclaim(stream, group, f"dead{victim}", 0, [poison])
        async with EdgeNode(server.url, prefix=prefix, node="b", engine_logic={**HEAR_ALL, "max_deliveries": 5}) as b:
            await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).dead_letters == 1)
            assert not b.heard
        letters = await client.xrange(f"{prefix}:engine_logic:dead_letters")
        assert b"delivered 6 times" in letters[0][1][b"reason"]
        assert (await client.xpending(stream, group))["pending"] == 0


async def test_market_data_that_a_dead_reader_left_are_no_news_and_are_cleared_away(
    server: Valkey, prefix: str
) -> None:
    stream, group = f"{prefix}:marketdata:price_update", f"{prefix}:b"
    packed = Codec().join([Codec().pack_one((2, "quote.A.XNAS", 0, quote(2)))])
    head = {"version": "1.0", "instance": "x", "node": "x", "count": 1, "first_sequence": 2, "events": packed}
    async with Valkey_connection(server) as client:
        await client.xgroup_create(stream, group, "0", mkstream=True)
        await client.xadd(stream, head)
        await client.xreadgroup(group, "dead", {stream: ">"})
        async with EdgeNode(server.url, prefix=prefix, node="b", marketdata=HEAR_ALL) as b:
            await eventually(lambda: b.inbound(Channel.MARKETDATA).expired == 1)
            await eventually(lambda: b.inbound(Channel.MARKETDATA).pending_entries == 0)
            assert not b.heard


async def test_the_same_entry_twice_is_handed_on_once(server: Valkey, prefix: str) -> None:
    packed = Codec().join([Codec().pack_one((number, ALERTS, 0, alert(number))) for number in range(3)])
    head = {"version": "1.0", "instance": "x", "node": "x", "count": 3, "first_sequence": 0, "events": packed}
    async with (
        Valkey_connection(server) as client,
        EdgeNode(server.url, prefix=prefix, node="b", engine_logic=HEAR_ALL) as b,
    ):
        await b.connected()
        for _ in range(2):
            await client.xadd(f"{prefix}:engine_logic:system_alert", head)
        await eventually(lambda: b.inbound(Channel.ENGINE_LOGIC).duplicates == 3)
        assert b.messages() == [alert(0), alert(1), alert(2)]


async def test_a_stop_sends_what_waits_and_leaves_no_task_connection_or_consumer(server: Valkey, prefix: str) -> None:
    async with Valkey_connection(server) as client:
        tasks = len(asyncio.all_tasks())
        node = EdgeNode(
            server.url, prefix=prefix, node="a", engine_logic={**HEAR_ALL, "batch_max_seconds": 0.2}, marketdata=None
        )
        async with node:
            await node.connected()
            node.bus.publish(ALERTS, alert(1))
            node.bus.publish(topics.quote("A.XNAS"), quote(1))
        await node.edges.stop()
        assert len(asyncio.all_tasks()) == tasks
        assert len(node.bus.subscriptions) == 1  # the test's own ear
        assert await client.xlen(f"{prefix}:engine_logic:system_alert") == 1
        assert await client.xlen(f"{prefix}:marketdata:price_update") == 1
        names = {one["name"] for one in await client.client_list()}
        assert not any(name.startswith(f"{prefix}:") for name in names)
        assert not await client.xinfo_consumers(f"{prefix}:engine_logic:system_alert", f"{prefix}:a")


async def test_a_key_that_holds_something_else_is_reported_and_what_waits_for_it_is_sent_when_it_is_gone(
    server: Valkey, prefix: str
) -> None:
    key = f"{prefix}:engine_logic:system_alert"
    margin: Any = topics.margin("a")
    async with Valkey_connection(server) as client:
        await client.set(key, "not a stream")
        async with EdgeNode(server.url, prefix=prefix, node="a", engine_logic=None) as a:
            await a.connected()
            a.bus.publish(margin, _margin())
            a.bus.publish(ALERTS, alert(1))
            await eventually(lambda: any("WRONGTYPE" in problem for problem in a.edges.problems()))
            await client.delete(key)
            await eventually(lambda: a.outbound(Channel.ENGINE_LOGIC).sent == 2)
        assert await client.xlen(key) == 1
        assert await client.xlen(f"{prefix}:engine_logic:risk_metric") == 1


def _margin() -> Any:
    from nautilus.model.messages import MarginUpdate

    return MarginUpdate(
        ts_event=1,
        account_id="a",
        model="m",
        initial_margin=1.0,
        maintenance_margin=1.0,
        excess=1.0,
        utilization=None,
        minutes_to_margin_call=None,
    )


async def test_streams_are_trimmed_to_about_the_configured_length(server: Valkey, prefix: str) -> None:
    settings = {"stream_max_entries": 10, "batch_max_events": 1, "batch_max_seconds": 0.0}
    async with (
        Valkey_connection(server) as client,
        EdgeNode(server.url, prefix=prefix, node="a", marketdata=settings) as a,
    ):
        await a.connected()
        for number in range(1_000):
            a.bus.publish(topics.quote("A.XNAS"), quote(number))
        await eventually(lambda: a.outbound(Channel.MARKETDATA).sent == 1_000)
        assert await client.xlen(f"{prefix}:marketdata:price_update") <= 200


async def test_a_defect_of_ours_is_logged_and_reported_and_ends_nothing(
    server: Valkey, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nautilus.bus.edges.conflation import ConflatingOutbox
    from nautilus.bus.edges.delivery import Delivery

    def fail_once(kind: type, name: str) -> None:
        work = getattr(kind, name)

        async def failing(*arguments: Any) -> Any:
            monkeypatch.setattr(kind, name, work)
            raise RuntimeError("a defect")

        monkeypatch.setattr(kind, name, failing)

    hears = {**HEAR_ALL, "resume": True}
    async with (
        EdgeNode(server.url, prefix=prefix, node="a", marketdata=None) as a,
        EdgeNode(server.url, prefix=prefix, node="b", marketdata=hears) as b,
    ):
        await b.connected()
        fail_once(ConflatingOutbox, "take")
        fail_once(Delivery, "hand_on")
        a.bus.publish(topics.quote("A.XNAS"), quote(1))
        await eventually(lambda: b.heard)
        assert b.messages() == [quote(1)]
        assert "a defect" in a.outbound(Channel.MARKETDATA).last_error
        assert "a defect" in b.inbound(Channel.MARKETDATA).last_error


@pytest.mark.parametrize("name", ["", "x" * 65, "new\nline", "naïve"])
def test_a_name_that_a_server_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="node: must be 1 to 64 printable ASCII"):
        EdgeNode("redis://127.0.0.1:1", node=name, instance="i")


def test_a_pattern_of_another_channel_is_refused_naming_the_option() -> None:
    with pytest.raises(Invalid, match=r"edges\.marketdata\.outbound: 'order\.>' belongs to the channel engine_logic"):
        EdgeNode("redis://127.0.0.1:1", marketdata={"outbound": ("order.>",)})
    with pytest.raises(Invalid, match=r"edges\.engine_logic\.inbound: 'nothing\.>' has no known family"):
        EdgeNode("redis://127.0.0.1:1", engine_logic={"inbound": ("nothing.>",)})
