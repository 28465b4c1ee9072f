"""Long work: a job has progress, can be cancelled, and its record outlives the process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from nautilus.clock import Clock
from nautilus.errors import Conflict, NotFound, StoreError

if TYPE_CHECKING:
    from nautilus.store.base import Store

JobStatus = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]
_NAMESPACE = "jobs"


def _no_result() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class Job(msgspec.Struct, kw_only=True):
    """A piece of long work as it stands. `fraction` is 0 to 1; `result` is JSON, null until it succeeded."""

    id: str
    kind: str
    status: JobStatus = "running"
    fraction: float = 0.0
    message: str = ""
    error: str | None = None
    ts_created: int = 0
    ts_ended: int | None = None
    result: msgspec.Raw = msgspec.field(default_factory=_no_result)


class Progress:
    """What a job's work is handed: it reports through it, from any thread."""

    __slots__ = ("_job", "cancelled")

    def __init__(self, job: Job) -> None:
        self._job = job
        self.cancelled = False

    def report(self, fraction: float, message: str = "") -> None:
        """Say how far the work is (0 to 1; NaN says nothing). Raises CancelledError once the job is cancelled."""
        if self.cancelled:
            raise asyncio.CancelledError
        if fraction == fraction:  # noqa: PLR0124 - not NaN
            self._job.fraction = min(1.0, max(0.0, fraction))
        if message:
            self._job.message = message


class Jobs:
    """The jobs of a node; the latest `limit` are kept."""

    def __init__(self, clock: Clock, store: "Store", limit: int = 1000) -> None:
        self._clock = clock
        self._store = store
        self._limit = limit
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, Progress] = {}
        self._count = 0

    def recover(self) -> None:
        """Read the records of earlier runs; what was running then was interrupted.

        A record that another version wrote and this one cannot read is left where it is, and not shown.
        """
        for key, data in sorted(self._store.state.items(_NAMESPACE)):
            self._count = max(self._count, int(key))
            try:
                job = msgspec.json.decode(data, type=Job)
            except msgspec.DecodeError:
                continue
            self._jobs[job.id] = job
            if job.status == "running":
                job.status = "interrupted"
                self._save(job)
        self._forget_old()

    def start(self, kind: str, work: Callable[[Progress], Awaitable[Any]]) -> Job:
        """Run `work` as a task; its return value, encoded as JSON, is the job's result."""
        self._count += 1
        job = Job(id=f"{kind}-{self._count}", kind=kind, ts_created=self._clock.timestamp_ns())
        self._save(job)
        self._jobs[job.id] = job
        progress = self._progress[job.id] = Progress(job)
        task = asyncio.get_running_loop().create_task(self._run(job, work, progress), name=job.id)
        task.add_done_callback(lambda _: self._ended(job, progress))
        self._tasks[job.id] = task
        self._forget_old()
        return job

    def get(self, job_id: str) -> Job:
        """The job; raises NotFound."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NotFound("job", job_id) from None

    def all(self) -> list[Job]:
        """Every job kept, oldest first."""
        return list(self._jobs.values())

    def cancel(self, job_id: str) -> Job:
        """Ask a running job to stop; raises Conflict when it has ended."""
        job = self.get(job_id)
        if job.status != "running":
            raise Conflict(f"job {job_id} has {job.status}")
        self._progress[job_id].cancelled = True
        self._tasks[job_id].cancel()
        return job

    async def wait(self, job_id: str) -> Job:
        """The job when it has ended."""
        job = self.get(job_id)
        if task := self._tasks.get(job_id):
            await asyncio.gather(task, return_exceptions=True)
        return job

    async def close(self) -> None:
        """Cancel what runs and wait for it; what computes on a thread ends there at its next report."""
        tasks = list(self._tasks.values())
        for progress in self._progress.values():
            progress.cancelled = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Callable[[Progress], Awaitable[Any]], progress: Progress) -> None:
        try:
            result = msgspec.json.encode(await work(progress))
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - a job's failure is its result
            job.status = "failed"
            job.error = f"{type(error).__name__}: {error}"
        else:
            job.result = msgspec.Raw(result)
            job.fraction = 1.0
            job.status = "succeeded"
        self._ended(job, progress)

    def _ended(self, job: Job, progress: Progress) -> None:
        """Note the end, once. A task that was cancelled before its first step never ran: it is noted here alone."""
        if self._tasks.pop(job.id, None) is None:
            return
        progress.cancelled = True
        del self._progress[job.id]
        if job.status == "running":
            job.status = "cancelled"
        job.ts_ended = self._clock.timestamp_ns()
        try:
            self._save(job)
        except StoreError as error:
            job.status, job.error, job.result = "failed", f"the result cannot be kept: {error}", _no_result()
            with suppress(StoreError):  # the store itself is failing, and says so among its problems
                self._save(job)

    def _save(self, job: Job) -> None:
        self._store.state.put(_NAMESPACE, f"{int(job.id.rpartition('-')[2]):012d}", msgspec.json.encode(job))

    def _forget_old(self) -> None:
        ended = [job for job in self._jobs.values() if job.status != "running"]
        for job in ended[: max(0, len(self._jobs) - self._limit)]:
            del self._jobs[job.id]
            self._store.state.delete(_NAMESPACE, f"{int(job.id.rpartition('-')[2]):012d}")
