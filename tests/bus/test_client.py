"""The client: another process hears the platform and is heard, and wrong calls fail at the call, by name."""

import asyncio
import functools
import gc
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import structlog

import nautilus.bus.client
from nautilus.bus import Bus
from nautilus.bus.client import DualBusClient, get_dual_bus_client
from nautilus.bus.client_calls import MessageMeta, check_topic, classes
from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.redis import RedisEdges
from nautilus.bus.edges.settings import EdgesConfig, EngineLogicEdge, MarketDataEdge, NeuralGpuEdge, ServerSettings
from nautilus.clock import LiveClock
from nautilus.errors import Conflict, Invalid, Unavailable
from nautilus.model import topics
from nautilus.model.enums import EngineType, MessagePriority, MessageType, Side
from nautilus.model.market import Quote
from nautilus.model.messages import (
    ComputeRequest,
    EngineHealth,
    Prediction,
    RiskMetric,
    StrategySignal,
    SystemAlert,
    TradingControl,
)
from tests.servers.valkey import Valkey

ECHO = Path(__file__).with_name("client_echo.py")
LOG: Any = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as made:
        yield made


@pytest.fixture
async def connection(server: Valkey) -> AsyncIterator[Any]:
    client = await open_client(ServerSettings(url=server.url), name="test")
    await client.flushall()
    yield client
    await client.aclose()


def edges_config(server: Valkey, **marketdata: Any) -> EdgesConfig:
    quick: dict[str, Any] = {"url": server.url, "reconnect_max_seconds": 0.2, "response_timeout_seconds": 1.0}
    return EdgesConfig(
        marketdata=MarketDataEdge(**quick, inbound=(">",), **marketdata),
        engine_logic=EngineLogicEdge(**quick, inbound=(">",)),
        neural_gpu=NeuralGpuEdge(**quick, inbound=(">",)),
    )


@pytest.fixture
def settings(server: Valkey, connection: Any) -> EdgesConfig:
    return edges_config(server)


def quote(number: int, instrument_id: str = "AAPL.XNAS") -> Quote:
    return Quote(instrument_id, number, number + 2, 1, 1, number, number)


def alert(code: str = "hello") -> SystemAlert:
    return SystemAlert(ts_event=1, source="test", severity="info", code=code, message="")


