"""A node among others: standing by, starting and stopping beside a server that is away, what was said before."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from nautilus.clock import LiveClock
from nautilus.engines.risk.denial import Denial
from nautilus.errors import Conflict, StoreError
from nautilus.model import topics
from nautilus.model.enums import OrderType, Quality, Side
from nautilus.model.messages import GateDecision
from nautilus.model.orders import CancelOrder, SubmitOrder
from nautilus.node import Node
from nautilus.testing import Capture, make_instrument, make_node, make_quote
from tests.servers.valkey import Valkey

LEASE = 1.0
ID = "TEST.SIM"
Make = Callable[..., Node]


@pytest.fixture
def server() -> Iterator[Valkey]:
    with Valkey() as running:
        yield running


@pytest.fixture
async def make(server: Valkey, tmp_path: Path) -> AsyncIterator[Make]:
    """Makes nodes on the test's server, each with a store of its name unless told another; stopped after the test."""
    made: list[Node] = []

    def one(
        name: str, *engines: str, account: str = "", store: str | None = None, directory: str = "", **more: Any
    ) -> Node:
        options: dict[str, Any] = {
            "name": name,
            "edges.enabled": True,
            **{f"edges.{part}.url": server.url for part in ("cache", "marketdata", "engine_logic", "neural_gpu")},
            "edges.marketdata.inbound": [">"],
            "edges.engine_logic.inbound": ["control.>"],
            "edges.cache.connect_timeout_seconds": 0.3,
            "edges.cache.response_timeout_seconds": 0.5,
            "ownership.accounts": [account] if account else [],
            "ownership.lease_seconds": LEASE,
            **more,
        }
        node = make_node(
            engines or ("risk",), options, clock=LiveClock(), directory=directory or str(tmp_path / (store or name))
        )
        made.append(node)
        return node

    yield one
    for node in made:
        await node.stop()


@pytest.fixture
def server_away(server: Valkey) -> Valkey:
    server.kill()
    return server


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {seconds} s: {what}")


def starting(node: Node) -> "asyncio.Task[None]":
    return asyncio.get_running_loop().create_task(node.start())


def waits(node: Node, text: str) -> bool:
    return node.cluster is not None and text in node.cluster.standing_by()


def ask(node: Node, command: Any) -> GateDecision:
    decision: GateDecision = node.bus.call("risk.gate", command)
    return decision


def order(number: int) -> SubmitOrder:
    return SubmitOrder(
        client_order_id=f"o{number}",
        strategy_id="s",
        account_id="main",
        instrument_id=ID,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity_lots=1,
    )


def with_market(node: Node) -> None:
    instrument = make_instrument()
    node.instruments.add(instrument)
    node.bus.publish(topics.instrument(ID), instrument)
    now = node.clock.timestamp_ns()
    node.bus.publish(topics.quote(ID), make_quote(ts_event=now))


# -- standing by -------------------------------------------------------------------------------------------------------


