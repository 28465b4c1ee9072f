"""Jobs: every end is noted once, also of work on a thread, of work that never began, and of results that cannot be."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from nautilus.errors import Conflict, StoreError
from nautilus.jobs import Jobs, Progress
from nautilus.node import Node
from nautilus.testing import make_node


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with make_node([]) as made:
        yield made


async def nothing(progress: Progress) -> None:
    progress.report(0.5)


async def endless(progress: Progress) -> None:
    await asyncio.Event().wait()


async def test_a_job_cancelled_before_its_first_step_has_ended(node: Node) -> None:
    job = node.jobs.start("quick", endless)
    node.jobs.cancel(job.id)
    ended = await node.jobs.wait(job.id)
    assert (ended.status, ended.ts_ended is not None) == ("cancelled", True)
    with pytest.raises(Conflict):
        node.jobs.cancel(job.id)
    stored = msgspec.json.decode(node.store.state.items("jobs")[0][1])
    assert stored["status"] == "cancelled"


async def test_cancelling_work_on_a_thread_ends_it_there_at_its_next_report(node: Node) -> None:
    began, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    def compute(progress: Progress) -> None:
        began.set()
        assert let_go.wait(5)
        try:
            progress.report(0.9, "never seen")
        finally:
            ended.set()

    job = node.jobs.start("threaded", lambda progress: node.accel.run(compute, progress))
    assert await asyncio.to_thread(began.wait, 5)
    node.jobs.cancel(job.id)
    assert (await node.jobs.wait(job.id)).status == "cancelled"
    let_go.set()
    assert await asyncio.to_thread(ended.wait, 5)
    await node.accel.closed()
    assert (job.fraction, job.message, node.accel.busy) == (0.0, "", 0)


async def test_a_result_that_cannot_be_written_as_json_is_a_failure(node: Node) -> None:
    async def opaque(progress: Progress) -> Any:
        return object()

    job = await node.jobs.wait(node.jobs.start("opaque", opaque).id)
    assert job.status == "failed"
    assert "TypeError" in str(job.error)
    assert bytes(job.result) == b"null"


async def test_what_is_not_a_number_is_null_in_results_and_no_progress(node: Node) -> None:
    async def undefined(progress: Progress) -> list[float]:
        progress.report(0.25)
        progress.report(float("nan"))
        assert job.fraction == 0.25
        progress.report(7)
        assert job.fraction == 1.0
        return [float("nan"), 1.0]

    job = node.jobs.start("undefined", undefined)
    assert bytes((await node.jobs.wait(job.id)).result) == b"[null,1.0]"


async def test_a_result_too_large_to_keep_is_a_failure_and_the_record_says_so(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = node.store.state.put

    def limited(namespace: str, key: str, value: bytes) -> None:
        if len(value) > 1000:
            raise StoreError("over the limit")
        put(namespace, key, value)

    async def large(progress: Progress) -> str:
        return "x" * 2000

    monkeypatch.setattr(node.store.state, "put", limited)
    job = await node.jobs.wait(node.jobs.start("large", large).id)
    assert (job.status, job.error) == ("failed", "the result cannot be kept: over the limit")
    assert msgspec.json.decode(node.store.state.items("jobs")[0][1])["status"] == "failed"


async def test_a_job_whose_record_cannot_be_written_does_not_start(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(node.store.state, "put", refuse)
    with pytest.raises(StoreError):
        node.jobs.start("any", nothing)
    assert node.jobs.all() == []


async def test_records_of_another_version_are_left_alone_and_running_ones_were_interrupted(node: Node) -> None:
    node.store.state.put("jobs", "000000000007", b'{"of": "another version"}')
    node.store.state.put("jobs", "000000000008", b'{"id": "old-8", "kind": "old", "status": "running"}')
    jobs = Jobs(node.clock, node.store)
    jobs.recover()
    assert [(job.id, job.status) for job in jobs.all()] == [("old-8", "interrupted")]
    assert node.store.state.get("jobs", "000000000007") is not None
    assert (await jobs.wait(jobs.start("new", nothing).id)).id == "new-9"


async def test_only_the_latest_jobs_are_kept_and_running_ones_always(node: Node) -> None:
    jobs = Jobs(node.clock, node.store, limit=2)
    stuck = jobs.start("stuck", endless)
    for _ in range(3):
        await jobs.wait(jobs.start("quick", nothing).id)
    assert [job.id for job in jobs.all()] == ["stuck-1", "quick-4"]
    assert len(node.store.state.items("jobs")) == 2
    await jobs.close()
    assert stuck.status == "cancelled"
