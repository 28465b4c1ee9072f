"""Messages per second of a LOBSTER replay through all thirteen engines, and the time each engine took."""

import asyncio
import os
import time
from pathlib import Path

from nautilus import Node, load_config
from nautilus.replay import replay_clock, replay_ended, replay_overrides, summary


async def replay(path: Path) -> None:
    config = load_config(
        overrides={**replay_overrides(path, "max", keeps_directory=False), "log.level": "error"}, environment={}
    )
    async with Node(config, clock=replay_clock()) as node:
        started = time.perf_counter()
        await replay_ended(node)
        elapsed = time.perf_counter() - started
        messages = node["marketdata"].messages_done  # type: ignore[attr-defined]
        print(f"{messages:,} messages in {elapsed:.1f} s: {messages / elapsed:,.0f} messages/s")
        print(summary(node))


def main() -> None:
    data = Path(os.environ.get("NAUTILUS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_10.zip"
    if path.exists():
        asyncio.run(replay(path))
    else:
        print(f"no LOBSTER sample at {path} (set NAUTILUS_DATA)")
