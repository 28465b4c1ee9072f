"""Replaying recorded market data through the whole platform: the clock is the data's, a summary ends it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nautilus.clock import TestClock
from nautilus.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from nautilus.node import Node


DEPLOYMENTS = [
    {"name": "ema-cross", "strategy": "ema_cross", "config": {"fast": 200, "slow": 1000, "trade_lots": 100}},
    {"name": "market-maker", "strategy": "vpin_market_maker", "config": {"order_lots": 50, "max_position_lots": 300}},
]
"""What trades during a replay, on every instrument that it holds."""


def check_speed(speed: str) -> str:
    """The speed as the marketdata engine takes it: "max" or a positive multiple of real time; raises Invalid."""
    if speed == "max":
        return speed
    try:
        multiple = float(speed)
    except ValueError:
        multiple = 0.0
    if not 0 < multiple <= 1_000_000:
        raise Invalid("speed", f'must be "max" or a positive number, not {speed!r}')
    return str(multiple)


def replay_overrides(path: Path, speed: str, *, keeps_directory: bool) -> dict[str, Any]:
    """Configuration of a replay. Unless a folder is given it keeps its records in memory, apart from live trading."""
    overrides: dict[str, Any] = {
        "engines.strategy.deployments": DEPLOYMENTS,
        "engines.factor.row_seconds": 60,
        "engines.factor.synchronous": True,
        "engines.marketdata.source": "replay",
        "engines.marketdata.replay_path": str(path),
        "engines.marketdata.replay_speed": speed,
    }
    return overrides if keeps_directory else {**overrides, "store.directory": ":memory:"}


def replay_clock() -> TestClock:
    """The clock of a replay; the data move it."""
    return TestClock(0)


async def replay_ended(node: "Node") -> None:
    """Wait for the marketdata engine to have published everything; raises Unavailable where it could not."""
    engine = node["marketdata"]
    if engine.running:
        await engine.finished.wait()  # type: ignore[attr-defined] # the marketdata engine has it
        await asyncio.sleep(0)  # its task notes a failure after it has ended
    if engine.failure:
        raise Unavailable(f"the replay failed: {engine.failure}")


def summary(node: "Node") -> str:
    """A table: for each engine its inputs, outputs, errors and the time it took itself."""
    rows = [f"{'engine':<14} {'status':<9} {'inputs':>12} {'outputs':>12} {'errors':>8} {'seconds':>9}"]
    for name, engine in node.engines.items():
        health, stats = engine.health(), engine.stats
        rows.append(
            f"{name:<14} {health.status:<9} {stats.inputs:>12,} {stats.outputs:>12,} {stats.errors:>8,} "
            f"{stats.busy_ns / 1e9:>9.3f}"
        )
    return "\n".join(rows)
