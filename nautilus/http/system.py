"""Operations of the node itself: health, engines, bus, clock, devices, jobs."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from nautilus import __version__
from nautilus.accel import Compilation, Device, discover
from nautilus.bus import TopicStatistics
from nautilus.clock import TestClock
from nautilus.engines.base import Health
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import Unavailable
from nautilus.jobs import Job
from nautilus.loop_lag import LoopLagReport
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from nautilus.node import Node


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str
    version: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The node is up: how many engines run, and what is not as it should be."""

    status: str
    engines_running: int
    engines: dict[str, str]
    market_data: str
    problems: list[str]


class BusReport(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the bus by channel, and of each topic."""

    channels: dict[Channel, int]
    subscriptions: int
    endpoints: list[str]
    topics: list[TopicStatistics]
    topics_total: int


class ClockReport(msgspec.Struct, frozen=True, kw_only=True):
    """The node's time, and how late the loop is."""

    kind: str
    timestamp_ns: int
    utc: str
    timers: int
    loop_lag: LoopLagReport


class AccelReport(msgspec.Struct, frozen=True, kw_only=True):
    """Devices and kernels."""

    devices: list[Device]
    kernels: list[str]
    compilation: Compilation


def system_operations(node: "Node") -> list[Operation]:
    """The node-wide operations."""

    async def live() -> Liveness:
        """Whether the process answers."""
        return Liveness(status="live", version=__version__)

    async def ready() -> Readiness:
        """Whether the node is up; 503 while it starts or stops."""
        if not node.ready:
            state = node.accel.compilation
            raise Unavailable(
                f"starting: {state.done} of {state.total} kernels compiled" if state.total else "not started"
            )
        health = {name: engine.health() for name, engine in node.engines.items()}
        return Readiness(
            status="ready",
            engines_running=sum(engine.running for engine in node.engines.values()),
            engines={name: report.status for name, report in health.items()},
            market_data=node.context.source.description,
            problems=[
                *node.store.problems(),
                *(f"{name}: {reason}" for name, report in health.items() for reason in report.reasons),
            ],
        )

    async def engines() -> list[Health]:
        """Health and counts of every engine."""
        return [engine.health() for engine in node.engines.values()]

    async def engine(name: str) -> Health:
        """Health and counts of one engine."""
        return node[name].health()

    async def bus(limit: Annotated[int, Meta(ge=0, le=10_000)] = 200) -> BusReport:
        """Counts of the bus; the busiest topics first."""
        topics = sorted(node.bus.statistics(), key=lambda topic: -topic.published)
        channels = dict.fromkeys(Channel, 0)
        for topic in topics:
            channels[topic.channel] += topic.published
        return BusReport(
            channels=channels,
            subscriptions=len(node.bus.subscriptions),
            endpoints=sorted(node.bus.endpoints),
            topics=topics[:limit],
            topics_total=len(topics),
        )

    async def clock() -> ClockReport:
        """The node's time."""
        return ClockReport(
            kind="test" if isinstance(node.clock, TestClock) else "live",
            timestamp_ns=node.clock.timestamp_ns(),
            utc=node.clock.utc_now().isoformat(),
            timers=node.clock.timer_count,
            loop_lag=node.loop_lag.report(),
        )

    async def accel() -> AccelReport:
        """Devices found and kernels registered."""
        return AccelReport(
            devices=await node.accel.run(discover),
            kernels=[kernel.name for kernel in node.accel.kernels],
            compilation=node.accel.compilation,
        )

    async def jobs() -> list[Job]:
        """Every job kept, oldest first."""
        return node.jobs.all()

    async def job(job_id: str) -> Job:
        """One job."""
        return node.jobs.get(job_id)

    async def cancel(job_id: str) -> Job:
        """Cancel a running job."""
        return node.jobs.cancel(job_id)

    return [
        get("/health/live", live),
        get("/health/ready", ready),
        get("/engines", engines),
        get("/engines/{name}", engine),
        get("/bus", bus),
        get("/clock", clock),
        get("/accel", accel),
        get("/jobs", jobs),
        get("/jobs/{job_id}", job),
        post("/jobs/{job_id}/cancel", cancel),
    ]
