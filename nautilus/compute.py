"""Computing for others: kernels asked for by name over the bus, and run by whichever node has the devices.

A request goes out on `compute.request.<kernel>`, its result comes back on `compute.result.<client>`: in one process by
reference, between processes over the edge of the neural_gpu channel, with the same code on both sides.
"""

import asyncio
import secrets
from typing import Any

import msgspec
import numpy as np

from nautilus.accel import Accelerator, Computed
from nautilus.bus import Bus, Subscription
from nautilus.bus.patterns import is_pattern
from nautilus.clock import Clock
from nautilus.errors import Invalid, NautilusError, Unavailable
from nautilus.model import topics
from nautilus.model.messages import ComputeRequest, ComputeResult

ALL_REQUESTS: "topics.Topic[ComputeRequest]" = topics.Topic("compute.request.>")
WAITING_REQUESTS = 64
MOST_BYTES = 1 << 30
MOST_FLOPS = 1e12
"""A request that must do more than this, or touch more bytes, is refused: some ten seconds, and a gigabyte."""


class ComputeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests since the start: being computed, answered with a result, with an error, refused for want of room."""

    waiting: int
    computed: int
    failed: int
    refused: int


class ComputeService:
    """Answers compute requests on a bus with the kernels registered with an accelerator.

    At most `waiting` requests are queued or running; one more is refused at once, with a result that says so.
    """

    def __init__(
        self,
        bus: Bus,
        accel: Accelerator,
        clock: Clock,
        *,
        waiting: int = WAITING_REQUESTS,
        most_bytes: float = MOST_BYTES,
        most_flops: float = MOST_FLOPS,
    ) -> None:
        self._bus = bus
        self._accel = accel
        self._clock = clock
        self._most_waiting = waiting
        self._most_bytes = most_bytes
        self._most_flops = most_flops
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self._computed = self._failed = self._refused = 0

    def start(self) -> None:
        """Take requests from now on; a second call does nothing."""
        if self._subscription is None:
            self._subscription = self._bus.subscribe(ALL_REQUESTS, self._take, owner="compute")

    async def stop(self) -> None:
        """Take no more requests and give up those that wait; what runs on a thread ends there, unheard."""
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def counts(self) -> ComputeCounts:
        """What became of the requests."""
        return ComputeCounts(
            waiting=len(self._tasks), computed=self._computed, failed=self._failed, refused=self._refused
        )

    def _take(self, request: ComputeRequest) -> None:
        if len(self._tasks) >= self._most_waiting:
            self._refused += 1
            self._answer(request, error=f"busy: {len(self._tasks)} requests are waiting")
            return
        task = asyncio.get_running_loop().create_task(self._run(request), name=f"compute {request.request_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, request: ComputeRequest) -> None:
        computed, error = None, ""
        try:
            computed = await self._compute(request)
        except NautilusError as refused:
            error = str(refused)
        except Exception as failed:  # noqa: BLE001 - the one who asked is told, whatever it is
            error = f"{type(failed).__name__}: {failed}"
        if computed:
            self._computed += 1
        else:
            self._failed += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.discard(task)  # whoever gets the answer may ask again at once, and finds room
        self._answer(request, computed, error)

    async def _compute(self, request: ComputeRequest) -> Computed[Any]:
        kernel = self._accel.routed_kernel(request.kernel)
        arguments = await self._accel.prepare(kernel, *request.arguments)
        size, work = kernel.size(*arguments), kernel.work(*arguments)
        if size > kernel.largest:
            raise Invalid(kernel.name, f"size {size} is more than {kernel.largest}")
        if work.flops > self._most_flops:
            raise Invalid(kernel.name, f"{work.flops:.3g} operations are more than {self._most_flops:.3g}")
        if work.bytes > self._most_bytes:
            raise Invalid(kernel.name, f"{work.bytes:.3g} bytes are more than {self._most_bytes:.3g}")
        return await self._accel.compute(kernel, *arguments)

    def _answer(self, request: ComputeRequest, computed: Computed[Any] | None = None, error: str = "") -> None:
        result = ComputeResult(
            ts_event=self._clock.timestamp_ns(),
            request_id=request.request_id,
            kernel=request.kernel,
            backend=computed.backend if computed else "",
            relative_error=computed.relative_error if computed else None,
            arrays=arrays_of(computed.value) if computed else (),
            error=error,
        )
        self._bus.publish(result_topic(request.request_id), result)


def result_topic(request_id: str) -> "topics.Topic[ComputeResult]":
    """Where the result of a request goes: one topic for each client, or topics would grow with every request.

    >>> result_topic("risk-1f3a")
    'compute.result.risk'
    """
    client, _, number = request_id.rpartition("-")
    return topics.compute_result(client or number)


def arrays_of(value: Any) -> tuple[Any, ...]:
    """A kernel's result as the arrays and numbers that it is made of, in order."""
    if isinstance(value, tuple):
        return tuple(item for part in value for item in arrays_of(part))
    if isinstance(value, np.generic):
        return (value.item(),)
    return (value,)


async def compute_remotely(
    bus: Bus,
    clock: Clock,
    kernel: str,
    *arguments: Any,
    timeout: float,  # noqa: ASYNC109 - the deadline is the call's meaning
    client: str = "local",
) -> ComputeResult:
    """Ask whoever answers on the bus to run a kernel, and await the result, at most `timeout` seconds.

    `kernel` is a name such as "covariance.covariance_matrix", `arguments` are in the order of its reference; arrays
    must not change until the result is there. `client` names who asks, one token; results go to its topic.
    Raises Unavailable where nobody answers in time, or the answer is an error.
    """
    if not kernel or is_pattern(kernel):
        raise Invalid("kernel", f"must be the name of a kernel, not {kernel!r}")
    if not client or is_pattern(client) or "." in client:
        raise Invalid("client", f"must be one token of a topic, not {client!r}")
    request_id = f"{client}-{secrets.token_hex(8)}"
    answer: asyncio.Future[ComputeResult] = asyncio.get_running_loop().create_future()

    def take(result: ComputeResult) -> None:
        if result.request_id == request_id and not answer.done():
            answer.set_result(result)

    request = ComputeRequest(
        ts_event=clock.timestamp_ns(), request_id=request_id, kernel=kernel, arguments=tuple(arguments)
    )
    subscription = bus.subscribe(result_topic(request_id), take, owner=f"compute client {client}")
    try:
        bus.publish(topics.compute_request(kernel), request)
        async with asyncio.timeout(timeout):
            result = await answer
    except TimeoutError:
        raise Unavailable(f"{kernel}: no result within {timeout} s") from None
    finally:
        subscription.cancel()
    if result.error:
        raise Unavailable(f"{kernel}: {result.error}")
    return result
