"""The portfolio of least conditional value at risk over historical scenarios, a linear programme."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.engines.portfolio.covariance import checked_returns
from nautilus.engines.portfolio.limits import Infeasible, Limits, conflicting
from nautilus.errors import Invalid

Vector = NDArray[np.float64]


def conditional_value_at_risk(weights: Vector, returns: ArrayLike, confidence: float = 0.95) -> float:
    """Expected loss in the worst 1 - confidence of the scenarios, a positive number for a loss.

    Rockafellar and Uryasev (2000): the scenario at the quantile counts with the fraction of it that is in the tail.

    >>> conditional_value_at_risk(np.ones(1), [[-0.04], [-0.02], [0.0], [0.01]], 0.5)
    0.03
    """
    losses = np.sort(-(checked_returns(returns) @ weights))[::-1]
    tail = (1.0 - confidence) * len(losses)
    whole = min(int(tail), len(losses) - 1)
    return float((losses[:whole].sum() + (tail - whole) * losses[whole]) / tail)


def minimum_cvar(returns: ArrayLike, confidence: float = 0.95, limits: Limits | None = None) -> Vector:
    """Weights [assets] of least conditional value at risk over the scenarios `returns` [periods, assets].

    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk"; the linear programme of
    assets + periods + 1 variables is solved by HiGHS. Raises Invalid and Infeasible like the other optimisers.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    scenarios = checked_returns(returns)
    periods, assets = scenarios.shape
    demands = Limits.of(assets) if limits is None else limits
    if demands.assets != assets or not 0.0 < confidence < 1.0:
        raise Invalid("confidence", "must be between 0 and 1, and the limits for as many assets as there are returns")
    rows = [hstack([csr_array(-scenarios), csr_array(-np.ones((periods, 1))), -eye_array(periods)])]
    sides = [np.zeros(periods)]
    for limit in demands.linear:
        for sign, bound in ((1.0, limit.upper), (-1.0, -limit.lower)):
            if np.isfinite(bound):
                rows.append(csr_array(np.concatenate([sign * limit.coefficients, np.zeros(periods + 1)])[None]))
                sides.append(np.array([bound]))
    solution = linprog(
        np.concatenate([np.zeros(assets), [1.0], np.full(periods, 1.0 / (periods * (1.0 - confidence)))]),
        A_ub=vstack(rows).tocsr(),
        b_ub=np.concatenate(sides),
        A_eq=np.concatenate([np.ones(assets), np.zeros(periods + 1)])[None],
        b_eq=np.array([demands.budget]),
        bounds=[*zip(demands.lower, demands.upper, strict=True), (None, None), *[(0.0, None)] * periods],
        method="highs",
    )
    if solution.status == 2:
        raise Infeasible(conflicting(demands) or ("the limits, to the solver's tolerance",))
    if solution.status != 0:
        raise Invalid("limits", f"the linear programme has no solution: {solution.message}")
    return np.asarray(solution.x[:assets])