async def test_without_a_server_a_node_says_why_it_waits_and_goes_on_when_it_comes(
    server_away: Valkey, make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    node = make("trading", account="main", **{"log.level": "info"})
    start = starting(node)
    await until(lambda: waits(node, "account main cannot be leased: the cache server"), "it says why")
    logged = ""

    def is_logged() -> bool:
        nonlocal logged
        logged += "".join(capfd.readouterr())
        return "node.standing_by" in logged and "cannot be leased" in logged

    await until(is_logged, "the log says so too")
    assert not node.ready
    server_away.start()
    await asyncio.wait_for(start, 20)
    assert node.ready
    assert ask(node, order(1)).code != Denial.NOT_OWNER


async def test_a_stop_while_standing_by_ends_at_once_and_leaves_the_owner_alone(make: Make) -> None:
    owner = make("trading", account="main")
    await owner.start()
    second = make("standby", account="main", store="trading")
    start = starting(second)
    await until(lambda: waits(second, f"owned by {owner.cluster.instance}"), "it stands by")
    began = asyncio.get_running_loop().time()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert asyncio.get_running_loop().time() - began < 2
    assert owner.cluster.ownership.report().trading
    assert second.cluster.ownership.token == 0


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_stop_while_the_server_is_away_ends_soon_too(server: Valkey, make: Make, frozen: bool) -> None:
    server.freeze() if frozen else server.kill()
    node = make("trading", account="main")
    start = starting(node)
    await until(lambda: waits(node, "cannot be leased"), "it stands by")
    began = asyncio.get_running_loop().time()
    start.cancel()
    await asyncio.wait([start])
    assert asyncio.get_running_loop().time() - began < 5
    assert start.cancelled()


async def test_who_may_not_begin_says_so_and_lets_the_lease_go(make: Make) -> None:
    first = make("trading", account="main")
    await first.start()
    await first.stop()
    stranger = make("stranger", account="main")
    with pytest.raises(Conflict, match=r"traded from another store than this node's.*delete the key") as raised:
        await stranger.start()
    assert "\n" not in str(raised.value)
    third = make("third", account="main", store="trading")
    await asyncio.wait_for(third.start(), 10)
    assert third.ready


async def test_a_server_that_freezes_while_a_node_begins_only_holds_it_up(
    server: Valkey, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make("trading", account="main")
    opened = node.store.open

    async def open_and_freeze(*arguments: Any) -> Any:
        report = await opened(*arguments)
        server.freeze()
        return report

    monkeypatch.setattr(node.store, "open", open_and_freeze)
    start = starting(node)
    await until(lambda: node.cluster is not None and node.cluster.ownership.leases["main"].losses, "the lease is lost")
    assert waits(node, "account main")
    assert not start.done()
    server.thaw()
    await asyncio.wait_for(start, 20)
    assert ask(node, order(1)).code != Denial.NOT_OWNER


async def test_who_is_superseded_while_it_starts_does_not_become_ready(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make("trading", account="main")

    async def activate() -> None:
        node._supersede("superseded: another has account main")

    monkeypatch.setattr(node["risk"], "activate", activate)
    with pytest.raises(Conflict, match="superseded: another"):
        await node.start()
    assert not node.ready
    assert node.was_superseded.is_set()


# -- trading -----------------------------------------------------------------------------------------------------------


async def test_while_the_server_is_away_orders_are_refused_and_cancels_pass(server: Valkey, make: Make) -> None:
    node = make("trading", account="main")
    await node.start()
    with_market(node)
    assert ask(node, order(1)).clearance is not None
    cleared = ask(node, order(2)).clearance
    server.freeze()
    try:
        await until(lambda: ask(node, order(3)).code == Denial.NOT_OWNER, "orders are refused")
        assert node.bus.call("risk.redeem", cleared) is False  # nor what was cleared before
        cancel = CancelOrder(client_order_id="o1")
        assert ask(node, cancel).clearance is not None
        assert any("is not held" in problem for problem in node.cluster.problems())
    finally:
        server.thaw()
    await until(lambda: node.cluster.ownership.report().trading, "it goes on")
    assert not node.superseded


async def test_a_server_restarted_empty_is_told_again_who_trades_from_which_store(server: Valkey, make: Make) -> None:
    node = make("trading", account="main", **{"ownership.lease_seconds": 3.0})
    await node.start()
    server.restart()  # it keeps nothing
    await until(lambda: node.cluster.ownership.report().trading, "it goes on")
    await until(lambda: not node.cluster.ownership.problems(), "and asks again")
    stored = node.store.state.get("ownership", "store")
    told = b""
    async with asyncio.timeout(20):
        while told != stored:
            with suppress(RedisError):  # connections of before
                told = await node.cluster._cache.get("nautilus:account_store:main")
    await node.stop()
    stranger = make("stranger", account="main", **{"ownership.lease_seconds": 3.0})
    with pytest.raises(Conflict, match="another store"):
        await stranger.start()


async def test_no_snapshot_is_written_by_a_node_that_is_superseded_meanwhile(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make("trading", account="main")
    await node.start()
    flushed = node.store.journal.flush

    async def flush_and_lose() -> None:
        await flushed()
        node._supersede("superseded: meanwhile")

    monkeypatch.setattr(node.store.journal, "flush", flush_and_lose)
    await node.snapshot()
    assert node.store.state.keys("snapshots") == []
    await node.stop()


# -- others ------------------------------------------------------------------------------------------------------------


async def test_a_kill_switch_thrown_before_a_node_came_is_obeyed_by_it(make: Make) -> None:
    first = make("first")
    await first.start()
    first["risk"].kill("a test", "tester")  # type: ignore[attr-defined]
    await until(lambda: first.cluster.retained.report().written, "it is retained")
    second = make("second")
    seen = Capture(second.bus, topics.CONTROL)
    await second.start()
    assert second["risk"].controls.state.kill.engaged  # type: ignore[attr-defined]
    assert seen.messages[0].reason == "a test"


async def test_what_an_earlier_run_of_the_node_said_is_left_to_its_store(server: Valkey, make: Make) -> None:
    first = make("trading")
    await first.start()
    first["risk"].kill("a test", "tester")  # type: ignore[attr-defined]
    await first.stop()
    again = make("trading", store="another")  # so that only the server knows of the switch
    await again.start()
    assert not again["risk"].controls.state.kill.engaged  # type: ignore[attr-defined]


async def test_two_nodes_of_one_name_are_a_problem_until_one_leaves(make: Make) -> None:
    one, two = make("same", store="one"), make("same", store="two")
    await one.start()
    assert not one.cluster.problems()
    await two.start()
    for node in (one, two):
        await until(lambda node=node: "named 'same' too" in str(node.cluster.problems()), "it is noticed")
    await two.stop()
    await until(lambda: not one.cluster.problems(), "the other has left")
    assert two.cluster.instance not in {info.instance for info in one.cluster.presence.peers()}


async def test_who_stands_by_under_the_owners_name_is_no_problem(make: Make) -> None:
    owner, second = make("trading", account="main"), make("trading", account="main")
    await owner.start()
    start = starting(second)
    await until(lambda: waits(second, "owned by trading-"), "it stands by")
    await until(owner.cluster.presence.peers, "the owner knows")
    assert not owner.cluster.problems()
    await owner.stop()
    await asyncio.wait_for(start, 20)
    assert second.ready


async def test_a_private_node_knows_nobody(make: Make) -> None:
    node = make("trading", account="main")
    await node.start()
    async with node.context.private_node({}, clock=LiveClock(), engines=["risk"]) as private:  # type: ignore[misc]
        assert private.cluster is None
        assert private.context.why_not_owner("main") is None


async def test_the_text_of_the_market_source_survives_restarts_and_departures(make: Make) -> None:
    market = make("market", "marketdata", **{"engines.marketdata.source": "simulated"})
    reader = make("reader")
    await asyncio.gather(market.start(), reader.start())
    told = f"{market.context.source.description} (from market)"
    await until(lambda: reader.context.source.description == told, "the source is known")
    assert reader.context.source.quality is Quality.SIMULATED
    await market.stop()
    await until(lambda: not reader.cluster.presence.peers(), "it has left")
    assert reader.context.source.description == told
    await reader.stop()
    again = make("reader")
    await again.start()
    assert (again.context.source.quality, again.context.source.description) == (Quality.NONE, told)


async def test_of_two_markets_the_present_one_stays(make: Make) -> None:
    def simulated(name: str, seed: int) -> Node:
        return make(name, "marketdata", **{"engines.marketdata.source": "simulated", "engines.marketdata.seed": seed})

    reader, second, first = make("reader"), simulated("second", 2), simulated("first", 1)
    await asyncio.gather(reader.start(), second.start())
    await until(lambda: "from second" in reader.context.source.description, "the second is known")
    await first.start()
    await until(lambda: len(reader.cluster.presence.peers()) == 2, "both are known")
    assert "from second" in reader.context.source.description


async def test_a_store_that_refuses_keeps_nobody_from_hearing_of_an_instrument(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, teller = make("reader"), make("teller")
    await asyncio.gather(reader.start(), teller.start())
    put = reader.store.state.put

    def refuse(namespace: str, key: str, value: bytes) -> None:
        if namespace == "cluster.instruments":
            raise StoreError("the disk is full")
        put(namespace, key, value)

    monkeypatch.setattr(reader.store.state, "put", refuse)
    heard = Capture(reader.bus, topics.ALL_INSTRUMENTS)
    with_market(teller)
    await until(lambda: len(heard), "it is heard")  # also where the edge reads the stream only from after that
    assert ID in reader.instruments
    assert any("the disk is full" in problem for problem in reader.cluster.problems())


async def test_a_stop_beside_a_frozen_server_ends_every_part(server: Valkey, make: Make) -> None:
    node = make("trading", account="main")
    before = asyncio.all_tasks()
    await node.start()
    with_market(node)
    await until(lambda: node.cluster.retained.report().written, "the server is used")
    server.freeze()
    try:
        with_market(node)
        async with asyncio.timeout(20):
            await node.stop()
    finally:
        server.thaw()
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()


async def test_retained_messages_of_another_version_do_not_keep_a_node_from_starting(
    server: Valkey, make: Make
) -> None:
    first = make("first")
    await first.start()
    await first.cluster._cache.hset("nautilus:retained", "control.trading", b"9 what ever this is")
    await first.cluster._cache.hset("nautilus:retained", "nonsense", b"\xff")
    second = make("second")
    await second.start()
    assert second.ready
    assert second.cluster.retained.report().undecodable == 1
