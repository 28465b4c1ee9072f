"""Arithmetic on floats and on columns gives the same bits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nautilus.engines.features.arithmetic import ARRAY, SCALAR, logarithm

floats = st.floats(allow_nan=True, allow_infinity=True)
columns = arrays(np.float64, 12, elements=floats)


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


@given(columns)
def test_logarithm_and_root_of_a_column_are_those_of_its_floats(column):
    assert same(ARRAY.log(column), [SCALAR.log(x) for x in column.tolist()])
    assert same(ARRAY.sqrt(column), [SCALAR.sqrt(x) for x in column.tolist()])


@given(columns, columns)
def test_ratio_maximum_and_minimum_of_columns_are_those_of_their_floats(x, y):
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    for name in ("ratio", "maximum", "minimum"):
        with np.errstate(all="ignore"):
            assert same(getattr(ARRAY, name)(x, y), [getattr(SCALAR, name)(*pair) for pair in pairs])


def test_logarithm_is_that_of_the_c_library_for_a_hundred_thousand_numbers():
    column = np.exp(np.random.default_rng(0).normal(0, 20, 100_000))
    assert logarithm(column).tolist() == [math.log(x) for x in column.tolist()]
    assert same(logarithm(column), logarithm.reference(column))


@pytest.mark.parametrize("x", [0.0, -1.0, math.nan])
def test_what_is_not_defined_is_nan(x):
    assert math.isnan(SCALAR.log(x))
    assert math.isnan(SCALAR.ratio(1.0, 0.0))
