"""Statistics updated return by return equal the batch."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.analytics.performance import performance
from nautilus.engines.analytics.running_performance import RunningPerformance
from nautilus.errors import Invalid


def agree(running, returns, market=None, tolerance=1e-9):
    batch = performance(returns, market)
    for name, value in running.statistics().items():
        expected = float(batch[name])
        if value is None:
            assert not math.isfinite(expected), (name, expected)
        else:
            assert value == pytest.approx(expected, rel=tolerance, abs=1e-12), name


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(-0.4, 0.4).map(lambda x: round(x, 6)), st.just(math.nan)),
            st.one_of(st.floats(-0.4, 0.4).map(lambda x: round(x, 6)), st.just(math.nan)),
        ),
        min_size=3,
        max_size=40,
    )
)
def test_streaming_equals_batch_after_every_return(pairs):
    running = RunningPerformance()
    for own, market in pairs:
        running.update(own, market)
    returns, market = np.array(pairs).T
    spread = returns[~np.isnan(returns)]
    if len(spread) > 1 and 0 < np.std(spread) < 1e-5:
        return
    both = ~np.isnan(returns) & ~np.isnan(market)
    active = (returns - market)[both]
    if both.sum() > 1 and (np.std(market[both]) < 1e-5 or np.std(active) < 1e-5):
        return
    agree(running, returns, market if both.any() else None, 1e-7)


def test_100_000_periods_agree_to_1e_9():
    generator = np.random.default_rng(3)
    market = generator.standard_t(5, 100_000) * 1e-4 + 1e-6
    returns = 0.7 * market + generator.standard_t(5, 100_000) * 1e-4
    running = RunningPerformance()
    for own, other in zip(returns.tolist(), market.tolist(), strict=True):
        running.update(own, other)
    agree(running, returns, market)


def test_infinite_returns_are_refused_and_change_nothing():
    running = RunningPerformance()
    running.update(0.1)
    before = running.statistics()
    for bad in (math.inf, -math.inf):
        with pytest.raises(Invalid):
            running.update(bad)
    assert running.statistics() == before


def test_nothing_yet_is_none():
    assert set(RunningPerformance().statistics().values()) == {None}
