"""Leases: one owner at a time through kills, freezes, cut lines and servers that forget, and tokens that only grow."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.lease import Lease, elapsed_seconds
from nautilus.bus.edges.settings import ServerSettings
from nautilus.errors import Conflict, Invalid, Unavailable
from tests.servers.valkey import Valkey

NAME = "account.SIM-001"
TTL = 0.4
CONTENDER = Path(__file__).with_name("lease_contender.py")


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


def contender(connection: Any, owner: str, **options: Any) -> Lease:
    return Lease(connection, NAME, owner, **{"ttl_seconds": TTL, "settle_seconds": 0.0, **options})


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's
            await asyncio.sleep(0.005)


# -- single steps ------------------------------------------------------------------------------------------------------


async def test_the_first_who_asks_owns_it_and_the_next_knows_who_does(connection: Any) -> None:
    first, second = contender(connection, "one"), contender(connection, "two")
    assert await first.acquire()
    assert not await second.acquire()
    assert (first.is_held, second.is_held) == (True, False)
    assert first.require() == first.token > 0
    report = second.report()
    assert (report.holder, report.holder_token, report.held, report.token) == ("one", first.token, False, 0)
    with pytest.raises(Conflict, match=r"two does not own account\.SIM-001: one owns it \(token \d+\)"):
        second.require()


async def test_two_leases_under_one_owners_name_are_two_contenders(connection: Any) -> None:
    first, second = contender(connection, "same"), contender(connection, "same")
    assert await first.acquire()
    assert not await second.acquire()


async def test_a_released_lease_is_free_at_once_and_its_next_token_is_higher(connection: Any) -> None:
    first, second = contender(connection, "one"), contender(connection, "two")
    await first.acquire()
    token = first.token
    await first.release()
    await first.release()
    assert not first.is_held
    assert await second.acquire()
    assert second.token > token


async def test_it_runs_out_on_our_clock_before_it_does_on_the_servers(connection: Any) -> None:
    now = 0.0
    lease = contender(connection, "one", ttl_seconds=10.0, safety_seconds=1.0, monotonic=lambda: now)
    await lease.acquire()
    now = 8.999
    assert lease.is_held
    now = 9.0
    assert not lease.is_held
    assert lease.token == 0
    assert not await contender(connection, "two").acquire()  # for the server it is still the first one's


async def test_renewing_keeps_the_token_and_moves_the_end(connection: Any) -> None:
    now = 0.0
    lease = contender(connection, "one", ttl_seconds=10.0, monotonic=lambda: now)
    await lease.acquire()
    token = lease.token
    for _ in range(3):
        now += 5.0
        assert await lease.renew()
    assert lease.token == token
    assert lease.report().seconds_left == pytest.approx(9.0)


async def test_an_answer_that_took_longer_than_the_lease_lasts_gives_nothing(connection: Any) -> None:
    moments = iter([0.0])
    lease = contender(connection, "one", ttl_seconds=10.0, monotonic=lambda: next(moments, 9.5))
    assert not await lease.acquire()
    assert not lease.is_held


async def test_acquiring_again_after_a_lost_answer_takes_over_from_oneself(connection: Any) -> None:
    lease = contender(connection, "one", ttl_seconds=60.0)
    with pytest.raises(Unavailable):
        await _without_answer(lease, lease.acquire)
    assert not lease.is_held
    assert await lease.acquire()


async def test_a_lease_in_doubt_is_released_too(connection: Any) -> None:
    lease = contender(connection, "one", ttl_seconds=60.0)
    with pytest.raises(Unavailable):
        await _without_answer(lease, lease.acquire)
    await lease.release()
    assert await contender(connection, "two", ttl_seconds=60.0).acquire()


async def test_a_late_renewal_takes_nothing_from_the_successor(connection: Any) -> None:
    lost: list[str] = []
    stalled = contender(connection, "one", monotonic=lambda: 0.0, on_lost=lost.append)  # its clock stands still
    await stalled.acquire()
    successor = contender(connection, "two", floor=2**52)
    await until_acquired(successor)
    assert not await stalled.renew()
    assert lost == ["two has taken it"]
    assert await successor.renew()


async def test_releasing_what_was_in_doubt_takes_nothing_from_the_successor(connection: Any) -> None:
    doubtful = contender(connection, "one")
    with pytest.raises(Unavailable):
        await _without_answer(doubtful, doubtful.acquire)
    successor = contender(connection, "two")
    await until_acquired(successor)
    await doubtful.release()
    assert not await contender(connection, "three").acquire()


class LostAnswer:
    """A connection whose request arrives and whose answer does not."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def eval(self, *arguments: Any) -> None:
        await self.connection.eval(*arguments)
        raise ConnectionError("cut")


