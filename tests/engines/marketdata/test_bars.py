import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata import BarAggregator, BarSpec, aggregate
from nautilus.engines.marketdata.bars import NEVER_NS, aggregate_columns
from nautilus.errors import Invalid
from nautilus.model import BarColumns, Side, Trade, TradeColumns

SECOND = 1_000_000_000
SPECS = st.sampled_from(["1s", "7s", "1t", "3t", "1v", "10v", "37v"])
TRADES = st.lists(
    st.tuples(st.integers(1, 50), st.integers(1, 60), st.sampled_from([-1, 0, 1]), st.integers(0, 3 * SECOND)),
    max_size=50,
)


def _columns(rows):
    price, size, side, wait = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    time = np.cumsum(wait)
    return TradeColumns("X.Y", price, size, side, np.arange(len(rows)), time, time + 5)


def _trades(columns):
    rows = zip(*(array.tolist() for array in columns.arrays().values()), strict=True)
    return [Trade("X.Y", price, size, Side(side), *rest) for price, size, side, *rest in rows]


@settings(deadline=None)
@given(TRADES, SPECS)
def test_whole_columns_and_one_trade_at_a_time_give_the_same_bars(rows, spec):
    columns, aggregator = _columns(rows), BarAggregator("X.Y", BarSpec.parse(spec))
    until = int(columns.ts_event[-1]) + SECOND if rows else 0
    bars = [bar for trade in _trades(columns) for bar in aggregator.update(trade)]
    bars += aggregator.advance(until)
    batch = aggregate(columns, BarSpec.parse(spec), until_ns=until)
    expected = BarColumns.from_events("X.Y", bars)
    for name in BarColumns.names():
        assert np.array_equal(getattr(batch, name), getattr(expected, name)), name
    left = aggregator.current()
    assert sum(bar.volume_lots for bar in bars) + (left.volume_lots if left else 0) == columns.size_lots.sum()
    assert all(bar.low_ticks <= min(bar.open_ticks, bar.close_ticks) for bar in bars)
    assert all(bar.high_ticks >= max(bar.open_ticks, bar.close_ticks) for bar in bars)


@pytest.mark.parametrize("spec", ["1s", "4t", "25v"])
def test_kernel_and_reference_agree(spec):
    generator, parsed = np.random.default_rng(2), BarSpec.parse(spec)
    price, size = generator.integers(90, 110, 300), generator.integers(1, 80, 300)
    side, time = generator.choice([-1, 0, 1], 300), np.sort(generator.integers(0, 60 * SECOND, 300))
    results = []
    for run in (aggregate_columns, aggregate_columns.reference):
        out = np.zeros((1000, 10), np.int64)
        count = run(int(parsed.kind), parsed.step, 61 * SECOND, price, size, side, time, out)
        results.append((count, out[:count]))
    assert results[0][0] == results[1][0] > 10
    assert np.array_equal(results[0][1], results[1][1])


def _trade(time, price=100, size=1, side=Side.BUY):
    return Trade("X.Y", price, size, side, 1, time, time)


def test_a_trade_on_the_boundary_opens_the_next_time_bar_and_empty_intervals_have_none():
    aggregator = BarAggregator("X.Y", BarSpec.parse("1s"))
    assert aggregator.due_ns == NEVER_NS
    assert aggregator.update(_trade(SECOND - 1)) == ()
    assert aggregator.due_ns == SECOND
    (bar,) = aggregator.update(_trade(SECOND))
    assert (bar.ts_open, bar.ts_event, bar.ts_init, bar.trade_count) == (0, SECOND, SECOND, 1)
    assert aggregator.advance(2 * SECOND - 1) == ()
    assert len(aggregator.advance(2 * SECOND)) == 1
    assert aggregator.advance(10 * SECOND) == ()
    assert aggregator.update(_trade(10 * SECOND)) == ()


def test_a_trade_after_its_bar_was_closed_is_late_and_left_out():
    aggregator = BarAggregator("X.Y", BarSpec.parse("1s"))
    aggregator.update(_trade(5))
    aggregator.advance(SECOND)
    assert aggregator.update(_trade(SECOND - 1)) == ()
    assert aggregator.late == 1
    assert aggregator.current() is None


def test_a_trade_larger_than_volume_bars_is_split_over_them_exactly():
    aggregator = BarAggregator("X.Y", BarSpec.parse("10v"))
    assert aggregator.update(_trade(1, 50, 4, Side.SELL)) == ()
    bars = aggregator.update(_trade(2, 60, 27))
    assert [(bar.volume_lots, bar.buy_lots, bar.open_ticks, bar.trade_count) for bar in bars] == [
        (10, 6, 50, 2),
        (10, 10, 60, 1),
        (10, 10, 60, 1),
    ]
    assert aggregator.current().volume_lots == 1


@pytest.mark.parametrize("text", ["", "s", "0s", "1x", "-1t", "1.5s", "1234567890v", "1s\n", " 1s"])
def test_what_is_no_specification_is_refused(text):
    with pytest.raises(Invalid):
        BarSpec.parse(text)


def test_wrong_columns_are_refused():
    with pytest.raises(Invalid, match="runs backwards at row 1"):
        aggregate(_columns([(1, 1, 1, 5), (1, 1, 1, -3)]), BarSpec.parse("1t"))
    with pytest.raises(Invalid, match="not positive at row 0"):
        aggregate(_columns([(1, 0, 1, 5)]), BarSpec.parse("1v"))
    with pytest.raises(Invalid, match="would give 1000 bars"):
        aggregate(_columns([(1, 1000, 1, 5)]), BarSpec.parse("1v"), max_bars=999)
