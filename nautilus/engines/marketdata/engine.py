"""Market data: a simulated market, recorded data or an external feed in; books, quotes, depth and bars out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

import msgspec

from nautilus.clock import TestClock, TimeEvent
from nautilus.engines.base import Engine
from nautilus.engines.marketdata.admission import MarketEvent
from nautilus.engines.marketdata.bar_columns import fill_bars
from nautilus.engines.marketdata.bar_rule import BarRule
from nautilus.engines.marketdata.book_replay import replay_ladder
from nautilus.engines.marketdata.feed import FeedSettings, InstrumentFeed, MarketFeed
from nautilus.engines.marketdata.fundamental import NewsParameters
from nautilus.engines.marketdata.lobster_book import replay_window
from nautilus.engines.marketdata.models import MarketDataConfig
from nautilus.engines.marketdata.order_book import OrderBook
from nautilus.engines.marketdata.order_flow import FlowParameters
from nautilus.engines.marketdata.recorder import Recorder
from nautilus.engines.marketdata.replay import Replay, open_replay, recorded_replay
from nautilus.engines.marketdata.routes import marketdata_routes
from nautilus.engines.marketdata.simulated_market import SimulatedMarket, invented_instruments
from nautilus.engines.marketdata.source_routes import source_routes
from nautilus.engines.marketdata.sources.hub import SourceHub
from nautilus.engines.marketdata.sources.keeper import Keeper
from nautilus.errors import Invalid, NotReady
from nautilus.model import EngineType, Instrument, Quality, topics
from nautilus.model.messages import SystemAlert
from nautilus.store.catalog import MemoryCatalog

if TYPE_CHECKING:
    from nautilus.engines.context import Context
    from nautilus.engines.operation import Operation

SLICE_NS = 20_000_000
CATCH_UP_NS = 10 * SLICE_NS
BUSY_NS = 5_000_000
PACING_SECONDS = 0.01
EARLY_WRITE_EVENTS = 50_000
SILENCE_NS = 5_000_000_000
CATALOG = "catalog"
INSTRUMENTS = "marketdata.instruments"


class MarketDataEngine(Engine[MarketDataConfig]):
    """The one place where market data enter the node."""

    name = "marketdata"
    prefix = "/marketdata"
    engine_type = EngineType.MARKETDATA
    config_type = MarketDataConfig
    kernels = (replay_window, replay_ladder, fill_bars)
    stale_after_seconds = None

    def __init__(self, config: MarketDataConfig, context: Context) -> None:
        super().__init__(config, context)
        self.finished = asyncio.Event()
        """Set when a replay has ended, well or badly."""
        self.market: SimulatedMarket | None = None
        self.replay: Replay | None = None
        self.messages_done = 0
        self.recorder = Recorder(self.store.catalog, config.record_capacity) if self._records() else None
        settings = FeedSettings(
            bars=tuple(BarRule.parse(text) for text in dict.fromkeys(config.bars)),
            depth_levels=config.depth_levels,
            depth_interval_ns=config.depth_interval_ms * 1_000_000,
            trades_kept=config.trades_kept,
            bars_kept=config.bars_kept,
        )
        self.feed = MarketFeed(self.publish, self.instruments, settings, self.recorder)
        self._speed = replay_speed(config.replay_speed)
        self.sources = SourceHub(config.sources, self.clock, self.accel.run)
        self.keeper = Keeper(config.sources.keep, self.sources)

    def _records(self) -> bool:
        if self.config.record == "auto":
            return self.config.source != "replay" and not isinstance(self.store.catalog, MemoryCatalog)
        return self.config.record == "always"

    # -- life ----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Open the source and make its instruments known; a replay puts a test clock to where its data begin."""
        self.context.source.set(Quality.NONE, "no market data")
        if self.config.source == "simulated":
            self._open_market()
        elif self.config.source == "replay":
            await self._open_replay()

    async def setup(self) -> None:
        """Answer who asks for books, listen where others publish, record."""
        self.endpoint("marketdata.ingest", self.ingest)
        self.endpoint("marketdata.book", self.book)
        self.sources.open()
        self.serve("marketdata.series", self.sources.answer)
        if self.config.source == "none":
            for pattern in (topics.ALL_QUOTES, topics.ALL_TRADES, topics.ALL_BOOKS, topics.ALL_BARS):
                self.subscribe(pattern, self._observe)  # type: ignore[misc] # one handler for four kinds
            self.every(SLICE_NS * 5, self._tick)
        if self.recorder is not None:
            self._remember_instruments()
            self.spawn(self._record_regularly(self.recorder))

    async def activate(self) -> None:
        """Let the data flow, once everybody is listening."""
        for instrument in self.instruments:
            self.publish(topics.instrument(instrument.id), instrument)
        if self.market is not None:
            self.every(SLICE_NS, self._simulate)
        elif self.replay is not None:
            self.spawn(self._play(self.replay))
        if self.replay is None:  # whose clock may run through a day in a second, and its rate limits with it
            self.keeper.start(self.every, self.spawn)

    async def teardown(self) -> None:
        """Write what still waits for the catalog, and close the way to the sources."""
        await self.sources.close()
        if self.recorder is not None:
            self._remember_instruments()
            await self.recorder.flush()

    def routes(self) -> list[Operation]:
        """HTTP operations."""
        return [*marketdata_routes(self), *source_routes(self)]

    def degraded(self) -> list[str]:
        """Silence of the simulated market, crossed books, and recording that fails or falls behind."""
        reasons = []
        if self.market is not None and self.clock.timestamp_ns() - self.market.now_ns > SILENCE_NS:
            reasons.append("the simulated market stands still")
        reasons += [f"the book of {feed.instrument_id} is crossed" for feed in self._crossed()]
        if self.recorder is not None and self.recorder.failure:
            reasons.append(f"recording fails: {self.recorder.failure}")
        if self.recorder is not None and self.recorder.dropped:
            reasons.append(f"{self.recorder.dropped} events were not recorded: the catalog fell behind")
        return reasons + self.keeper.failures()

    def _crossed(self) -> Iterable[InstrumentFeed]:
        return (feed for feed in self.feed.feeds.values() if feed.book.is_crossed)

    def describe_source(self) -> str:
        """Where data come from, for a person; also before the start."""
        if self.context.source.quality is not Quality.NONE:
            return self.context.source.description
        if self.config.source == "simulated":
            return f"simulated market, seed {self.config.seed}"
        if self.config.source == "replay":
            return f"replay of {self.config.replay_path}, speed {self.config.replay_speed}"
        return "no source: waiting for what others publish"

    # -- what comes in -------------------------------------------------------------------------------------------

    def ingest(self, event: MarketEvent) -> bool:
        """Take in one event of an adapter: check, keep, publish. False where it was refused (see /status for why)."""
        accepted = self.feed.ingest(event)
        if accepted and self.context.source.quality is Quality.NONE:
            self.context.source.set(Quality.LIVE, "external feed")
        return accepted

    def book(self, instrument_id: str) -> OrderBook:
        """The L2 book of an instrument, for reading; raises NotFound, or NotReady while nothing is known of it."""
        instrument = self.instruments[instrument_id]
        feed = self.feed.feeds.get(instrument.id)
        if feed is None or (not feed.book_ts and not len(feed.book)):
            raise NotReady(f"no book of {instrument.id} yet: nothing but quotes or trades has come in")
        return feed.book

    def _observe(self, event: MarketEvent) -> None:
        before = self.feed.door.total
        self.feed.observe(event)
        if self.feed.door.total != before and self.context.source.quality is Quality.NONE:
            self.context.source.set(Quality.LIVE, "external feed")

    def _tick(self, event: TimeEvent) -> None:
        self.feed.advance(event.ts_event)

    def _take(self, events: Iterable[MarketEvent]) -> int:
        count = 0
        ingest = self.feed.ingest
        for event in events:
            ingest(event)
            count += 1
        return count

    def _count(self, inputs: int) -> None:
        self.stats.inputs += inputs
        self.stats.last_input_ns = perf_counter_ns()

    def _spent(self, elapsed_ns: int, nested_before_ns: int) -> None:
        """Charge a slice to this engine, less what the handlers of others took of it."""
        self.stats.busy_ns += elapsed_ns - (self.context.meter.nested_ns - nested_before_ns)

    # -- simulated market ----------------------------------------------------------------------------------------

    def _open_market(self) -> None:
        config = self.config
        simulated = invented_instruments()
        for one in simulated:
            self.instruments.add(one.instrument)
        self.market = SimulatedMarket(
            simulated,
            seed=config.seed,
            start_ns=self.clock.timestamp_ns(),
            flow=FlowParameters(events_per_second=config.events_per_second),
            news=NewsParameters(
                informed_probability=config.informed_probability, episode_seconds=config.episode_seconds
            ),
        )
        self.context.source.set(Quality.SIMULATED, f"simulated market, seed {config.seed}")

    def _simulate(self, event: TimeEvent) -> None:
        """One slice; after a stall of the loop several slices' worth, so that the market catches up in small bites."""
        market = self.market
        if market is None:
            return
        until_ns = min(event.ts_init, market.now_ns + CATCH_UP_NS)
        self._count(self._take(market.step(until_ns)))
        self.feed.advance(until_ns)

    # -- replay --------------------------------------------------------------------------------------------------

    async def _open_replay(self) -> None:
        config = self.config
        try:
            if config.replay_path == CATALOG:
                definitions = self._remembered_instruments()
                replay = await self.accel.run(recorded_replay, self.store.catalog, definitions)
            elif config.replay_path:
                replay = await self.accel.run(open_replay, Path(config.replay_path), config.replay_policy)
            else:
                raise Invalid("replay_path", 'must be given when the source is "replay"')
        except BaseException:
            self.finished.set()
            raise
        self.replay = replay
        for instrument in replay.instruments:
            self.instruments.add(instrument)
        if isinstance(self.clock, TestClock) and self.clock.timestamp_ns() < replay.start_ns:
            self.clock.set_time(replay.start_ns)
        self.context.source.set(Quality.REPLAYED, replay.description)

    async def _play(self, replay: Replay) -> None:
        try:
            if self._speed is None:
                await self._play_at_once(replay)
            else:
                await self._play_paced(replay, self._speed)
            self.feed.flush_depths()
            alert = SystemAlert(
                ts_event=replay.end_ns,
                source=self.name,
                severity="info",
                code="replay_finished",
                message=f"{replay.description}: {self.messages_done} messages",
            )
            self.publish(topics.system_alert(self.name), alert)
        finally:
            self.finished.set()

    async def _play_at_once(self, replay: Replay) -> None:
        """As fast as possible, in slices after which everybody else has a turn."""
        clock = self.clock if isinstance(self.clock, TestClock) else None
        advance, ingest = self.feed.advance, self.feed.ingest
        taken, until = 0, perf_counter_ns() + BUSY_NS
        nested = self.context.meter.nested_ns
        for done, (time_ns, events) in enumerate(replay.groups(), 1):
            if clock is not None and time_ns > clock.timestamp_ns():
                clock.advance_to(time_ns)
            advance(time_ns)
            for event in events:
                ingest(event)
            taken += len(events)
            if perf_counter_ns() > until:
                self.messages_done = done
                self._count(taken)
                self._spent(perf_counter_ns() - until + BUSY_NS, nested)
                taken = 0
                await asyncio.sleep(0)
                nested = self.context.meter.nested_ns
                until = perf_counter_ns() + BUSY_NS
        self.messages_done = replay.messages
        self._count(taken)
        self._spent(perf_counter_ns() - until + BUSY_NS, nested)

    async def _play_paced(self, replay: Replay, speed: float) -> None:
        """At a multiple of real time: the data's clock moves on evenly, also while nothing happens."""
        clock = self.clock if isinstance(self.clock, TestClock) else None
        loop = asyncio.get_running_loop()
        started = loop.time()
        until = perf_counter_ns() + BUSY_NS
        for time_ns, events in replay.groups():
            while True:
                now_ns = replay.start_ns + int((loop.time() - started) * 1e9 * speed)
                if now_ns >= time_ns and perf_counter_ns() < until:
                    break
                self._move(clock, min(now_ns, time_ns))
                await asyncio.sleep(0 if now_ns >= time_ns else min((time_ns - now_ns) / 1e9 / speed, PACING_SECONDS))
                until = perf_counter_ns() + BUSY_NS
            self._move(clock, time_ns)
            self._count(self._take(events))
            self.messages_done += 1

    def _move(self, clock: TestClock | None, to_ns: int) -> None:
        if clock is not None and to_ns > clock.timestamp_ns():
            clock.advance_to(to_ns)
        self.feed.advance(to_ns)

    # -- recording -----------------------------------------------------------------------------------------------

    async def _record_regularly(self, recorder: Recorder) -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(1.0)
            waited += 1.0
            if waited >= self.config.record_seconds or recorder.waiting >= EARLY_WRITE_EVENTS:
                waited = 0.0
                self._remember_instruments()
                await asyncio.shield(recorder.flush())

    def _remember_instruments(self) -> None:
        """Keep the definitions beside the data, without which ticks and lots mean nothing."""
        for instrument in self.instruments:
            data = msgspec.json.encode(instrument)
            if self.store.state.get(INSTRUMENTS, instrument.id) != data:
                self.store.state.put(INSTRUMENTS, instrument.id, data)

    def _remembered_instruments(self) -> list[Instrument]:
        return [msgspec.json.decode(data, type=Instrument) for _, data in self.store.state.items(INSTRUMENTS)]


def replay_speed(text: str | float) -> float | None:
    """The multiple of real time, None for "max"; raises Invalid.

    >>> replay_speed("max"), replay_speed("2.5")
    (None, 2.5)
    """
    if text == "max":
        return None
    try:
        multiple = float(text)
    except ValueError:
        multiple = 0.0
    if not 0 < multiple <= 1_000_000:
        raise Invalid("replay_speed", f'must be "max" or a positive multiple of real time, not {text!r}')
    return multiple
