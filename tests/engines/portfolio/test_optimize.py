"""Requests of the right shape with any numbers give a portfolio of finite numbers or a named error, nothing else."""

import math
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.portfolio.models import FrontierRequest, OptimizeRequest
from nautilus.engines.portfolio.optimize import frontier, optimize
from nautilus.errors import Invalid

METHODS = OptimizeRequest.__annotations__["method"].__args__
number = st.one_of(
    st.floats(-0.1, 0.1),
    st.sampled_from([0.0, 1.0, -1.0, 1e9, -1e9, 1e-9, 1e-160, 5e-324, 0.01, 0.010000001]),
)
bound = st.one_of(st.floats(-1, 2), st.sampled_from([0.0, 1.0, 1e9, -1e9, 0.5]))


@st.composite
def problems(draw):
    assets = draw(st.integers(1, 4))
    row = st.lists(number, min_size=assets, max_size=assets)
    body = {"lower": draw(bound), "upper": draw(bound), "budget": draw(st.sampled_from([1.0, 0.0, -1.0, 0.5, 1.5]))}
    if draw(st.booleans()):
        body = {}
    if draw(st.booleans()):
        body["returns"] = draw(st.lists(row, min_size=1, max_size=6))
    else:
        body["covariance"] = draw(st.lists(row, min_size=assets, max_size=assets))
        body["expected_returns"] = draw(row)
    if draw(st.booleans()):
        body["groups"] = [{"name": "g", "members": [0], "lower": draw(bound), "upper": draw(bound)}]
    if draw(st.booleans()):
        body["estimator"] = "ledoit_wolf"
    return body


def finite(portfolio):
    for value in msgspec.to_builtins(portfolio).values():
        for one in value.values() if isinstance(value, dict) else [value]:
            assert one is None or math.isfinite(one)


@settings(max_examples=300, deadline=None)
@given(problems(), st.sampled_from(METHODS))
def test_any_numbers_are_answered(body, method):
    with suppress(Invalid):
        finite(optimize(msgspec.convert({"method": method, **body}, OptimizeRequest)))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_any_frontier_is_answered(body):
    with suppress(Invalid):
        for portfolio in frontier(msgspec.convert({"points": 3, **body}, FrontierRequest)):
            finite(portfolio)


def test_too_much_is_refused():
    with pytest.raises(Invalid, match="at most 100000"):
        optimize(OptimizeRequest(method="minimum_cvar", returns=[[0.01 * (-1) ** i] * 11 for i in range(10_000)]))
    with pytest.raises(Invalid, match="at most 500000"):
        optimize(OptimizeRequest(method="equal_weight", returns=[[0.01] * 51] * 10_000))
