import math

import pytest

from nautilus.engines.marketdata.bar_builder import BarBuilder
from nautilus.engines.marketdata.bar_policy import BarCounts, LatePolicy, SessionTimes
from nautilus.engines.marketdata.bar_rule import NEVER_NS, BarRule
from nautilus.errors import Invalid
from nautilus.model import Side, Trade

SECOND = 1_000_000_000


def _trade(time, price=100, size=1, side=Side.BUY):
    return Trade("X.Y", price, size, side, 1, time, time + 3)


def _feed(builder, prices, start=0, size=1):
    return [bar for number, price in enumerate(prices, start) for bar in builder.update(_trade(number, price, size))]


def test_a_dollar_bar_splits_a_trade_after_the_lot_that_reaches_its_value():
    builder = BarBuilder("X.Y", BarRule.parse("1000d"))
    assert builder.update(_trade(1, 90, 3, Side.SELL)) == ()
    bars = builder.update(_trade(2, 200, 10))
    assert [(bar.volume_lots, bar.buy_lots, bar.open_ticks, bar.trade_count) for bar in bars] == [
        (7, 4, 90, 2),
        (5, 5, 200, 1),
    ]
    assert builder.current().volume_lots == 1
    assert (bars[0].ts_event, bars[0].ts_init) == (2, 5)


def test_a_dollar_bar_of_exactly_its_value_leaves_nothing_over():
    builder = BarBuilder("X.Y", BarRule.parse("1000d"))
    (bar,) = builder.update(_trade(1, 100, 10))
    assert bar.volume_lots == 10
    assert builder.current() is None
    assert builder.due_ns == NEVER_NS


def test_tick_imbalance_bars_follow_the_definition():
    rule = BarRule.parse("4tib")
    builder = BarBuilder("X.Y", BarRule(criterion=rule.criterion, step=4, span=3, least_trades=1))
    assert math.isnan(builder.threshold)
    # signs: none yet, up, up (unchanged price), down; U / T = 2 / 4, D / T = 1 / 4, so 4 * |0.5 - 0.25| = 1
    (first,) = _feed(builder, [10, 11, 11, 10])
    assert first.trade_count == 4
    assert builder.threshold == 1.0
    # the sign before the bar carries over: a price that has not changed counts down, and one is enough
    (second,) = _feed(builder, [10], 4)
    assert second.trade_count == 1
    # E[T] = 4 + (1 - 4) / 2, E[U / T] = 0.5 / 2, E[D / T] = 0.25 + (1 - 0.25) / 2
    assert builder.threshold == pytest.approx(2.5 * 0.375)


def test_volume_and_dollar_imbalance_weigh_signs_by_lots_and_value():
    for text, threshold in (("2vib", 2 * 5 / 2), ("2dib", 2 * 55 / 2)):
        builder = BarBuilder("X.Y", BarRule.parse(text))
        assert len(_feed(builder, [10, 11], size=5)) == 1
        assert builder.threshold == threshold


def test_run_bars_count_the_larger_side_and_ignore_breaks_in_a_run():
    builder = BarBuilder("X.Y", BarRule(criterion=BarRule.parse("4trb").criterion, step=4, least_trades=1))
    (first,) = _feed(builder, [10, 11, 12, 11])
    assert first.trade_count == 4
    assert builder.threshold == 4 * max(2 / 4, 1 / 4)
    # down, up, down: a run of two, though an up stands between
    (second,) = _feed(builder, [10, 11, 10], 4)
    assert second.trade_count == 3


def test_the_aggressor_gives_the_sign_where_asked_for_and_known():
    builder = BarBuilder("X.Y", BarRule(criterion=BarRule.parse("4tib").criterion, step=4, by_aggressor=True))
    for number, side in enumerate([Side.SELL, Side.SELL, Side.NONE, Side.SELL]):
        bars = builder.update(_trade(number, 10, 1, side))
    assert len(bars) == 1
    assert builder.threshold == 4.0


def test_bars_have_at_least_and_at_most_the_trades_allowed():
    rule = BarRule(criterion=BarRule.parse("2tib").criterion, step=2, least_trades=2, most_trades=5)
    builder = BarBuilder("X.Y", rule)
    bars = _feed(builder, [10, 11, *range(12, 20), *[19, 18] * 40])
    assert {bar.trade_count for bar in bars} <= {2, 3, 4, 5}