async def _without_answer(lease: Lease, step: Callable[[], Awaitable[Any]]) -> None:
    real = lease._connection
    lease._connection = LostAnswer(real)  # type: ignore[assignment]
    try:
        await step()
    finally:
        lease._connection = real


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"owner": ""}, "owner"),
        ({"ttl_seconds": 0.0}, "ttl_seconds"),
        ({"safety_seconds": 0.0}, "safety_seconds"),
        ({"safety_seconds": 9.0}, "safety_seconds"),
        ({"floor": -1}, "floor"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], field: str) -> None:
    given_arguments: dict[str, Any] = {"name": NAME, "owner": "one", **arguments}
    with pytest.raises(Invalid) as error:
        Lease(None, **given_arguments)  # type: ignore[arg-type]
    assert error.value.field == field


# -- fencing -----------------------------------------------------------------------------------------------------------


class Account:
    """What obeys an owner, and no owner of the past: the smallest consumer of fencing tokens."""

    def __init__(self) -> None:
        self.highest_token = 0
        self.orders: list[str] = []

    def submit(self, order: str, token: int) -> None:
        if token < self.highest_token:
            raise Conflict(f"token {token} is older than {self.highest_token}")
        self.highest_token = token
        self.orders.append(order)


async def test_an_owner_that_stalls_between_looking_and_acting_is_refused_by_its_token(connection: Any) -> None:
    account = Account()
    stalled, successor = contender(connection, "one"), contender(connection, "two")
    await stalled.acquire()
    old_token = stalled.require()
    await asyncio.to_thread(time.sleep, TTL)
    assert await successor.acquire()
    account.submit("of the successor", successor.require())
    with pytest.raises(Conflict, match="is older than"):
        account.submit("of the stalled", old_token)
    assert account.orders == ["of the successor"]


# -- the server forgets ------------------------------------------------------------------------------------------------


async def test_tokens_grow_over_a_server_that_restarts_empty() -> None:
    with Valkey() as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        first = contender(connection, "one")
        await first.acquire()
        journal_floor = first.highest_token + 10**12  # the server's clock alone would stay below this
        await asyncio.to_thread(server.restart)
        after = contender(connection, "two", floor=journal_floor)
        await until_acquired(after)
        assert after.token > journal_floor
        await asyncio.to_thread(server.restart)
        without_floor = contender(connection, "three")
        await until_acquired(without_floor)
        assert without_floor.token > first.highest_token
        await connection.aclose()


async def until_acquired(lease: Lease) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                if await lease.acquire():
                    return
            except Unavailable:
                pass
            await asyncio.sleep(0.01)


async def test_what_a_contender_saw_of_others_is_its_floor(connection: Any) -> None:
    first, second = contender(connection, "one", floor=2**52), contender(connection, "two")
    await first.acquire()
    await second.acquire()
    await connection.flushall()
    assert await second.acquire()
    assert second.token > first.highest_token > 2**52


