"""A strategy on a minute of the simulated market, and its report as an HTML page.

python examples/backtest_report.py [report.html]
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import nautilus
from nautilus.engines.backtesting import BacktestData, BacktestRequest, StrategyChoice, report_page

REQUEST = BacktestRequest(
    strategies=(
        StrategyChoice(
            strategy="vpin_market_maker",
            strategy_id="maker",
            parameters={"instrument_ids": ["BRVO.SIM", "FXTR.SIM"], "order_lots": 50, "max_position_lots": 300},
        ),
    ),
    data=BacktestData(kind="simulated", seed=1, duration_seconds=60),
)


async def main(page: Path) -> None:
    config = nautilus.load_config(overrides={"store.directory": ":memory:", "log.level": "warning"}, environment={})
    async with nautilus.Node(config, engines=["backtesting"]) as node:
        engine: Any = node["backtesting"]
        job = await engine.start_run(REQUEST)
        job = await node.jobs.wait(job.id)
        if job.status != "succeeded":
            sys.exit(f"{job.id} {job.status}: {job.error}")
        report = engine.report(job.id)

    account, orders = report.account, report.orders
    print(f"{report.run_id} on {report.data_description}: {report.market_events:,} market events")
    print(f"orders: {orders.submitted} sent, {orders.denied} denied by the gate, {orders.filled} fills")
    print(f"equity {account.equity} {account.currency}: deposits {account.deposits}, realized {account.realized_pnl},")
    print(f"  unrealized {account.unrealized_pnl}, fees {account.fees} (negative: rebates for resting orders)")
    print(f"journal sha256 {report.journal_sha256[:16]}: another run of the same request has the same")
    await asyncio.to_thread(page.write_text, report_page(report), encoding="utf-8")
    print(f"report: {page}")


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "report.html"
    asyncio.run(main(chosen))
