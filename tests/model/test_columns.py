"""Column batches and exact grids take in only what they can hold exactly."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from nautilus.errors import Invalid
from nautilus.model import BarColumns, QuoteColumns
from nautilus.testing import make_instrument


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.5, 2.0]),
        np.array([1.0, np.nan]),
        np.array([2**63, 1], dtype=np.uint64),
        np.array(["1", "2"]),
        np.array([1 + 2j, 0]),
        np.array([None, 1], dtype=object),
    ],
)
def test_columns_refuse_what_would_be_rounded_or_wrapped(column: Any) -> None:
    with pytest.raises(Invalid, match="integers"):
        QuoteColumns("TEST.SIM", column, *[np.arange(2)] * 5)


def test_columns_take_smaller_integers_and_nothing_at_all() -> None:
    small: Any = np.array([1, 2], dtype=np.int32)
    assert QuoteColumns("TEST.SIM", *[small] * 6).bid_ticks.dtype == np.int64
    flags: Any = np.array([True, False])
    assert QuoteColumns("TEST.SIM", *[flags] * 6).ask_ticks.tolist() == [1, 0]
    assert len(BarColumns.from_events("TEST.SIM", [])) == 0
    empty: Any = []
    assert len(QuoteColumns("TEST.SIM", *[empty] * 6)) == 0
    with pytest.raises(Invalid, match="one-dimensional"):
        QuoteColumns("TEST.SIM", *[np.zeros((2, 2), dtype=np.int64)] * 6)


@pytest.mark.parametrize(
    "price",
    [
        "1.0000000000000000000000000000000000001",
        "0.0000000000000000000000000000000000001",
        "1e-400000000",
        "-1e-400000000",
        Decimal("1.00") + Decimal("1e-20"),
    ],
)
def test_a_price_off_the_grid_by_any_little_is_refused(price: Any) -> None:
    with pytest.raises(Invalid, match="multiple"):
        make_instrument().ticks(price)


def test_prices_on_the_grid_are_taken_however_they_are_written() -> None:
    instrument = make_instrument(tick_size=Decimal("0.25"))
    for price in ("-1.50", "-1.5000000000000000000000000000000000000", -1.5, Decimal("-15E-1")):
        assert instrument.ticks(price) == -6
    assert instrument.ticks(0) == 0
    assert instrument.ticks("0e-400") == 0
    assert instrument.ticks("9999999999999.75") == 39_999_999_999_999
