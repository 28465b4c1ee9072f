import numpy as np
import pytest

from nautilus.engines.marketdata import (
    FlowParameters,
    NewsParameters,
    OrderBook,
    SimulatedMarket,
    invented_instruments,
)
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import BookDelta, Side, Trade

SECOND = 1_000_000_000


def _market(seed=7, **options):
    return SimulatedMarket(invented_instruments(), seed=seed, start_ns=5 * SECOND, **options)


def _strip(events):
    return [(type(event), *(getattr(event, name) for name in event.__struct_fields__[:-1])) for event in events]


def test_events_depend_on_the_seed_and_not_on_how_time_is_cut():
    coarse = _market().step(25 * SECOND)
    fine_market = _market()
    fine = [event for until in range(5 * SECOND, 25 * SECOND + 1, SECOND // 10) for event in fine_market.step(until)]
    assert _strip(coarse) == _strip(fine)
    assert _strip(coarse) != _strip(_market(seed=8).step(25 * SECOND))


def test_level_changes_rebuild_the_matching_book_and_it_is_never_crossed_or_empty():
    market, books = _market(), {one.instrument.id: OrderBook() for one in invented_instruments()}
    for until in range(6, 66, 5):
        last_ns = 0
        for event in market.step(until * SECOND):
            assert event.ts_event >= last_ns
            assert event.ts_init == until * SECOND
            last_ns = event.ts_event
            if isinstance(event, BookDelta):
                book = books[event.instrument_id]
                book.apply(event.side, event.price_ticks, event.size_lots)
                if event.last:
                    assert book.best_bid is not None
                    assert book.best_ask is not None
                    assert book.best_bid < book.best_ask
        for identifier, book in books.items():
            matching = market.book(identifier)
            assert book.bids() == matching.depth(Side.BUY, 10_000)
            assert book.asks() == matching.depth(Side.SELL, 10_000)


def test_a_trade_takes_from_the_best_level_of_the_other_side():
    market, book = _market(), OrderBook()
    trades = 0
    for event in market.step(65 * SECOND):
        if event.instrument_id != "ALFA.SIM":
            continue
        if isinstance(event, Trade):
            trades += 1
            side = event.aggressor.opposite
            assert 0 < event.size_lots <= book.size_at(side, event.price_ticks)
            best = book.best_bid if side is Side.BUY else book.best_ask
            assert (event.price_ticks - best) * event.aggressor >= 0
        else:
            book.apply(event.side, event.price_ticks, event.size_lots)
    assert trades > 50


def test_rates_are_those_configured():
    market = _market(flow=FlowParameters(events_per_second=50.0), news=NewsParameters(informed_probability=0.0))
    events = [event for event in market.step(125 * SECOND) if event.ts_event > 5 * SECOND]
    truth = market.truth()
    assert sum(one.informed_orders for one in truth) == 0
    orders = sum(one.noise_orders for one in truth)
    expected = 8 * 120 * 50 * 0.08
    assert abs(orders - expected) < 4 * np.sqrt(expected)
    assert len({event.instrument_id for event in events}) == 8


def test_the_informed_trade_toward_the_true_value_and_their_share_is_known():
    news = NewsParameters(informed_probability=1.0, smallest_news_bps=60, largest_news_bps=80)
    market = _market(news=news)
    bought = {}
    for event in market.step(60 * SECOND):
        if isinstance(event, Trade):
            bought[event.instrument_id] = bought.get(event.instrument_id, 0) + event.aggressor * event.size_lots
    episodes = {episode.instrument_id: episode for episode in market.current_episodes()}
    assert len(episodes) == 8
    for one in market.truth():
        assert one.is_informed
        assert (one.value > one.public_value) == (bought[one.instrument_id] > 0)
        assert one.informed_fraction == one.informed_orders / (one.informed_orders + one.noise_orders)
        assert 0.3 < one.informed_fraction < 0.7
        assert (episodes[one.instrument_id].log_news > 0) == (one.value > one.public_value)
        assert episodes[one.instrument_id].informed_orders == one.informed_orders
    market.step(70 * SECOND)
    assert {episode.instrument_id for episode in market.episodes} == set(episodes)
    assert all(episode.end_ns - episode.start_ns == 60 * SECOND for episode in market.episodes)


def test_prices_of_different_instruments_move_together():
    market = _market(news=NewsParameters(informed_probability=0.0, annual_volatility=1.0, common_share=0.7))
    mids = []
    for until in range(10, 1810, 10):
        market.step(until * SECOND)
        mids.append([one.mid for one in market.truth()])
    returns = np.diff(np.log(mids), axis=0)
    correlations = np.corrcoef(returns.T)[np.triu_indices(8, 1)]
    assert correlations.mean() > 0.3


def test_a_flash_crash_falls_recovers_and_leaves_the_others_alone():
    market = _market(news=NewsParameters(informed_probability=0.0))
    market.step(20 * SECOND)
    before = {one.instrument_id: one.mid for one in market.truth()}
    crash = market.flash_crash("CHRL.SIM", depth=0.08, seconds=10)
    assert crash.end_ns - crash.start_ns == 10 * SECOND
    with pytest.raises(Conflict):
        market.flash_crash("CHRL.SIM")
    market.step(30 * SECOND)
    low = {one.instrument_id: one.mid for one in market.truth()}
    assert low["CHRL.SIM"] < 0.95 * before["CHRL.SIM"]
    assert low["ALFA.SIM"] == pytest.approx(before["ALFA.SIM"], rel=0.01)
    market.step(75 * SECOND)
    after = {one.instrument_id: one.mid for one in market.truth()}
    assert after["CHRL.SIM"] == pytest.approx(before["CHRL.SIM"], rel=0.015)
    assert not market.is_crashing("CHRL.SIM")


def test_wrong_requests_are_refused():
    market = _market()
    with pytest.raises(NotFound):
        market.flash_crash("NONE.SIM")
    with pytest.raises(NotFound):
        market.book("NONE.SIM")
    with pytest.raises(Invalid):
        market.flash_crash("ALFA.SIM", depth=0.6)
    with pytest.raises(Invalid):
        market.flash_crash("ALFA.SIM", seconds=0.0)
    with pytest.raises(Invalid):
        _market(flow=FlowParameters(events_per_second=0.0))


def test_orders_of_the_book_stay_bounded():
    market = _market(flow=FlowParameters(events_per_second=200.0))
    market.step(125 * SECOND)
    assert all(len(market.book(one.instrument.id)) < 300 for one in invented_instruments())
