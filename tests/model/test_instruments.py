"""Instruments, money and columns: exact, and strict about what they take in."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.errors import Invalid, NotFound
from nautilus.model import InstrumentRegistry, Money, QuoteColumns, Side
from nautilus.testing import make_instrument, make_quote


@given(st.integers(-(10**12), 10**12), st.sampled_from(["0.01", "0.25", "0.00000001", "5", "0.03125"]))
def test_ticks_and_prices_are_inverse_for_every_grid(ticks: int, step: str) -> None:
    instrument = make_instrument(tick_size=Decimal(step))
    assert instrument.ticks(instrument.exact_price(ticks)) == ticks
    assert instrument.price(ticks) == float(Decimal(step) * ticks)


@pytest.mark.parametrize("price", ["1.005", "abc", float("nan"), float("inf"), "", "1e400000000"])
def test_a_price_off_the_grid_or_not_a_number_is_refused(price: Any) -> None:
    with pytest.raises(Invalid) as caught:
        make_instrument().ticks(price)
    assert caught.value.field == "price"


@pytest.mark.parametrize(
    "change", [{"tick_size": Decimal(0)}, {"lot_size": Decimal(-1)}, {"multiplier": Decimal("NaN")}]
)
def test_impossible_grids_are_refused(change: Any) -> None:
    with pytest.raises(Invalid):
        make_instrument(**change)


def test_values_are_exact_and_signed() -> None:
    instrument = make_instrument(tick_size=Decimal("0.1"), lot_size=Decimal("0.001"), multiplier=Decimal(50))
    assert instrument.exact_value(3, -7) == Decimal("-0.1050")
    assert instrument.value(3, -7) == pytest.approx(-0.105)


def test_unknown_instruments_are_named() -> None:
    registry = InstrumentRegistry()
    registry.add(make_instrument())
    assert registry["TEST.SIM"].symbol == "TEST"
    assert "TEST.SIM" in registry
    assert registry.get("X.Y") is None
    with pytest.raises(NotFound, match=r"X\.Y"):
        registry["X.Y"]


def test_money_of_two_currencies_does_not_mix() -> None:
    assert Money(Decimal("0.1"), "USD") + Money(Decimal("0.2"), "USD") == Money(Decimal("0.3"), "USD")
    with pytest.raises(Invalid, match="currency"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")
    with pytest.raises(Invalid):
        Money(Decimal("NaN"), "USD")


def test_columns_are_read_only_views_of_equal_length() -> None:
    columns = QuoteColumns.from_events("TEST.SIM", [make_quote(), make_quote(bid_ticks=9_999)])
    assert columns.bid_ticks.tolist() == [10_000, 9_999]
    assert len(columns) == 2
    with pytest.raises(ValueError, match="read-only"):
        columns.bid_ticks[0] = 1
    shared = np.arange(3)
    again = QuoteColumns("TEST.SIM", *[shared] * 6)
    assert np.shares_memory(again.bid_ticks, shared)
    with pytest.raises(Invalid, match="equal length"):
        QuoteColumns("TEST.SIM", shared, *[np.arange(2)] * 5)


def test_a_side_knows_its_opposite() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.NONE.opposite is Side.NONE
