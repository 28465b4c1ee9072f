"""Orders by hand, and what the risk gate makes of them: one passes, one is too large, one meets the kill switch.

python examples/kill_switch.py
"""

import asyncio
from typing import Any

import nautilus
from nautilus.clock import TestClock
from nautilus.model import Order, OrderType, Side, SubmitOrder, topics
from nautilus.model.messages import RiskAlert

START_NS = 1_704_205_800_000_000_000  # 2024-01-02 14:30 UTC
SECOND_NS = 1_000_000_000
ENGINES = ("marketdata", "strategy", "risk", "portfolio")
OPTIONS = {"store.directory": ":memory:", "log.level": "warning", "engines.strategy.deployments": []}


def buy(node: nautilus.Node, clock: TestClock, name: str, quantity_lots: int) -> Order:
    """Send a market order the way every order goes: through the gate, the journal and the venue."""
    order: Order = node.bus.call(
        "strategy.submit",
        SubmitOrder(
            client_order_id=name,
            strategy_id="manual",
            account_id="main",
            instrument_id="ALFA.SIM",
            side=Side.BUY,
            order_type=OrderType.MARKET,
            quantity_lots=quantity_lots,
        ),
    )
    clock.advance_time(SECOND_NS)
    return order


def tell(order: Order) -> None:
    print(f"{order.client_order_id}: {order.status}, {order.filled_lots} lots filled {order.reason}".rstrip())


async def main() -> None:
    clock = TestClock(START_NS)
    config = nautilus.load_config(overrides=OPTIONS, environment={})
    async with nautilus.Node(config, clock=clock, engines=ENGINES) as node:

        def on_alert(alert: RiskAlert) -> None:
            print(f"{alert.severity}: {alert.message}")

        node.bus.subscribe(topics.risk_alert("global"), on_alert)
        clock.advance_time(5 * SECOND_NS)
        risk: Any = node["risk"]
        strategy: Any = node["strategy"]
        tell(buy(node, clock, "small", 100))
        tell(buy(node, clock, "huge", 50_000_000))
        risk.kill("showing what it does", "example")
        tell(buy(node, clock, "late", 100))
        print(f"position: {strategy.record.position('manual', 'main', 'ALFA.SIM')} lots of ALFA.SIM")


if __name__ == "__main__":
    asyncio.run(main())
