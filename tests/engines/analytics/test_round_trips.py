"""Fills become round trips, first in first out, and their profit is the books' profit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.analytics.execution_quality import ExecutionTally
from nautilus.engines.analytics.round_trips import RoundTripMatcher
from nautilus.engines.analytics.trade_statistics import trade_statistics
from nautilus.model import Side
from nautilus.testing import make_instrument

STOCK = make_instrument()
steps = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(-20, 20).filter(bool), st.integers(50, 150)),
        st.tuples(st.just("mark"), st.integers(100, 300)),
    ),
    max_size=40,
)


@given(steps)
def test_trips_match_lot_by_lot_and_see_every_mark(sequence):
    matcher, trips, units, expected = RoundTripMatcher(), [], [], []
    for now, step in enumerate(sequence):
        if step[0] == "mark":
            matcher.mark(STOCK.id, step[1])
            for unit in units:
                unit["seen"].append(step[1])
            continue
        _, quantity, ticks = step
        side = 1 if quantity > 0 else -1
        for unit in units:
            unit["seen"].append(2 * ticks)
        for _ in range(abs(quantity)):
            if units and units[0]["side"] == -side:
                unit = units.pop(0)
                profits = [unit["side"] * (price - 2 * unit["ticks"]) for price in unit["seen"]]
                expected.append((unit["side"] * (ticks - unit["ticks"]), max(profits), min(profits)))
            else:
                units.append({"side": side, "ticks": ticks, "seen": [2 * ticks]})
        trips += matcher.fill(STOCK, Side(side), abs(quantity), ticks, Decimal(0), now)
    found = []
    for trip in trips:
        per_lot = trip.gross_pnl * 100 / trip.quantity_lots
        best = trip.favorable_excursion * 200 / trip.quantity_lots
        worst = trip.adverse_excursion * 200 / trip.quantity_lots
        found += [(int(per_lot), int(best), int(worst))] * trip.quantity_lots
    assert found == expected


def test_fees_are_shared_in_proportion_and_none_is_lost():
    matcher = RoundTripMatcher()
    matcher.fill(STOCK, Side.BUY, 10, 100, Decimal(1), 0)
    trips = matcher.fill(STOCK, Side.SELL, 4, 110, Decimal("0.4"), 1)
    trips += matcher.fill(STOCK, Side.SELL, 12, 120, Decimal("1.2"), 2)
    assert [str(trip.fees) for trip in trips] == ["0.8", "1.2"]
    (last,) = matcher.fill(STOCK, Side.BUY, 6, 125, Decimal(0), 3)
    assert last.side is Side.SELL
    assert last.fees == Decimal("0.6")
    assert last.net_pnl == Decimal("-0.90")


def test_open_legs_are_bounded(monkeypatch):
    monkeypatch.setattr("nautilus.engines.analytics.round_trips.MAXIMUM_LEGS", 3)
    matcher = RoundTripMatcher()
    for index in range(5):
        matcher.fill(STOCK, Side.BUY, 1, 100 + index, Decimal(0), index)
    assert matcher.dropped == 2
    assert [trip.entry_ticks for trip in matcher.fill(STOCK, Side.SELL, 3, 200, Decimal(0), 9)] == [102, 103, 104]


def test_trade_statistics_by_hand():
    matcher, trips = RoundTripMatcher(), []
    for index, (entry, leave) in enumerate([(100, 110), (100, 105), (100, 90), (100, 100)]):
        matcher.fill(STOCK, Side.BUY, 100, entry, Decimal(0), index * 10**10)
        trips += matcher.fill(STOCK, Side.SELL, 100, leave, Decimal(0), index * 10**10 + 2 * 10**9)
    found = trade_statistics(trips)
    assert (found.trades, found.won, found.lost) == (4, 2, 1)
    assert found.win_rate == 0.5
    assert found.profit_factor == pytest.approx(1.5)
    assert found.payoff_ratio == pytest.approx(0.75)
    assert found.expectancy == pytest.approx(1.25)
    assert (found.best, found.worst) == (10.0, -10.0)
    assert (found.longest_winning_streak, found.longest_losing_streak) == (2, 1)
    assert found.mean_holding_seconds == 2.0
    empty = trade_statistics([])
    assert empty.trades == 0
    assert empty.win_rate is None


def test_execution_costs_by_hand():
    tally = ExecutionTally()
    tally.add(Side.BUY, 10, 10_010, 1001.0, 1.0, arrival_ticks=10_000, market_ticks=10_005, maker=False)
    tally.add(Side.SELL, 10, 10_010, 1001.0, 0.0, arrival_ticks=None, market_ticks=None, maker=True)
    found = tally.quality()
    assert found.arrival_slippage_bps == pytest.approx(10.0)
    assert found.effective_half_spread_bps == pytest.approx(5 / 10_005 * 1e4)
    assert found.delay_and_impact_bps == pytest.approx(5.0)
    assert found.fee_bps == pytest.approx(1e4 / 2002)
    assert (found.fills, found.fills_with_arrival, found.maker_share) == (2, 1, 0.5)
    assert ExecutionTally().quality().arrival_slippage_bps is None
