"""Open lots against a slow version that keeps every single lot apart."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.portfolio.exact_money import exact, share
from nautilus.engines.portfolio.lots import MAXIMUM_LOTS, LotMethod, OpenLots

trades = st.lists(st.tuples(st.integers(-40, 40).filter(bool), st.integers(1, 500)), min_size=1, max_size=40)
one_by_one = st.sampled_from([LotMethod.FIFO, LotMethod.LIFO, LotMethod.HIGHEST_COST])


def slow(method, orders):
    """Realised profit and remaining unit prices when every lot of size one is an item of a list."""
    units, realized = [], 0
    for quantity, price in orders:
        for _ in range(abs(quantity)):
            sign = 1 if quantity > 0 else -1
            if units and units[0][0] == -sign:
                index = {
                    LotMethod.FIFO: 0,
                    LotMethod.LIFO: len(units) - 1,
                    LotMethod.HIGHEST_COST: max(range(len(units)), key=lambda i: units[i][0] * units[i][1]),
                }[method]
                side, cost = units.pop(index)
                realized += side * (price - cost)
            else:
                units.append((sign, price))
    return realized, sorted(price for _, price in units), sum(side for side, _ in units)


@given(one_by_one, trades)
def test_closes_the_same_lots_as_the_slow_version(method, orders):
    lots, realized = OpenLots(method), Decimal(0)
    with exact():
        for index, (quantity, price) in enumerate(orders):
            realized += sum(closed.realized_pnl for closed in lots.trade(quantity, Decimal(price), index, str(index)))
    expected, prices, position = slow(method, orders)
    assert realized == expected
    assert lots.quantity_lots == position
    assert sorted(price for lot in lots for price in [lot.unit_cost] * abs(lot.quantity_lots)) == prices


@given(st.sampled_from(LotMethod), trades)
def test_profit_plus_cost_always_equals_what_was_paid(method, orders):
    """Whatever is closed first: realised - open cost = - money paid, exactly, also with averages that do not divide."""
    lots, paid, realized = OpenLots(method), Decimal(0), Decimal(0)
    with exact():
        for index, (quantity, price) in enumerate(orders):
            value = Decimal(price) / 8
            paid += value * quantity
            realized += sum(closed.realized_pnl for closed in lots.trade(quantity, value, index, str(index)))
            assert lots.cost - realized == paid
            assert lots.quantity_lots == sum(lot.quantity_lots for lot in lots)
            assert lots.cost == sum(lot.cost for lot in lots)
        assert lots.quantity_lots or not len(lots)


def test_average_keeps_one_lot_at_the_average_cost():
    lots = OpenLots(LotMethod.AVERAGE)
    lots.trade(1, Decimal(10), 1, "a")
    lots.trade(2, Decimal(11), 2, "b")
    (closed,) = lots.trade(-1, Decimal(12), 3, "c")
    assert len(lots) == 1
    assert closed.cost == Decimal("10.666666666667")
    assert lots.cost == Decimal(32) - closed.cost


def test_a_trade_larger_than_the_position_flips_it():
    lots = OpenLots()
    lots.trade(10, Decimal(100), 1, "a")
    (closed,) = lots.trade(-15, Decimal(90), 2, "b")
    assert closed.realized_pnl == -100
    assert lots.quantity_lots == -5
    assert lots.cost == -450
    assert next(iter(lots)).trade_id == "b"


def test_highest_cost_of_a_short_position_is_the_cheapest_sale():
    lots = OpenLots(LotMethod.HIGHEST_COST)
    lots.trade(-1, Decimal(100), 1, "a")
    lots.trade(-1, Decimal(90), 2, "b")
    (closed,) = lots.trade(1, Decimal(80), 3, "c")
    assert closed.open_trade_id == "b"
    assert closed.realized_pnl == 10


@pytest.mark.parametrize("method", LotMethod)
def test_the_number_of_lots_is_bounded_and_cost_survives(method, monkeypatch):
    monkeypatch.setattr("nautilus.engines.portfolio.lots.MAXIMUM_LOTS", 8)
    assert MAXIMUM_LOTS == 65_536
    lots = OpenLots(method)
    with exact():
        for price in range(1, 31):
            lots.trade(1, Decimal(price), price, str(price))
    assert len(lots) <= 8
    assert lots.quantity_lots == 30
    assert lots.cost == sum(range(1, 31))
    lots.trade(-30, Decimal(1), 99, "out")
    assert not lots.cost
    assert not len(lots)


def test_a_share_is_exact_where_it_can_be():
    assert share(Decimal("1.1"), 1, 2) == Decimal("0.55")
    assert share(Decimal(1), 2, 3) == Decimal("0.666666666667")


def test_a_trade_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one lot"):
        OpenLots().trade(0, Decimal(1), 0, "x")
