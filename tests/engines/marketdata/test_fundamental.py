from math import sqrt

import numpy as np
import pytest

from nautilus.engines.marketdata.fundamental import (
    TRADING_SECONDS_A_YEAR,
    Fundamentals,
    NewsParameters,
    Uniforms,
)
from nautilus.errors import Invalid


def _values(parameters, seed=1, count=3):
    return Fundamentals((50.0,) * count, (1.0,) * count, parameters, np.random.SeedSequence(seed))


def test_draws_follow_their_laws_and_their_seed():
    draws, again = Uniforms(np.random.SeedSequence(3)), Uniforms(np.random.SeedSequence(3))
    waits = [draws.exponential(2.0) for _ in range(20_000)]
    assert waits == [again.exponential(2.0) for _ in range(20_000)]
    assert np.mean(waits) == pytest.approx(2.0, rel=0.03)
    assert np.mean([draws.geometric(3.0) for _ in range(20_000)]) == pytest.approx(3.0, rel=0.03)
    normals = [draws.normal() for _ in range(20_000)]
    assert np.mean(normals) == pytest.approx(0.0, abs=0.03)
    assert np.std(normals) == pytest.approx(1.0, rel=0.03)


def test_walks_have_the_stated_volatility_and_correlation():
    values = _values(NewsParameters(annual_volatility=0.4, common_share=0.6))
    path = []
    for _ in range(20_000):
        values.walk(1.0)
        path.append([one.log_public for one in values.instruments])
    steps = np.diff(np.array(path), axis=0)
    assert steps.std(axis=0) * sqrt(TRADING_SECONDS_A_YEAR) == pytest.approx([0.4] * 3, rel=0.03)
    assert np.corrcoef(steps.T)[0, 1] == pytest.approx(0.6, abs=0.03)


def test_news_comes_with_its_probability_both_ways_and_is_public_after_its_period():
    values = _values(NewsParameters(informed_probability=0.25))
    signs = []
    for period in range(4000):
        before = [one.value for one in values.instruments]
        values.turn_period(period)
        assert [one.public for one in values.instruments] == pytest.approx(before)
        signs += [np.sign(one.log_news) for one in values.instruments]
    assert np.mean(np.abs(signs)) == pytest.approx(0.25, abs=0.015)
    assert np.mean(signs) == pytest.approx(0.0, abs=0.02)


def test_news_sizes_stay_within_their_bounds():
    values = _values(NewsParameters(informed_probability=1.0, smallest_news_bps=10, largest_news_bps=20))
    values.turn_period(0)
    assert all(10 <= abs(one.log_news) * 1e4 <= 20 for one in values.instruments)
    assert all(one.is_informed for one in values.instruments)


@pytest.mark.parametrize("wrong", [{"common_share": 1.5}, {"informed_probability": -0.1}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(Invalid):
        NewsParameters(**wrong)
