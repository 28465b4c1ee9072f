"""The vectorised statistics against slow one-series versions and worked numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nautilus.engines.analytics.benchmark import alpha, batting_average, beta, beta_fragility, excess_sharpe, up_capture
from nautilus.engines.analytics.distribution import (
    conditional_value_at_risk,
    stability,
    tail_ratio,
    value_at_risk,
)
from nautilus.engines.analytics.drawdowns import drawdown_series, drawdown_table, max_drawdown
from nautilus.engines.analytics.growth import annual_return, cumulative_returns
from nautilus.engines.analytics.performance import performance
from nautilus.engines.analytics.ratios import omega_ratio, sharpe_ratio, sortino_ratio
from nautilus.engines.analytics.rolling import rolling
from nautilus.errors import Invalid

some_return = st.one_of(st.floats(-0.5, 0.5).map(lambda value: round(value, 6)), st.just(math.nan), st.just(0.0))
tables = st.tuples(st.integers(0, 12), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=some_return)
)


def same(left, right):
    np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(tables, st.data())
def test_many_series_in_one_call_equal_each_alone(table, data):
    market = data.draw(arrays(np.float64, len(table), elements=some_return))
    together = performance(table, market)
    for column in range(table.shape[1]):
        alone = performance(table[:, column], market)
        assert together.keys() == alone.keys()
        for name, value in alone.items():
            assert value.shape == (), name
            same(together[name][column], value)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(-0.5, 0.5)))
def test_the_worst_drawdown_is_the_worst_of_all_pairs(returns):
    value = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    worst = min(value[end] / value[start] - 1.0 for end in range(len(value)) for start in range(end + 1))
    same(max_drawdown(returns), worst)
    table = drawdown_table(returns, 100)
    if worst < 0:
        assert table[0].depth == pytest.approx(worst)
    covered = sum(entry.periods - (entry.recovery is not None) for entry in table)
    assert covered == (drawdown_series(returns) < 0).sum()


def test_the_drawdown_table_by_hand():
    deepest, second = drawdown_table(np.array([-0.1, 0.2, 0.1, -0.5, 0.1, 0.1]))
    assert (deepest.peak, deepest.valley, deepest.recovery, deepest.periods) == (2, 3, None, 3)
    assert deepest.depth == pytest.approx(-0.5)
    assert (second.peak, second.valley, second.recovery, second.periods) == (-1, 0, 1, 2)
    assert drawdown_table(np.array([0.1, 0.0])) == []


def test_worked_numbers():
    returns = np.array([0.01, -0.02, 0.03, 0.0])
    same(cumulative_returns(returns)[-1], 1.01 * 0.98 * 1.03 - 1)
    same(annual_return(returns, 4), 1.01 * 0.98 * 1.03 - 1)
    same(sharpe_ratio(returns, periods_per_year=1), 0.005 / np.std(returns, ddof=1))
    same(sortino_ratio(returns, periods_per_year=1), 0.005 / 0.01)
    same(omega_ratio(returns), 0.04 / 0.02)
    same(value_at_risk(returns, 0.5), 0.005)
    same(conditional_value_at_risk(returns, 0.5), -0.01)
    same(tail_ratio(returns), 0.027 / 0.017)


def test_what_is_not_defined_is_nan():
    flat, one = np.zeros(5), np.array([0.1])
    assert np.isnan(sharpe_ratio(flat))
    assert np.isinf(sharpe_ratio(flat + 0.01))
    assert np.isnan(sharpe_ratio(one))
    assert np.isnan(stability(flat))
    assert np.isnan(beta(flat, flat))
    assert np.isnan(up_capture(flat + 0.1, flat))
    assert np.isnan(excess_sharpe(one, one))
    assert np.isnan(beta_fragility(flat[:2], flat[:2]))
    assert all(np.isnan(value) for value in performance(np.empty(0)).values() if value is not None)


def test_a_levered_copy_of_the_benchmark_has_its_leverage_as_beta():
    market = np.random.default_rng(1).normal(0, 0.01, 100)
    same(beta(2 * market, market), 2.0)
    assert alpha(2 * market, market) == pytest.approx(0.0, abs=1e-12)
    assert batting_average(market + 0.001, market)[0] == 1.0


@settings(max_examples=30, deadline=None)
@given(tables, st.integers(1, 6))
def test_rolling_equals_each_window_alone(table, window):
    market = table[:, 0]
    rolled = rolling(max_drawdown, window, table)
    betas = rolling(beta, window, table, market)
    expected = max(len(table) - window + 1, 0)
    assert rolled.shape == betas.shape == (expected, table.shape[1])
    for start in range(expected):
        part = slice(start, start + window)
        same(rolled[start], max_drawdown(table[part]))
        same(betas[start], beta(table[part], market[part]))


@pytest.mark.parametrize(
    "arguments",
    [
        ([[[0.1]]],),
        ([math.inf],),
        ([0.1, 0.2], [0.1]),
        ([0.1, 0.2], [math.inf, 0.0]),
    ],
)
def test_wrong_shapes_and_infinities_are_refused(arguments):
    with pytest.raises(Invalid):
        performance(*arguments)
