from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.decimal_grid import DecimalGrid
from nautilus.errors import Invalid


@given(st.integers(-(10**12), 10**12), st.sampled_from(["0.01", "0.25", "5", "1", "0.00000001"]))
def test_every_multiple_comes_back_as_its_number_of_steps(steps, step):
    text = f"{Decimal(step) * steps:f}"
    assert DecimalGrid(Decimal(step)).steps(text) == steps
    padded = text if "." in text else f"{text}.0"
    assert DecimalGrid(Decimal(step)).steps(f"{padded}000") == steps


@pytest.mark.parametrize("text", ["", ".", "x", "1e5", "nan", "1.005", "0.3", "--1", "1.2.3", "٣", " 1", "1" * 30])
def test_what_is_no_multiple_is_refused_by_name(text):
    with pytest.raises(Invalid, match="price"):
        DecimalGrid(Decimal("0.25")).steps(text, "price")


def test_a_step_must_be_positive():
    with pytest.raises(Invalid, match="step"):
        DecimalGrid(Decimal(0))
