"""The feed against a gateway that misbehaves: reconnected, resubscribed, the gap filled, the book true."""

import asyncio
from random import Random

import pytest

from nautilus.clock import LiveClock
from nautilus.engines.marketdata.ibkr import Kind
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import Bar, BookDelta, Quote, Trade
from nautilus.testing import START_NS
from tests.engines.marketdata.ibkr.desk import APPLE, EURO, MICROSOFT, SECOND, Desk, a_desk, eventually
from tests.fakes import ibkr_gateway as fake

START = START_NS // SECOND // 60 * 60


def minute_bar(start: int, price: float = 100.0) -> fake.Bar:
    return fake.Bar(start, price, price + 1, price - 1, price + 0.5, 1000.0, price, 12)


def fill_book(desk: Desk, mid: float = 100.0, size: int = 100) -> None:
    """Five levels on each side."""
    for level in range(5):
        desk.gateway.depth("AAPL", "insert", "bid", level, round(mid - 0.01 * (level + 1), 2), size + level, "NSDQ")
        desk.gateway.depth("AAPL", "insert", "ask", level, round(mid + 0.01 * (level + 1), 2), size + level, "ARCA")


def publish(desk: Desk, price: float = 100.0) -> None:
    """Something of everything."""
    desk.gateway.tick("AAPL", bid=price, bid_size=300, ask=price + 0.02, ask_size=200)
    desk.gateway.trade("AAPL", price, 5)


async def full_desk(desk: Desk) -> None:
    """Quotes, trades, depth and bars of Apple, all live, with a minute bar for each of the last thirty minutes."""
    fill_book(desk)
    desk.gateway.set_bars("AAPL", "1 min", [minute_bar(START - 60 * back) for back in range(30, 0, -1)])
    for kind, spec in (("quotes", ""), ("trades", ""), ("depth", ""), ("bars", "60s")):
        desk.subscribe(APPLE, kind, spec)
    desk.feed.start()
    await desk.up()
    await desk.gateway.requested(fake.HistoricalRequest)
    await desk.gateway.requested(fake.TickByTickRequest)
    publish(desk)
    await desk.moving(lambda: all_live(desk))


def all_live(desk: Desk) -> bool:
    return {one.state for one in desk.feed.report().subscriptions} == {"live"} and not desk.feed.problems()


async def recovered(desk: Desk, outages: int = 1) -> None:
    """The outage is over, nothing is wrong and the book is the gateway's."""

    def is_over() -> bool:
        report = desk.feed.report()
        return report.outage_count >= outages and report.outages[-1].recovered_ns is not None

    await desk.moving(is_over)
    publish(desk, 101.0)
    await desk.moving(lambda: all_live(desk) and desk.book_is_true())
    assert desk.market.door.refused == {}
    assert desk.feed.report().outages[-1].seconds is not None


