import asyncio

import pytest

from nautilus.clock import LiveClock, TestClock
from nautilus.engines.marketdata import BarRule, build_bars, find_days, read_day, replay_deltas
from nautilus.engines.marketdata.engine import MarketDataEngine, replay_speed
from nautilus.engines.marketdata.recorder import read_recorded
from nautilus.errors import Invalid, NotFound, NotReady
from nautilus.model import Bar, BookDelta, BookDepth, Quality, Quote, Side, Trade, topics
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade
from tests.engines.marketdata.lobster_days import make_day, write_day

SECOND = 1_000_000_000


def _node(clock=None, directory=":memory:", **options):
    settings = {f"engines.marketdata.{name}": value for name, value in options.items()}
    return make_node(["marketdata"], settings, clock=clock, directory=directory)


@pytest.fixture
def folder(tmp_path):
    return write_day(tmp_path / "lobster", *make_day(3, 400, 1))


async def test_the_simulated_market_runs_by_the_clock_and_the_same_seed_gives_the_same_messages():
    runs = []
    for _ in range(2):
        async with _node(source="simulated", seed=3) as node:
            everything = Capture(node.bus, ">")
            assert node.context.source.quality is Quality.SIMULATED
            assert "seed 3" in node["marketdata"].describe_source()
            node.clock.advance_time(3 * SECOND)
            runs.append(everything.messages)
            health = node["marketdata"].health()
            assert health.status == "live"
            assert health.inputs > 100
            assert len(node.instruments) == 8
    assert runs[0] == runs[1]
    kinds = {type(message) for message in runs[0]}
    assert {Quote, Trade, BookDelta, BookDepth, Bar} <= kinds


