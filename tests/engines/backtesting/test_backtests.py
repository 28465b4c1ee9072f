"""Backtests: the same strategies, the same request the same bytes, and a report for people."""

from typing import Any

import httpx2
import msgspec
import pytest

from nautilus.engines.backtesting import BacktestData, BacktestReport, BacktestRequest, StrategyChoice, report_page
from nautilus.errors import Invalid, NotFound
from nautilus.http.app import build_app
from nautilus.testing import make_node

MAKER = StrategyChoice(
    strategy="vpin_market_maker",
    strategy_id="maker",
    parameters={"instrument_ids": ["BRVO.SIM"], "order_lots": 50, "max_position_lots": 300},
)
CROSS = StrategyChoice(
    strategy="ema_cross",
    strategy_id="cross",
    parameters={"instrument_ids": ["ALFA.SIM"], "fast": 5, "slow": 20, "trade_lots": 10},
)


def simulated(seconds: float = 30, seed: int = 1) -> BacktestRequest:
    return BacktestRequest(strategies=(MAKER, CROSS), data=BacktestData(duration_seconds=seconds, seed=seed))


async def run(node: Any, request: BacktestRequest) -> BacktestReport:
    job = await node["backtesting"].start_run(request)
    done = await node.jobs.wait(job.id)
    assert done.status == "succeeded", done.error
    report: BacktestReport = node["backtesting"].report(job.id)
    return report


def without_id(report: BacktestReport) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(report, run_id=""))


async def test_two_runs_of_one_request_agree_to_the_byte_and_another_seed_does_not() -> None:
    async with make_node(["backtesting"]) as node:
        first, second = await run(node, simulated()), await run(node, simulated())
        other = await run(node, simulated(seed=2))
    assert first.fills_total > 0
    assert first.journal_sha256 == second.journal_sha256
    assert without_id(first) == without_id(second)
    assert report_page(msgspec.structs.replace(first, run_id="x")) == report_page(
        msgspec.structs.replace(second, run_id="x")
    )
    assert other.journal_sha256 != first.journal_sha256


async def test_the_account_of_the_report_balances_and_follows_from_the_fills() -> None:
    async with make_node(["backtesting"]) as node:
        report = await run(node, simulated())
    account = report.account
    assert account.equity == account.cash + account.market_value
    assert account.equity == account.deposits + account.realized_pnl + account.unrealized_pnl - account.fees
    assert report.fills_total == len(report.fills)
    orders = report.orders
    assert 0 < orders.filled <= len({fill.client_order_id for fill in report.fills})
    assert orders.filled + orders.canceled + orders.expired + orders.rejected <= orders.submitted
    assert all(fill.rule for fill in report.fills)
    assert report.equity[-1].ts <= report.ts_end
    assert report.market_events > 1000


async def test_requests_that_cannot_run_are_refused_before_a_job_exists() -> None:
    async with make_node(["backtesting"]) as node:
        engine = node["backtesting"]
        with pytest.raises(Invalid, match="strategy_id"):
            await engine.start_run(BacktestRequest(strategies=(MAKER, MAKER)))
        with pytest.raises(NotFound, match="recording"):
            await engine.start_run(
                BacktestRequest(strategies=(MAKER,), data=BacktestData(kind="recorded", path="/nowhere"))
            )
        assert node.jobs.all() == []


async def test_a_strategy_that_does_not_exist_fails_the_run_with_the_reason() -> None:
    async with make_node(["backtesting"]) as node:
        wrong = StrategyChoice(strategy="nonsense", strategy_id="x", parameters={})
        job = await node["backtesting"].start_run(BacktestRequest(strategies=(wrong,)))
        done = await node.jobs.wait(job.id)
        assert done.status == "failed"
        assert "nonsense" in (done.error or "")


async def test_reports_are_served_as_json_and_as_a_page_that_loads_nothing() -> None:
    async with make_node(["backtesting"]) as node:
        report = await run(node, simulated(20))
        transport = httpx2.ASGITransport(app=build_app(node))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            json = (await client.get(f"/backtesting/runs/{report.run_id}")).json()
            page = await client.get(f"/backtesting/runs/{report.run_id}/report")
            runs = (await client.get("/backtesting/runs")).json()
            missing = await client.get("/backtesting/runs/none")
        assert json["data"]["journal_sha256"] == report.journal_sha256
        assert page.headers["content-type"].startswith("text/html")
        assert "<svg" in page.text
        assert "<script" not in page.text
        assert [run["run_id"] for run in runs["data"]] == [report.run_id]
        assert missing.status_code == 404
