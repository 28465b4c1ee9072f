"""Backtests as jobs: each in a private node, its report kept by run id."""

import asyncio
from typing import Any

import msgspec

from nautilus.engines.backtesting import run
from nautilus.engines.backtesting.models import (
    BacktestingConfig,
    BacktestReport,
    BacktestRequest,
    BacktestSummary,
)
from nautilus.engines.backtesting.routes import backtesting_routes
from nautilus.engines.base import Engine
from nautilus.engines.operation import Operation
from nautilus.errors import NotFound
from nautilus.jobs import Job, Progress
from nautilus.model import EngineType, topics
from nautilus.model.messages import BacktestProgress

_REPORTS = "backtest-reports"
_SUMMARIES = "backtest-summaries"


class BacktestingEngine(Engine[BacktestingConfig]):
    """Runs backtests and keeps their reports."""

    name = "backtesting"
    prefix = "/backtesting"
    engine_type = EngineType.BACKTESTING
    config_type = BacktestingConfig
    stale_after_seconds = None

    def __init__(self, config: BacktestingConfig, context: Any) -> None:
        super().__init__(config, context)
        self._slots = asyncio.Semaphore(config.concurrent_runs)
        self._summaries: dict[str, BacktestSummary] = {}

    async def setup(self) -> None:
        """Take up the reports of earlier runs."""
        for _, data in self.store.state.items(_SUMMARIES):
            summary = msgspec.json.decode(data, type=BacktestSummary)
            self._summaries[summary.run_id] = summary

    def routes(self) -> list[Operation]:
        """HTTP operations."""
        return backtesting_routes(self)

    async def start_run(self, request: BacktestRequest) -> Job:
        """Check a request and run it as a job, whose id is the run's; raises Invalid or NotFound."""
        await asyncio.to_thread(run.check, request)
        job: Job | None = None

        async def work(progress: Progress) -> BacktestSummary:
            assert job is not None
            return await self._run(job.id, request, progress)

        job = self.jobs.start("backtest", work)
        return job

    async def _run(self, run_id: str, request: BacktestRequest, progress: Progress) -> BacktestSummary:
        async with self._slots:
            self._tell(run_id, "running", 0.0)
            try:
                report = await run.run(self.context, run_id, request, progress)
            except asyncio.CancelledError:
                self._tell(run_id, "cancelled", 0.0)
                raise
            except Exception as error:
                self._tell(run_id, "failed", 0.0, str(error))
                raise
            summary = self._keep(report)
            self._tell(run_id, "succeeded", 1.0)
            return summary

    def _tell(self, run_id: str, status: str, fraction: float, message: str = "") -> None:
        self.publish(
            topics.backtest_progress(run_id),
            BacktestProgress(
                ts_event=self.clock.timestamp_ns(), run_id=run_id, status=status, fraction=fraction, message=message
            ),
        )

    def _keep(self, report: BacktestReport) -> BacktestSummary:
        summary = BacktestSummary(
            run_id=report.run_id,
            strategies=tuple(choice.strategy_id for choice in report.request.strategies),
            data_description=report.data_description,
            final_equity=float(report.account.equity),
            fills=report.fills_total,
            ts_start=report.ts_start,
            ts_end=report.ts_end,
        )
        self.store.state.put(_REPORTS, report.run_id, msgspec.json.encode(report))
        self.store.state.put(_SUMMARIES, report.run_id, msgspec.json.encode(summary))
        self._summaries[report.run_id] = summary
        while len(self._summaries) > self.config.keep_reports:
            oldest = next(iter(self._summaries))
            del self._summaries[oldest]
            self.store.state.delete(_REPORTS, oldest)
            self.store.state.delete(_SUMMARIES, oldest)
        return summary

    def summaries(self) -> list[BacktestSummary]:
        """Finished runs, oldest first."""
        return list(self._summaries.values())

    def report(self, run_id: str) -> BacktestReport:
        """The report of a finished run; raises NotFound."""
        data = self.store.state.get(_REPORTS, run_id)
        if data is None:
            raise NotFound("finished backtest", run_id)
        return msgspec.json.decode(data, type=BacktestReport)
