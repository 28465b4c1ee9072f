"""Operations of the node itself: health, engines, bus, clock, devices, jobs."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from nautilus import __version__
from nautilus.bus import TopicStatistics
from nautilus.cluster import ClusterReport
from nautilus.engines.base import Health
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import NotFound, Unavailable
from nautilus.http.accel import accel_operations
from nautilus.http.clock import clock_operations
from nautilus.jobs import Job
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from nautilus.node import Node


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers. `cluster` says whether it is joined to others (edges.enabled)."""

    status: str
    version: str
    cluster: bool


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


def system_operations(node: "Node") -> list[Operation]:
    """The node-wide operations."""

    async def live() -> Liveness:
        """Whether the process answers."""
        return Liveness(status="live", version=__version__, cluster=node.config.edges.enabled)

    async def ready() -> Readiness:
        """Whether the node is up; 503 while it starts or stops."""
        if not node.ready:
            state = node.accel.compilation
            if node.superseded:
                raise Unavailable(node.superseded)
            if node.cluster is not None and (reason := node.cluster.standing_by()):
                raise Unavailable(f"standing by: {reason}")
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
                *(node.cluster.problems() if node.cluster is not None else []),
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

    async def cluster() -> ClusterReport:
        """This node among others: who is there, what crosses, who may trade. 404 for a node without edges."""
        if node.cluster is None:
            raise NotFound("cluster of", node.config.name)
        return node.cluster.report()

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
        get("/cluster", cluster),
        *clock_operations(node),
        *accel_operations(node),
        get("/jobs", jobs),
        get("/jobs/{job_id}", job),
        post("/jobs/{job_id}/cancel", cancel),
    ]
