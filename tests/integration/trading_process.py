"""A process that trades on a busy simulated market and says on standard output what it has acknowledged.

It is killed at any moment by the test that started it. Arguments: the folder of the store, the seed of the market.
"""

import asyncio
import os
import sys
from typing import Any

import msgspec

from nautilus import Node, load_config
from nautilus.model import topics

DEPLOYMENTS = [
    {
        "name": "maker",
        "strategy": "vpin_market_maker",
        "config": {"instrument_ids": ["BRVO.SIM", "FXTR.SIM"], "order_lots": 50, "max_position_lots": 300},
    },
    {
        "name": "cross",
        "strategy": "ema_cross",
        "config": {"instrument_ids": ["ALFA.SIM", "GOLF.SIM"], "fast": 1, "slow": 2, "trade_lots": 10},
    },
]
ENGINES = ("marketdata", "strategy", "risk", "portfolio")


def options(directory: str, seed: int) -> dict[str, Any]:
    return {
        "store.directory": directory,
        "store.snapshot_seconds": 1,
        "log.level": "error",
        "accel.compile_at_start": False,
        "engines.marketdata.seed": seed,
        "engines.marketdata.events_per_second": 1000,
        "engines.marketdata.record": "never",
        "engines.strategy.deployments": DEPLOYMENTS,
    }


def acknowledge(event: Any) -> None:
    os.write(1, msgspec.json.encode({"type": type(event).__name__, "event": event}) + b"\n")


async def main(directory: str, seed: int) -> None:
    node = Node(load_config(overrides=options(directory, seed), environment={}), engines=ENGINES)
    node.bus.subscribe(topics.ALL_ORDERS, acknowledge)
    async with node:
        os.write(1, b'{"type":"ready"}\n')
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
