"""Two machines, one account, one PostgreSQL: whoever owns the account has every order, and no other one writes.

And how a process ends that may not trade: asked to while it stands by, or with a store of its own.
"""

import http.client
import signal
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_split import Process, trade, until
from tests.servers.postgres import PASSWORD, PostgresServer, running_postgres
from tests.servers.valkey import Valkey

TRADING = """
load = ["marketdata", "strategy", "risk", "portfolio"]

[store]
backend = "postgres"

[ownership]
accounts = ["main"]

[edges]
enabled = true

[accel]
compile_at_start = false

[engines.strategy]
account_id = "main"
deployments = []

[engines.portfolio]
accounts = ["main"]

[engines.marketdata]
record = "never"
"""
WORKING = ("initialized", "submitted", "accepted", "partially_filled")
MARKS = ("mark_ticks", "market_value", "unrealized_pnl", "ts_event")


class Machine(Process):
    """A `nautilus serve` with a directory of its own, the database and the Redis of all."""

    def __init__(self, name: str, folder: Path, cache: Valkey, database: PostgresServer) -> None:
        super().__init__(name, folder, cache)
        self._file = folder / "trading.toml"
        self._file.write_text(TRADING)
        self._environment |= {
            "NAUTILUS__NAME": name,
            "NAUTILUS__STORE__POSTGRES__DSN": database.dsn(),
            "NAUTILUS__STORE__POSTGRES__PASSWORD": PASSWORD,
        }

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        process = self.process
        assert process is not None
        until(lambda: process.poll() is not None, f"{self.name} has ended", 60)
        assert isinstance(process.returncode, int)
        return process.returncode

    def token(self) -> int:
        """The fencing token under which it trades."""
        token = self.ask("/cluster")["ownership"]["leases"][0]["token"]
        assert isinstance(token, int)
        return token

    def place(self, order_id: str, **terms: Any) -> Any:
        """The answer to an order."""
        order = {"instrument_id": "ALFA.SIM", "side": "buy", "order_type": "market", "quantity": "100", **terms}
        return self.ask("/strategy/orders", {**order, "client_order_id": order_id})

    def books(self) -> dict[str, Any]:
        """Everything that was promised to last: orders, fills, positions, lots, the ledger and the money."""
        positions = self.ask("/portfolio/accounts/main/positions?closed=true")
        return {
            "orders": {order["client_order_id"]: order for order in self.ask("/strategy/orders?limit=1000")},
            "fills": self.ask("/strategy/fills?limit=1000"),
            "positions": [{name: one[name] for name in one if name not in MARKS} for one in positions],
            "ledger": self.ask("/portfolio/accounts/main/ledger?limit=1000"),
            "money": {
                currency: [totals[name] for name in ("cash", "realized_pnl", "fees")]
                for currency, totals in self.ask("/portfolio/accounts/main")["currencies"].items()
            },
        }


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def machines(tmp_path: Path, database: PostgresServer) -> Iterator[tuple[Machine, Machine]]:
    """Two that share an account; none is started."""
    with ExitStack() as stack:
        cache = stack.enter_context(Valkey())
        made = tuple(Machine(name, tmp_path, cache, database) for name in ("first", "second"))
        for machine in made:
            stack.callback(machine.end)
        yield made[0], made[1]


