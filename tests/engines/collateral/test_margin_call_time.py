"""Time to the margin call: the closed form against simulated paths, and its edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.collateral import call_probability, excess_deviation, time_to_call
from nautilus.errors import Invalid


@pytest.mark.parametrize(("excess", "drift"), [(1.0, 0.0), (1.5, -0.3), (1.0, 0.4), (0.5, 0.0)])
def test_probabilities_are_those_of_simulated_paths(excess, drift):
    steps, paths = 400, 20_000
    moves = np.random.default_rng(0).normal(drift / steps, 1.0 / math.sqrt(steps), (paths, steps))
    lowest = np.minimum.accumulate(np.cumsum(moves, axis=1), axis=1)[:, -1]
    watched_less_often = excess + 0.5826 / math.sqrt(steps)
    simulated = float(np.mean(lowest <= -watched_less_often))
    exact = call_probability(watched_less_often + 0.5826 / math.sqrt(steps), 1.0, 1.0, drift)
    assert simulated == pytest.approx(exact, abs=4 * math.sqrt(0.25 / paths)), "continuity correction of Broadie et al."


def test_the_time_is_the_inverse_of_the_probability():
    for probability in (0.01, 0.05, 0.5, 0.9):
        time = time_to_call(3.0, 0.7, probability)
        assert time is not None
        assert call_probability(3.0, 0.7, time) == pytest.approx(probability)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e4), st.floats(1e-3, 1e4), st.floats(-1e4, 1e4))
def test_it_is_always_a_probability(excess, deviation, horizon, drift):
    assert 0.0 <= call_probability(excess, deviation, horizon, drift) <= 1.0


def test_edges():
    assert call_probability(0.0, 1.0, 1.0) == 1.0
    assert call_probability(-5.0, 0.0, 1.0) == 1.0
    assert call_probability(1.0, 0.0, 1.0) == 0.0
    assert call_probability(1.0, 0.0, 1.0, drift=-1.0) == 1.0
    assert time_to_call(-1.0, 1.0) == 0.0
    assert time_to_call(1.0, 0.0) is None
    for bad in (lambda: call_probability(1.0, -1.0, 1.0), lambda: call_probability(1.0, 1.0, 0.0)):
        with pytest.raises(Invalid):
            bad()
    with pytest.raises(Invalid):
        time_to_call(1.0, 1.0, 1.0)


def test_the_excess_moves_with_equity_less_requirement():
    covariance = np.diag([0.0004, 0.0001])
    deviation = excess_deviation([1_000.0, -500.0], [0.25, 0.25], covariance)
    assert deviation == pytest.approx(math.hypot(750.0 * 0.02, 625.0 * 0.01))
    with pytest.raises(Invalid):
        excess_deviation([1.0], [0.1], covariance)