async def test_an_owner_that_the_server_forgot_keeps_its_lease_and_its_token(connection: Any) -> None:
    owner = contender(connection, "one", settle_seconds=TTL)
    other = contender(connection, "two", settle_seconds=TTL)
    await until_acquired(owner)
    token = owner.token
    await connection.flushall()
    assert not await other.acquire()  # the server settles: nobody new may have it
    assert await owner.renew()
    assert owner.token == token
    assert not await other.acquire()
    assert other.report().holder == "one"


async def test_a_server_without_data_gives_it_to_nobody_new_for_one_time_to_live(connection: Any) -> None:
    lease = contender(connection, "one", settle_seconds=TTL)
    started = elapsed_seconds()
    await until_acquired(lease)
    assert elapsed_seconds() - started >= TTL - 0.001


async def test_a_lease_of_the_distant_future_is_cut_to_one_time_to_live(connection: Any) -> None:
    """As the server's clock leaves it when it is put back."""
    owner, other = contender(connection, "one"), contender(connection, "two")
    await owner.acquire()
    await connection.hset(f"nautilus:lease:{NAME}", "until", "99999999999999")
    started = elapsed_seconds()
    await until_acquired(other)
    assert elapsed_seconds() - started < 5


# -- keeping it --------------------------------------------------------------------------------------------------------


async def test_a_started_lease_stays_held_over_many_times_to_live(connection: Any) -> None:
    lost: list[str] = []
    lease = contender(connection, "one", on_lost=lost.append)
    lease.start()
    lease.start()
    token = await lease.wait()
    end = elapsed_seconds() + 3 * TTL
    while elapsed_seconds() < end:
        assert lease.token == token
        await asyncio.sleep(0.01)
    await lease.stop()
    await lease.stop()
    assert lost == ["released"]
    assert (lease.is_held, lease.takeovers, lease.losses) == (False, 1, 1)


async def test_a_standby_takes_over_when_the_owner_stops(connection: Any) -> None:
    owner, standby = contender(connection, "one", ttl_seconds=60.0), contender(connection, "two", ttl_seconds=2.0)
    owner.start()
    await owner.wait()
    standby.start()
    await until(lambda: standby.report().holder == "one")
    await owner.stop()
    async with asyncio.timeout(10):
        token = await standby.wait()
    assert token > owner.highest_token
    await standby.stop()


async def test_an_owner_that_fails_to_take_up_its_duty_gives_it_up_again(connection: Any) -> None:
    def fail(token: int) -> None:
        raise RuntimeError("no venue")

    broken = contender(connection, "one", on_acquired=fail)
    assert not await broken.acquire()
    assert not broken.is_held
    assert broken.problems() == [f"lease {NAME}: on_acquired failed: RuntimeError: no venue"]
    other = contender(connection, "two")
    await until_acquired(other)


async def test_a_frozen_server_costs_the_lease_in_time_and_it_comes_back_with_a_new_token() -> None:
    events: list[str] = []
    with Valkey() as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        lease = contender(
            connection,
            "one",
            on_acquired=lambda token: events.append("acquired"),
            on_lost=lambda _: events.append("lost"),
        )
        lease.start()
        token = await lease.wait()
        server.freeze()
        frozen = elapsed_seconds()
        await until(lambda: events[-1] == "lost")
        assert elapsed_seconds() - frozen < TTL + 0.3
        assert not lease.is_held
        await until(lambda: bool(lease.problems()))
        server.thaw()
        assert await asyncio.wait_for(lease.wait(), 10) > token
        assert (events, lease.problems()) == (["acquired", "lost", "acquired"], [])
        await lease.stop()
        await connection.aclose()


async def test_without_a_server_it_is_a_problem_and_never_held() -> None:
    with Valkey(start=False) as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        lease = contender(connection, "one", settle_seconds=TTL)
        lease.start()
        await until(lambda: bool(lease.problems()))
        assert not lease.is_held
        with pytest.raises(Conflict, match="the cache server"):
            lease.require()
        await asyncio.to_thread(server.start)
        assert await asyncio.wait_for(lease.wait(), 10)
        await lease.stop()
        await connection.aclose()


# -- every order of events, in virtual time ----------------------------------------------------------------------------


