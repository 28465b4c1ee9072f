"""A request for weights, answered: inputs checked and estimated, the method run, the portfolio described."""

from __future__ import annotations

from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.portfolio.conditional_value_at_risk import minimum_cvar
from nautilus.engines.portfolio.covariance import checked_covariance, checked_returns
from nautilus.engines.portfolio.hierarchical_risk_parity import hierarchical_risk_parity
from nautilus.engines.portfolio.limits import Limits, LinearLimit
from nautilus.engines.portfolio.mean_variance import (
    efficient_frontier,
    maximum_diversification,
    maximum_sharpe,
    mean_variance,
    minimum_correlation,
    minimum_variance,
)
from nautilus.engines.portfolio.models import (
    RETURNS_LIMIT,
    FrontierRequest,
    GroupLimit,
    OptimalPortfolio,
    OptimizeRequest,
)
from nautilus.engines.portfolio.naive_weights import equal_weight, inverse_volatility
from nautilus.engines.portfolio.risk_budgeting import risk_budgeting
from nautilus.engines.risk import ledoit_wolf_covariance, sample_covariance
from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Request = OptimizeRequest | FrontierRequest

CVAR_LIMIT = 100_000
LONG_ONLY = frozenset({"risk_budgeting", "hierarchical_risk_parity", "inverse_volatility", "equal_weight"})


class _Inputs:
    """What the optimisers take, from what was sent."""

    def __init__(self, request: Request) -> None:
        self.returns = None if request.returns is None else _table("returns", request.returns, RETURNS_LIMIT)
        if self.returns is not None:
            checked_returns(self.returns)
        if request.covariance is not None:
            self.covariance = checked_covariance(_table("covariance", request.covariance, RETURNS_LIMIT))
        elif self.returns is not None:
            shrink = request.estimator == "ledoit_wolf"
            estimate = ledoit_wolf_covariance(self.returns)[0] if shrink else sample_covariance(self.returns)
            self.covariance = checked_covariance(estimate)
        else:
            raise Invalid("returns", "give returns or a covariance")
        self.assets = len(self.covariance)
        if self.returns is not None and self.returns.shape[1] != self.assets:
            raise Invalid("returns", f"has {self.returns.shape[1]} assets, the covariance {self.assets}")
        self.expected = self._expected(request)
        self.names = tuple(request.names or (str(index) for index in range(self.assets)))
        if len(self.names) != self.assets or len(set(self.names)) != self.assets:
            raise Invalid("names", f"must be {self.assets} different names")
        self.limits = self._limits(request)

    def _expected(self, request: Request) -> Vector | None:
        if request.expected_returns is not None:
            return np.array(request.expected_returns, dtype=np.float64)
        return None if self.returns is None else np.asarray(self.returns.mean(axis=0))

    def _limits(self, request: Request) -> Limits:
        groups = tuple(_linear(group, self.assets) for group in request.groups)
        lower, upper = (
            self._bound(name, value) for name, value in (("lower", request.lower), ("upper", request.upper))
        )
        return Limits.of(self.assets, lower, upper, request.budget, groups, self.names)

    def _bound(self, name: str, value: float | list[float]) -> float | Vector:
        if isinstance(value, list):
            if len(value) != self.assets:
                raise Invalid(name, f"must be a number or {self.assets} numbers")
            return np.array(value, dtype=np.float64)
        return value

    def needed(self, name: str) -> Vector:
        """The expected returns, which this method cannot do without."""
        if self.expected is None:
            raise Invalid("expected_returns", f"{name} needs returns or expected returns")
        return self.expected


def optimize(request: OptimizeRequest) -> OptimalPortfolio:
    """The portfolio asked for. Raises Invalid naming the field at fault, Infeasible naming the limits in conflict."""
    inputs = _Inputs(request)
    if request.method in LONG_ONLY and _restricts(request):
        raise Invalid("method", f"{request.method} is long-only, sums to one, and takes no other limits")
    return _described(_weights(request, inputs), inputs, request.risk_free)


