"""What a node publishes bar by bar is, to the last bit, the matrix computed over the columns afterwards."""

from decimal import Decimal

import numpy as np
import pytest

from nautilus.engines.features.feature_matrix import as_of, feature_matrix
from nautilus.engines.features.feature_set import FeatureSet, FeatureSpec, default_set, members
from nautilus.engines.features.live_features import HELD_LIMIT, LiveFeatures
from nautilus.errors import Invalid
from nautilus.model.columns import BarColumns, QuoteColumns, TradeColumns
from nautilus.model.enums import Side
from nautilus.model.market import Bar, BookDepth, Quote, Trade
from nautilus.testing import make_instrument

INSTRUMENT = make_instrument(tick_size=Decimal("0.01"), lot_size=Decimal("0.001"))
ID = INSTRUMENT.id


def simulated(ticks=3_000, bars=150, seed=11):
    """Quotes and trades at random times, some at the same time, and a bar every 100 ns."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, bars * 100 + 50, (2, ticks)), axis=1).tolist()
    mid = 10_000 + np.cumsum(rng.integers(-1, 2, ticks))
    quotes = [
        Quote(ID, int(m) - 1, int(m) + 1, int(rng.integers(0, 40)), int(rng.integers(0, 40)), t, t)
        for m, t in zip(mid, times[0], strict=True)
    ]
    trades = [
        Trade(ID, int(m), int(rng.integers(1, 50)), Side(int(rng.integers(-1, 2))), i, t, t)
        for i, (m, t) in enumerate(zip(mid, times[1], strict=True))
    ]
    made = []
    for k in range(1, bars + 1):
        o, c = (int(x) for x in rng.integers(9_990, 10_010, 2))
        volume = int(rng.integers(1, 500))
        high, low = max(o, c) + int(rng.integers(0, 5)), min(o, c) - int(rng.integers(0, 5))
        bought = int(rng.integers(0, volume + 1))
        made.append(Bar(ID, "1s", o, high, low, c, volume, bought, 5, 100 * (k - 1), 100 * k, 100 * k))
    return quotes, trades, made


def live_rows(ready, quotes, trades, bars, tick_first):
    """Feed everything in time order; at equal times the ticks come before or after the bar."""
    live = LiveFeatures(INSTRUMENT, ready)
    handlers = {Quote: live.on_quote, Trade: live.on_trade, Bar: live.on_bar}
    rank = {Quote: 0 if tick_first else 2, Trade: 0 if tick_first else 2, Bar: 1}
    rows = []
    for event in sorted([*quotes, *trades, *bars], key=lambda event: (event.ts_event, rank[type(event)])):
        result = handlers[type(event)](event)
        if isinstance(event, Bar):
            rows.append(result)
    return np.array(rows)


@pytest.mark.parametrize("tick_first", [True, False])
def test_live_vectors_are_the_matrix_whoever_hears_of_a_tick_first(tick_first):
    quotes, trades, bars = simulated()
    ready = members(default_set())
    matrix = feature_matrix(
        ready,
        INSTRUMENT,
        BarColumns.from_events(ID, bars),
        QuoteColumns.from_events(ID, quotes),
        TradeColumns.from_events(ID, trades),
    )
    live = live_rows(ready, quotes, trades, bars, tick_first)
    assert np.array_equal(live, matrix, equal_nan=True)
    assert np.isfinite(matrix[-1]).sum() >= 23


def test_nothing_later_than_a_bar_changes_its_vector():
    quotes, trades, bars = simulated()
    ready = members(default_set())
    whole = live_rows(ready, quotes, trades, bars, tick_first=False)
    cut = 80
    close = bars[cut - 1].ts_event
    known = [[tick for tick in ticks if tick.ts_event < close] for ticks in (quotes, trades)]
    assert np.array_equal(live_rows(ready, *known, bars[:cut], tick_first=True), whole[:cut], equal_nan=True)


def test_ticks_of_a_kind_that_is_not_given_leave_nan():
    _, _, bars = simulated()
    ready = members(default_set())
    matrix = feature_matrix(ready, INSTRUMENT, BarColumns.from_events(ID, bars))
    for position, member in enumerate(ready):
        assert (member.kind == "bars") == bool(np.isfinite(matrix[:, position]).any())


def test_ticks_out_of_order_are_refused_by_the_matrix():
    with pytest.raises(Invalid):
        as_of(np.array([5]), np.array([3, 2]), np.array([1.0, 2.0]))


def test_depth_features_see_the_newest_book_of_enough_levels():
    ready = members(FeatureSet("book", 1, (FeatureSpec("depth_imbalance"), FeatureSpec("RSI"))))
    live = LiveFeatures(INSTRUMENT, ready)
    bids = tuple((9_999 - i, 30) for i in range(5))
    asks = tuple((10_001 + i, 10) for i in range(5))
    _, _, bars = simulated(bars=3)
    live.on_depth(BookDepth(ID, bids, asks, 50, 50))
    live.on_depth(BookDepth(ID, bids[:2], asks, 60, 60))
    assert live.on_bar(bars[0])[0] == pytest.approx(0.5)
    live.on_depth(BookDepth(ID, asks, bids, 200, 200))
    assert live.on_bar(bars[1])[0] == pytest.approx(0.5), "a book of the bar's own close is not known before it"


def test_ticks_of_one_timestamp_are_held_back_only_so_far():
    ready = members(FeatureSet("trades", 1, (FeatureSpec("signed_volume", {"window": 2}),)))
    live = LiveFeatures(INSTRUMENT, ready)
    for i in range(HELD_LIMIT + 10):
        live.on_trade(Trade(ID, 10_000, 1000, Side.BUY, i, 100, 100))
    _, _, bars = simulated(bars=1)
    assert live.on_bar(bars[0]) == (2.0,)
