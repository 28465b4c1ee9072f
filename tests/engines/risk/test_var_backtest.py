"""Backtests of value at risk: published worked numbers, and their behaviour at the edges."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.risk import (
    acerbi_szekely,
    backtest_value_at_risk,
    christoffersen_independence,
    conditional_coverage,
    kupiec_pof,
    kupiec_tuff,
    normal_expected_shortfall,
    normal_value_at_risk,
    time_between_failures,
    traffic_light,
)
from nautilus.engines.risk.var_backtest import transition_counts
from nautilus.errors import Invalid


def test_the_published_example_to_every_digit():
    pof = kupiec_pof(1043, 57, 0.05)
    assert (round(pof.statistic, 5), round(pof.p_value, 5)) == (0.46147, 0.49694)
    independence = christoffersen_independence(932, 53, 53, 4)
    assert (round(independence.statistic, 5), round(independence.p_value, 5)) == (0.25866, 0.61104)
    tuff = kupiec_tuff(58, 0.05)
    assert (round(tuff.statistic, 4), round(tuff.p_value, 5)) == (1.7354, 0.18773)
    light = traffic_light(1043, 57, 0.05)
    assert (round(light.cumulative_probability, 5), round(light.type_one_probability, 5)) == (0.77913, 0.26396)
    both = conditional_coverage(1043, 57, 0.05, (932, 53, 53, 4))
    assert both.statistic == pytest.approx(pof.statistic + independence.statistic)
    assert both.degrees == 2


def test_basels_table():
    cumulative = [8.11, 28.58, 54.32, 75.81, 89.22, 95.88, 98.63, 99.60, 99.89, 99.97]
    plus = [0, 0, 0, 0, 0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.00, 1.00]
    lights = [traffic_light(250, count) for count in range(12)]
    assert [round(100 * light.cumulative_probability, 2) for light in lights[:10]] == cumulative
    assert [light.plus_factor for light in lights] == plus
    assert [light.zone for light in lights] == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 2
    assert traffic_light(500, 5).plus_factor is None


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_transitions_are_counted_like_by_hand(days):
    pairs = list(itertools.pairwise(days))
    slow = tuple(pairs.count(pair) for pair in ((False, False), (False, True), (True, False), (True, True)))
    assert transition_counts(np.array(days)) == slow


@given(st.integers(1, 500), st.data())
def test_every_test_is_finite_and_a_probability(observations, data):
    exceptions = data.draw(st.integers(0, observations))
    test = kupiec_pof(observations, exceptions, 0.025)
    assert math.isfinite(test.statistic)
    assert 0.0 <= test.p_value <= 1.0


def test_clustered_exceptions_fail_independence_but_not_coverage():
    exceeded = np.zeros(1000, dtype=bool)
    exceeded[100:150] = True
    returns = np.where(exceeded, -0.05, 0.01)
    test = backtest_value_at_risk(returns, np.full(1000, 0.02), 0.95)
    assert test.exceptions == 50
    assert test.kupiec_pof.p_value > 0.9
    assert test.christoffersen_independence is not None
    assert test.christoffersen_independence.p_value < 1e-10
    assert test.time_between_failures is not None
    assert test.time_between_failures.p_value < 1e-10
    assert test.kupiec_tuff is not None
    assert test.kupiec_tuff.statistic == pytest.approx(kupiec_tuff(101, 0.05).statistic)


def test_no_exception_and_nothing_but_exceptions():
    never = backtest_value_at_risk([0.01] * 100, [0.02] * 100)
    assert never.exceptions == 0
    assert never.kupiec_tuff is None
    always = backtest_value_at_risk([-0.05] * 100, [0.02] * 100)
    assert always.exceptions == 100
    assert always.traffic_light.zone == "red"


def test_waiting_times_add_up():
    single = time_between_failures([58], 0.05)
    assert single.statistic == pytest.approx(kupiec_tuff(58, 0.05).statistic)
    assert time_between_failures([58, 20, 3], 0.05).degrees == 3


def test_acerbi_szekely_is_zero_for_a_right_model_and_negative_for_a_low_one():
    sample = np.random.default_rng(0).normal(0.0, 0.01, 200_000)
    limit = np.full(sample.size, normal_value_at_risk(0.0, 0.01, 0.975))
    shortfall = np.full(sample.size, normal_expected_shortfall(0.0, 0.01, 0.975))
    assert acerbi_szekely(sample, limit, shortfall, 0.975) == pytest.approx(0.0, abs=0.03)
    assert acerbi_szekely(sample, limit / 2, shortfall / 2, 0.975) < -0.7


def test_impossible_counts_are_refused():
    for arguments in ((0, 0, 0.05), (10, 11, 0.05), (10, -1, 0.05), (10, 1, 0.0), (10, 1, 0.7)):
        with pytest.raises(Invalid):
            kupiec_pof(*arguments)
    with pytest.raises(Invalid):
        kupiec_tuff(0, 0.05)
    with pytest.raises(Invalid):
        christoffersen_independence(0, 0, 0, 0)
    with pytest.raises(Invalid):
        time_between_failures([0], 0.05)
    with pytest.raises(Invalid, match="value_at_risk"):
        backtest_value_at_risk([0.1, 0.2], [0.1])
