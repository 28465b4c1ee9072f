"""Rows of the live panel from bars and trades."""

import numpy as np
import pytest

from nautilus.engines.factor.live_rows import RowBuilder
from nautilus.model import Bar
from nautilus.testing import make_instrument, make_trade

SECOND = 1_000_000_000
A, B = make_instrument("A.SIM"), make_instrument("B.SIM")


def bar(instrument, second, prices=(100, 120, 90, 110), volume=10, buy=4):
    """A bar of one second that ends at `second`."""
    close = second * SECOND
    return Bar(instrument.id, "1s", *prices, volume, buy, 3, close - SECOND, close, close)


@pytest.fixture
def builder():
    rows = RowBuilder(10 * SECOND, maximum_instruments=2, carry_rows=2)
    rows.open_column(A)
    rows.open_column(B)
    return rows


def test_bars_of_one_interval_are_merged(builder):
    assert builder.add_bar(bar(A, 3)) == []
    assert builder.add_bar(bar(A, 10, (111, 130, 80, 85), 5, 5)) == []
    assert builder.closes_at == 10 * SECOND
    (row,) = builder.add_bar(bar(A, 11))
    assert row.ts_event == 10 * SECOND
    assert row.instruments == ("A.SIM", "B.SIM")
    cells = {name: values[0] for name, values in row.fields.items()}
    assert np.isnan(cells["vwap"])
    assert (cells["open"], cells["high"], cells["low"], cells["close"]) == (1.0, 1.3, 0.8, 0.85)
    assert (cells["volume"], cells["buy_volume"], cells["trades"]) == (15, 9, 6)
    assert all(np.isnan(values[1]) for values in row.fields.values())


def test_a_quiet_instrument_keeps_its_price_for_a_while(builder):
    builder.add_bar(bar(A, 5))
    builder.add_bar(bar(B, 5))
    rows = [row for second in (15, 25, 35, 45) for row in builder.add_bar(bar(A, second))] + builder.close()
    assert [row.fields["close"][1] for row in rows[:3]] == [1.1, 1.1, 1.1]
    assert [row.fields["volume"][1] for row in rows[:3]] == [10, 0, 0]
    assert np.isnan([row.fields["close"][1] for row in rows[3:]]).all()


def test_the_average_price_comes_from_the_trades_and_only_if_all_were_seen(builder):
    for price, size, second in ((100, 4, 1), (120, 6, 2), (200, 1, 12)):
        builder.add_trade(make_trade(A.id, price, size, ts_event=second * SECOND))
    builder.add_bar(bar(A, 3, volume=10))
    (row,) = builder.add_bar(bar(A, 15, volume=2))
    assert row.fields["vwap"][0] == pytest.approx(1.12)
    (row,) = builder.close()
    assert np.isnan(row.fields["vwap"][0])


def test_late_bars_and_surplus_instruments_are_counted(builder):
    builder.add_bar(bar(A, 5))
    builder.close()
    assert builder.add_bar(bar(B, 9)) == []
    assert builder.late == 1
    assert not builder.open_column(make_instrument("C.SIM"))
    assert builder.refused == 1
    assert builder.close() == []


def test_an_instrument_that_appears_later_adds_a_column():
    rows = RowBuilder(SECOND, maximum_instruments=5, carry_rows=1)
    rows.open_column(A)
    rows.add_bar(bar(A, 1))
    (first,) = rows.close()
    rows.open_column(B)
    rows.add_bar(bar(B, 2))
    (second,) = rows.close()
    assert (first.instruments, second.instruments) == (("A.SIM",), ("A.SIM", "B.SIM"))
    assert second.fields["close"].tolist() == [1.1, 1.1]
