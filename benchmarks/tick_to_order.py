"""From a quote to the order it causes, in a node with all thirteen engines loaded: p50 and p99.

The clock is started when the quote is published, and read twice: when the order is journaled as submitted and told,
after those engines that got the quote before the strategy; and when every engine that listens has handled both the
quote and the order. The disk's fdatasync before the order leaves (`store.sync = "group"`) runs on a thread and is in
neither.
"""

import asyncio
import tempfile
from time import perf_counter_ns
from typing import Any

from benchmarks.measure import quantile
from nautilus import Node, load_config
from nautilus.model import OrderSubmitted, topics
from nautilus.testing import make_instrument, make_quote

QUOTES = 20_000


async def measure(sync: str) -> tuple[list[float], list[float]]:
    with tempfile.TemporaryDirectory() as directory:
        strategy = {
            "name": "bench",
            "strategy": "ema_cross",
            "config": {"instrument_ids": ["TEST.SIM"], "fast": 1, "slow": 2, "trade_lots": 1},
        }
        config = load_config(
            overrides={
                "store.directory": directory,
                "store.sync": sync,
                "log.level": "error",
                "engines.marketdata.source": "none",
                "engines.strategy.deployments": [strategy],
                "engines.risk.rules.max_orders_per_second": 1_000_000,
                "engines.risk.rules.max_strategy_orders_per_second": 1_000_000,
            },
            environment={},
        )
        node = Node(config)
        node.instruments.add(make_instrument())
        async with node:
            return await _orders(node)


async def _orders(node: Any) -> tuple[list[float], list[float]]:
    latencies: list[float] = []
    handled: list[float] = []
    started = 0

    def on_order(event: Any) -> None:
        if isinstance(event, OrderSubmitted):
            latencies.append((perf_counter_ns() - started) / 1000)

    node.bus.subscribe(topics.order("bench"), on_order)
    topic = topics.quote("TEST.SIM")
    for number in range(QUOTES):
        bid = 10_000 + (5 if number // 3 % 2 else -5) + number % 2
        now = node.clock.timestamp_ns()
        quote = make_quote(bid_ticks=bid, ask_ticks=bid + 1, ts_event=now)
        started = perf_counter_ns()
        node.bus.publish(topic, quote)
        if len(latencies) > len(handled):
            handled.append((perf_counter_ns() - started) / 1000)
        if number % 10 == 0:
            await asyncio.sleep(0)
    return latencies, handled


def main() -> None:
    for sync in ("none", "group"):
        ordered, handled = asyncio.run(measure(sync))
        if not ordered:
            print(f'store.sync = "{sync}": no order came about')
            continue
        for what, found in (("tick to journaled order", ordered), ("until every engine is done", handled)):
            print(
                f'store.sync = "{sync}": {len(found)} orders, {what}: p50 {quantile(found, 0.5):,.0f} us, '
                f"p99 {quantile(found, 0.99):,.0f} us"
            )
