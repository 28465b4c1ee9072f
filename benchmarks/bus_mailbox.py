"""Messages per second from publishers through one mailbox to an async handler, publishing included.

`waves` publishes 1,000 messages at a time and lets the mailbox have them; `waiting publisher` publishes each when there
is room; `mixed priorities` has three families in one mailbox; `one by one` wakes the mailbox for every single message.
"""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.measure import spread
from nautilus.bus import Bus, Mailbox, Policy
from nautilus.model import topics
from nautilus.testing import make_quote

MESSAGES = 200_000
WAVE = 1_000
ROUNDS = 7

QUOTE: Any = topics.quote("AAPL.XNAS")
MIXED: tuple[Any, ...] = (QUOTE, topics.order("ema-1"), topics.CONTROL)


async def waves(bus: Bus, box: Mailbox[Any]) -> None:
    publish, message = bus.publish, make_quote()
    for _ in range(MESSAGES // WAVE):
        for _ in range(WAVE):
            publish(QUOTE, message)
        await box.drain()


async def mixed(bus: Bus, box: Mailbox[Any]) -> None:
    publish, message = bus.publish, make_quote()
    for _ in range(MESSAGES // WAVE):
        for number in range(WAVE):
            publish(MIXED[number % 3], message)
        await box.drain()


async def waiting(bus: Bus, box: Mailbox[Any]) -> None:
    publish, message = bus.publish_waiting, make_quote()
    for _ in range(MESSAGES):
        await publish(QUOTE, message)
    await box.drain()


async def one_by_one(bus: Bus, box: Mailbox[Any]) -> None:
    publish, message = bus.publish, make_quote()
    for _ in range(MESSAGES):
        publish(QUOTE, message)
        await box.drain()


async def measured(
    run: Callable[[Bus, Mailbox[Any]], Awaitable[None]], pattern: Any, policy: Policy = Policy.DROP_OLDEST
) -> list[float]:
    """Messages per second of each round; all of them handled, or it is an error."""
    bus, rates, handled = Bus(), [], 0

    async def handle(_: Any) -> None:
        nonlocal handled
        handled += 1

    _, box = bus.mailbox(pattern, handle, policy=policy, capacity=WAVE)
    task = asyncio.get_running_loop().create_task(box.run())
    await run(bus, box)
    for _ in range(ROUNDS):
        gc.collect()
        handled, started = 0, time.perf_counter()
        await run(bus, box)
        rates.append(handled / (time.perf_counter() - started))
        if handled != MESSAGES:
            raise RuntimeError(f"{handled} of {MESSAGES} messages were handled")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return rates


async def run_all() -> None:
    found = {
        "waves of 1,000": await measured(waves, topics.ALL_QUOTES),
        "mixed priorities": await measured(mixed, ">"),
        "waiting publisher": await measured(waiting, topics.ALL_QUOTES, Policy.WAIT),
        "one by one": await measured(one_by_one, topics.ALL_QUOTES),
    }
    for name, rates in found.items():
        print(f"{name:<20} {spread(rates)} messages/s")


def main() -> None:
    import uvloop

    uvloop.run(run_all())