async def test_on_a_live_clock_the_market_keeps_pace():
    async with _node(LiveClock(), source="simulated", events_per_second=500) as node:
        engine = node["marketdata"]
        reached = asyncio.Event()
        node.clock.set_time_alert_ns("test", node.clock.timestamp_ns() + SECOND // 4, lambda _: reached.set())
        await asyncio.wait_for(reached.wait(), 10)
        await asyncio.sleep(0.05)
        assert abs(node.clock.timestamp_ns() - engine.market.now_ns) < SECOND // 2
        assert not engine.feed.door.refused


async def test_a_market_that_stands_still_is_degraded():
    async with _node(source="simulated") as node:
        node.clock.set_time(START_NS + 60 * SECOND)
        assert node["marketdata"].health().reasons == ("the simulated market stands still",)


async def test_a_replay_ends_with_lobsters_own_book_and_says_so(folder):
    node = _node(TestClock(0), source="replay", replay_path=str(folder))
    async with node:
        alerts, trades, quotes = (Capture(node.bus, pattern) for pattern in ("system_alert.>", "trade.>", "quote.>"))
        engine = node["marketdata"]
        await asyncio.wait_for(engine.finished.wait(), 30)
        day = await asyncio.to_thread(_day, folder)
        cells = day.book[-1].reshape(-1, 4).tolist()
        book = engine.book("TEST.XNAS")
        assert book.bids() == tuple((price, lots) for _, _, price, lots in cells if lots)
        assert book.asks() == tuple((price, lots) for price, lots, _, _ in cells if lots)
        assert len(trades) == day.is_trade().sum()
        assert [alert.code for alert in alerts.messages] == ["replay_finished"]
        assert engine.messages_done == len(day)
        assert node.clock.timestamp_ns() == day.ts_event[-1]
        assert node.context.source.quality is Quality.REPLAYED
        assert quotes.messages[-1] == engine.feed.feeds["TEST.XNAS"].quote
        assert engine.health().status == "live"
        assert engine.stats.busy_ns > 0


def _day(folder):
    return read_day(find_days(folder)[0])


async def test_the_clock_stands_at_each_event_while_it_is_published(folder):
    async with _node(TestClock(0), source="replay", replay_path=str(folder)) as node:
        late = []
        node.bus.subscribe(topics.ALL_TRADES, lambda trade: late.append(node.clock.timestamp_ns() - trade.ts_event))
        await asyncio.wait_for(node["marketdata"].finished.wait(), 30)
        assert late
        assert not any(late)


async def test_timers_set_before_the_data_begin_do_not_fire_for_all_the_years_before(folder):
    async with _node(TestClock(0), source="replay", replay_path=str(folder)) as node:
        fired = []
        node.clock.set_timer_ns("test", SECOND, fired.append)
        await asyncio.wait_for(node["marketdata"].finished.wait(), 30)
        assert 0 < len(fired) < 100


async def test_a_paced_replay_takes_its_time_and_gives_the_same_messages(folder):
    runs = []
    for speed in ("max", 200.0):
        async with _node(TestClock(0), source="replay", replay_path=str(folder), replay_speed=speed) as node:
            everything = Capture(node.bus, "trade.>")
            started = asyncio.get_running_loop().time()
            await asyncio.wait_for(node["marketdata"].finished.wait(), 30)
            runs.append((asyncio.get_running_loop().time() - started, everything.messages))
            span_ns = node["marketdata"].replay.end_ns - node["marketdata"].replay.start_ns
    assert runs[0][1] == runs[1][1]
    assert runs[1][0] >= span_ns / SECOND / 200


async def test_a_replay_lets_others_have_their_turn(folder):
    async with _node(TestClock(0), source="replay", replay_path=str(folder)) as node:
        engine, turns = node["marketdata"], 0
        engine_slow = Capture(node.bus, "book.>")
        node.bus.subscribe(topics.ALL_BOOKS, lambda _: sum(range(2000)))
        while not engine.finished.is_set():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 2
        assert len(engine_slow) > 100


@pytest.mark.parametrize("options", [{}, {"replay_path": "/nowhere"}, {"replay_path": "catalog"}])
async def test_a_replay_that_cannot_be_is_a_failed_engine_with_a_reason(options):
    async with _node(TestClock(0), source="replay", **options) as node:
        engine = node["marketdata"]
        assert engine.finished.is_set()
        assert engine.health().status == "down"
        assert "Invalid" in engine.health().reasons[0]


async def test_an_external_feed_comes_in_by_the_endpoint_or_by_the_bus():
    async with _node(bars=["2t"]) as node:
        engine = node["marketdata"]
        node.instruments.add(make_instrument())
        quotes, bars = Capture(node.bus, "quote.>"), Capture(node.bus, "bar.>")
        assert node.context.source.quality is Quality.NONE
        assert node.bus.call("marketdata.ingest", make_quote())
        assert not node.bus.call("marketdata.ingest", make_quote(bid_ticks=10_002))
        assert len(quotes) == 1
        assert node.context.source.quality is Quality.LIVE
        node.bus.publish(topics.trade("TEST.SIM"), make_trade())
        node.bus.publish(topics.trade("TEST.SIM"), make_trade())
        node.bus.publish(topics.trade("TEST.SIM"), make_trade(price_ticks=-1))
        assert len(bars) == 1
        assert engine.feed.door.refused == {"quote: crossed": 1, "trade: price not positive": 1}
        assert len(engine.feed.feeds["TEST.SIM"].trades) == 2
        with pytest.raises(NotReady):
            engine.book("TEST.SIM")
        with pytest.raises(NotFound):
            engine.book("NONE.SIM")


async def test_a_time_bar_of_an_external_feed_closes_by_the_clock():
    async with _node(bars=["1s"]) as node:
        node.instruments.add(make_instrument())
        bars = Capture(node.bus, "bar.>")
        node.bus.call("marketdata.ingest", make_trade())
        node.clock.advance_time(2 * SECOND)
        assert [bar.ts_event for bar in bars.messages] == [START_NS + SECOND]


async def test_a_crossed_book_degrades_the_engine():
    async with _node() as node:
        node.instruments.add(make_instrument())
        for side, price in ((Side.BUY, 101), (Side.SELL, 99)):
            node.bus.call("marketdata.ingest", BookDelta("TEST.SIM", side, price, 1, True, START_NS, START_NS))
        assert node["marketdata"].health().reasons == ("the book of TEST.SIM is crossed",)


async def test_what_was_received_is_recorded_and_can_be_replayed(tmp_path):
    directory = str(tmp_path / "data")
    async with _node(source="simulated", directory=directory) as node:
        node.clock.advance_time(2 * SECOND)
        engine = node["marketdata"]
        assert engine.recorder is not None
        trades = {feed.instrument_id: list(feed.trades) for feed in engine.feed.feeds.values()}
        books = {name: engine.book(name).bids() for name in trades}
        await engine.recorder.flush()
        columns = await asyncio.to_thread(read_recorded, node.store.catalog, "trade", "ALFA.SIM")
        assert columns.trade_id.tolist() == [trade.trade_id for trade in trades["ALFA.SIM"]]
        node.clock.advance_time(1 * SECOND)
        trades = {feed.instrument_id: list(feed.trades) for feed in engine.feed.feeds.values()}
        books = {name: engine.book(name).bids() for name in trades}
    async with _node(TestClock(0), source="replay", replay_path="catalog", directory=directory) as node:
        engine = node["marketdata"]
        assert engine.recorder is None
        await asyncio.wait_for(engine.finished.wait(), 30)
        assert {feed.instrument_id: list(feed.trades) for feed in engine.feed.feeds.values()} == trades
        assert {name: engine.book(name).bids() for name in trades} == books


def test_kernels_compiled_at_the_start_are_those_that_data_need_later(folder):
    """A read-only array is another type to the compiler than a writable one."""
    for kernel in MarketDataEngine.kernels:
        kernel.warm()
    before = [len(kernel.compiled.signatures) for kernel in MarketDataEngine.kernels]
    day = _day(folder)
    replay_deltas(day.deltas()[0])
    build_bars(day.trades(), BarRule.parse("5v"))
    assert [len(kernel.compiled.signatures) for kernel in MarketDataEngine.kernels] == before


def test_speeds():
    assert replay_speed("max") is None
    assert replay_speed(10) == 10.0
    for wrong in ("fast", "0", "-1", "nan", "inf", 2e6):
        with pytest.raises(Invalid):
            replay_speed(wrong)