def test_a_session_close_cuts_the_bar_and_is_no_sample_of_the_expectation():
    sessions = SessionTimes([0, 200], [100, 300])
    builder = BarBuilder("X.Y", BarRule.parse("3tib"), sessions)
    assert _feed(builder, [10, 11]) == []
    assert builder.due_ns == 100
    (cut,) = builder.update(_trade(200, 12))
    assert (cut.trade_count, cut.ts_open, cut.ts_event, cut.ts_init) == (2, 0, 100, 100)
    assert math.isnan(builder.threshold)
    assert len(_feed(builder, [13, 14], 201)) == 1
    assert builder.threshold == 3.0


def test_time_bars_are_cut_to_the_session_and_advance_closes_them():
    builder = BarBuilder("X.Y", BarRule.parse("1s"), SessionTimes([SECOND // 2], [SECOND + 5]))
    builder.update(_trade(SECOND - 1))
    (bar,) = builder.update(_trade(SECOND))
    assert (bar.ts_open, bar.ts_event) == (SECOND // 2, SECOND)
    assert builder.advance(SECOND + 4) == ()
    (bar,) = builder.advance(SECOND + 5)
    assert (bar.ts_open, bar.ts_event, bar.trade_count) == (SECOND, SECOND + 5, 1)
    assert builder.update(_trade(SECOND + 5)) == ()
    assert builder.counts == BarCounts(outside_sessions=1)


def test_late_trades_are_dropped_and_counted():
    builder = BarBuilder("X.Y", BarRule.parse("3t"))
    _feed(builder, [10, 10], 5)
    assert builder.update(_trade(5)) == ()
    assert builder.current().trade_count == 2
    assert builder.counts == BarCounts(late_dropped=1)


def test_late_trades_are_added_to_the_open_bar_at_the_latest_time():
    builder = BarBuilder("X.Y", BarRule.parse("1s"), late=LatePolicy.ADD)
    builder.update(_trade(5))
    builder.advance(SECOND)
    assert builder.update(_trade(7, 90)) == ()
    assert (builder.current().ts_open, builder.current().ts_event) == (SECOND, SECOND)
    assert builder.counts == BarCounts(late_added=1)


def test_a_late_trade_of_an_earlier_or_closed_session_is_dropped_all_the_same():
    builder = BarBuilder("X.Y", BarRule.parse("9t"), SessionTimes([0, 200], [100, 300]), LatePolicy.ADD)
    builder.update(_trade(50))
    builder.advance(100)
    builder.update(_trade(60))
    builder.update(_trade(210))
    builder.update(_trade(99))
    builder.update(_trade(205))
    assert builder.counts == BarCounts(late_dropped=2, late_added=1)
    assert builder.current().trade_count == 2


def test_a_refused_trade_changes_nothing():
    builder = BarBuilder("X.Y", BarRule.parse("100d"))
    builder.update(_trade(5, 10, 1))
    before = builder.current()
    with pytest.raises(Invalid, match="price_ticks"):
        builder.update(_trade(6, 0, 1))
    with pytest.raises(Invalid, match="size_lots"):
        builder.update(_trade(6, 10, 0))
    assert builder.current() == before


def test_a_trade_on_the_boundary_opens_the_next_time_bar_and_empty_intervals_have_none():
    builder = BarBuilder("X.Y", BarRule.parse("1s"))
    assert builder.due_ns == NEVER_NS
    assert builder.update(Trade("X.Y", 100, 1, Side.BUY, 1, 999_999_999, 999_999_999)) == ()
    assert builder.due_ns == 1_000_000_000
    (bar,) = builder.update(Trade("X.Y", 100, 1, Side.BUY, 1, 1_000_000_000, 1_000_000_000))
    assert (bar.ts_open, bar.ts_event, bar.ts_init, bar.trade_count) == (0, 1_000_000_000, 1_000_000_000, 1)
    assert builder.advance(1_999_999_999) == ()
    assert len(builder.advance(2_000_000_000)) == 1
    assert builder.advance(10_000_000_000) == ()


def test_a_trade_larger_than_volume_bars_is_split_over_them_exactly():
    builder = BarBuilder("X.Y", BarRule.parse("10v"))
    assert builder.update(Trade("X.Y", 50, 4, Side.SELL, 1, 1, 1)) == ()
    bars = builder.update(Trade("X.Y", 60, 27, Side.BUY, 2, 2, 2))
    assert [(bar.volume_lots, bar.buy_lots, bar.open_ticks, bar.trade_count) for bar in bars] == [
        (10, 6, 50, 2),
        (10, 10, 60, 1),
        (10, 10, 60, 1),
    ]
    assert builder.current().volume_lots == 1
