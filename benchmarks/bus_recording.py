"""What recording costs who publishes, and how fast a recording is played again.

Quotes are published in waves that the buffer holds; between them the loop is free for the writer, as it is live.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import spread
from nautilus.bus import Bus
from nautilus.bus.recording import Recording
from nautilus.bus.replaying import replay
from nautilus.clock import LiveClock, TestClock
from nautilus.model import topics
from nautilus.testing import make_quote

WAVE = 50_000
WAVES = 8
QUOTE: Any = topics.quote("AAPL.XNAS")


class Handler:
    def __init__(self) -> None:
        self.count = 0

    def on(self, _: Any) -> None:
        self.count += 1


def wave_ns(bus: Bus) -> float:
    publish, message = bus.publish, make_quote()
    started = time.perf_counter()
    for _ in range(WAVE):
        publish(QUOTE, message)
    return (time.perf_counter() - started) / WAVE * 1e9


async def recorded(path: Path) -> None:
    bus, handler, clock = Bus(), Handler(), LiveClock()
    bus.subscribe(topics.ALL_QUOTES, handler.on)
    plain = [wave_ns(bus) for _ in range(WAVES)]
    recording = await Recording.start(bus, clock, path)
    taken = []
    started = time.perf_counter()
    for number in range(WAVES):
        taken.append(wave_ns(bus))
        while recording.report().messages < (number + 1) * WAVE:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.001)
    report = await recording.stop()
    rate = report.messages / (time.perf_counter() - started)
    if report.dropped or report.messages != WAVES * WAVE:
        raise RuntimeError(f"{report.messages} messages recorded, {report.dropped} dropped")
    print(f"{'publish, one handler':<28} {spread(plain)} ns")
    print(f"{'publish, and a recording':<28} {spread(taken)} ns")
    print(f"{'published and on the disk':<28} {rate:,.0f} messages/s, {report.bytes / report.messages:.0f} bytes each")


async def played(path: Path) -> None:
    rates = []
    for _ in range(5):
        bus, handler = Bus(), Handler()
        bus.subscribe(topics.ALL_QUOTES, handler.on)
        started = time.perf_counter()
        await replay(path, bus, TestClock())
        rates.append(handler.count / (time.perf_counter() - started))
        if handler.count != WAVES * WAVE:
            raise RuntimeError(f"{handler.count} messages played")
    print(f"{'played into a bus':<28} {spread(rates)} messages/s")


def main() -> None:
    import uvloop

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quotes.recording"
        uvloop.run(recorded(path))
        uvloop.run(played(path))