def frontier(request: FrontierRequest) -> list[OptimalPortfolio]:
    """The efficient frontier, from least variance to largest expected return."""
    inputs = _Inputs(request)
    expected = inputs.needed("the frontier")
    found = efficient_frontier(expected, inputs.covariance, request.points, inputs.limits)
    return [_described(weights, inputs, 0.0) for weights in found]


def _weights(request: OptimizeRequest, inputs: _Inputs) -> Vector:
    covariance, limits = inputs.covariance, inputs.limits
    match request.method:
        case "minimum_variance":
            return minimum_variance(covariance, limits)
        case "mean_variance":
            expected = inputs.needed(request.method)
            return mean_variance(expected, covariance, request.risk_aversion, limits)
        case "maximum_sharpe":
            return maximum_sharpe(inputs.needed(request.method), covariance, request.risk_free, limits)
        case "maximum_diversification":
            return maximum_diversification(covariance, limits)
        case "minimum_correlation":
            return minimum_correlation(covariance, limits)
        case "minimum_cvar":
            return _least_cvar(request, inputs)
        case "risk_budgeting":
            return risk_budgeting(covariance, request.budgets)
        case "hierarchical_risk_parity":
            return hierarchical_risk_parity(covariance, request.linkage, request.distance, request.optimal_ordering)
        case "inverse_volatility":
            return inverse_volatility(covariance)
        case "equal_weight":
            return equal_weight(inputs.assets)


def _least_cvar(request: OptimizeRequest, inputs: _Inputs) -> Vector:
    if inputs.returns is None:
        raise Invalid("returns", "minimum_cvar needs returns, its scenarios")
    if inputs.returns.size > CVAR_LIMIT:
        raise Invalid("returns", f"minimum_cvar takes at most {CVAR_LIMIT} numbers")
    return minimum_cvar(inputs.returns, request.confidence, inputs.limits)


def _described(weights: Vector, inputs: _Inputs, risk_free: float) -> OptimalPortfolio:
    marginal = inputs.covariance @ weights
    variance = max(float(weights @ marginal), 0.0)
    volatility = sqrt(variance)
    expected = None if inputs.expected is None else float(inputs.expected @ weights)
    excess = None if expected is None else expected - risk_free * float(weights.sum())
    concentration = float(weights @ weights)
    shares = [_over(float(part), variance) for part in weights * marginal]
    return OptimalPortfolio(
        weights=dict(zip(inputs.names, weights.tolist(), strict=True)),
        expected_return=expected,
        volatility=volatility,
        sharpe_ratio=None if excess is None else _over(excess, volatility),
        risk_contributions=dict(zip(inputs.names, shares, strict=True)),
        diversification_ratio=_over(float(weights @ np.sqrt(np.diagonal(inputs.covariance))), volatility),
        effective_assets=_over(float(weights.sum()) ** 2, concentration),
    )


def _over(numerator: float, denominator: float) -> float | None:
    quotient = numerator / denominator if denominator > 0.0 else None
    return quotient if quotient is not None and isfinite(quotient) else None


def _restricts(request: OptimizeRequest) -> bool:
    return (request.lower, request.upper, request.budget, request.groups) != (0.0, 1.0, 1.0, [])


def _table(field: str, rows: list[list[float]], limit: int) -> Matrix:
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise Invalid(field, "must have rows of equal length")
    if width * len(rows) > limit:
        raise Invalid(field, f"must have at most {limit} numbers")
    return np.array(rows, dtype=np.float64)


def _linear(group: GroupLimit, assets: int) -> LinearLimit:
    if max(group.members) >= assets:
        raise Invalid("groups", f"{group.name} has a member that is not among the {assets} assets")
    coefficients = np.zeros(assets)
    coefficients[group.members] = 1.0
    lower = -np.inf if group.lower is None else group.lower
    return LinearLimit(group.name, coefficients, lower, np.inf if group.upper is None else group.upper)
