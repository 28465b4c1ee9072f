"""Ownership: one node trades an account; whoever was cut off goes on only where nobody traded it meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.settings import ServerSettings
from nautilus.errors import Conflict, StoreError
from nautilus.ownership import Ownership, OwnershipConfig
from nautilus.store import EmbeddedStore
from nautilus.store.postgres import Fenced
from tests.servers.valkey import Valkey

TTL = 1.0
Make = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as running:
        yield running


@pytest.fixture
async def make(server: Valkey) -> AsyncIterator[Make]:
    """Makes contenders for the accounts of this test alone; each notes why it was superseded."""
    made: list[tuple[Ownership, Any]] = []

    async def one(owner: str, *accounts: str) -> tuple[Ownership, list[str]]:
        settings = ServerSettings(url=server.url, response_timeout_seconds=0.3)
        connection = await open_client(settings, name=owner)
        reasons: list[str] = []
        config = OwnershipConfig(accounts=accounts or ("main",), lease_seconds=TTL)
        prefix = f"test{id(made)}"
        ownership = Ownership(config, connection, owner=owner, prefix=prefix, on_superseded=reasons.append)
        made.append((ownership, connection))
        return ownership, reasons

    yield one
    for ownership, connection in made:
        await ownership.release()
        await connection.aclose()


@pytest.fixture
async def store() -> AsyncIterator[EmbeddedStore]:
    made = EmbeddedStore.in_memory()
    await made.open()
    yield made
    await made.close()


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def owning(make: Make, store: EmbeddedStore, owner: str = "one") -> tuple[Ownership, list[str]]:
    ownership, reasons = await make(owner)
    await ownership.take()
    await ownership.begin(store.state)
    return ownership, reasons


async def test_the_second_stands_by_until_the_first_lets_go(make: Make, store: EmbeddedStore) -> None:
    first, _ = await owning(make, store)
    assert first.why_not_owner("main") is None
    assert first.report().trading
    assert "not among those" in (first.why_not_owner("other") or "")
    second, _ = await make("two")
    taking = asyncio.create_task(second.take())
    await until(lambda: second.report().leases[0].holder == "one")
    assert "one holds it" in (second.why_not_owner("main") or "")
    token = first.token
    await first.release()
    assert first.why_not_owner("main") is not None
    await asyncio.wait_for(taking, 5)
    assert second.token > token
    assert "being asked" in (second.why_not_owner("main") or "")  # it has not begun
    await second.begin(store.state)
    assert second.why_not_owner("main") is None


async def test_two_nodes_with_two_accounts_do_not_wait_for_each_other(make: Make) -> None:
    one, _ = await make("one", "a", "b")
    two, _ = await make("two", "b", "a")
    done, waiting = await asyncio.wait(
        [asyncio.create_task(node.take()) for node in (one, two)], timeout=5, return_when=asyncio.FIRST_COMPLETED
    )
    assert (len(done), len(waiting)) == (1, 1)
    waiting.pop().cancel()


async def test_a_server_that_is_away_for_a_while_stops_trading_and_lets_it_go_on(
    server: Valkey, make: Make, store: EmbeddedStore
) -> None:
    ownership, reasons = await owning(make, store)
    token = ownership.token
    server.freeze()
    try:
        await until(lambda: ownership.why_not_owner("main") is not None)
        assert ownership.problems()
    finally:
        server.thaw()
    await until(lambda: ownership.why_not_owner("main") is None)
    assert ownership.token >= token
    assert not reasons
    assert not ownership.problems()


async def test_who_was_away_while_another_traded_is_superseded(make: Make, store: EmbeddedStore) -> None:
    first, reasons = await owning(make, store)
    keeping = first.leases["main"]._task
    assert keeping is not None
    keeping.cancel()  # as if it were frozen: nothing renews
    second, _ = await owning(make, store, "two")
    assert first.why_not_owner("main") is not None  # by its own clock, having asked nobody
    await second.release()
    first.leases["main"]._task = None
    first.leases["main"].start()
    await until(lambda: bool(reasons))
    assert reasons == ["superseded: two traded account main while this node did not hold its lease"]
    assert first.why_not_owner("main") == reasons[0]


async def test_who_sees_another_hold_its_account_is_superseded(make: Make, store: EmbeddedStore) -> None:
    first, reasons = await owning(make, store)
    keeping = first.leases["main"]._task
    assert keeping is not None
    keeping.cancel()
    await owning(make, store, "two")
    first.leases["main"]._task = None
    first.leases["main"].start()
    await until(lambda: bool(reasons))
    assert "two has taken account main over" in reasons[0]


async def test_an_owner_with_another_store_is_refused(make: Make, store: EmbeddedStore) -> None:
    first, _ = await owning(make, store)
    await first.release()
    other = EmbeddedStore.in_memory()
    await other.open()
    second, _ = await make("two")
    await second.take()
    with pytest.raises(Conflict, match="traded from another store"):
        await second.begin(other.state)
    assert second.why_not_owner("main") is not None
    await other.close()


async def test_an_owner_with_a_token_lower_than_the_stores_is_refused(make: Make, store: EmbeddedStore) -> None:
    store.state.put("ownership", "token", str(2**60).encode())
    ownership, _ = await make("late")
    await ownership.take()
    with pytest.raises(Conflict, match="last used by an owner with token"):
        await ownership.begin(store.state)


async def test_a_server_that_lost_its_data_does_not_bring_an_owner_back_whom_the_store_has_fenced(
    server: Valkey, make: Make, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, reasons = await owning(make, store)
    first.leases["main"]._task.cancel()  # as if it were frozen
    await until(lambda: not first.leases["main"].is_held)

    async def refuse() -> None:
        raise Fenced("fenced: token 9 owns this store now")

    monkeypatch.setattr(store.state, "flush", refuse)  # what PostgreSQL does once another has opened it
    await first._connection.flushdb()
    first.leases["main"]._task = None
    first.leases["main"].start()
    await until(lambda: bool(reasons))
    assert reasons == ["superseded: fenced: token 9 owns this store now"]
    assert first.why_not_owner("main") == reasons[0]


async def test_a_store_that_does_not_take_the_token_keeps_a_node_from_trading_until_it_does(
    make: Make, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, reasons = await owning(make, store)
    flush = store.state.flush

    async def refuse() -> None:
        raise StoreError("PostgreSQL is away")

    monkeypatch.setattr(store.state, "flush", refuse)
    first.leases["main"]._lose("a test")
    await until(lambda: "ownership: PostgreSQL is away" in first.problems())
    assert "being asked" in (first.why_not_owner("main") or "")
    monkeypatch.setattr(store.state, "flush", flush)
    await until(lambda: first.why_not_owner("main") is None)
    assert not reasons
    assert not first.problems()


async def test_who_was_stopped_while_it_entered_does_not_enter_over_the_next_owner(
    make: Make, store: EmbeddedStore
) -> None:
    first, _ = await owning(make, store)
    token = first.token
    await first.release()
    second, _ = await owning(make, store, "two")
    assert await first._register("main", token, "first") == ("moved", "")
    assert await first._connection.get(f"{first._prefix}:account_owner:main") == b"two"
    assert second.why_not_owner("main") is None


async def test_an_account_lost_while_another_is_waited_for_is_taken_again(make: Make) -> None:
    other, _ = await make("other", "b")
    await other.take()
    both, _ = await make("both", "a", "b")
    taking = asyncio.create_task(both.take())
    await until(lambda: both.leases["a"].is_held and bool(both.leases["b"].report().holder))
    assert both.waits_for() == "account b is owned by other"
    both.leases["a"]._lose("a test")
    await other.release()
    token = await asyncio.wait_for(taking, 10)
    assert all(lease.is_held for lease in both.leases.values())
    assert both.token == token


async def test_another_that_takes_an_account_while_a_node_begins_supersedes_it(
    make: Make, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, reasons = await make("one")
    await first.take()
    first.leases["main"]._task.cancel()  # as if it were frozen, before it has entered
    await owning(make, store, "two")
    first.leases["main"]._task = None
    first.leases["main"].start()
    with pytest.raises(Conflict, match="superseded: two has taken account main over"):
        await asyncio.wait_for(first.begin(store.state), 10)
    assert first.why_not_owner("main") == reasons[0]
