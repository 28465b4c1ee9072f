"""HTTP operations of the backtesting engine."""

from typing import TYPE_CHECKING

from nautilus.engines.backtesting.models import BacktestReport, BacktestRequest, BacktestSummary
from nautilus.engines.backtesting.report_page import report_page
from nautilus.engines.operation import Operation, Page, get, post
from nautilus.jobs import Job

if TYPE_CHECKING:
    from nautilus.engines.backtesting.engine import BacktestingEngine


def backtesting_routes(engine: "BacktestingEngine") -> list[Operation]:
    """The operations below /backtesting."""

    async def start(body: BacktestRequest) -> Job:
        """Start a backtest.

        Answers at once with the job; its id is the run's. Follow it under /jobs/{job_id} or on the topic
        backtest_progress.{run_id}.
        """
        return await engine.start_run(body)

    async def runs() -> list[BacktestSummary]:
        """Finished backtests, oldest first."""
        return engine.summaries()

    async def report(run_id: str) -> BacktestReport:
        """The report of one backtest."""
        return engine.report(run_id)

    async def page(run_id: str) -> Page:
        """The report as a self-contained HTML page."""
        return Page(await engine.accel.run(report_page, engine.report(run_id)))

    return [
        post("/runs", start, status=202),
        get("/runs", runs),
        get("/runs/{run_id}", report),
        get("/runs/{run_id}/report", page),
    ]
