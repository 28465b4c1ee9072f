"""HTTP of the marketdata engine: instruments, current state, history, and the switches of the simulated market."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.marketdata import views
from nautilus.engines.marketdata.bar_rule import RULE_PATTERN
from nautilus.engines.marketdata.models import (
    BarView,
    BookView,
    FlashCrashRequest,
    FlashCrashStarted,
    History,
    MarketDataStatus,
    QuoteView,
    SimulationTruth,
    TradeView,
)
from nautilus.engines.operation import Operation, get, post
from nautilus.errors import Conflict, Invalid, NotFound, NotReady
from nautilus.model import Instrument
from nautilus.store.base import CatalogEntry

if TYPE_CHECKING:
    from nautilus.engines.marketdata.engine import MarketDataEngine
    from nautilus.engines.marketdata.feed import InstrumentFeed
    from nautilus.engines.marketdata.simulated_market import SimulatedMarket

KINDS = r"^(quote|trade|book|bar\.[1-9][0-9]{0,8}[stv])$"
EPISODES_SHOWN = 200
Count = Annotated[int, Meta(ge=1, le=10_000)]
Time = Annotated[int, Meta(ge=0, le=2**62)]


def marketdata_routes(engine: MarketDataEngine) -> list[Operation]:
    """The operations of one engine."""
    return [*_current(engine), *_recorded(engine), *_simulation(engine)]


def _current(engine: MarketDataEngine) -> list[Operation]:
    def feed_of(instrument_id: str) -> InstrumentFeed:
        instrument = engine.instruments[instrument_id]
        feed = engine.feed.feeds.get(instrument.id)
        if feed is None:
            raise NotReady(f"nothing has come in for {instrument.id} yet")
        return feed

    async def instruments() -> list[Instrument]:
        """Every instrument that the node knows."""
        return list(engine.instruments)

    async def instrument(instrument_id: str) -> Instrument:
        """One instrument: its grid of prices and sizes, currency and sector."""
        return engine.instruments[instrument_id]

    async def quotes() -> dict[str, QuoteView]:
        """The latest quote of every instrument that has one."""
        feeds = engine.feed.feeds.values()
        return {
            feed.instrument_id: views.quote_view(engine.instruments[feed.instrument_id], feed.quote, feed)
            for feed in feeds
            if feed.quote is not None
        }

    async def quote(instrument_id: str) -> QuoteView:
        """The latest quote of one instrument."""
        feed = feed_of(instrument_id)
        if feed.quote is None:
            raise NotReady(f"no quote of {instrument_id} yet")
        return views.quote_view(engine.instruments[instrument_id], feed.quote, feed)

    async def trades(instrument_id: str, limit: Count = 100) -> list[TradeView]:
        """The latest trades of one instrument, newest first."""
        feed, known = feed_of(instrument_id), engine.instruments[instrument_id]
        return [views.trade_view(known, trade) for trade in islice(reversed(feed.trades), limit)]

    async def book(
        instrument_id: str,
        depth: Annotated[int, Meta(ge=1, le=1000)] = 10,
        vwap_lots: Annotated[int, Meta(ge=1, le=10**12)] | None = None,
    ) -> BookView:
        """The order book of one instrument by level; with `vwap_lots` the price of a market order of that size."""
        ladder = engine.book(instrument_id)
        return views.book_view(
            engine.instruments[instrument_id], ladder, feed_of(instrument_id).book_ts, depth, vwap_lots
        )

    async def bars(
        instrument_id: str, spec: Annotated[str, Meta(pattern=RULE_PATTERN)] = "60s", limit: Count = 100
    ) -> list[BarView]:
        """The latest completed bars of one instrument and specification, oldest first."""
        feed, known = feed_of(instrument_id), engine.instruments[instrument_id]
        if spec not in feed.bars:
            raise NotFound(f"bars of {instrument_id}; there are {', '.join(feed.bars) or 'none'}; not", spec)
        latest = list(islice(reversed(feed.bars[spec]), limit))
        return [views.bar_view(known, bar) for bar in reversed(latest)]

    async def status() -> MarketDataStatus:
        """Where data come from, what was admitted and what refused, and how recording goes."""
        return views.status(engine)

    return [
        get("/instruments", instruments),
        get("/instruments/{instrument_id}", instrument),
        get("/quotes", quotes),
        get("/quotes/{instrument_id}", quote),
        get("/trades/{instrument_id}", trades),
        get("/book/{instrument_id}", book),
        get("/bars/{instrument_id}", bars),
        get("/status", status),
    ]


def _recorded(engine: MarketDataEngine) -> list[Operation]:
    async def catalog() -> list[CatalogEntry]:
        """What has been recorded, by kind and instrument."""
        return await engine.accel.run(engine.store.catalog.list)

    async def history(
        instrument_id: str,
        kind: Annotated[str, Meta(pattern=KINDS)] = "trade",
        start_ns: Time | None = None,
        end_ns: Time | None = None,
        limit: Count = 1000,
    ) -> History:
        """The newest recorded rows of one instrument within a time, as columns; what still waits is not among them."""
        if start_ns is not None and end_ns is not None and start_ns > end_ns:
            raise Invalid("start_ns", "must not be after end_ns")
        return await engine.accel.run(views.history, engine.store.catalog, kind, instrument_id, start_ns, end_ns, limit)

    return [get("/catalog", catalog), get("/history/{instrument_id}", history)]


def _simulation(engine: MarketDataEngine) -> list[Operation]:
    def simulated() -> SimulatedMarket:
        if engine.market is None:
            raise Conflict("the market is not simulated")
        return engine.market

    async def flash_crash(body: FlashCrashRequest) -> FlashCrashStarted:
        """Set off a flash crash in the simulated market."""
        market = simulated()
        wanted = [body.instrument_id] if body.instrument_id else [one.instrument.id for one in market.instruments]
        if any(market.is_crashing(instrument_id) for instrument_id in wanted):
            raise Conflict("a flash crash is under way")
        crashes = [market.flash_crash(one, depth=body.depth, seconds=body.seconds) for one in wanted]
        return FlashCrashStarted(
            instrument_ids=wanted, depth=body.depth, start_ns=crashes[0].start_ns, end_ns=crashes[0].end_ns
        )

    async def truth() -> SimulationTruth:
        """What only the simulation knows: true values, episodes of informed trading, who traded how much."""
        market = simulated()
        return SimulationTruth(
            seed=engine.config.seed,
            now_ns=market.now_ns,
            informed_probability=engine.config.informed_probability,
            episode_seconds=engine.config.episode_seconds,
            instruments=market.truth(),
            current_episodes=market.current_episodes(),
            past_episodes=list(market.episodes)[-EPISODES_SHOWN:],
        )

    return [post("/simulation/flash-crash", flash_crash), get("/simulation/truth", truth)]
