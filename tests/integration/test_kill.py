"""`kill -9` at any moment of trading: what was acknowledged is there afterwards, and there once."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from nautilus import Node, load_config
from nautilus.clock import TestClock
from nautilus.model import Deposit, OrderFilled, OrderStatus
from tests.integration.trading_process import ENGINES, options

ROUNDS = 20


def trade_and_kill(directory: Path, seed: int, seconds: float) -> list[dict[str, Any]]:
    """Start the process, kill it some time after it is ready, and return what it had acknowledged."""
    command = [sys.executable, "-m", "tests.integration.trading_process", str(directory), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        lines = []
        for line in iter(process.stdout.readline, b""):
            lines.append(line)
            if b'"ready"' in line:
                break
        else:
            raise AssertionError(f"the process ended with {process.wait()} before it was ready")
        timer = time.monotonic() + seconds
        os.set_blocking(process.stdout.fileno(), False)
        rest = b""
        while time.monotonic() < timer:
            rest += process.stdout.read() or b""
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        rest += process.stdout.read() or b""
    whole, _, _ = rest.rpartition(b"\n")
    return [msgspec.json.decode(line) for line in (*lines, *whole.splitlines()) if b'"ready"' not in line]


async def test_nothing_acknowledged_is_lost_and_nothing_doubled_over_twenty_kills(tmp_path: Path) -> None:
    chance = random.Random(20261122)
    acknowledged: list[dict[str, Any]] = []
    for number in range(ROUNDS):
        acknowledged += trade_and_kill(tmp_path, number, chance.uniform(0.05, 1.2))
    fills = [item["event"] for item in acknowledged if item["type"] == "OrderFilled"]
    assert len(acknowledged) > 20 * ROUNDS
    assert len(fills) > ROUNDS

    # the clock stands still: the market is known, but nothing happens in it
    config = load_config(overrides=options(str(tmp_path), 0), environment={})
    async with Node(config, clock=TestClock(time.time_ns()), engines=ENGINES) as node:
        records = await asyncio.to_thread(lambda: [record for _, record in node.store.journal.replay()])
        journaled = Counter((type(record).__name__, msgspec.json.encode(record)) for record in records)
        wanted = Counter((item["type"], msgspec.json.encode(item["event"])) for item in acknowledged)
        assert all(journaled[key] == count for key, count in wanted.items())
        _check_fills(records)
        _check_positions_and_cash(node, records)
        _check_orders(node, acknowledged)


def _check_fills(records: list[Any]) -> None:
    trades = Counter(record.trade_id for record in records if isinstance(record, OrderFilled))
    assert max(trades.values()) == 1
    deposits = [record for record in records if isinstance(record, Deposit)]
    assert len(deposits) == 1


def _check_positions_and_cash(node: Any, records: list[Any]) -> None:
    positions: Counter[str] = Counter()
    cash = sum((record.amount for record in records if isinstance(record, Deposit)), Decimal(0))
    for fill in (record for record in records if isinstance(record, OrderFilled)):
        positions[fill.instrument_id] += fill.side * fill.quantity_lots
        cash -= Decimal("0.01") * fill.price_ticks * fill.quantity_lots * fill.side + Decimal(fill.fee)
    book = node["portfolio"].books["main"]
    held = {name: holding.lots.quantity_lots for name, holding in book.holdings.items()}
    traded = {name: lots for name, lots in positions.items() if lots}
    assert {name: lots for name, lots in held.items() if lots} == traded
    assert book.totals()["USD"].cash == cash
    by_orders: Counter[str] = Counter()
    for (_, _, instrument_id), lots in node["strategy"].record.positions().items():
        by_orders[instrument_id] += lots
    assert {name: lots for name, lots in by_orders.items() if lots} == traded


def _check_orders(node: Any, acknowledged: list[dict[str, Any]]) -> None:
    """Each order ended, or is open, as its last acknowledged event said, unless a later event was journaled."""
    ends = {
        "OrderDenied": "denied",
        "OrderRejected": "rejected",
        "OrderCanceled": "canceled",
        "OrderExpired": "expired",
    }
    for item in acknowledged:
        if item["type"] in ends:
            order = node["strategy"].record.get(item["event"]["client_order_id"])
            assert order is None or order.status == OrderStatus(ends[item["type"]])