class VirtualTime:
    """Connections to a real server that runs the real scripts with a clock that the test moves."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.seconds = 1_000.0
        self.fate = "answered"
        self.delay = 0.0

    def __call__(self) -> float:
        return self.seconds

    async def eval(self, script: str, *arguments: Any) -> Any:
        if self.fate == "request delayed":
            self.seconds += self.delay
        whole, part = divmod(round(self.seconds * 1_000_000), 1_000_000)
        answer = await self.connection.eval(
            script.replace("redis.call('TIME')", f"{{'{whole}', '{part}'}}"), *arguments
        )
        if self.fate == "answer delayed":
            self.seconds += self.delay
        if self.fate == "answer lost":
            raise ConnectionError("cut")
        return answer


STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["acquire", "renew", "release"]),
        st.integers(0, 2),
        st.sampled_from(["answered", "answered", "answer lost", "answer delayed", "request delayed"]),
        st.floats(0, 15),
    ),
    st.tuples(st.just("advance"), st.just(0), st.just("answered"), st.floats(0, 15)),
    st.tuples(st.just("flush"), st.just(0), st.just("answered"), st.just(0.0)),
)


@settings(max_examples=150)
@given(steps=st.lists(STEPS, min_size=5, max_size=60))
def test_whatever_happens_in_whatever_order_at_most_one_holds_it_and_tokens_grow(server: Valkey, steps: Any) -> None:
    asyncio.run(run_steps(server, steps))


async def run_steps(server: Valkey, steps: list[tuple[str, int, str, float]]) -> None:
    connection = await open_client(ServerSettings(url=server.url), name="test")
    await connection.flushall()
    world = VirtualTime(connection)
    granted: list[int] = []
    made: Any = world
    leases = [
        Lease(made, NAME, f"c{i}", ttl_seconds=10.0, on_acquired=granted.append, monotonic=world) for i in range(3)
    ]
    for step, number, world.fate, seconds in steps:
        world.delay = seconds
        if step == "advance":
            world.seconds += seconds
        elif step == "flush":
            await connection.flushall()
        else:
            with contextlib.suppress(Unavailable):
                await getattr(leases[number], step)()
        assert sum(lease.is_held for lease in leases) <= 1
    assert granted == sorted(set(granted))
    await connection.aclose()


# -- real processes ----------------------------------------------------------------------------------------------------


class Contenders:
    """Processes that want one lease, and what they noted."""

    def __init__(self, server: Valkey, folder: Path, ttl_seconds: float = TTL) -> None:
        self.server = server
        self.file = folder / "notes"
        self.file.touch()
        self.ttl_seconds = ttl_seconds
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0

    def start(self) -> str:
        self._count += 1
        owner = f"process-{self._count}"
        command = [sys.executable, str(CONTENDER), self.server.url, NAME, owner, str(self.ttl_seconds), str(self.file)]
        self.processes[owner] = subprocess.Popen(command, stdout=subprocess.PIPE)
        return owner

    def notes(self) -> list[tuple[float, int, str]]:
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return [(float(moment), int(token), owner) for moment, token, owner in lines]

    def signal(self, owner: str, number: signal.Signals) -> None:
        self.processes[owner].send_signal(number)

    def kill(self, owner: str) -> None:
        process = self.processes.pop(owner)
        process.kill()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()

    def close(self) -> None:
        for owner in tuple(self.processes):
            self.kill(owner)

    async def acting(self, *but: str) -> str:
        """Who notes, from now on, that it holds the lease."""
        begin = elapsed_seconds()
        found: list[str] = []

        def look() -> bool:
            found[:] = [owner for moment, _, owner in self.notes()[-5:] if moment > begin and owner not in but]
            return bool(found)

        await until(look, 30)
        return found[0]

    def check_one_at_a_time(self) -> None:
        """In the order of time, on the one clock of this machine, tokens only grow: each had it after the other."""
        notes = sorted(self.notes())
        tokens = [token for _, token, _ in notes]
        assert tokens == sorted(tokens)
        assert len({(token, owner) for _, token, owner in notes}) == len(set(tokens))


@pytest.fixture
def contenders(server: Valkey, tmp_path: Path) -> Iterator[Contenders]:
    made = Contenders(server, tmp_path)
    yield made
    made.close()


async def test_when_the_owner_is_killed_the_other_takes_over_within_a_time_to_live_and_a_poll(
    contenders: Contenders, connection: Any
) -> None:
    for _ in range(2):
        contenders.start()
    owner = await contenders.acting()
    other = next(name for name in contenders.processes if name != owner)
    await until_standing_by(contenders, other)
    contenders.kill(owner)
    killed = elapsed_seconds()
    assert await contenders.acting(owner) == other
    first = min(moment for moment, _, name in contenders.notes() if name == other)
    assert first - killed < TTL * 4 / 3 + 0.5  # half a second for a busy machine
    contenders.check_one_at_a_time()


async def until_standing_by(contenders: Contenders, owner: str) -> None:
    stdout = contenders.processes[owner].stdout
    assert stdout is not None
    assert await asyncio.to_thread(stdout.readline) == b"started\n"


async def test_a_frozen_owner_that_goes_on_knows_that_it_may_not_act(contenders: Contenders, connection: Any) -> None:
    for _ in range(2):
        contenders.start()
    owner = await contenders.acting()
    contenders.signal(owner, signal.SIGSTOP)
    other = await contenders.acting(owner)
    thawed = elapsed_seconds()
    contenders.signal(owner, signal.SIGCONT)
    end = thawed + TTL
    await until(lambda: elapsed_seconds() > end)
    assert not [note for note in contenders.notes() if note[0] > thawed and note[2] == owner]
    assert await contenders.acting() == other
    contenders.check_one_at_a_time()


async def rounds_of_faults(server: Valkey, contenders: Contenders, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    frozen: set[str] = set()
    for _ in range(3):
        contenders.start()
    await contenders.acting()
    for _ in range(rounds):
        fault = chance.choice(["kill", "freeze", "thaw", "thaw", "freeze server", "restart server"])
        names = list(contenders.processes)
        if fault == "kill":
            owner = await contenders.acting() if len(frozen) < len(names) else chance.choice(names)
            contenders.kill(owner)
            frozen.discard(owner)
            contenders.start()
        elif fault == "freeze" and len(frozen) < 2:
            owner = await contenders.acting()
            contenders.signal(owner, signal.SIGSTOP)
            frozen.add(owner)
        elif fault == "thaw" and frozen:
            owner = chance.choice(sorted(frozen))
            contenders.signal(owner, signal.SIGCONT)
            frozen.discard(owner)
        elif fault == "freeze server":
            server.freeze()
            await asyncio.sleep(chance.uniform(0, 2 * contenders.ttl_seconds))
            server.thaw()
        elif fault == "restart server":
            await asyncio.to_thread(server.restart)
        await asyncio.sleep(chance.uniform(0, contenders.ttl_seconds))
    for owner in frozen:
        contenders.signal(owner, signal.SIGCONT)
    await contenders.acting()
    contenders.check_one_at_a_time()
    assert len({token for _, token, _ in contenders.notes()}) > 1


async def test_through_kills_freezes_and_restarts_no_two_processes_ever_hold_it(tmp_path: Path) -> None:
    with Valkey() as server:
        contenders = Contenders(server, tmp_path)
        try:
            await rounds_of_faults(server, contenders, rounds=10, seed=3)
        finally:
            contenders.close()


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_through_hundreds_of_faults_no_two_processes_ever_hold_it(tmp_path: Path) -> None:
    with Valkey() as server:
        contenders = Contenders(server, tmp_path)
        try:
            await rounds_of_faults(server, contenders, rounds=300, seed=int.from_bytes(os.urandom(4)))
        finally:
            contenders.close()
