import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.checks import check_kernel
from nautilus.engines.marketdata import find_days, read_day
from nautilus.engines.marketdata.bar_builder import BarBuilder
from nautilus.engines.marketdata.bar_columns import build_bars, fill_bars
from nautilus.engines.marketdata.bar_policy import LatePolicy, SessionTimes
from nautilus.engines.marketdata.bar_rule import BarRule, Criterion, Unit
from nautilus.errors import Invalid
from nautilus.model import BarColumns, Side, Trade, TradeColumns

SECOND = 1_000_000_000
WHOLE = ["1s", "3s", "1t", "4t", "1v", "37v", "1d", "200d", "7777d"]
INFORMATION = ["3tib", "3vib", "5dib", "3trb", "4vrb", "2drb"]
ROWS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 60), st.sampled_from([-1, 0, 1]), st.integers(-SECOND, 2 * SECOND)),
    max_size=60,
)
SESSIONS = st.one_of(
    st.none(),
    st.lists(st.integers(1, 6 * SECOND), min_size=2, max_size=8).map(
        lambda steps: SessionTimes(
            np.cumsum(steps)[: len(steps) // 2 * 2 : 2], np.cumsum(steps)[1 : len(steps) // 2 * 2 : 2]
        )
    ),
)


def _columns(rows):
    price, size, side, wait = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    time = np.cumsum(wait)
    return TradeColumns("X.Y", price, size, side, np.arange(len(rows)), time, np.arange(len(rows)) * 7)


def _trades(columns):
    rows = zip(*(array.tolist() for array in columns.arrays().values()), strict=True)
    return [Trade("X.Y", price, size, Side(side), *rest) for price, size, side, *rest in rows]


def _one_by_one(columns, builder, until):
    bars = [bar for trade in _trades(columns) for bar in builder.update(trade)]
    return [*bars, *builder.advance(until)]


def _assert_same(batch, bars):
    expected = BarColumns.from_events("X.Y", bars)
    for name in BarColumns.names():
        assert np.array_equal(getattr(batch, name), getattr(expected, name)), name


@settings(max_examples=300)
@given(ROWS, st.sampled_from(WHOLE + INFORMATION), SESSIONS, st.sampled_from(LatePolicy), st.booleans())
def test_whole_columns_and_one_trade_at_a_time_give_the_same_bars(rows, text, sessions, late, by_aggressor):
    parsed = BarRule.parse(text)
    rule = BarRule(
        criterion=parsed.criterion,
        unit=parsed.unit,
        step=parsed.step,
        span=3,
        least_trades=1,
        by_aggressor=by_aggressor,
    )
    columns, builder = _columns(rows), BarBuilder("X.Y", rule, sessions, late)
    until = 10 * SECOND
    bars = _one_by_one(columns, builder, until)
    batch, counts = build_bars(columns, rule, sessions, late, until_ns=until)
    _assert_same(batch, bars)
    assert counts == builder.counts
    left = builder.current()
    taken = len(rows) - counts.late_dropped - counts.outside_sessions
    if parsed.criterion is not Criterion.TOTAL or parsed.unit is Unit.TRADES:
        assert sum(bar.trade_count for bar in bars) + (left.trade_count if left else 0) == taken
    if not counts.late_dropped + counts.outside_sessions:
        assert sum(bar.volume_lots for bar in bars) + (left.volume_lots if left else 0) == columns.size_lots.sum()
    if late is LatePolicy.DROP:
        assert counts.late_added == 0


@given(ROWS, SESSIONS, st.sampled_from(WHOLE + INFORMATION), st.sampled_from(LatePolicy))
def test_no_bar_is_outside_of_a_session_or_crosses_its_close(rows, sessions, text, late):
    if sessions is None:
        return
    bars, _ = build_bars(_columns(rows), BarRule.parse(text), sessions, late, until_ns=100 * SECOND)
    for begin, end in zip(bars.ts_open.tolist(), bars.ts_event.tolist(), strict=True):
        session = sessions.index(begin)
        assert session >= 0
        assert begin <= end <= sessions.closes[session]


@given(ROWS, st.integers(1, 5000))
def test_dollar_bars_end_with_the_lot_that_reaches_their_value(rows, step):
    columns = _columns([(price, size, side, abs(wait)) for price, size, side, wait in rows])
    trades, builder = _trades(columns), BarBuilder("X.Y", BarRule.parse(f"{step}d"))
    lots = [trade.price_ticks for trade in trades for _ in range(trade.size_lots)]
    ends, value = [], 0
    for price in lots:
        value += price
        ends.append(value >= step)
        value = 0 if ends[-1] else value
    bars = _one_by_one(columns, builder, 0)
    assert np.cumsum([bar.volume_lots for bar in bars]).tolist() == (np.flatnonzero(ends) + 1).tolist()


def test_kernel_and_reference_agree():
    check_kernel(fill_bars)


@pytest.mark.parametrize("text", ["20tib", "20vib", "20dib", "20trb", "20vrb", "20drb"])
def test_batch_of_a_real_day_equals_streaming_and_bars_follow_information(shared_data, text):
    day = read_day(find_days(shared_data / "lobster")[0])
    columns, rule = day.trades(), BarRule.parse(text)
    batch, counts = build_bars(columns, rule)
    _assert_same(batch, _one_by_one(columns, BarBuilder(day.instrument.id, rule), 0))
    assert counts.late_dropped == 0
    assert batch.trade_count[0] == 20
    assert len(columns) // 200 <= len(batch) <= len(columns) // 2
    assert batch.trade_count.min() >= 2
    assert batch.trade_count.max() <= 200


def test_wrong_columns_are_refused():
    with pytest.raises(Invalid, match="size_lots: is not positive at row 0"):
        build_bars(_columns([(1, 0, 1, 5)]), BarRule.parse("1v"))
    with pytest.raises(Invalid, match="price_ticks: is not positive at row 0"):
        build_bars(_columns([(-1, 1, 1, 5)]), BarRule.parse("1d"))
    with pytest.raises(Invalid, match="could give 1000 bars"):
        build_bars(_columns([(1, 1000, 1, 5)]), BarRule.parse("1v"), max_bars=999)
    with pytest.raises(Invalid, match="64 bits"):
        build_bars(_columns([(2**40, 2**40, 1, 5)]), BarRule.parse("1d"), max_bars=2**60)
    assert len(build_bars(_columns([]), BarRule.parse("1d"))[0]) == 0
