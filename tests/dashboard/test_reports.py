"""The System part of the page shows the server's own reports: every field that it reads is there."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from nautilus.bus.edges.lease import LeaseReport
from nautilus.bus.edges.presence import InstanceInfo, PresenceReport
from nautilus.bus.edges.reports import ChannelReport, EdgesReport, InboundReport, OutboundReport
from nautilus.bus.edges.retained_messages import RetainedReport
from nautilus.clock import Clock, LiveClock
from nautilus.cluster import ClusterReport
from nautilus.http.app import build_app
from nautilus.jobs import Job
from nautilus.model.enums import Channel
from nautilus.ownership import OwnershipReport
from nautilus.testing import make_node

SECOND_NS = 1_000_000_000
HOURS = "/clock/calendars/CRYPTO"


def cluster_report(now_ns: int) -> ClusterReport:
    """A node that lost its lease to another one, and can read from a server but not write to it."""
    lease = LeaseReport(
        name="account:main",
        owner="this-1",
        held=False,
        token=3,
        holder="other-1",
        holder_token=7,
        seconds_left=0.0,
        takeovers=1,
        losses=1,
        problem="",
    )
    peer = InstanceInfo(
        instance="other-1",
        node="other",
        version="0.1",
        engines=("marketdata",),
        started_ns=now_ns - 60 * SECOND_NS,
        http="127.0.0.1:8001",
        market="live",
        accounts={"main": 7},
    )
    return ClusterReport(
        instance="this-1",
        presence=PresenceReport(
            instance="this-1",
            peers=(peer,),
            interval_seconds=2.0,
            seconds_since_answer=0.5,
            undecodable=0,
            problems=(),
        ),
        ownership=OwnershipReport(owner="this-1", trading=False, reason="the lease is lost", leases=[lease]),
        edges=EdgesReport(node="this", instance="this-1", running=True, channels=(channel_report(),)),
        retained=RetainedReport(topics=1, waiting=0, written=1, refused=0, undecodable=0, problem=""),
        problems=["the lease is lost", "marketdata: slow"],
    )


def channel_report() -> ChannelReport:
    """One whose writing way is broken."""
    inbound = dict.fromkeys(InboundReport.__struct_fields__, 0) | {
        "connected": True,
        "received": 9,
        "dead_letters": 2,
        "lag_entries": None,
        "pending_entries": None,
        "last_latency_ns": 1_500_000,
        "last_error": "",
    }
    return ChannelReport(
        channel=Channel.MARKETDATA,
        url="redis://x:1/0",
        connected=False,
        outbound=OutboundReport(
            connected=False,
            queued=3,
            queued_bytes=2048,
            sent=5,
            entries=5,
            conflated=1,
            dropped={"trade.A": 3, "trade.B": 1},
            unencodable=0,
            failures=2,
            last_error="refused",
        ),
        inbound=msgspec.convert(inbound, InboundReport),
        problems=("marketdata: slow",),
    )


def jobs(now_ns: int) -> list[Job]:
    """One that runs and one that failed."""
    ended_ns = now_ns - SECOND_NS
    return [
        Job(id="backtest-1", kind="backtest", fraction=0.25, message="day 3", ts_created=ended_ns),
        Job(
            id="backtest-2",
            kind="backtest",
            status="failed",
            fraction=0.5,
            error="no data",
            ts_created=ended_ns - SECOND_NS,
            ts_ended=ended_ns,
        ),
    ]


async def answers(clock: Clock | None, *paths: str) -> list[dict[str, Any]]:
    """The data of a node's answers."""
    async with make_node([], clock=clock) as node:
        transport = httpx2.ASGITransport(app=build_app(node))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return [(await client.get(path)).raise_for_status().json()["data"] for path in paths]


async def test_the_page_shows_the_reports_of_the_server(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    clock, accel, hours = await answers(LiveClock(), "/clock", "/accel", HOURS)
    (test_clock,) = await answers(None, "/clock")
    now_ns = clock["timestamp_ns"]
    reports = {
        "clock": clock,
        "test_clock": test_clock,
        "accel": accel,
        "hours": hours,
        "cluster": cluster_report(now_ns),
        "jobs": jobs(now_ns),
    }
    file = tmp_path / "reports.json"
    file.write_bytes(msgspec.json.encode(reports))
    done = await asyncio.to_thread(show, node, file)
    assert done.returncode == 0, done.stdout + done.stderr


def show(node: str, file: Path) -> subprocess.CompletedProcess[str]:
    """Run the script that shows the reports of a file."""
    return subprocess.run(
        [node, "--test", str(Path(__file__).parent / "reports.test.mjs")],
        env={**os.environ, "REPORTS": str(file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
