"""What a portfolio's weights must satisfy, and which of the demands are in conflict when no weights can."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Vector = NDArray[np.float64]

MAXIMUM_FILTERED = 40
"""Conflicts of more demands than this are reported as found, without testing each for being needed."""


class Infeasible(Invalid):
    """No weights satisfy all demands; `conflict` names demands that cannot hold together."""

    title = "Infeasible constraints"

    def __init__(self, conflict: tuple[str, ...]) -> None:
        super().__init__("limits", "no weights satisfy together: " + "; ".join(conflict))
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class LinearLimit:
    """`lower` <= coefficients' w <= `upper`, coefficients [assets]; infinite where there is no such side."""

    name: str
    coefficients: Vector
    lower: float = -np.inf
    upper: float = np.inf


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on each weight [assets], the sum of the weights, and linear limits such as sector caps."""

    lower: Vector
    upper: Vector
    budget: float = 1.0
    linear: tuple[LinearLimit, ...] = ()
    names: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls,
        assets: int,
        lower: float | Vector = 0.0,
        upper: float | Vector = 1.0,
        budget: float = 1.0,
        linear: tuple[LinearLimit, ...] = (),
        names: tuple[str, ...] = (),
    ) -> Limits:
        """Limits for `assets` weights; a number as a bound holds for every weight. Raises Invalid for NaN bounds."""
        low = np.broadcast_to(np.asarray(lower, dtype=np.float64), (assets,))
        high = np.broadcast_to(np.asarray(upper, dtype=np.float64), (assets,))
        wrong = np.isnan(low) | np.isnan(high) | (low == np.inf) | (high == -np.inf)
        if wrong.any() or not np.isfinite(budget):
            raise Invalid("limits", "bounds must be numbers that some weight satisfies, and the budget finite")
        if any(limit.coefficients.shape != (assets,) for limit in linear):
            raise Invalid("limits", f"a linear limit has one coefficient for each of the {assets} assets")
        return cls(low, high, budget, linear, names or tuple(str(index) for index in range(assets)))

    @property
    def assets(self) -> int:
        """Number of weights."""
        return len(self.lower)


def conflicting(limits: Limits) -> tuple[str, ...]:
    """Names of demands that no weights satisfy together; empty where weights exist.

    Every demand is made elastic and the total violation minimised (a linear programme, HiGHS); the demands with a
    price in its dual cannot hold together (Farkas' lemma). Each is then left out in turn, and stays out where the
    others are still in conflict: with at most 40 of them what is named is irreducible.

    >>> conflicting(Limits.of(3, lower=0.1, upper=0.3))
    ('weights sum to 1', 'weight of 0 <= 0.3', 'weight of 1 <= 0.3', 'weight of 2 <= 0.3')
    """
    demands = list(_demands(limits))
    violation, prices = _least_violation(demands, limits.assets)
    if violation <= 1e-9 * max(1.0, abs(limits.budget)):
        return ()
    conflict = [demand for demand, price in zip(demands, prices, strict=True) if price > 1e-9]
    if len(conflict) <= MAXIMUM_FILTERED:
        for demand in tuple(conflict):
            others = [other for other in conflict if other is not demand]
            if _least_violation(others, limits.assets)[0] > 1e-9:
                conflict = others
    return tuple(dict.fromkeys(name for name, _, _ in conflict))


def _demands(limits: Limits) -> itertools.chain[tuple[str, Vector, float]]:
    """Each demand as (name, coefficients, bound): coefficients' w <= bound."""
    total, unit = np.ones(limits.assets), np.eye(limits.assets)
    budget = f"weights sum to {limits.budget:g}"
    sums = [(budget, total, limits.budget), (budget, -total, -limits.budget)]
    highs = [
        (f"weight of {name} <= {bound:g}", unit[index], float(bound))
        for index, (name, bound) in enumerate(zip(limits.names, limits.upper, strict=True))
        if np.isfinite(bound)
    ]
    lows = [
        (f"weight of {name} >= {bound:g}", -unit[index], -float(bound))
        for index, (name, bound) in enumerate(zip(limits.names, limits.lower, strict=True))
        if np.isfinite(bound)
    ]
    caps = [
        (f"{limit.name} <= {limit.upper:g}", limit.coefficients, limit.upper)
        for limit in limits.linear
        if np.isfinite(limit.upper)
    ]
    floors = [
        (f"{limit.name} >= {limit.lower:g}", -limit.coefficients, -limit.lower)
        for limit in limits.linear
        if np.isfinite(limit.lower)
    ]
    return itertools.chain(sums, caps, floors, highs, lows)


def _least_violation(demands: list[tuple[str, Vector, float]], assets: int) -> tuple[float, Vector]:
    """The least total violation of the demands, and the dual price [demands] of each."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack

    count = len(demands)
    if not count:
        return 0.0, np.zeros(0)
    rows = csr_array(np.array([coefficients for _, coefficients, _ in demands]))
    solution = linprog(
        np.concatenate([np.zeros(assets), np.ones(count)]),
        A_ub=hstack([rows, -eye_array(count)]).tocsr(),
        b_ub=np.array([bound for _, _, bound in demands]),
        bounds=[(None, None)] * assets + [(0.0, None)] * count,
        method="highs",
    )
    if solution.status != 0:
        raise Invalid("limits", f"cannot be analysed: {solution.message}")
    return float(solution.fun), np.abs(np.asarray(solution.ineqlin.marginals))
