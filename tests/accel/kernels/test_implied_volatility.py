"""Implied volatility: it gives the price back, wherever there is one to be found, and says so where there is none."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nautilus.accel.kernels.implied_volatility import implied_volatility
from nautilus.accel.kernels.options import black_scholes
from nautilus.errors import Invalid

BACKENDS = ("numpy", "numba")


def implied(backend, *columns):
    return implied_volatility.run(backend, implied_volatility.prepare(*(np.atleast_1d(one) for one in columns)))


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    strike=st.floats(30.0, 300.0),
    rate=st.floats(-0.05, 0.1),
    dividend_yield=st.floats(0.0, 0.1),
    volatility=st.floats(0.02, 3.0),
    expiry=st.floats(0.02, 5.0),
)
def test_an_out_of_the_money_price_gives_its_volatility_back(backend, strike, rate, dividend_yield, volatility, expiry):
    is_call = strike > 100.0 * math.exp((rate - dividend_yield) * expiry)
    market = [100.0], [strike], [rate], [dividend_yield]
    priced = black_scholes(*market, [volatility], [expiry], [is_call])
    assume(priced.price[0] > 1e-250)
    found = implied(backend, priced.price, *market, [expiry], [is_call])
    again = black_scholes(*market, found, [expiry], [is_call])
    assert again.price[0] == pytest.approx(priced.price[0], rel=1e-9)
    if volatility * math.sqrt(expiry) < 4.0:
        assert found[0] == pytest.approx(volatility, rel=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_prices_at_and_beyond_their_bounds(backend):
    price = [10.0, 9.999, 100.0, 99.999, 0.0, 5.0, 5.0, math.nan, 5.0]
    spot = [100.0] * 8 + [0.0]
    strike = [90.0] * 4 + [110.0, 100.0, 100.0, 100.0, 100.0]
    expiry = [1.0] * 5 + [0.0, -1.0, 1.0, 1.0]
    zero = [0.0] * 9
    found = implied(backend, price, spot, strike, zero, zero, expiry, [True] * 9)
    assert found[0] == 0.0  # worth no more than its exercise
    assert found[4] == 0.0
    assert np.isnan(found[[1, 2, 5, 6, 7, 8]]).all()
    assert found[3] > 5.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_rounding_at_the_lower_bound_is_no_arbitrage(backend):
    spot, strike, rate, expiry = 100.0, 60.0, 0.07, 0.3
    exercise = spot - strike * math.exp(-rate * expiry)
    assert implied(backend, np.nextafter(exercise, 0.0), spot, strike, rate, 0.0, expiry, True)[0] == 0.0


def test_the_search_and_the_bisection_find_the_same():
    source = np.random.default_rng(8)
    count = 5_000
    market = [
        np.full(count, 100.0),
        source.uniform(60.0, 160.0, count),
        source.uniform(0.0, 0.1, count),
        np.zeros(count),
    ]
    volatility, expiry = source.uniform(0.1, 1.0, count), source.uniform(0.1, 2.0, count)
    is_call = market[1] > 100.0 * np.exp(market[2] * expiry)
    price = black_scholes(*market, volatility, expiry, is_call).price
    arguments = price, *market, expiry, is_call
    np.testing.assert_allclose(implied("numba", *arguments), implied("numpy", *arguments), rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_vector_of_another_length_is_refused_by_name(backend):
    with pytest.raises(Invalid, match=r"^expiry: "):
        implied(backend, [1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0], [True, True])
