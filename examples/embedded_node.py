"""A node inside a program: half a minute of a simulated market, as fast as the machine can, and what came of it.

python examples/embedded_node.py
"""

import asyncio

import nautilus
from nautilus.clock import TestClock
from nautilus.model import topics
from nautilus.model.messages import PortfolioUpdate, VpinCalculation

START_NS = 1_704_205_800_000_000_000  # 2024-01-02 14:30 UTC
SECOND_NS = 1_000_000_000
SECONDS = 30
ENGINES = ("marketdata", "vpin", "strategy", "risk", "portfolio")
OPTIONS = {"store.directory": ":memory:", "log.level": "warning", "engines.vpin.bucket_lots": 1_000}


async def main() -> None:
    toxicity: dict[str, VpinCalculation] = {}
    accounts: dict[str, PortfolioUpdate] = {}

    def on_vpin(message: VpinCalculation) -> None:
        toxicity[message.instrument_id] = message

    def on_portfolio(message: PortfolioUpdate) -> None:
        accounts[message.account.account_id] = message

    clock = TestClock(START_NS)
    config = nautilus.load_config(overrides=OPTIONS, environment={})
    async with nautilus.Node(config, clock=clock, engines=ENGINES) as node:
        node.bus.subscribe(topics.ALL_VPIN, on_vpin)
        node.bus.subscribe(topics.ALL_PORTFOLIOS, on_portfolio)
        for _ in range(SECONDS):
            clock.advance_time(SECOND_NS)
            await asyncio.sleep(0)

        print(f"{SECONDS} seconds of the {node.context.source.description} (quality: {node.context.source.quality})")
        for engine in node.engines.values():
            health = engine.health()
            print(f"{health.engine:<12} {health.status:<9} in {health.inputs:>7,}  out {health.outputs:>7,}")
        for instrument_id, latest in sorted(toxicity.items()):
            print(f"VPIN of {instrument_id}: {latest.vpin:.3f} after {latest.bucket_index + 1} buckets")
        account = accounts["main"].account
        print(f"account {account.account_id}: equity {account.equity} {account.currency}, fees {account.fees}")


if __name__ == "__main__":
    asyncio.run(main())
