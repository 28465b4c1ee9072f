"""Prices and Greeks: published numbers, relations that must hold, limits, and how far float32 goes astray."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.accel.kernels.option_blocks import normal_distribution
from nautilus.accel.kernels.options import OptionValues, black_scholes, option_grid, scales
from nautilus.errors import Invalid

BACKENDS = ("numpy", "numba", "mlx")
FLOAT64 = ("numpy", "numba")


def values(backend, *columns):
    arguments = black_scholes.prepare(*(np.atleast_1d(column) for column in columns))
    return black_scholes.run(backend, arguments)


def fraction(text):
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_hulls_example(backend):
    found = values(backend, [42.0, 42.0], [40.0] * 2, [0.1] * 2, [0.0] * 2, [0.2] * 2, [0.5] * 2, [True, False])
    assert found.price.round(2).tolist() == pytest.approx([4.76, 0.81])


@pytest.mark.parametrize("backend", FLOAT64)
def test_haugs_prices(shared_data, backend):
    rows = json.loads((shared_data / "options_refs/quantlib_tables.json").read_text())["tables"]["european_testValues"]
    kinds = [row[0] == "Option::Call" for row in rows]
    strike, spot, dividend_yield, rate, expiry, volatility, expected = np.array([row[1:8] for row in rows], float).T
    found = values(backend, spot, strike, rate, dividend_yield, volatility, expiry, kinds).price
    assert len(rows) == 43
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("backend", FLOAT64)
def test_haugs_greeks(shared_data, backend):
    tables = json.loads((shared_data / "options_refs/quantlib_tables.json").read_text())["tables"]
    names = {0: "delta", 1: "delta", 3: "gamma", 4: "gamma", 5: "vega", 6: "vega", 7: "theta", 9: "rho"}
    for index, name in names.items():
        kind, *numbers = tables["european_testGreekValues"][index]
        strike, spot, dividend_yield, rate, expiry, volatility, expected = map(fraction, numbers[:7])
        found = values(backend, spot, strike, rate, dividend_yield, volatility, expiry, kind == "Option::Call")
        assert getattr(found, name)[0] == pytest.approx(expected, abs=1e-4)


def test_the_distribution_function_keeps_its_digits_in_the_tail():
    from scipy.special import ndtr

    points = np.concatenate([np.linspace(-37.0, 9.0, 4_001), [-math.inf, 0.0, math.inf]])
    densities = np.exp(-0.5 * points * points) / math.sqrt(2.0 * math.pi)
    found = [normal_distribution(point, density) for point, density in zip(points, densities, strict=True)]
    np.testing.assert_allclose(found, ndtr(points), rtol=1e-12)


@pytest.mark.parametrize("backend", FLOAT64)
def test_deep_tails_keep_their_digits(shared_data, backend):
    table = json.loads((shared_data / "options_refs/py_vollib_test_data.json").read_text())
    column = dict(zip(table["columns"], np.array(table["data"]).T, strict=True))
    market = column["S"], column["K"], column["R"], np.zeros(101), column["v"], column["t"]
    call = values(backend, *market, np.ones(101, bool))
    put = values(backend, *market, np.zeros(101, bool))
    for found, price, letter in ((call, "bs_call", "C"), (put, "bs_put", "P")):
        np.testing.assert_allclose(found.price, column[price], rtol=1e-8, atol=6e-9)
        for name, initial in (("delta", "D"), ("gamma", "G"), ("theta", "T"), ("vega", "V"), ("rho", "R")):
            expected = column[letter + initial]
            np.testing.assert_allclose(getattr(found, name), expected, rtol=2e-6, atol=2e-8, err_msg=name)
    assert call.price[0] == pytest.approx(2.06648e-26, rel=1e-5)


sensible = {
    "spot": st.floats(20.0, 300.0),
    "strike": st.floats(20.0, 300.0),
    "rate": st.floats(-0.05, 0.15),
    "dividend_yield": st.floats(-0.02, 0.1),
    "volatility": st.floats(0.05, 1.5),
    "expiry": st.floats(0.02, 5.0),
}


@pytest.mark.parametrize("backend", FLOAT64)
@given(**sensible)
def test_puts_and_calls_are_in_parity(backend, **market):
    call, put = values(backend, *market.values(), True), values(backend, *market.values(), False)
    forward = market["spot"] * math.exp(-market["dividend_yield"] * market["expiry"])
    paid = market["strike"] * math.exp(-market["rate"] * market["expiry"])
    assert call.price[0] - put.price[0] == pytest.approx(forward - paid, abs=1e-10)
    assert call.gamma == pytest.approx(put.gamma, rel=1e-12)
    assert call.vega == pytest.approx(put.vega, rel=1e-12)


BUMPS = {"delta": ("spot", 1.0), "vega": ("volatility", 1.0), "theta": ("expiry", -1.0), "rho": ("rate", 1.0)}


@pytest.mark.parametrize("backend", FLOAT64)
@given(is_call=st.booleans(), **sensible)
def test_greeks_are_the_derivatives_of_the_price(backend, is_call, **market):
    found = values(backend, *market.values(), is_call)
    for name, (variable, sign) in BUMPS.items():
        bump = 1e-4 * max(abs(market[variable]), 0.01)
        up, down = (
            values(backend, *(market | {variable: market[variable] + step}).values(), is_call).price[0]
            for step in (bump, -bump)
        )
        scale = getattr(scales(*(market[one] for one in ("spot", "strike", "volatility", "expiry"))), name)
        assert getattr(found, name)[0] == pytest.approx(sign * (up - down) / (2.0 * bump), abs=2e-5 * scale)
    bump = 1e-4 * market["spot"]
    up, down = (
        values(backend, *(market | {"spot": market["spot"] + step}).values(), is_call).delta[0]
        for step in (bump, -bump)
    )
    scale = 0.4 / (market["spot"] * market["volatility"] * math.sqrt(market["expiry"]))
    assert found.gamma[0] == pytest.approx((up - down) / (2.0 * bump), abs=1e-4 * scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_time_or_volatility_values_are_their_limits(backend):
    spot = [110.0, 90.0, 100.0, 110.0, 90.0, 0.0]
    expiry, volatility = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], [0.2, 0.2, 0.2, 0.0, 0.0, 0.2]
    found = values(backend, spot, [100.0] * 6, [0.0] * 6, [0.0] * 6, volatility, expiry, [True] * 6)
    assert found.price.tolist() == [10.0, 0.0, 0.0, 10.0, 0.0, 0.0]
    assert found.delta.tolist() == pytest.approx([1.0, 0.0, 0.5, 1.0, 0.0, 0.0], abs=1e-15)
    assert found.gamma.tolist() == [0.0, 0.0, math.inf, 0.0, 0.0, 0.0]
    assert found.theta.tolist() == [0.0, 0.0, -math.inf, 0.0, 0.0, 0.0]
    assert found.vega.tolist() == [0.0] * 6
    assert found.rho.tolist() == [0.0, 0.0, 0.0, 100.0, 0.0, 0.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_limit_is_approached(backend):
    market = [100.0] * 2, [100.0] * 2, [0.0] * 2, [0.0] * 2
    near = values(backend, *market, [1e-4, 0.0], [1.0, 1.0], [True, False])
    assert near.vega[0] == pytest.approx(near.vega[1], rel=1e-5)
    assert near.delta.tolist() == pytest.approx([0.5, -0.5], abs=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("place", "value"), [(place, math.nan) for place in range(6)] + [(place, -1.0) for place in (0, 1, 4, 5)]
)
def test_what_has_no_meaning_is_nan_for_its_own_option_alone(backend, place, value):
    columns = [[100.0] * 3, [100.0] * 3, [0.01] * 3, [0.02] * 3, [0.2] * 3, [0.5] * 3]
    columns[place][1] = value
    found = values(backend, *columns, [True, False, True])
    for name, numbers in found._asdict().items():
        assert np.isnan(numbers).tolist() == [False, True, False], name


def test_float32_stays_within_its_stated_error_of_every_options_own_scale():
    source = np.random.default_rng(31)
    count = 200_000
    spot = source.uniform(1.0, 1_000.0, count)
    strike = spot * np.exp(source.normal(0.0, 0.5, count))
    rate, dividend_yield = source.uniform(-0.05, 0.15, count), source.uniform(0.0, 0.1, count)
    volatility, expiry = source.uniform(0.02, 1.5, count), source.uniform(0.01, 5.0, count)
    columns = spot, strike, rate, dividend_yield, volatility, expiry, source.uniform(size=count) < 0.5
    exact, found = values("numpy", *columns), values("mlx", *columns)
    for name, scale in scales(spot, strike, volatility, expiry)._asdict().items():
        error = np.abs(getattr(found, name) - getattr(exact, name)) / scale
        assert error.max() < black_scholes.float32_error, name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_call", [True, False])
def test_a_grid_is_the_options_one_by_one(backend, is_call):
    spots, volatilities = np.array([80.0, 100.0, 125.0]), np.array([0.0, 0.1, 0.7, -0.2])
    arguments = option_grid.prepare(spots, volatilities, 100.0, 0.03, 0.01, 0.75, is_call)
    grid = option_grid.run(backend, arguments)
    rows, columns = (one.ravel() for one in np.meshgrid(spots, volatilities, indexing="ij"))
    fixed = [np.full(rows.size, one) for one in (100.0, 0.03, 0.01)]
    single = values("numpy", rows, *fixed, columns, np.full(rows.size, 0.75), np.full(rows.size, is_call))
    for name, numbers in grid._asdict().items():
        expected = getattr(single, name).reshape(3, 4)
        scale = np.nanmax(np.abs(expected))
        assert np.isnan(numbers[:, 3]).all()
        np.testing.assert_allclose(numbers, expected, rtol=0.0, atol=scale * option_grid.error_of(backend) + 1e-13)


def test_the_results_have_names():
    assert OptionValues._fields == ("price", "delta", "gamma", "vega", "theta", "rho")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("place", range(1, 7))
def test_a_vector_of_another_length_is_refused_by_name(backend, place):
    columns = [[100.0] * 3, [100.0] * 3, [0.0] * 3, [0.0] * 3, [0.2] * 3, [1.0] * 3, [True] * 3]
    columns[place] = columns[place][:1]
    name = ("spot", "strike", "rate", "dividend_yield", "volatility", "expiry", "is_call")[place]
    with pytest.raises(Invalid, match=f"^{name}: must have as many values as spot, 3, not 1"):
        values(backend, *columns)
