"""One platform in three processes, joined by a real server: the files of config/split, as a user starts them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.served import free_port
from tests.servers.valkey import Valkey

CONFIG = Path(__file__).resolve().parents[2] / "config" / "split"
LEASE_SECONDS = 3.0


class Process:
    """One `nautilus serve`; `start` again after a kill is a restart."""

    def __init__(self, name: str, folder: Path, server: Valkey, store: str | None = None) -> None:
        self.name = name
        self.port = free_port()
        self.output = folder / f"{name}.txt"
        self._store = folder / (store or name)
        self._file = CONFIG / f"{store or name}.toml"
        self._environment = {
            **os.environ,
            **{f"NAUTILUS__EDGES__{part}__URL": server.url for part in ("CACHE", "MARKETDATA", "ENGINE_LOGIC")},
            "NAUTILUS__EDGES__NEURAL_GPU__URL": server.url,
            "NAUTILUS__OWNERSHIP__LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.process is not None:
            self.process.wait(20)
        command = [sys.executable, "-m", "nautilus", "serve", "--config", str(self._file), "--port", str(self.port)]
        with self.output.open("ab") as file:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self._store)], stdout=file, stderr=file, env=self._environment
            )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def ask(self, path: str, body: Any = None) -> Any:
        """The data of the answer, or the problem where it is one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read())["data"]
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()[-4000:]
        try:
            return "detail" not in self.ask("/health/ready")
        except (urllib.error.URLError, ConnectionError):
            return False

    def why_not_ready(self) -> str:
        try:
            return str(self.ask("/health/ready").get("detail", ""))
        except (urllib.error.URLError, ConnectionError):
            return ""


def until(condition: Callable[[], Any], what: str, seconds: float = 90.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return found


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[dict[str, Process]]:
    """The three processes and a second one for trading; none is started."""
    with ExitStack() as stack:
        server = stack.enter_context(Valkey(appendonly=True))
        made = {name: Process(name, tmp_path, server) for name in ("marketdata", "trading", "ml")}
        made["standby"] = Process("standby", tmp_path, server, store="trading")
        for process in made.values():
            stack.callback(process.end)
        yield made


def trade(process: Process, order_id: str) -> None:
    """Buy at the market, and wait for the fill."""
    until(lambda: published(process, "quote") > 100, "the market is known")
    order = {"instrument_id": "ALFA.SIM", "side": "buy", "order_type": "market", "quantity": "100"}
    placed = process.ask("/strategy/orders", {**order, "client_order_id": order_id})
    assert placed.get("client_order_id") == order_id, placed
    working = ("initialized", "submitted", "accepted", "partially_filled")
    done = until(
        lambda: (found := process.ask(f"/strategy/orders/{order_id}"))["status"] not in working and found, "its end"
    )
    assert done["status"] == "filled", done


def published(process: Process, family: str) -> int:
    """How many messages of a family went through a process's bus."""
    found = process.ask("/bus?limit=10000")["topics"]
    return sum(topic["published"] for topic in found if topic["topic"].partition(".")[0] == family)


@pytest.mark.timeout(400)
def test_three_processes_are_one_platform_and_another_takes_the_trading_over(platform: dict[str, Process]) -> None:
    market, trading, ml, standby = (platform[name] for name in ("marketdata", "trading", "ml", "standby"))
    for process in (trading, ml, market):  # in an order that one process would not take
        process.start()
    for process in (trading, ml, market):
        until(process.is_ready, f"{process.name} is ready")

    # market data of one process reach the others, with what they rest on
    until(lambda: trading.ask("/health/ready")["market_data"].startswith("simulated market"), "the source is known")
    for family in ("quote", "trade", "book"):
        until(lambda family=family: published(trading, family) > 20, f"{family} in trading")
        until(lambda family=family: published(ml, family) > 20, f"{family} in ml")
    until(lambda: published(trading, "features") > 0, "features of ml in trading")
    peers = {info["node"] for info in until(lambda: trading.ask("/cluster")["presence"]["peers"], "peers")}
    assert {"marketdata", "ml"} <= peers

    # the strategies found the instruments that another process defines; an order lives its life here
    until(lambda: not any("waits" in reason for reason in trading.ask("/health/ready")["problems"]), "strategies go on")
    trade(trading, "first")
    until(lambda: published(market, "fill") > 0, "the fill is known to the process of the market")

    # a model trained in one process predicts for the strategies of another
    names = ml.ask("/features/ALFA.SIM")["names"]
    rows = [[float((row * 7 + column) % 11) for column in range(len(names))] for row in range(200)]
    prices = [100.0 + row % 5 for row in range(200)]
    data = {"names": names, "rows": rows, "prices": prices}
    training = {"name": "drift", "kind": "lightgbm", "horizon_bars": 1, "folds": 2, "rounds": 5, "data": data}
    job = ml.ask("/ml/train", training)
    until(lambda: ml.ask(f"/jobs/{job['id']}")["status"] == "succeeded", f"the model is trained: {job}")
    ml.ask("/ml/models/drift/promote", {"version": 1})
    until(lambda: published(trading, "prediction") > 0, "predictions of ml in trading")

    # a second one for the same account stands by, and takes over when the first is killed
    standby.start()
    until(lambda: "standing by: account main is owned by trading-" in standby.why_not_ready(), "it stands by")
    assert trading.ask("/cluster")["ownership"]["trading"] is True
    token = trading.ask("/cluster")["ownership"]["leases"][0]["token"]
    trading.signal(signal.SIGKILL)
    killed = time.monotonic()
    until(standby.is_ready, "the second has taken over")
    assert time.monotonic() - killed < LEASE_SECONDS + 30
    owned = standby.ask("/cluster")["ownership"]
    assert owned["trading"] is True
    assert owned["leases"][0]["token"] > token
    assert standby.ask("/strategy/orders/first")["status"] == "filled"
    trade(standby, "first")  # it is the same order, not a new one
    trade(standby, "second")

    # frozen for longer than its lease, the owner is superseded by who takes over, and ends
    trading.start()
    until(lambda: "standing by" in trading.why_not_ready(), "the first is back and stands by")
    standby.signal(signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + 1)
    standby.signal(signal.SIGCONT)
    assert standby.process is not None
    until(lambda: standby.process.poll() is not None, "the frozen one has ended", 60)
    assert standby.process.returncode == 3
    assert "superseded" in standby.output.read_text()
    until(trading.is_ready, "the first owns the account again")
    until(lambda: trading.ask("/strategy/orders/second").get("status") == "filled", "nothing is lost")
    trade(trading, "third")
    for process in (market, ml, trading):
        assert "Traceback" not in process.output.read_text(), process.name