def bars_are_complete(desk: Desk) -> bool:
    starts = [bar.ts_open // SECOND for bar in desk.of(Bar)]
    return starts == list(range(starts[0], starts[-1] + 60, 60))


async def test_everything_arrives_as_model_events_with_the_exchange_time():
    """Quotes, trades, depth and bars on the grid; trades and bars keep the exchange's time."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.trade("AAPL", 100.07, 42, time=START_NS // SECOND + 3)
        await desk.moving(lambda: len(desk.of(Trade)) == 2)
        trade, quote = desk.of(Trade)[-1], desk.of(Quote)[-1]
        assert (trade.price_ticks, trade.size_lots, trade.ts_event) == (10_007, 42, START_NS + 3 * SECOND)
        assert trade.ts_init <= desk.clock.timestamp_ns()
        assert (quote.bid_ticks, quote.ask_ticks, quote.bid_lots, quote.ask_lots) == (10_000, 10_002, 300, 200)
        assert desk.book_is_true()
        assert len(desk.of(BookDelta)) == 10
        assert len(desk.of(Bar)) >= 28
        assert bars_are_complete(desk)
        assert desk.feed.problems() == []


@pytest.mark.parametrize("reset", [False, True])
async def test_after_a_cut_everything_is_back(reset: bool):
    """Reconnected, resubscribed, the bars of the gap filled, the book rebuilt, the time to recovery measured."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.cut(reset=reset)
        desk.gateway.refuse()
        await desk.moving(lambda: desk.feed.report().outage_count == 1)
        assert desk.feed.problems()
        desk.gateway.depth("AAPL", "delete", "bid", 0, 0.0, 0)
        desk.gateway.depth("AAPL", "update", "ask", 1, 100.02, 777)
        await desk.passing(420)
        desk.gateway.set_bars("AAPL", "1 min", [minute_bar(START + 60 * number) for number in range(-30, 8)])
        await desk.gateway.accept()
        await recovered(desk)
        assert bars_are_complete(desk)
        assert desk.of(Bar)[-1].ts_open // SECOND >= START + 6 * 60
        assert desk.subscription("bars").backfilled >= 7
        outage = desk.feed.report().outages[-1]
        assert 420 <= outage.seconds <= 500
        assert outage.connected_ns <= outage.recovered_ns


async def test_a_gateway_that_falls_silent_without_closing_is_found_dead_and_left():
    """Within a little more than the 60 seconds the line is cut from this side and everything is asked for anew."""
    async with a_desk() as desk:
        await full_desk(desk)
        began = desk.clock.timestamp_ns()
        desk.gateway.go_silent()
        await desk.moving(lambda: desk.feed.report().dead_lines == 1, 1.0)
        assert desk.clock.timestamp_ns() - began <= 62 * SECOND
        assert any("nothing came for" in reason for reason in desk.feed.problems())
        desk.gateway.depth("AAPL", "insert", "bid", 0, 99.995 + 0.005, 55)
        desk.gateway.speak()
        await recovered(desk)


async def test_a_quiet_market_on_a_live_line_is_not_dead():
    """Heartbeats are answered: ten minutes without data cut nothing."""
    async with a_desk() as desk:
        desk.subscribe(APPLE, "trades", stale_after_seconds=3600)
        desk.feed.start()
        await desk.up()
        await desk.passing(600)
        assert (desk.feed.report().connects, desk.feed.report().dead_lines) == (1, 0)
        assert len(desk.gateway.requests_of(fake.CurrentTimeRequest)) >= 15
        assert desk.feed.report().heartbeat_seconds is not None


async def test_a_subscription_that_stops_alone_is_renewed_alone():
    """Bars stop without a word while all else flows: they are renewed, the gap is filled, the rest is not touched."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.stall("AAPL", fake.HistoricalRequest)
        minutes = iter(range(1000))

        def live() -> None:
            publish(desk, 100.0 + next(minutes) % 2)

        await desk.passing(200, live)
        for minute in range(5):
            desk.gateway.live_bar("AAPL", "1 min", minute_bar(START + 60 * minute))
        await desk.moving(lambda: desk.subscription("bars").renewals >= 1, 1.0)
        await desk.moving(lambda: desk.subscription("bars").state == "live")
        assert bars_are_complete(desk)
        assert [desk.subscription(kind).requests for kind in ("quotes", "trades")] == [1, 1]
        assert desk.feed.report().connects == 1


async def test_lost_servers_with_the_data_lost_resubscribe_everything_once():
    """1101: TWS has forgotten every subscription; each is asked for again, on the same line."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.connectivity_lost()
        await desk.moving(lambda: desk.feed.report().servers_lost_ns)
        assert "TWS has lost the connection to its servers" in desk.feed.problems()
        desk.gateway.depth("AAPL", "update", "bid", 0, 99.99, 1)
        desk.gateway.connectivity_restored(data_lost=True)
        await recovered(desk)
        assert {one.requests for one in desk.feed.report().subscriptions} == {2}
        assert desk.feed.report().connects == 1


async def test_lost_servers_with_the_data_kept_resubscribe_nothing():
    """1102: every subscription has held; none is asked for again."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.connectivity_lost()
        await desk.moving(lambda: desk.feed.report().servers_lost_ns)
        desk.gateway.connectivity_restored(data_lost=False)
        await desk.moving(lambda: desk.feed.report().servers_lost_ns is None)
        publish(desk, 101.0)
        desk.gateway.depth("AAPL", "update", "bid", 0, 99.99, 1)
        desk.gateway.live_bar("AAPL", "1 min", minute_bar(START))
        await desk.moving(lambda: all_live(desk) and desk.book_is_true())
        assert {one.requests for one in desk.feed.report().subscriptions} == {1}


async def test_a_broken_farm_makes_its_subscriptions_doubtful_and_its_return_renews_nothing_that_flows():
    """2103 and 2104 while data flow again: reported, watched, not torn down."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.farm_broken("usfarm")
        await desk.moving(lambda: any("usfarm" in reason for reason in desk.feed.problems()))
        desk.gateway.farm_ok("usfarm")
        await desk.moving(lambda: desk.feed.report().farms and desk.feed.report().farms[0].state == "ok")
        publish(desk, 101.0)
        desk.gateway.depth("AAPL", "update", "bid", 0, 99.99, 1)
        desk.gateway.live_bar("AAPL", "1 min", minute_bar(START))
        await desk.moving(lambda: all_live(desk))
        assert {one.requests for one in desk.feed.report().subscriptions} == {1}


@pytest.mark.parametrize("seed", range(4))
async def test_notices_in_any_order_leave_everything_live_and_only_1101_asks_anew(seed: int):
    """Every connectivity and farm code, shuffled: afterwards data make everything live, and the requests are two."""
    async with a_desk() as desk:
        await full_desk(desk)
        codes = [1100, 1101, 1102, 2103, 2104, 2105, 2106, 2108, 2110, 2157, 2158]
        Random(seed).shuffle(codes)
        for code in codes:
            desk.gateway.send_error(code, f"A notice about a connection:farm{code % 2}")
        await desk.moving(lambda: len(desk.feed.report().notices) >= len(codes))
        desk.gateway.send_error(1102, "Connectivity has been restored, data maintained")
        await desk.moving(lambda: not desk.waiting())
        publish(desk, 101.0)
        desk.gateway.depth("AAPL", "update", "bid", 0, 99.99, 1)
        desk.gateway.live_bar("AAPL", "1 min", minute_bar(START))
        await desk.moving(lambda: all_live(desk) and desk.book_is_true())
        assert {one.requests for one in desk.feed.report().subscriptions} == {2}


async def test_a_depth_reset_empties_the_rows_and_the_book_ends_true():
    """Error 317: rows come anew, the levels told before are put right, the subscription stays."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.reset_depth("AAPL", refill=False)
        await desk.moving(lambda: len(desk.book()) == 0)
        fill_book(desk, 100.0, 500)
        desk.gateway.reset_depth("AAPL", refill=True)
        await desk.moving(desk.book_is_true)
        assert desk.subscription("depth").requests == 1


async def test_the_nightly_restart_is_waited_for():
    """Refused for as long as it takes, then everything is back."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.refuse()
        await desk.moving(lambda: desk.feed.connection.attempts >= 5, 5.0)
        assert desk.feed.report().state == "down"
        await desk.gateway.accept()
        await recovered(desk)


async def test_a_client_id_that_is_taken_is_followed_by_the_next():
    """Error 326 at once leads to another id, without waiting for the handshake's deadline."""
    async with a_desk() as desk:
        desk.gateway.occupy_client_id(11)
        desk.feed.start()
        await desk.up()
        assert (desk.feed.report().client_id, desk.feed.report().client_ids_taken) == (12, 1)


@pytest.mark.parametrize("rubbish", [b"\xff" * 4096, b"\x00\x00\x00\x05hello" * 50, bytes(range(256)) * 20])
async def test_rubbish_in_the_stream_is_survived(rubbish: bytes):
    """Whatever it does to the framing, in the end the feed is whole again, and nothing untrue has come in."""
    async with a_desk() as desk:
        await full_desk(desk)
        desk.gateway.garbage(rubbish)
        await desk.moving(lambda: desk.feed.report().connects == 2, 1.0)
        await recovered(desk)


async def test_a_slow_gateway_is_only_slow():
    """Late messages are late: the line stays."""
    async with a_desk() as desk:
        desk.gateway.slow(50)
        await full_desk(desk)
        desk.gateway.slow(0)
        assert desk.feed.report().connects == 1


async def test_a_gateway_that_is_too_old_is_refused_with_the_reason():
    """The version is said, and attempts go on until the right one is there."""
    async with a_desk() as desk:
        desk.gateway.server_version = 100
        desk.feed.start()
        await desk.moving(lambda: desk.feed.connection.attempts >= 2)
        assert "version" in desk.feed.problems()[0]
        desk.gateway.server_version = 178
        await desk.up()


async def test_a_pacing_violation_is_waited_out():
    """Error 162 (pacing) delays the bars; they come all the same."""
    async with a_desk() as desk:
        desk.gateway.set_bars("AAPL", "1 min", [minute_bar(START - 60 * back) for back in range(9, 0, -1)])
        text = "Historical Market Data Service error message:API historical data query pacing violation"
        desk.gateway.fail_next(fake.HistoricalRequest, 162, text)
        desk.subscribe(APPLE, "bars", "60s")
        desk.feed.start()
        await desk.moving(lambda: desk.subscription("bars").events)
        assert desk.feed.report().pacing_violations == 1
        first, second = desk.gateway.requests_of(fake.HistoricalRequest)
        assert first.duration == second.duration


async def test_many_subscriptions_keep_the_message_rate():
    """All are asked for in the end, in bursts that the gateway bears."""
    async with a_desk() as desk:
        for kind in ("quotes", "trades", "depth"):
            for instrument_id in (APPLE, MICROSOFT):
                desk.subscribe(instrument_id, kind)
        for spec in ("5s", "10s", "15s", "30s", "60s", "120s", "180s", "300s"):
            desk.subscribe(APPLE, "bars", spec)
        desk.feed.start()
        await desk.up()
        assert desk.feed.report().paced_messages >= 1
        assert desk.feed.report().paced_history >= 1
        assert len(desk.gateway.requests_of(fake.HistoricalRequest)) == 8


async def test_what_is_refused_says_why_and_is_asked_for_again_later():
    """No permission: a reason, not a storm of requests; hours later it is tried again."""
    async with a_desk() as desk:
        desk.gateway.fail_next(fake.DepthRequest, 354, "Requested market data is not subscribed")
        desk.subscribe(APPLE, "depth")
        fill_book(desk)
        desk.feed.start()
        await desk.moving(lambda: desk.subscription("depth").state == "refused")
        assert "354" in desk.feed.problems()[0]
        await desk.passing(60)
        assert desk.subscription("depth").requests == 1
        await desk.moving(desk.book_is_true, 5.0)


async def test_prices_off_the_grid_are_refused_and_counted():
    """They never become an event."""
    async with a_desk() as desk:
        desk.subscribe(APPLE, "trades")
        desk.feed.start()
        await desk.up()
        await desk.gateway.requested(fake.TickByTickRequest)
        desk.gateway.trade("AAPL", 100.005, 1)
        desk.gateway.trade("AAPL", 100.01, 1)
        await desk.moving(lambda: desk.of(Trade))
        assert [trade.price_ticks for trade in desk.of(Trade)] == [10_001]
        assert desk.subscription("trades").off_grid == 1


async def test_unsubscribing_cancels_and_stays_cancelled_after_a_cut():
    """What is not wanted any more is not replayed."""
    async with a_desk() as desk:
        keys = [desk.subscribe(APPLE, kind) for kind in ("quotes", "trades")]
        desk.feed.start()
        await desk.up()
        await desk.gateway.requested(fake.TickByTickRequest)
        desk.feed.unsubscribe(keys[0])
        await desk.gateway.requested(fake.CancelMarketData)
        desk.gateway.cut()
        await desk.gateway.requested(fake.StartApi, 1)
        await desk.moving(lambda: desk.feed.report().connects == 2 and not desk.waiting())
        await desk.moving(lambda: len(desk.gateway.requests_of(fake.TickByTickRequest)) == 2)
        assert len(desk.gateway.requests_of(fake.MarketDataRequest)) == 1
        assert desk.feed.problems() == []  # though nothing has traded since


async def test_stopping_leaves_nothing_and_starting_again_brings_everything_back():
    """No task, no timer, no connection; then the same subscriptions once more."""
    async with a_desk() as desk:
        await full_desk(desk)
        before = asyncio.all_tasks()
        await desk.feed.stop()
        await desk.gateway.disconnected()
        assert desk.clock.timer_count == 0
        assert not [task for task in asyncio.all_tasks() - before if "ibkr" in task.get_name()]
        desk.feed.start()
        await desk.up()
        publish(desk, 103.0)
        await desk.moving(lambda: desk.of(Quote)[-1].bid_ticks == 10_300 or publish(desk, 103.0))


async def test_wrong_subscriptions_are_refused_and_named():
    """Nothing of them is remembered."""
    async with a_desk() as desk:
        with pytest.raises(NotFound):
            desk.feed.subscribe("NONE.XNAS", Kind.QUOTES)
        for kind, spec in (("rumours", ""), ("bars", "7s"), ("quotes", "60s")):
            with pytest.raises(Invalid):
                desk.feed.subscribe(APPLE, kind, spec)
        with pytest.raises(Invalid, match="stale_after_seconds"):
            desk.feed.subscribe(APPLE, Kind.QUOTES, stale_after_seconds=0)
        desk.feed.subscribe(EURO, Kind.QUOTES)
        with pytest.raises(Conflict):
            desk.feed.subscribe(EURO, Kind.TICK_QUOTES)
        assert len(desk.feed.report().subscriptions) == 1


async def test_on_the_live_clock_it_comes_back_by_itself():
    """Nobody moves anything: the timers of the node's clock reconnect on the running loop."""
    clock = LiveClock()
    async with fake.Gateway() as gateway:
        desk = Desk(gateway, clock, backoff_first_seconds=0.01)
        desk.subscribe(APPLE, "quotes")
        desk.feed.start()
        await gateway.requested(fake.MarketDataRequest)
        gateway.cut()
        await gateway.requested(fake.MarketDataRequest, 2)
        desk.gateway.tick("AAPL", bid=100.0, bid_size=300, ask=100.02, ask_size=200)
        await eventually(lambda: desk.of(Quote))
        await desk.feed.stop()
        clock.cancel_timers()
