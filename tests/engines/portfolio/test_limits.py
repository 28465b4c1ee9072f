"""Infeasible demands are named, and only those that are needed for the conflict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.portfolio.limits import Infeasible, Limits, LinearLimit, conflicting
from nautilus.engines.portfolio.mean_variance import minimum_variance
from nautilus.errors import Invalid

NAMES = ("AAPL", "MSFT", "XOM")
TECH = LinearLimit("sector technology", np.array([1.0, 1.0, 0.0]), upper=0.3)


def test_a_feasible_problem_has_no_conflict():
    assert conflicting(Limits.of(3, linear=(TECH,))) == ()


def test_caps_too_low_to_sum_to_one_are_named():
    limits = Limits.of(3, upper=np.array([0.2, 0.3, 0.4]), names=NAMES)
    assert conflicting(limits) == (
        "weights sum to 1",
        "weight of AAPL <= 0.2",
        "weight of MSFT <= 0.3",
        "weight of XOM <= 0.4",
    )


def test_only_the_demands_in_conflict_are_named():
    limits = Limits.of(3, lower=np.array([0.25, 0.2, 0.0]), linear=(TECH,), names=NAMES)
    assert conflicting(limits) == ("sector technology <= 0.3", "weight of AAPL >= 0.25", "weight of MSFT >= 0.2")


def test_a_lower_bound_over_its_upper_bound_is_named():
    with pytest.raises(Infeasible, match=r"weight of XOM <= 0.1; weight of XOM >= 0.5") as caught:
        minimum_variance(np.eye(3), Limits.of(3, np.array([0, 0, 0.5]), np.array([1, 1, 0.1]), names=NAMES))
    assert caught.value.conflict == ("weight of XOM <= 0.1", "weight of XOM >= 0.5")
    assert caught.value.status == 422


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-0.5, 0.7), min_size=2, max_size=6),
    st.floats(0.0, 0.6),
    st.floats(-0.5, 1.5),
)
def test_the_solver_and_the_analysis_agree_on_what_is_feasible(lower, width, budget):
    low = np.array(lower)
    limits = Limits.of(len(low), low, low + width, budget)
    slack = min(low.sum() + width * len(low) - budget, budget - low.sum())
    if abs(slack) < 1e-6:
        return
    assert bool(conflicting(limits)) == (slack < 0)
    if slack < 0:
        with pytest.raises(Infeasible):
            minimum_variance(np.eye(len(low)), limits)
    else:
        assert minimum_variance(np.eye(len(low)), limits).sum() == pytest.approx(budget, abs=1e-8)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Limits.of(2, lower=np.nan),
        lambda: Limits.of(2, budget=np.inf),
        lambda: Limits.of(2, linear=(TECH,)),
        lambda: minimum_variance(np.eye(2), Limits.of(3)),
    ],
)
def test_limits_that_are_none_are_refused(build):
    with pytest.raises(Invalid):
        build()
