import math

import pytest
from msgspec.structs import replace

from nautilus.engines.marketdata.admission import LARGEST_LOTS, LARGEST_TICKS, Door
from nautilus.model import Bar, BookDelta, InstrumentRegistry, Side
from nautilus.testing import START_NS, make_instrument, make_quote, make_trade

DELTA = BookDelta("TEST.SIM", Side.BUY, 100, 5, True, START_NS, START_NS)
BAR = Bar("TEST.SIM", "60s", 10, 12, 9, 11, 100, 40, 7, START_NS - 60, START_NS, START_NS)


@pytest.fixture
def door():
    registry = InstrumentRegistry()
    registry.add(make_instrument())
    return Door(registry)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (make_quote(bid_ticks=101, ask_ticks=100), "quote: crossed"),
        (make_quote(bid_ticks=0), "quote: price not positive"),
        (make_quote(bid_ticks=-5), "quote: price not positive"),
        (make_quote(ask_ticks=-1, ask_lots=0), "quote: price not positive"),
        (make_quote(bid_lots=-1), "quote: negative size"),
        (make_quote(bid_ticks=math.nan), "quote: not a whole number"),
        (make_quote(ask_lots=math.inf), "quote: not a whole number"),
        (make_quote(bid_ticks=99.5), "quote: not a whole number"),
        (make_quote(ask_ticks=LARGEST_TICKS + 1), "quote: beyond any market"),
        (make_quote("NONE.SIM"), "quote: unknown instrument"),
        (make_quote(ts_event=-1), "quote: impossible time"),
        (make_trade(price_ticks=0), "trade: price not positive"),
        (make_trade(price_ticks=math.nan), "trade: not a whole number"),
        (make_trade(size_lots=0), "trade: size not positive"),
        (make_trade(size_lots=-3), "trade: size not positive"),
        (make_trade(size_lots=LARGEST_LOTS + 1), "trade: beyond any market"),
        (make_trade(aggressor=5), "trade: side unknown"),
        (make_trade("NONE.SIM"), "trade: unknown instrument"),
        (make_trade(ts_event=2.5), "trade: impossible time"),
        (replace(DELTA, price_ticks=0), "book_delta: price not positive"),
        (replace(DELTA, size_lots=-1), "book_delta: negative size"),
        (replace(DELTA, price_ticks=math.nan), "book_delta: not a whole number"),
        (replace(DELTA, side=Side.NONE), "book_delta: side unknown"),
        (replace(DELTA, size_lots=LARGEST_LOTS + 1), "book_delta: beyond any market"),
        (replace(DELTA, instrument_id="NONE.SIM"), "book_delta: unknown instrument"),
        (replace(DELTA, ts_init=-1), "book_delta: impossible time"),
        (replace(BAR, high_ticks=10), "bar: high, low or volume contradict"),
        (replace(BAR, buy_lots=101), "bar: high, low or volume contradict"),
        (replace(BAR, open_ticks=math.nan), "bar: not a whole number"),
        (replace(BAR, low_ticks=-9), "bar: price not positive"),
        (replace(BAR, volume_lots=-1), "bar: negative size"),
        (replace(BAR, high_ticks=LARGEST_TICKS + 1), "bar: beyond any market"),
        (replace(BAR, ts_open=START_NS + 1), "bar: impossible time"),
        (replace(BAR, spec="1s.x"), "bar: no bar specification"),
        (replace(BAR, instrument_id="NONE.SIM"), "bar: unknown instrument"),
    ],
)
def test_what_cannot_be_true_is_refused_counted_and_kept_with_its_reason(door, event, reason):
    assert not door.admits(event)
    assert door.refused == {reason: 1}
    assert door.total == 0
    (refusal,) = door.recent
    assert f"{refusal.kind}: {refusal.reason}" == reason


@pytest.mark.parametrize(
    "event",
    [
        make_quote(),
        make_quote(bid_ticks=100, ask_ticks=100),
        make_quote(bid_ticks=0, bid_lots=0),
        make_trade(aggressor=Side.NONE),
        DELTA,
        replace(DELTA, size_lots=0),
        BAR,
    ],
)
def test_what_can_be_true_passes(door, event):
    assert door.admits(event)
    assert door.refused == {}
    assert door.total == 1


def test_time_may_stand_still_but_not_run_backwards_within_kind_and_instrument(door):
    assert door.admits(make_trade(ts_event=START_NS + 10))
    assert door.admits(make_trade(ts_event=START_NS + 10))
    assert not door.admits(make_trade(ts_event=START_NS + 9))
    assert door.admits(make_quote(ts_event=START_NS))
    assert door.refused == {"trade: time runs backwards": 1}


def test_only_the_latest_refusals_are_kept(door):
    for _ in range(500):
        door.admits(make_quote("X" * 500 + ".SIM"))
    assert len(door.recent) == 100
    assert len(door.recent[0].instrument_id) == 40
    assert door.refused == {"quote: unknown instrument": 500}
