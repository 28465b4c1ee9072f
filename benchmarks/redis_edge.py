"""Messages a second out of one edge, into one, and through both; and the time from one process's handler to another's.

A real server (Valkey, from the tests' wheel) and, for what comes in, a process of its own. The server, the sender and
the receiver share the machine's cores.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from benchmarks.measure import quantile, spread
from nautilus.bus import Bus
from nautilus.bus.edges.redis import RedisEdges
from nautilus.bus.edges.settings import EdgesConfig, EngineLogicEdge, MarketDataEdge, NeuralGpuEdge
from nautilus.clock import LiveClock
from nautilus.model import Channel, Quote, topics
from nautilus.model.messages import RiskMetric
from tests.servers.valkey import Valkey

MESSAGES = 300_000
ROUNDS = 5
PACED = ((1_000, 3_000), (10_000, 30_000))
QUOTES: Any = topics.quote("TEST.SIM")
METRICS: Any = topics.risk_metric("benchmark")


def quote(number: int) -> Quote:
    return Quote("TEST.SIM", 10_000, 10_001, 100, 100, number, time.time_ns())


def metric(number: int) -> RiskMetric:
    return RiskMetric(ts_event=time.time_ns(), name="value_at_risk", scope="benchmark", value=1.0, observations=number)


KINDS: dict[str, tuple[Channel, Any, Callable[[int], Any]]] = {
    "market data": (Channel.MARKETDATA, QUOTES, quote),
    "engine logic": (Channel.ENGINE_LOGIC, METRICS, metric),
}


def make_edges(url: str, bus: Bus, node: str, *, hear: bool, spool: Path | None = None) -> RedisEdges:
    crossing: dict[str, Any] = {"url": url, "outbound": () if hear else (">",), "inbound": (">",) if hear else ()}
    reading: dict[str, Any] = {"resume": True, "history_seconds": 600.0, "queue_max_events": 10_000_000}
    config = EdgesConfig(
        enabled=True,
        marketdata=MarketDataEdge(**crossing, **reading),
        engine_logic=EngineLogicEdge(**crossing, **reading),
        neural_gpu=NeuralGpuEdge(enabled=False),
    )
    log = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr), wrapper_class=structlog.make_filtering_bound_logger(40)
    )
    return RedisEdges(
        config, bus=bus, clock=LiveClock(), node=node, instance=f"{node}-1", spool_directory=spool, log=log
    )


def run[T](work: Coroutine[Any, Any, T]) -> T:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.001)


async def publish(bus: Bus, kind: str, count: int) -> None:
    """As fast as it goes, letting the loop do its other work in between."""
    _, topic, make = KINDS[kind]
    for number in range(count):
        bus.publish(topic, make(number))
        if number % 256 == 255:
            await asyncio.sleep(0)


async def publish_paced(bus: Bus, kind: str, rate: int, count: int) -> None:
    _, topic, make = KINDS[kind]
    began = time.perf_counter()
    said = 0
    while said < count:
        due = min(count, int((time.perf_counter() - began) * rate))
        while said < due:
            bus.publish(topic, make(said))
            said += 1
        await asyncio.sleep(0.0002)


def sent(edges: RedisEdges, channel: Channel) -> int:
    report = next(one for one in edges.report().channels if one.channel is channel).outbound
    return report.sent if report else 0


async def send(url: str, kind: str, count: int, rate: int | None = None) -> tuple[float, float]:
    """Messages a second until the server has acknowledged the last, and microseconds of processor time for each."""
    bus = Bus()
    with tempfile.TemporaryDirectory() as folder:
        edges = make_edges(url, bus, "sender", hear=False, spool=Path(folder))
        await edges.start()
        await until(lambda: all(one.connected for one in edges.report().channels))
        began, used = time.perf_counter(), time.process_time()
        if rate is None:
            await publish(bus, kind, count)
        else:
            await publish_paced(bus, kind, rate, count)
        await until(lambda: sent(edges, KINDS[kind][0]) >= count)
        seconds, work = time.perf_counter() - began, time.process_time() - used
        await edges.stop()
    return count / seconds, work / count * 1e6


async def receive(url: str, kind: str, count: int) -> dict[str, Any]:
    """Tell when ready and when all has come: messages a second from the first to the last, and how old each was."""
    bus = Bus()
    ages: list[int] = []
    times: list[int] = []
    work: list[float] = []
    now = time.time_ns
    field = "ts_init" if kind == "market data" else "ts_event"

    def hear(message: Any) -> None:
        arrived = now()
        ages.append(arrived - getattr(message, field))
        if len(ages) in (1, count):
            times.append(arrived)
            work.append(time.process_time())

    bus.subscribe(KINDS[kind][1], hear)
    edges = make_edges(url, bus, "receiver", hear=True)
    await edges.start()
    await until(lambda: bool(ages) or all(one.connected for one in edges.report().channels))
    print("ready", flush=True)
    await until(lambda: len(ages) >= count)
    await edges.stop()
    return {
        "rate": count / (times[1] - times[0]) * 1e9,
        "rate_from_publication": count / (times[1] - times[0] + ages[0]) * 1e9,
        "work": (work[1] - work[0]) / count * 1e6,
        "p50": quantile(ages, 0.5),
        "p99": quantile(ages, 0.99),
        "max": max(ages),
    }


class Receiver:
    """The receiving process."""

    def __init__(self, url: str, kind: str, count: int) -> None:
        command = [sys.executable, "-m", "benchmarks.redis_edge", url, kind, str(count)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        assert self._lines.readline() == "ready\n"

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines.readline())
        self._process.wait()
        self._lines.close()
        return found


def measure(kind: str) -> None:
    out: list[tuple[float, float]] = []
    into: list[tuple[float, float]] = []
    through: list[float] = []
    for _ in range(ROUNDS):
        with Valkey() as server:
            out.append(run(send(server.url, kind, MESSAGES)))
            found = Receiver(server.url, kind, MESSAGES).result()
            into.append((found["rate"], found["work"]))
        with Valkey() as server:
            receiver = Receiver(server.url, kind, MESSAGES)
            run(send(server.url, kind, MESSAGES))
            through.append(receiver.result()["rate_from_publication"])
    for name, found_of in (("out, until the server acknowledged", out), ("in, from a backlog to a handler", into)):
        rates, work = zip(*found_of, strict=True)
        print(f"{kind:<13} {name:<36} {spread(rates)} messages/s, {spread(work)} us of processor time each")
    print(f"{kind:<13} {'out and in, both at once':<36} {spread(through)} messages/s")
    for rate, count in PACED:
        with Valkey() as server:
            receiver = Receiver(server.url, kind, count)
            run(send(server.url, kind, count, rate))
            found = receiver.result()
        ages = ", ".join(f"{name} {found[name] / 1e6:.2f} ms" for name in ("p50", "p99", "max"))
        print(f"{kind:<13} at {rate:>6}/s  {ages} from one process's handler to the other's")


def main() -> None:
    for kind in KINDS:
        measure(kind)


if __name__ == "__main__":
    print(json.dumps(run(receive(sys.argv[1], sys.argv[2], int(sys.argv[3])))), flush=True)
