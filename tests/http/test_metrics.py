"""Metrics: text that Prometheus understands, counts that add up, and nothing read off the loop."""

from collections.abc import Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from nautilus.http import metrics
from nautilus.model import topics
from nautilus.node import Node
from nautilus.testing import make_node, make_quote, make_trade


def parsed(node: Node) -> dict[str, Metric]:
    families: Iterable[Metric] = text_string_to_metric_families(metrics.render(metrics.collect(node)).decode())
    return {family.name: family for family in families}


async def test_the_text_is_what_prometheus_reads_and_counts_what_happened() -> None:
    async with make_node(["vpin", "features"]) as node:
        for number in range(5):
            node.bus.publish(topics.trade("A.X"), make_trade("A.X", trade_id=number))
        node.bus.publish(topics.quote("A.X"), make_quote("A.X"))
        found = parsed(node)
    (ready,) = found["nautilus_ready"].samples
    assert ready.value == 1.0
    published = {sample.labels["family"]: sample.value for sample in found["nautilus_bus_published"].samples}
    assert (published["trade"], published["quote"]) == (5.0, 1.0)
    inputs = {sample.labels["engine"]: sample.value for sample in found["nautilus_engine_inputs"].samples}
    assert inputs["vpin"] >= 5
    up = {sample.labels["engine"]: sample.value for sample in found["nautilus_engine_up"].samples}
    assert up == {"vpin": 1.0, "features": 1.0}


async def test_the_histogram_is_cumulative_and_its_sum_is_of_deliveries_alone() -> None:
    async with make_node(["vpin"]) as node:
        engine = node["vpin"]
        before = engine.stats.busy_ns
        engine.every(1_000_000_000, lambda event: sum(range(200_000)))
        node.clock.advance_time(2_000_000_000)  # type: ignore[attr-defined] # a test node's clock
        in_timers = engine.stats.timers_ns
        assert in_timers > 0
        node.bus.publish(topics.trade("A.X"), make_trade("A.X"))
        samples = parsed(node)["nautilus_engine_delivery_seconds"].samples
        by_kind = {kind: [one for one in samples if one.name.endswith(kind)] for kind in ("_bucket", "_count", "_sum")}
        counts = [sample.value for sample in by_kind["_bucket"]]
        assert counts == sorted(counts)
        assert [float(sample.labels["le"]) for sample in by_kind["_bucket"]] == sorted(
            float(sample.labels["le"]) for sample in by_kind["_bucket"]
        )
        assert counts[-1] == by_kind["_count"][0].value == sum(engine.stats.histogram)
        assert by_kind["_sum"][0].value == pytest.approx((engine.stats.busy_ns - in_timers) / 1e9)
        assert before <= engine.stats.busy_ns


async def test_what_was_collected_does_not_change_while_it_is_written() -> None:
    async with make_node(["vpin"]) as node:
        families = metrics.collect(node)
        first = metrics.render(families)
        node.bus.publish(topics.trade("LATER.X"), make_trade("LATER.X"))
        assert metrics.render(families) == first


async def test_a_node_without_engines_or_beats_has_metrics() -> None:
    node = make_node([])
    found = parsed(node)
    assert found["nautilus_ready"].samples[0].value == 0.0
    assert "nautilus_loop_lag_p99_seconds" not in found
    await node.stop()
