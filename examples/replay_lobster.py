"""A recorded day through the platform: LOBSTER order messages replayed under the data's own clock.

    python examples/replay_lobster.py [file or folder]

Without an argument the GOOG sample of lobsterdata.com is looked for below $NAUTILUS_DATA, or below ../shared/data.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import nautilus
from nautilus.replay import replay_clock, replay_ended, replay_overrides, summary

DATA = Path(os.environ.get("NAUTILUS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SAMPLE = DATA / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_1.zip"
ENGINES = ("marketdata", "vpin", "risk", "portfolio")


async def main(recording: Path) -> None:
    overrides = replay_overrides(recording, "max", keeps_directory=False)
    config = nautilus.load_config(overrides={**overrides, "log.level": "warning"}, environment={})
    async with nautilus.Node(config, clock=replay_clock(), engines=ENGINES) as node:
        await replay_ended(node)
        print(f"{node.context.source.description} (quality: {node.context.source.quality})")
        print(f"the data's clock stands at {node.clock.utc_now():%Y-%m-%d %H:%M:%S} UTC")
        print(summary(node))
        vpin: Any = node["vpin"]
        for state in vpin.active():
            print(f"VPIN of {state.instrument_id}: {state.vpin:.3f} after {state.buckets:,} buckets")


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    if not chosen.exists():
        sys.exit(f"there is no recording at {chosen}")
    asyncio.run(main(chosen))
