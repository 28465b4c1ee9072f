"""The operations on acceleration: what there is, what was measured, what would be chosen, and measuring it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette

from nautilus.accel import measurements
from nautilus.clock import TestClock
from nautilus.errors import NautilusError
from nautilus.http import problems
from nautilus.http.accel import accel_operations
from nautilus.http.app import _routes
from nautilus.model.enums import Quality
from nautilus.node import Node
from nautilus.testing import START_NS, make_node
from tests.accel.sample_kernels import extremes, fragile, polynomial

NAME = polynomial.name


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    options = {"accel.calibration": str(tmp_path / "calibration.json")}
    async with make_node([], options, clock=TestClock(START_NS)) as made:
        made.accel.register_routed([polynomial, extremes])
        yield made


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx2.AsyncClient]:
    handlers: Any = {NautilusError: problems.on_nautilus_error}
    routes = _routes(accel_operations(node), node, "node", lambda: Quality.SIMULATED)
    app = Starlette(routes=routes, exception_handlers=handlers)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost") as made:
        yield made


async def calibrated(client: httpx2.AsyncClient, node: Node, **body: Any) -> dict[str, Any]:
    reply = await client.post("/accel/calibrate", json={"point_seconds": 0.001, **body})
    assert reply.status_code == 202
    job = await node.jobs.wait(reply.json()["data"]["id"])
    assert (job.status, job.error) == ("succeeded", None)
    found: dict[str, Any] = msgspec.json.decode(job.result)
    return found


async def test_the_report_tells_of_devices_kernels_and_choices(client: httpx2.AsyncClient, node: Node) -> None:
    await node.accel.compute(polynomial, [1.0], 2.0)
    data = (await client.get("/accel")).json()["data"]
    assert {device["backend"] for device in data["devices"]} == {"numpy", "numba", "mlx"}
    assert set(data["routed"]) >= {NAME, extremes.name}
    assert data["choices"]["calls"] == {NAME: {"numba": 1}}
    assert "not calibrated" in data["calibration"]["reason"]
    assert data["memory"] is None
    assert data["running"] == 0


async def test_the_report_tells_of_mlx_once_it_is_loaded(client: httpx2.AsyncClient, node: Node) -> None:
    pytest.importorskip("mlx.core")
    await node.accel.compute_on("mlx", extremes, [1.0])
    data = (await client.get("/accel")).json()["data"]
    assert [device["available"] for device in data["devices"]] == [True, True, True]
    assert data["memory"]["cache_limit"] > 0


async def test_a_calibration_is_a_job_after_which_the_router_goes_by_it(client: httpx2.AsyncClient, node: Node) -> None:
    before = (await client.get(f"/accel/kernels/{NAME}")).json()["data"]
    assert before["measured"] == {}
    assert before["errors"] == {"numpy": 0.0, "numba": 1e-12, "mlx": 1e-4}
    assert before["summary"] == "factor x^2 + x, of each value x."
    result = await calibrated(client, node, kernels=[NAME])
    assert result["failures"] == {}
    assert result["calibration"]["kernels"] == 1
    after = (await client.get(f"/accel/kernels/{NAME}")).json()["data"]
    assert set(after["measured"]) >= {"numpy", "numba"}
    assert after["crossovers"] == result["crossovers"][NAME]
    choice = (await client.post(f"/accel/kernels/{NAME}/choose", json={"size": 500})).json()["data"]
    assert choice["measured"]
    assert choice["backend"] in choice["expected_seconds"]


async def test_a_calibration_is_kept_in_the_file_that_the_node_was_given(
    client: httpx2.AsyncClient, node: Node, tmp_path: Path
) -> None:
    path = tmp_path / "other.json"
    await node.accel.load_calibration(path)
    await calibrated(client, node, kernels=[NAME])
    await calibrated(client, node, kernels=[extremes.name])
    kept = await asyncio.to_thread(measurements.load, path)
    assert kept is not None
    assert set(kept.kernels) == {NAME, extremes.name}
    assert node.accel.calibrated.kernels == 2


async def test_before_it_is_measured_the_default_is_chosen(client: httpx2.AsyncClient) -> None:
    choice = (await client.post(f"/accel/kernels/{NAME}/choose", json={"size": 10**9})).json()["data"]
    assert choice == {"kernel": NAME, "size": 10**9, "backend": "numba", "measured": False, "expected_seconds": {}}


@pytest.mark.parametrize(
    ("method", "url", "body", "status"),
    [
        ("GET", "/accel/kernels/nothing", None, 404),
        ("POST", "/accel/kernels/nothing/choose", {"size": 1}, 404),
        ("POST", f"/accel/kernels/{NAME}/choose", {"size": -1}, 422),
        ("POST", f"/accel/kernels/{NAME}/choose", {}, 422),
        ("POST", "/accel/calibrate", {"kernels": ["nothing"]}, 404),
        ("POST", "/accel/calibrate", {"point_seconds": 0}, 422),
        ("POST", "/accel/calibrate", {"point_seconds": 11}, 422),
    ],
)
async def test_wrong_requests_are_refused(
    client: httpx2.AsyncClient, method: str, url: str, body: Any, status: int
) -> None:
    assert (await client.request(method, url, json=body)).status_code == status


async def test_one_calibration_runs_at_a_time_and_it_can_be_cancelled(client: httpx2.AsyncClient, node: Node) -> None:
    started, free = threading.Event(), threading.Event()
    kernel = fragile({})

    def wait(values: Any) -> Any:
        started.set()
        assert free.wait(10)
        return values

    kernel.implementations["numba"] = wait
    node.accel.register_routed([kernel])
    job_id = (await client.post("/accel/calibrate", json={"kernels": [kernel.name]})).json()["data"]["id"]
    assert await asyncio.to_thread(started.wait, 5)
    assert (await client.post("/accel/calibrate", json={})).status_code == 409
    node.jobs.cancel(job_id)
    free.set()
    assert (await node.jobs.wait(job_id)).status == "cancelled"
    assert node.accel.calibrated.kernels == 0