@pytest.mark.timeout(400)
def test_the_next_owner_has_everything_and_the_one_before_writes_nothing_more(
    machines: tuple[Machine, Machine], database: PostgresServer
) -> None:
    first, second = machines
    first.start()
    until(first.is_ready, "the first is ready")
    second.start()
    until(lambda: "owned by first-" in second.why_not_ready(), "the second stands by")
    for number in range(5):
        trade(first, f"market-{number}")
    first.place("sold", side="sell", quantity="200")
    first.place("resting", order_type="limit", price="1.00")
    first.place("taken-back", order_type="limit", price="1.00")
    until(lambda: first.ask("/strategy/orders/taken-back")["status"] == "accepted", "it rests")
    first.ask("/strategy/orders/taken-back/cancel", {})
    ended = {"sold": "filled", "resting": "accepted", "taken-back": "canceled"}
    for order_id, status in ended.items():
        until(lambda i=order_id, s=status: first.ask(f"/strategy/orders/{i}")["status"] == s, f"{order_id} is {status}")
    before = first.books()
    assert (len(before["orders"]), len(before["fills"]) >= 6) == (8, True)
    first.signal(signal.SIGKILL)
    killed = time.monotonic()
    until(second.is_ready, "the second has taken over")
    print(f"taken over {time.monotonic() - killed:.1f} s after the owner was killed")
    assert second.books() == before
    trade(second, "next")
    second.ask("/strategy/orders/resting/cancel", {})
    until(lambda: second.ask("/strategy/orders/resting")["status"] == "canceled", "what rested can be taken back")

    # the owner freezes: the first, which stands by, takes over while the frozen one lives
    first.start()
    until(lambda: "owned by second-" in first.why_not_ready(), "the first is back and stands by")
    before, frozen_token = second.books(), second.token()
    second.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    late: list[Any] = []
    asking = threading.Thread(target=lambda: late.append(answer(second, "too-late")))
    asking.start()  # waits in the socket of the frozen one, which will read it before anything else
    until(first.is_ready, "the first has taken over")
    print(f"taken over {time.monotonic() - frozen:.1f} s after the owner froze")
    assert first.books() == before
    trade(first, "meanwhile")
    after, token = first.books(), first.token()
    assert token > frozen_token
    written = database.sql(f"SELECT count(*) FROM journal WHERE owner_token = {frozen_token}")
    assert written != "0"
    second.signal(signal.SIGCONT)
    assert second.ended() == 3
    asking.join(30)
    assert not asking.is_alive()
    if late != [None]:  # refused by its own clock, before it could know that it was superseded
        assert late[0]["status"] == "denied", late
        assert "account main" in late[0]["reason"], late
    assert database.sql(f"SELECT count(*) FROM journal WHERE owner_token = {frozen_token}") == written
    assert database.sql("SELECT token FROM owner") == str(token)
    assert first.books() == after

    # what it wrote and could not ship was acknowledged to nobody: it is set aside, and the second has everything again
    second.start()
    until(lambda: "owned by first-" in second.why_not_ready(), "the second stands by again")
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    until(second.is_ready, "the second has taken over again")
    assert second.books() == after
    for machine in machines:
        assert "Traceback" not in machine.output.read_text(), machine.output.read_text()[-6000:]


def answer(machine: Machine, order_id: str) -> Any:
    """The answer to an order, None where the connection ended without one."""
    try:
        return machine.place(order_id)
    except (urllib.error.URLError, ConnectionError, http.client.HTTPException):
        return None


class Contender(Process):
    """Two engines with a store of its own, for the account of all."""

    def __init__(self, name: str, folder: Path, cache: Valkey, store: str) -> None:
        super().__init__(name, folder, cache)
        self._store = folder / store
        self._file = folder / "contender.toml"
        self._file.write_text(TRADING.replace("postgres", "embedded"))
        self._environment |= {"NAUTILUS__NAME": name, "NAUTILUS__LOAD": '["strategy", "risk"]'}

    def ended(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Its exit code and what it said, once it has ended, asked to or by itself."""
        assert self.process is not None
        if number is not None:
            self.signal(number)
        return self.process.wait(30), self.output.read_text()


@pytest.mark.timeout(200)
def test_who_may_not_trade_ends_in_good_order(tmp_path: Path) -> None:
    with ExitStack() as stack:
        cache = stack.enter_context(Valkey(start=False))

        def contender(name: str, store: str) -> Contender:
            made = Contender(name, tmp_path, cache, store)
            stack.callback(made.end)
            made.start()
            return made

        alone = contender("alone", "a")  # no server is there yet
        until(lambda: "cannot be leased: the cache server" in alone.why_not_ready(), "it says what it waits for")
        code, output = alone.ended(signal.SIGINT)
        assert (code, "Traceback" in output, output.splitlines()[-1]) == (0, False, "Stopped."), output

        cache.start()
        owner = contender("owner", "a")
        until(owner.is_ready, "the owner is ready")
        second, stranger = contender("second", "a"), contender("stranger", "b")
        for waiting in (second, stranger):
            until(lambda w=waiting: "owned by owner-" in w.why_not_ready(), f"{waiting.name} stands by")
        refused = second.ask("/strategy/orders")
        assert (refused["status"], "strategy" in refused["detail"]) == (503, True), refused
        code, output = second.ended(signal.SIGINT)
        assert (code, "Traceback" in output, output.splitlines()[-1]) == (0, False, "Stopped."), output
        assert owner.ask("/cluster")["ownership"]["trading"] is True

        code, output = owner.ended(signal.SIGTERM)
        assert (code, "Traceback" in output) == (0, False), output
        code, output = stranger.ended()
        assert (code, "Traceback" in output) == (1, False), output
        assert output.splitlines()[-1].startswith("Error: account main is traded from another store than"), output
        began = time.monotonic()
        owner.start()
        until(owner.is_ready, "the owner is back")
        print(f"back {time.monotonic() - began:.1f} s after it was started")
