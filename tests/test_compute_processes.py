"""Two processes and a real server between them: one has no kernels and asks, the other has them and answers."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nautilus.clock import LiveClock
from nautilus.compute import compute_remotely
from nautilus.errors import Unavailable
from tests.bus.edges.edge_nodes import EdgeNode
from tests.servers.valkey import Valkey

REPOSITORY = Path(__file__).resolve().parents[1]
ASKS: dict[str, Any] = {"outbound": ("compute.request.>",), "inbound": ("compute.result.>",)}

ANSWERS = """
import asyncio, sys
from nautilus.accel import Accelerator
from nautilus.accel.kernels import covariance
from nautilus.clock import LiveClock
from nautilus.compute import ComputeService
from tests.bus.edges.edge_nodes import EdgeNode

async def main(url):
    accel = Accelerator(threads=1)
    accel.register_routed([covariance.covariance_matrix])
    edges = {"outbound": ("compute.result.>",), "inbound": ("compute.request.>",)}
    async with EdgeNode(url, node="gpu", neural_gpu=edges) as node:
        service = ComputeService(node.bus, accel, LiveClock())
        service.start()
        await node.connected()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await service.stop()
    await accel.closed()

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as running:
        yield running


@pytest.fixture(scope="module")
def answers(server: Valkey) -> Iterator[None]:
    command = [sys.executable, "-c", ANSWERS, server.url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_a_process_without_the_kernel_has_another_compute_it(server: Valkey, answers: None) -> None:
    panel = np.random.default_rng(1).normal(size=(500, 20))
    async with EdgeNode(server.url, node="asks", neural_gpu=ASKS) as node:
        await node.connected()
        result = await compute_remotely(node.bus, LiveClock(), "covariance.covariance_matrix", panel, timeout=20)
        np.testing.assert_allclose(result.arrays[0], np.cov(panel, rowvar=False), rtol=1e-9, atol=1e-12)
        assert result.backend in ("numpy", "numba")
        with pytest.raises(Unavailable, match=r"no kernel 'no\.such'"):
            await compute_remotely(node.bus, LiveClock(), "no.such", timeout=20)


async def test_many_requests_at_once_each_get_their_own_answer(server: Valkey, answers: None) -> None:
    panels = [np.random.default_rng(seed).normal(size=(50, 3)) for seed in range(40)]
    async with EdgeNode(server.url, node="many", neural_gpu=ASKS) as node:
        await node.connected()
        name, clock = "covariance.covariance_matrix", LiveClock()
        results = await asyncio.gather(*(compute_remotely(node.bus, clock, name, one, timeout=20) for one in panels))
    for panel, result in zip(panels, results, strict=True):
        np.testing.assert_allclose(result.arrays[0], np.cov(panel, rowvar=False), rtol=1e-9)


async def test_an_answer_takes_milliseconds(server: Valkey, answers: None) -> None:
    panel, times = np.random.default_rng(1).normal(size=(50, 3)), []
    async with EdgeNode(server.url, node="times", neural_gpu=ASKS) as node:
        await node.connected()
        for _ in range(30):
            started = time.perf_counter()
            await compute_remotely(node.bus, LiveClock(), "covariance.covariance_matrix", panel, timeout=20)
            times.append(time.perf_counter() - started)
    print(f"round trip, median of {len(times)}: {1000 * statistics.median(times):.2f} ms")
    assert statistics.median(times) < 0.5
