"""A feed beside a fake gateway, on a clock that stands still until the test moves it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import structlog

from nautilus.clock import TestClock
from nautilus.engines.marketdata.feed import FeedSettings, MarketFeed
from nautilus.engines.marketdata.ibkr import IbkrContract, IbkrFeed, IbkrSettings
from nautilus.engines.marketdata.order_book import OrderBook
from nautilus.model import AssetClass, InstrumentRegistry
from nautilus.testing import START_NS, make_instrument
from tests.fakes.ibkr_gateway import Gateway

SECOND = 1_000_000_000
APPLE, MICROSOFT, EURO = "AAPL.XNAS", "MSFT.XNAS", "EUR-USD.IDEALPRO"
CONTRACTS = {APPLE: IbkrContract(con_id=265598), MICROSOFT: IbkrContract(con_id=272093)}


async def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until a condition holds; fails loudly when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.002)


class Desk:
    """A gateway, a feed of it, and a market data engine's door behind it."""

    def __init__(self, gateway: Gateway, clock: Any, **changes: Any) -> None:
        self.gateway = gateway
        self.clock = clock
        instruments = InstrumentRegistry()
        for instrument_id in (APPLE, MICROSOFT):
            instruments.add(make_instrument(instrument_id))
        instruments.add(make_instrument(EURO, asset_class=AssetClass.FX, tick_size=Decimal("0.00005")))
        self.market = MarketFeed(lambda topic, message: None, instruments, FeedSettings())
        self.events: list[Any] = []
        settings = IbkrSettings(**{"port": gateway.port, "connect_timeout_seconds": 2.0, **changes})
        self.feed = IbkrFeed(settings, clock, instruments, self.take, structlog.get_logger(), random=Random(1))

    def take(self, event: Any) -> bool:
        self.events.append(event)
        return self.market.ingest(event)

    def subscribe(self, instrument_id: str, kind: str, spec: str = "", **options: Any) -> Any:
        return self.feed.subscribe(instrument_id, kind, spec, contract=CONTRACTS.get(instrument_id), **options)

    async def up(self) -> None:
        """Connected, with everything asked for that there is to ask."""
        await self.moving(lambda: self.feed.report().state == "up" and not self.waiting())

    def waiting(self) -> list[str]:
        return [one.kind for one in self.feed.report().subscriptions if one.state == "waiting"]

    async def moving(self, condition: Callable[[], Any], step_seconds: float = 0.1) -> None:
        """Let the clock run until a condition holds."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"it did not happen: {self.feed.report()}"
            self.clock.advance_time(int(step_seconds * SECOND))
            await asyncio.sleep(0.002)

    async def passing(self, seconds: int, during: Callable[[], Any] = lambda: None) -> None:
        """Let so many seconds pass, one by one, with what happens in each."""
        for _ in range(seconds):
            self.clock.advance_time(SECOND)
            during()
            await asyncio.sleep(0.002)

    def of(self, kind: type, instrument_id: str = APPLE) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind) and event.instrument_id == instrument_id]

    def subscription(self, kind: str) -> Any:
        return next(one for one in self.feed.report().subscriptions if one.kind == kind)

    def book(self, instrument_id: str = APPLE) -> OrderBook:
        return self.market.feeds[instrument_id].book

    def book_is_true(self, name: str = "AAPL", instrument_id: str = APPLE) -> bool:
        """Whether the engine's book is the gateway's, level by level."""
        if instrument_id not in self.market.feeds:
            return False
        true, ours = self.gateway.book(name), self.book(instrument_id)
        return dict(ours.bids()) == levels(true.bids) and dict(ours.asks()) == levels(true.asks)


def levels(rows: list[Any]) -> dict[int, int]:
    """Price in cents -> shares of a gateway's rows."""
    totals: dict[int, int] = {}
    for row in rows:
        ticks = round(row.price * 100)
        totals[ticks] = totals.get(ticks, 0) + int(row.size)
    return totals


@asynccontextmanager
async def a_desk(**changes: Any) -> AsyncIterator[Desk]:
    """A desk whose gateway reads the same clock; everything is stopped in the end, and no timer is left."""
    clock = TestClock(START_NS)
    async with Gateway(now=clock.timestamp) as gateway:
        desk = Desk(gateway, clock, **changes)
        try:
            yield desk
        finally:
            await desk.feed.stop()
            assert clock.timer_count == 0
