"""Window operators against their definitions, cell by cell, with ties, constants and missing values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nautilus.engines.factor.operators import Shape, operators

SINGLE = [
    op
    for op in operators().values()
    if op.shape is Shape.WINDOW and [a.kind for a in op.arguments] == ["panel", "window"]
]
PAIRED = [
    op
    for op in operators().values()
    if op.shape is Shape.WINDOW and len(op.arguments) == 3 and op.arguments[1].kind == "panel"
]

cells = st.one_of(st.integers(-4, 4).map(float), st.floats(-100, 100).map(lambda v: round(v, 3)), st.just(np.nan))
panels = hnp.arrays(np.float64, st.tuples(st.integers(1, 14), st.integers(1, 3)), elements=cells)


def padded(rows, shape):
    out = np.full(shape, np.nan)
    if len(rows):
        out[len(out) - len(rows) :] = rows
    return out


@pytest.mark.parametrize("operator", SINGLE, ids=lambda op: op.name)
@given(x=panels, extra=st.integers(0, 4))
@settings(max_examples=25)
def test_one_panel(operator, x, extra, slow_operators):
    window = int(operator.arguments[-1].low) + extra
    if operator.name in {"delay", "delta"} and window >= len(x):
        expected = np.full(x.shape, np.nan)
    else:
        expected = slow_operators[operator.name](x, window)
    found = padded(operator.function(x, window), x.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("operator", PAIRED, ids=lambda op: op.name)
@given(x=panels, seed=st.integers(0, 1000), window=st.integers(2, 6))
@settings(max_examples=25)
def test_two_panels(operator, x, seed, window, slow_operators):
    y = np.random.default_rng(seed).integers(-3, 4, x.shape).astype(float) + 0.5 * np.nan_to_num(x)
    found = padded(operator.function(x, y, window), x.shape)
    np.testing.assert_allclose(found, slow_operators[operator.name](x, y, window), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("ts_quantile", 0.0), ("ts_quantile", 0.2), ("ts_quantile", 1.0), ("decay_exp", 3.0), ("compound_exp", 2.0)],
)
def test_windows_with_a_parameter(name, parameter, slow_operators, make_panel):
    x = make_panel(30, 3, seed=4, missing=0.02)["close"] / 50 - 1
    found = padded(operators()[name].function(x, 7, parameter), x.shape)
    np.testing.assert_allclose(found, slow_operators[name](x, 7, parameter), rtol=1e-12)


@pytest.mark.parametrize(("name", "arguments"), [("ema", (5,)), ("sma", (7, 2.0))])
def test_recursive_means(name, arguments, slow_operators, make_panel):
    x = make_panel(40, 4, seed=5, missing=0.1)["close"]
    found, _ = operators()[name].function(x, np.full((1, 4), np.nan), *arguments)
    np.testing.assert_allclose(found, slow_operators[name](x, *arguments), rtol=1e-13)


@pytest.mark.parametrize("name", ["ts_zscore", "ts_skew", "ts_rsquare", "ts_kurt"])
def test_a_constant_window_has_no_shape(name):
    x = np.full((8, 2), 0.1)
    assert np.isnan(operators()[name].function(x, 5)).all()
    assert (operators()["ts_var"].function(x, 5) == 0).all()


def test_a_constant_has_no_correlation():
    x, y = np.full((6, 1), 0.1), np.arange(6.0)[:, None]
    assert np.isnan(operators()["ts_corr"].function(x, y, 5)).all()
    assert (operators()["ts_corr_or_zero"].function(x, y, 5) == 0).all()


def test_a_small_variance_on_a_large_mean_is_not_lost():
    x = 1e9 + np.array([[0.0], [1.0], [2.0], [3.0]])
    assert operators()["ts_var"].function(x, 4)[0, 0] == pytest.approx(5 / 3, rel=1e-12)


def test_what_overflows_is_not_a_number():
    x = np.full((4, 1), 1e200)
    assert np.isnan(operators()["ts_product"].function(x, 3)).all()
    assert np.isnan(operators()["ts_sum"].function(np.full((4, 1), 1.5e308), 3)).all()


@pytest.mark.parametrize(
    "operator", [op for op in operators().values() if op.shape is Shape.WINDOW], ids=lambda op: op.name
)
def test_long_histories_in_blocks_equal_short_ones(operator, make_panel):
    data = make_panel(700, 40, seed=9)
    inputs = [data["close"], data["open"]][: sum(a.kind == "panel" for a in operator.arguments)]
    parameters = [0.5 for a in operator.arguments if a.kind == "real"]
    whole = operator.function(*inputs, 9, *parameters)
    rows = 9 + operator.extra_rows
    for stop in (rows, 333, 410, 700):
        last = operator.function(*(x[stop - rows : stop] for x in inputs), 9, *parameters)
        np.testing.assert_array_equal(last[0], whole[stop - rows])
