"""The client: messages a second published and heard; and a lease: what looking, renewing and a takeover cost.

A real server (Valkey, from the tests' wheel). Speaker, listener and the contenders share this process and its loop, and
the server the machine's cores.
"""

import asyncio
import time
from typing import Any

from benchmarks.measure import quantile, spread
from nautilus.bus.client import DualBusClient
from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.lease import Lease
from nautilus.bus.edges.settings import EdgesConfig, EngineLogicEdge, ServerSettings
from nautilus.model.enums import EngineType, MessageType
from nautilus.model.messages import RiskMetric
from tests.servers.valkey import Valkey

MESSAGES = 20_000
ALONE = 1_000
ROUNDS = 5
LOOKS = 200_000
RENEWALS = 1_000
TTL_SECONDS = 0.5


def metric(number: int) -> RiskMetric:
    return RiskMetric(ts_event=time.time_ns(), name="value_at_risk", scope="benchmark", value=1.0, observations=number)


async def clients(url: str) -> None:
    settings = EdgesConfig(engine_logic=EngineLogicEdge(url=url))
    heard: list[int] = []
    latencies: list[float] = []

    async def hear(message: RiskMetric, meta: Any) -> None:
        heard.append(message.observations)
        latencies.append((time.time_ns() - message.ts_event) / 1e6)

    published, delivered = [], []
    async with (
        DualBusClient(EngineType.RISK, "speaker", settings, publish_timeout_seconds=60) as speaker,
        DualBusClient(EngineType.ML, "listener", settings) as listener,
    ):
        await listener.subscribe_to_engine_logic([MessageType.RISK_METRIC], hear)
        for _ in range(ROUNDS):
            heard.clear()
            started = time.perf_counter()
            sent = (speaker.publish_message(MessageType.RISK_METRIC, metric(number)) for number in range(MESSAGES))
            await asyncio.gather(*sent)
            published.append(MESSAGES / (time.perf_counter() - started))
            while len(heard) < MESSAGES:  # noqa: ASYNC110 - the handler stays as plain as a user's
                await asyncio.sleep(0.001)
            delivered.append(MESSAGES / (time.perf_counter() - started))
        latencies.clear()
        started = time.perf_counter()
        for number in range(ALONE):
            await speaker.publish_message(MessageType.RISK_METRIC, metric(number))
        alone = ALONE / (time.perf_counter() - started)
        while len(latencies) < ALONE:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    print(f"client, {MESSAGES:,} publishes together: {spread(published)} messages/s acknowledged")
    print(f"client, heard by another's handler:     {spread(delivered)} messages/s")
    print(f"client, one publish awaited after another: {alone:,.0f} messages/s")
    print(f"client, publish to handler: p50 {quantile(latencies, 0.5):.2f} ms, p99 {quantile(latencies, 0.99):.2f} ms")


async def leases(url: str) -> None:
    connection: Any = await open_client(ServerSettings(url=url), name="benchmark")
    owner = Lease(connection, "account", "one", ttl_seconds=60, settle_seconds=0)
    await owner.acquire()
    started = time.perf_counter()
    for _ in range(LOOKS):
        owner.is_held  # noqa: B018 - what it costs is the question
    print(f"lease, is_held: {(time.perf_counter() - started) / LOOKS * 1e9:.0f} ns")
    taken = []
    for _ in range(RENEWALS):
        started = time.perf_counter()
        await owner.renew()
        taken.append((time.perf_counter() - started) * 1e3)
    print(f"lease, renewal: p50 {quantile(taken, 0.5):.2f} ms, p99 {quantile(taken, 0.99):.2f} ms")
    takeovers = []
    for number in range(10):
        first, second = (
            Lease(connection, f"account-{number}", name, ttl_seconds=TTL_SECONDS, settle_seconds=0)
            for name in ("one", "two")
        )
        await first.acquire()  # and never renews it, as one that has died
        started = time.perf_counter()
        second.start()
        await second.wait()
        takeovers.append(time.perf_counter() - started)
        await second.stop()
    print(f"lease, takeover from a dead owner with a time to live of {TTL_SECONDS} s: {spread(takeovers)} s")
    await connection.aclose()


async def run(url: str) -> None:
    await clients(url)
    await leases(url)


def main() -> None:
    with Valkey() as server:
        asyncio.run(run(server.url))


if __name__ == "__main__":
    main()