class Heard:
    """A handler that keeps what it is handed."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.metas: list[MessageMeta] = []

    async def __call__(self, message: Any, meta: MessageMeta) -> None:
        self.messages.append(message)
        self.metas.append(meta)


class NodeSide:
    """A bus with edges, as a node has."""

    def __init__(self, config: EdgesConfig, instance: str = "node-1") -> None:
        self.bus = Bus()
        self.edges = RedisEdges(
            config, bus=self.bus, clock=LiveClock(), node="node", instance=instance, spool_directory=None, log=LOG
        )

    async def __aenter__(self) -> "NodeSide":
        await self.edges.start()
        await until(lambda: all(channel.connected for channel in self.edges.report().channels))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.edges.stop()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is on the other side of a server
            await asyncio.sleep(0.005)


async def test_a_client_in_another_process_receives_and_answers(server: Valkey, settings: EdgesConfig) -> None:
    answers: list[Prediction] = []
    command = [sys.executable, str(ECHO), server.url, "echo-1"]
    child = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        assert await asyncio.to_thread(child.stdout.readline) == b"ready\n"
        async with NodeSide(settings) as node:
            node.bus.subscribe(topics.ALL_PREDICTIONS, answers.append)
            for number in range(300):
                node.bus.publish(topics.quote("AAPL.XNAS"), quote(number))
            await until(lambda: len(answers) == 300)
            node.bus.publish(topics.system_alert("test"), alert("stop"))
            assert await asyncio.to_thread(child.stdout.readline) == b"closed\n"
        assert await asyncio.to_thread(child.wait, 20) == 0
    finally:
        child.kill()
        child.wait(20)
        child.stdout.close()
    assert [answer.value for answer in answers] == [number + 1.0 for number in range(300)]


async def test_the_example_of_the_documentation_runs(settings: EdgesConfig, capsys: pytest.CaptureFixture[str]) -> None:
    code = textwrap.dedent(nautilus.bus.client.__doc__.split("\n\n", 1)[1].rpartition("\n\n")[0])  # type: ignore[union-attr]
    waiting = "\n        await heard.wait()\n"
    names: dict[str, Any] = {
        "get_dual_bus_client": functools.partial(get_dual_bus_client, settings=settings),
        "EngineType": EngineType,
        "MessageType": MessageType,
        "SystemAlert": SystemAlert,
        "heard": asyncio.Event(),
    }
    exec("async def example():\n" + textwrap.indent(code, "    ") + waiting, names)
    alerts: list[Any] = []
    async with NodeSide(settings) as node:
        node.bus.subscribe(topics.ALL_SYSTEM_ALERTS, alerts.append)
        running = asyncio.create_task(names["example"]())
        await until(lambda: bool(alerts))
        node.bus.publish(topics.quote("AAPL.XNAS"), quote(7))
        printed: list[str] = []
        await until(lambda: printed.append(capsys.readouterr().out) is None and any(printed))
        names["heard"].set()
        await running
    assert alerts[0].message == "Hello"
    assert "".join(printed) == "quote.AAPL.XNAS 7\n"


async def test_two_clients_hear_one_another_and_not_themselves(settings: EdgesConfig) -> None:
    one = await get_dual_bus_client(EngineType.ML, "one", settings=settings)
    two = await get_dual_bus_client(EngineType.RISK, "two", settings=settings)
    heard_one, heard_two = Heard(), Heard()
    await one.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard_one)
    await two.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard_two)
    first = await one.publish_message(MessageType.SYSTEM_ALERT, alert("from one"))
    second = await two.publish_message(
        MessageType.SYSTEM_ALERT,
        alert("from two"),
        topic="system_alert.elsewhere",
        priority=MessagePriority.CRITICAL,
        correlation_id="c-1",
    )
    await until(lambda: bool(heard_one.messages and heard_two.messages))
    assert (heard_one.messages, heard_two.messages) == ([alert("from two")], [alert("from one")])
    (about_first,), (about_second,) = heard_two.metas, heard_one.metas
    assert about_first == MessageMeta(
        topic="system_alert.test",
        message_type=MessageType.SYSTEM_ALERT,
        message_id=first,
        source_instance="ml.one",
        source_node="client.ml.one",
        source_engine="ml",
        ts=about_first.ts,
        priority=MessagePriority.HIGH,
        correlation_id="",
    )
    assert (about_second.message_id, about_second.topic, about_second.priority, about_second.correlation_id) == (
        second,
        "system_alert.elsewhere",
        MessagePriority.CRITICAL,
        "c-1",
    )
    await one.close()
    await two.close()


async def test_market_data_arrives_in_order_narrowed_by_patterns(settings: EdgesConfig) -> None:
    heard = Heard()
    async with NodeSide(settings) as node, await get_dual_bus_client(EngineType.ML, "one", settings=settings) as client:
        await client.subscribe_to_marketdata([MessageType.PRICE_UPDATE], heard, patterns=["quote.AAPL.*"])
        for number in range(500):
            node.bus.publish(topics.quote("AAPL.XNAS"), quote(number))
            node.bus.publish(topics.quote("MSFT.XNAS"), quote(number, "MSFT.XNAS"))
        await until(lambda: len(heard.messages) == 500)
        assert heard.messages == [quote(number) for number in range(500)]
        assert {meta.source_engine for meta in heard.metas} == {"marketdata"}


async def test_a_later_subscription_hears_the_same_types_too_until_it_is_cancelled(settings: EdgesConfig) -> None:
    first, second = Heard(), Heard()
    async with (
        await get_dual_bus_client(EngineType.ML, "one", settings=settings) as client,
        await get_dual_bus_client(EngineType.ML, "two", settings=settings) as speaker,
    ):
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], first)
        later = await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT, MessageType.ENGINE_HEALTH], second)
        await speaker.publish_message(MessageType.SYSTEM_ALERT, alert("a"))
        await until(lambda: bool(first.messages and second.messages))
        later.cancel()
        later.cancel()
        await speaker.publish_message(MessageType.SYSTEM_ALERT, alert("b"))
        await until(lambda: len(first.messages) == 2)
        assert len(second.messages) == 1
        (counted,) = client.statistics().subscriptions
        assert (counted.handled, counted.errors) == (2, 0)


async def test_a_handler_that_raises_is_counted_and_stops_no_other(settings: EdgesConfig) -> None:
    heard = Heard()
    client = DualBusClient(EngineType.ML, "one", settings, log=LOG)

    async def fail(message: Any, meta: MessageMeta) -> None:
        raise RuntimeError("no")

    async with client, await get_dual_bus_client(EngineType.ML, "two", settings=settings) as speaker:
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], fail)
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard)
        for _ in range(3):
            await speaker.publish_message(MessageType.SYSTEM_ALERT, alert())
        await until(lambda: len(heard.messages) == 3)
        failing, fine = client.statistics().subscriptions
        assert (failing.errors, failing.last_error) == (3, "system_alert.test: RuntimeError: no")
        assert (fine.errors, fine.handled) == (0, 3)


async def test_many_messages_published_at_once_are_packed_and_all_arrive_once(settings: EdgesConfig) -> None:
    heard = Heard()
    async with (
        await get_dual_bus_client(EngineType.ML, "one", settings=settings) as client,
        await get_dual_bus_client(EngineType.ML, "two", settings=settings) as speaker,
    ):
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard)
        sent = [speaker.publish_message(MessageType.SYSTEM_ALERT, alert(str(number))) for number in range(2_000)]
        ids = await asyncio.gather(*sent)
        await until(lambda: len(heard.messages) == 2_000)
        assert [meta.message_id for meta in heard.metas] == ids
        assert [message.code for message in heard.messages] == [str(number) for number in range(2_000)]
        assert speaker.statistics().outbound[MessageType.SYSTEM_ALERT.channel].entries < 200


async def test_arrays_travel_to_whoever_computes(settings: EdgesConfig) -> None:
    heard = Heard()
    request = ComputeRequest(ts_event=1, request_id="r-1", kernel="matrix_product", arguments=(np.arange(4.0), 2))
    async with (
        await get_dual_bus_client(EngineType.ML, "one", settings=settings) as client,
        await get_dual_bus_client(EngineType.RISK, "two", settings=settings) as speaker,
    ):
        await client.subscribe_to_neural_gpu([MessageType.GPU_COMPUTATION], heard)
        await speaker.publish_message(
            MessageType.GPU_COMPUTATION, request, topic=topics.compute_request("matrix_product")
        )
        await until(lambda: bool(heard.messages))
        array, number = heard.messages[0].arguments
        assert (array.tolist(), number, heard.metas[0].correlation_id) == ([0.0, 1.0, 2.0, 3.0], 2, "r-1")


async def test_a_server_that_restarts_empty_costs_no_later_message(connection: Any) -> None:
    heard = Heard()
    with Valkey() as server:
        config = edges_config(server)
        one = DualBusClient(EngineType.ML, "one", config, log=LOG)
        two = DualBusClient(EngineType.ML, "two", config, log=LOG, publish_timeout_seconds=20)
        async with one, two:
            await one.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard)
            await two.publish_message(MessageType.SYSTEM_ALERT, alert("before"))
            await until(lambda: len(heard.messages) == 1)
            server.kill()
            waiting = asyncio.create_task(two.publish_message(MessageType.SYSTEM_ALERT, alert("while away")))
            await until(lambda: bool(one.statistics().problems and two.statistics().problems))
            await asyncio.to_thread(server.start)
            await waiting
            await two.publish_message(MessageType.SYSTEM_ALERT, alert("after"))
            await until(lambda: len(heard.messages) == 3)
            assert [message.code for message in heard.messages] == ["before", "while away", "after"]
            await until(lambda: not one.statistics().problems)


async def test_without_a_server_publishing_fails_in_time_and_subscribing_goes_on_trying() -> None:
    heard = Heard()
    with Valkey(start=False) as server:
        config = edges_config(server, connect_timeout_seconds=0.1)
        client = DualBusClient(EngineType.ML, "one", config, log=LOG, publish_timeout_seconds=0.3)
        with pytest.raises(Unavailable, match=r"has not taken ml\.one-\d+ within 0\.3 s: it (was|is)"):
            await client.publish_message(MessageType.SYSTEM_ALERT, alert())
        await client.subscribe_to_marketdata([MessageType.PRICE_UPDATE], heard)
        await until(lambda: len(client.statistics().problems) >= 2)
        await asyncio.to_thread(server.start)
        await until(lambda: not client.statistics().problems)
        async with NodeSide(config) as node:
            node.bus.publish(topics.quote("AAPL.XNAS"), quote(1))
            await until(lambda: heard.messages == [quote(1)])
        await client.close()


async def test_more_than_may_wait_is_refused_at_once() -> None:
    with Valkey(start=False) as server:
        quick = EngineLogicEdge(url=server.url, queue_max_events=10)
        client = DualBusClient(
            EngineType.ML, "one", EdgesConfig(engine_logic=quick), log=LOG, publish_timeout_seconds=0.3
        )
        sent = [client.publish_message(MessageType.SYSTEM_ALERT, alert()) for _ in range(300)]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        refused = [outcome for outcome in outcomes if "wait for the server already" in str(outcome)]
        assert refused
        assert f"{len(refused)} messages were refused" in " ".join(client.statistics().problems)
        await client.close()


async def test_closing_tells_who_still_waits() -> None:
    with Valkey(start=False) as server:
        client = DualBusClient(EngineType.ML, "one", edges_config(server), log=LOG)
        waiting = asyncio.create_task(client.publish_message(MessageType.SYSTEM_ALERT, alert()))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Unavailable, match="the client was closed"):
            await waiting


# -- one client a name -------------------------------------------------------------------------------------------------


async def test_the_same_name_is_the_same_client_until_it_is_closed(settings: EdgesConfig) -> None:
    client = await get_dual_bus_client(EngineType.ML, "one", settings=settings)
    assert await get_dual_bus_client(EngineType.ML, "one") is client
    other = await get_dual_bus_client(EngineType.RISK, "one", settings=settings)
    assert other is not client
    with pytest.raises(Conflict, match=r"ml\.one with other settings"):
        await get_dual_bus_client(EngineType.ML, "one", settings=EdgesConfig(prefix="other"))
    with pytest.raises(Conflict, match=r"ml\.one with other settings"):
        await get_dual_bus_client(EngineType.ML, "one", resume=True)
    await client.close()
    await client.close()
    again = await get_dual_bus_client(EngineType.ML, "one", settings=settings)
    assert again is not client
    await again.close()
    await other.close()
    nameless = await get_dual_bus_client(EngineType.ML, settings=settings)
    assert await get_dual_bus_client(EngineType.ML) is nameless
    await nameless.close()


def test_a_client_of_another_loop_is_not_handed_out() -> None:
    kept: list[DualBusClient] = []

    async def make() -> None:
        kept.append(await get_dual_bus_client(EngineType.ML, "one"))

    asyncio.run(make())
    asyncio.run(make())
    assert kept[0] is not kept[1]

    async def meanwhile() -> None:
        client = await get_dual_bus_client(EngineType.ML, "here")
        with pytest.raises(Conflict, match="another event loop"):
            await asyncio.to_thread(asyncio.run, get_dual_bus_client(EngineType.ML, "here"))
        await client.close()

    asyncio.run(meanwhile())


async def test_a_closed_client_refuses_every_call_and_leaves_nothing_behind(
    settings: EdgesConfig, connection: Any
) -> None:
    client = await get_dual_bus_client(EngineType.ML, "one", settings=settings)
    before = asyncio.all_tasks()
    await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], Heard())
    await client.publish_message(MessageType.SYSTEM_ALERT, alert())
    stream = "nautilus:engine_logic:system_alert"
    assert [group["name"] for group in await connection.xinfo_groups(stream)] == [b"nautilus:client.ml.one"]
    await client.close()
    assert asyncio.all_tasks() == before
    assert await connection.xinfo_groups(stream) == []
    with pytest.raises(Conflict, match="is closed"):
        await client.publish_message(MessageType.SYSTEM_ALERT, alert())
    with pytest.raises(Conflict, match="is closed"):
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], Heard())
    gc.collect()


async def test_with_resume_a_client_hears_what_came_while_it_was_away(settings: EdgesConfig) -> None:
    heard = Heard()
    speaker = await get_dual_bus_client(EngineType.ML, "speaker", settings=settings)
    async with await get_dual_bus_client(EngineType.ML, "one", settings=settings, resume=True) as client:
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard)
    await speaker.publish_message(MessageType.SYSTEM_ALERT, alert("missed"))
    async with await get_dual_bus_client(EngineType.ML, "one", settings=settings, resume=True) as client:
        await client.subscribe_to_engine_logic([MessageType.SYSTEM_ALERT], heard)
        await until(lambda: heard.messages == [alert("missed")])
    await speaker.close()


# -- wrong calls -------------------------------------------------------------------------------------------------------


async def one_argument(message: Any) -> None:
    pass


def not_async(message: Any, meta: Any) -> None:
    pass


async def fine(message: Any, meta: Any) -> None:
    pass


class AsyncObject:
    async def method(self, message: Any, meta: Any) -> None:
        pass


@pytest.fixture
async def client() -> AsyncIterator[DualBusClient]:
    made = DualBusClient(EngineType.ML, "wrong-calls", EdgesConfig(), log=LOG)
    yield made
    assert made.statistics().subscriptions == ()
    assert (made.statistics().outbound, made.statistics().inbound) == ({}, {})  # nothing was connected
    await made.close()


@pytest.mark.parametrize(
    ("types", "handler", "patterns", "field"),
    [
        (MessageType.PRICE_UPDATE, fine, None, "message_types"),
        ("price_update", fine, None, "message_types"),
        (["price_update"], fine, None, "message_types"),
        ([], fine, None, "message_types"),
        (7, fine, None, "message_types"),
        ([MessageType.RISK_METRIC], fine, None, "message_types"),
        ([MessageType.PRICE_UPDATE], None, None, "handler"),
        ([MessageType.PRICE_UPDATE], not_async, None, "handler"),
        ([MessageType.PRICE_UPDATE], one_argument, None, "handler"),
        ([MessageType.PRICE_UPDATE], functools.partial(one_argument, 1), None, "handler"),
        ([MessageType.PRICE_UPDATE], AsyncObject(), None, "handler"),
        ([MessageType.PRICE_UPDATE], fine, "quote.>", "patterns"),
        ([MessageType.PRICE_UPDATE], fine, [], "patterns"),
        ([MessageType.PRICE_UPDATE], fine, ["trade.>"], "patterns"),
        ([MessageType.PRICE_UPDATE], fine, ["quote..A"], "patterns"),
        ([MessageType.PRICE_UPDATE], fine, ["nonsense.>"], "patterns"),
    ],
)
async def test_a_wrong_subscription_is_refused_by_name(
    client: DualBusClient, types: Any, handler: Any, patterns: Any, field: str
) -> None:
    with pytest.raises(Invalid) as error:
        await client.subscribe_to_marketdata(types, handler, patterns=patterns)
    assert error.value.field == field


async def test_a_type_without_messages_is_refused(client: DualBusClient) -> None:
    with pytest.raises(Invalid, match="message_types: backtest_start has no messages"):
        await client.subscribe_to_engine_logic([MessageType.BACKTEST_START], fine)


PREDICTION = Prediction(ts_event=1, instrument_id="A.X", model="m", version=1, target="t", horizon_bars=1, value=0.0)


@pytest.mark.parametrize(
    ("one", "payload", "options", "field"),
    [
        ("ml_prediction", PREDICTION, {}, "message_type"),
        ("nonsense", PREDICTION, {}, "message_type"),
        (MessageType.ML_PREDICTION, quote(1), {}, "payload"),
        (MessageType.ML_PREDICTION, {"value": 1}, {}, "payload"),
        (MessageType.BACKTEST_START, PREDICTION, {}, "payload"),
        (MessageType.ML_PREDICTION, quote(1), {"topic": "prediction.A.X"}, "payload"),
        (MessageType.ML_PREDICTION, PREDICTION, {"topic": "quote.A.X"}, "topic"),
        (MessageType.ML_PREDICTION, PREDICTION, {"topic": "prediction.>"}, "topic"),
        (MessageType.ML_PREDICTION, PREDICTION, {"topic": "prediction"}, "topic"),
        (MessageType.ML_PREDICTION, PREDICTION, {"topic": "nonsense.A.X"}, "topic"),
        (MessageType.ML_PREDICTION, PREDICTION, {"topic": 1}, "topic"),
        (MessageType.ML_PREDICTION, PREDICTION, {"priority": 9}, "priority"),
        (MessageType.ML_PREDICTION, PREDICTION, {"correlation_id": 9}, "correlation_id"),
        (
            MessageType.RISK_ALERT,
            TradingControl(ts_event=1, state="active", kill_switch=False),
            {},
            "topic",
        ),
    ],
)
async def test_a_wrong_message_is_refused_by_name(
    client: DualBusClient, one: Any, payload: Any, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as error:
        await client.publish_message(one, payload, **options)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("engine", "instance", "options", "field"),
    [
        ("ml", "one", {}, "engine"),
        (EngineType.ML, "", {}, "instance_id"),
        (EngineType.ML, "two words", {}, "instance_id"),
        (EngineType.ML, "a:b", {}, "instance_id"),
        (EngineType.ML, 7, {}, "instance_id"),
        (EngineType.ML, "one", {"settings": {"prefix": "x"}}, "settings"),
    ],
)
async def test_a_wrong_client_is_refused_by_name(engine: Any, instance: Any, options: Any, field: str) -> None:
    with pytest.raises(Invalid) as error:
        await get_dual_bus_client(engine, instance, **options)
    assert error.value.field == field


async def test_a_channel_that_is_switched_off_is_said_to_be() -> None:
    off = EdgesConfig(marketdata=MarketDataEdge(enabled=False))
    client = DualBusClient(EngineType.ML, "one", off, log=LOG)
    with pytest.raises(Conflict, match="marketdata is switched off"):
        await client.subscribe_to_marketdata([MessageType.PRICE_UPDATE], fine)


def test_the_topic_follows_from_the_payload_as_engines_name_it() -> None:
    signal = StrategySignal(
        ts_event=1, strategy_id="momentum", instrument_id="A.X", side=Side.BUY, strength=1.0, reason=""
    )
    health = EngineHealth(ts_event=1, engine="ml", status="live", reasons=())
    metric = RiskMetric(ts_event=1, name="var", scope="SIM", value=1.0)
    assert check_topic(None, MessageType.PRICE_UPDATE, quote(1)) == topics.quote("AAPL.XNAS")
    assert check_topic(None, MessageType.ML_PREDICTION, PREDICTION) == topics.prediction("A.X")
    assert check_topic(None, MessageType.STRATEGY_SIGNAL, signal) == topics.signal("momentum")
    assert check_topic(None, MessageType.ENGINE_HEALTH, health) == topics.health("ml")
    assert check_topic(None, MessageType.RISK_METRIC, metric) == topics.risk_metric("var")
    assert check_topic(None, MessageType.SYSTEM_ALERT, alert()) == topics.system_alert("test")


def test_the_classes_of_a_topic_are_what_it_carries() -> None:
    assert classes("quote.A.X") == (Quote,)
    assert all(issubclass(kind, msgspec.Struct) for kind in classes("order.momentum"))
    assert len(classes("order.momentum")) > 5
