"""Computing for others: a request by name gets its result or the reason, and no more wait than may."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from nautilus.accel import Accelerator, RoutedKernel
from nautilus.bus import Bus
from nautilus.clock import TestClock
from nautilus.compute import ComputeService, arrays_of, compute_remotely, result_topic
from nautilus.errors import Invalid, Unavailable
from nautilus.model import topics
from nautilus.model.messages import ComputeRequest, ComputeResult
from nautilus.testing import START_NS, Capture
from tests.accel.sample_kernels import Extremes, extremes, fragile, polynomial, vector

CLOCK = TestClock(START_NS)
NAME = polynomial.name


@pytest.fixture
async def accel() -> AsyncIterator[Accelerator]:
    made = Accelerator(threads=1)
    made.register_routed([polynomial, extremes])
    yield made
    await made.closed()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def service(bus: Bus, accel: Accelerator) -> AsyncIterator[ComputeService]:
    made = ComputeService(bus, accel, CLOCK, waiting=2)
    made.start()
    yield made
    await made.stop()


def request(kernel: str, *arguments: Any, request_id: str = "test-1") -> ComputeRequest:
    return ComputeRequest(ts_event=START_NS, request_id=request_id, kernel=kernel, arguments=arguments)


def occupy(accel: Accelerator) -> tuple[threading.Event, threading.Event]:
    """Register `sample.fragile` as a kernel that stays on its thread until it is let go."""
    started, free = threading.Event(), threading.Event()
    kernel: RoutedKernel[..., Any] = fragile({})

    def wait(values: Any) -> Any:
        started.set()
        assert free.wait(10)
        return values * 2.0

    kernel.implementations["numba"] = wait
    accel.register_routed([kernel])
    return started, free


async def test_a_request_is_computed_and_answered(bus: Bus, service: ComputeService) -> None:
    values = vector(100)
    result = await compute_remotely(bus, CLOCK, NAME, values, 3.0, timeout=5)
    np.testing.assert_allclose(result.arrays[0], polynomial.reference(values, 3.0), rtol=1e-12)
    assert (result.backend, result.relative_error, result.error) == ("numba", 1e-12, "")
    assert service.counts().computed == 1
    assert service.counts().waiting == 0


async def test_results_of_several_parts_are_told_in_order(bus: Bus, service: ComputeService) -> None:
    result = await compute_remotely(bus, CLOCK, extremes.name, [3.0, 1.0], timeout=5)
    assert result.arrays == (1.0, 3.0)
    assert arrays_of((Extremes(1.0, 2.0), np.float64(3.0))) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("kernel", "arguments", "reason"),
    [
        ("no.such.kernel", (), "no kernel 'no.such.kernel'"),
        (NAME, (), "missing a required argument: 'values'"),
        (NAME, ("text", 2.0), "values: must be an array of float64"),
        (NAME, ([1.0], 2.0, 3.0), "too many positional arguments"),
        (NAME, (np.zeros((2, 2)), 2.0), "values: must have 1 dimensions"),
        (extremes.name, ([],), "values: must not be empty"),
    ],
)
async def test_what_cannot_be_computed_is_answered_with_the_reason(
    bus: Bus, service: ComputeService, kernel: str, arguments: tuple[Any, ...], reason: str
) -> None:
    with pytest.raises(Unavailable, match=reason.replace("(", r"\(")):
        await compute_remotely(bus, CLOCK, kernel, *arguments, timeout=5)
    assert service.counts().failed == 1


async def test_a_kernel_that_fails_is_answered_with_its_error(
    bus: Bus, accel: Accelerator, service: ComputeService
) -> None:
    accel.register_routed([fragile({"numba": MemoryError("a"), "numpy": MemoryError("no room")})])
    with pytest.raises(Unavailable, match=r"sample\.fragile: MemoryError: no room"):
        await compute_remotely(bus, CLOCK, "sample.fragile", vector(3), timeout=5)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"most_flops": 10.0}, "operations are more than 10"), ({"most_bytes": 10.0}, "bytes are more than 10")],
)
async def test_work_that_is_too_much_is_refused(
    bus: Bus, accel: Accelerator, limits: dict[str, float], reason: str
) -> None:
    service = ComputeService(bus, accel, CLOCK, **limits)  # type: ignore[arg-type]
    service.start()
    with pytest.raises(Unavailable, match=reason):
        await compute_remotely(bus, CLOCK, NAME, vector(100), 2.0, timeout=5)
    await service.stop()


async def test_sizes_beyond_the_kernels_own_limit_are_refused(
    bus: Bus, service: ComputeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polynomial, "largest", 5)
    with pytest.raises(Unavailable, match="size 6 is more than 5"):
        await compute_remotely(bus, CLOCK, NAME, vector(6), 2.0, timeout=5)


async def test_one_request_too_many_is_refused_at_once(bus: Bus, accel: Accelerator, service: ComputeService) -> None:
    started, free = occupy(accel)
    answers: Capture[ComputeResult] = Capture(bus, "compute.result.>")
    for number in range(3):
        bus.publish(
            topics.compute_request("sample.fragile"), request("sample.fragile", vector(3), request_id=f"a-{number}")
        )
    assert [(answer.request_id, answer.error) for answer in answers.messages] == [
        ("a-2", "busy: 2 requests are waiting")
    ]
    assert service.counts().refused == 1
    assert await asyncio.to_thread(started.wait, 5)
    free.set()
    async with asyncio.timeout(5):
        while len(answers) < 3:
            await accel.run(int)  # comes after what is queued
    assert [answer.error for answer in answers.messages[1:]] == ["", ""]


async def test_who_waits_in_vain_is_told_and_listens_no_more(bus: Bus) -> None:
    with pytest.raises(Unavailable, match=r"no result within 0\.01 s"):
        await compute_remotely(bus, CLOCK, NAME, vector(3), 2.0, timeout=0.01)
    assert bus.subscriptions == ()


async def test_stopping_gives_up_what_waits_and_takes_no_more(
    bus: Bus, accel: Accelerator, service: ComputeService
) -> None:
    started, free = occupy(accel)
    answers: Capture[ComputeResult] = Capture(bus, "compute.result.>")
    bus.publish(topics.compute_request("sample.fragile"), request("sample.fragile", vector(3)))
    assert await asyncio.to_thread(started.wait, 5)
    await service.stop()
    await service.stop()
    bus.publish(topics.compute_request(NAME), request(NAME, vector(3), 2.0))
    free.set()
    await accel.closed()
    assert answers.messages == []
    assert service.counts().waiting == 0


async def test_many_clients_get_each_their_own_result(bus: Bus, accel: Accelerator) -> None:
    service = ComputeService(bus, accel, CLOCK)
    service.start()
    service.start()
    calls = (
        compute_remotely(bus, CLOCK, NAME, [float(one)], 1.0, timeout=5, client=f"c{one % 3}") for one in range(30)
    )
    results = await asyncio.gather(*calls)
    assert [float(result.arrays[0][0]) for result in results] == [float(one * one + one) for one in range(30)]
    await service.stop()


async def test_topics_do_not_grow_with_the_requests(bus: Bus, service: ComputeService) -> None:
    for _ in range(20):
        await compute_remotely(bus, CLOCK, NAME, [1.0], 1.0, timeout=5)
    assert {topic.topic for topic in bus.statistics()} == {f"compute.request.{NAME}", "compute.result.local"}


def test_results_go_to_the_topic_of_the_client() -> None:
    assert result_topic("risk-node-12ab") == "compute.result.risk-node"
    assert result_topic("12ab") == "compute.result.12ab"


@pytest.mark.parametrize(("kernel", "client"), [("", "a"), ("kernel.>", "a"), ("k", ""), ("k", "a.b"), ("k", "*")])
async def test_names_that_no_topic_can_carry_are_refused(bus: Bus, kernel: str, client: str) -> None:
    with pytest.raises(Invalid):
        await compute_remotely(bus, CLOCK, kernel, timeout=1, client=client)
