"""Prometheus text made from the counts that the node keeps anyway; nothing is counted for it on the hot path."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from nautilus.clock import LiveClock

if TYPE_CHECKING:
    from nautilus.cluster import ClusterReport
    from nautilus.engines.base import EngineStatistics
    from nautilus.node import Node

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FIRST_BIN, _LAST_BIN = 10, 30  # 1 microsecond to 1 second


def collect(node: "Node") -> list[Metric]:
    """Everything that is measured, as it stands. Quick, and only on the loop: it reads what the loop changes."""
    return list(_NodeMetrics(node).collect())


def render(families: list[Metric]) -> bytes:
    """The exposition text of what was collected. It takes milliseconds: call it off the loop."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


class _NodeMetrics:
    def __init__(self, node: "Node") -> None:
        self._node = node

    def collect(self) -> Iterator[Metric]:
        node = self._node
        yield GaugeMetricFamily("nautilus_ready", "1 when the node is ready", float(node.ready))
        lag = node.loop_lag.report()
        if lag.p99 is not None:
            yield GaugeMetricFamily("nautilus_loop_lag_p99_seconds", "Loop lag over the last minute", lag.p99)
        if isinstance(node.clock, LiveClock):
            clock = node.clock.discipline()
            yield CounterMetricFamily("nautilus_clock_steps", "Times the machine's clock was set", clock.steps_seen)
            if clock.drift_ppm is not None:
                yield GaugeMetricFamily("nautilus_clock_drift_ppm", "Rate of the machine's clock", clock.drift_ppm)
        yield from self._engines()
        yield from self._bus()
        if node.cluster is not None:
            yield from self._edges(node.cluster.report())
        yield CounterMetricFamily(
            "nautilus_journal_records", "Records in the journal", node.store.journal.last_sequence
        )
        yield GaugeMetricFamily("nautilus_store_problems", "Problems of the store", len(node.store.problems()))

    def _engines(self) -> Iterator[Metric]:
        engines = self._node.engines
        up = GaugeMetricFamily("nautilus_engine_up", "1 live, 0.5 degraded, 0 down", labels=["engine"])
        inputs = CounterMetricFamily("nautilus_engine_inputs", "Messages handled", labels=["engine"])
        outputs = CounterMetricFamily("nautilus_engine_outputs", "Messages published", labels=["engine"])
        errors = CounterMetricFamily("nautilus_engine_errors", "Failures of handlers", labels=["engine"])
        busy = CounterMetricFamily("nautilus_engine_busy_seconds", "Time spent in handlers", labels=["engine"])
        delivery = HistogramMetricFamily(
            "nautilus_engine_delivery_seconds", "Time one delivery took", labels=["engine"]
        )
        for name, engine in engines.items():
            stats = engine.stats
            up.add_metric([name], {"live": 1.0, "degraded": 0.5, "down": 0.0}[engine.health().status])
            inputs.add_metric([name], stats.inputs)
            outputs.add_metric([name], stats.outputs)
            errors.add_metric([name], stats.errors)
            busy.add_metric([name], stats.busy_ns / 1e9)
            delivery.add_metric([name], _buckets(stats), sum_value=(stats.busy_ns - stats.timers_ns) / 1e9)
        yield from (up, inputs, outputs, errors, busy, delivery)

    def _bus(self) -> Iterator[Metric]:
        published = CounterMetricFamily("nautilus_bus_published", "Messages published", labels=["family"])
        totals: dict[str, int] = {}
        for topic in self._node.bus.statistics():
            family = topic.topic.partition(".")[0]
            totals[family] = totals.get(family, 0) + topic.published
        for family, count in totals.items():
            published.add_metric([family], count)
        yield published

    def _edges(self, report: "ClusterReport") -> Iterator[Metric]:
        label = ["channel"]
        connected = GaugeMetricFamily("nautilus_edge_connected", "1 when the server answers", labels=label)
        sent = CounterMetricFamily("nautilus_edge_sent", "Messages sent to other processes", labels=label)
        queued = GaugeMetricFamily("nautilus_edge_queued", "Messages that wait for the server", labels=label)
        dropped = CounterMetricFamily("nautilus_edge_dropped", "Messages that gave way or were refused", labels=label)
        received = CounterMetricFamily("nautilus_edge_received", "Messages from other processes", labels=label)
        dead = CounterMetricFamily("nautilus_edge_dead_letters", "What could not be read or handled", labels=label)
        for edge in report.edges.channels if report.edges is not None else ():
            connected.add_metric([edge.channel], float(edge.connected))
            if edge.outbound is not None:
                sent.add_metric([edge.channel], edge.outbound.sent)
                queued.add_metric([edge.channel], edge.outbound.queued)
                dropped.add_metric([edge.channel], sum(edge.outbound.dropped.values()))
            if edge.inbound is not None:
                received.add_metric([edge.channel], edge.inbound.received)
                dead.add_metric([edge.channel], edge.inbound.dead_letters)
        yield from (connected, sent, queued, dropped, received, dead)
        peers = len(report.presence.peers) if report.presence is not None else 0
        yield GaugeMetricFamily("nautilus_peers", "Other instances that are there", peers)
        if report.ownership is not None:
            owner = GaugeMetricFamily("nautilus_account_owned", "1 where this node may trade", labels=["account"])
            for lease in report.ownership.leases:
                owner.add_metric([lease.name.partition(":")[2]], float(lease.held))
            yield owner


def _buckets(stats: "EngineStatistics") -> list[tuple[str, float]]:
    """Cumulative counts by upper bound in seconds."""
    buckets = []
    seen = float(sum(stats.histogram[:_FIRST_BIN]))
    for exponent in range(_FIRST_BIN, _LAST_BIN + 1):
        seen += stats.histogram[exponent]
        buckets.append((f"{(1 << exponent) / 1e9:.9f}", seen))
    return [*buckets, ("+Inf", float(sum(stats.histogram)))]
