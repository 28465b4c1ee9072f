"""Dense convex quadratic programmes through PIQP, called directly; what cannot be solved says why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.portfolio.limits import Infeasible, Limits, conflicting
from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TOLERANCE = 1e-10


class Unsolved(Invalid):
    """The solver stopped short of its tolerance: the problem is too ill-conditioned, or barely infeasible."""


def solve(
    quadratic: Matrix,
    linear: Vector,
    equality: tuple[Matrix, Vector],
    inequality: tuple[Matrix, Vector, Vector] | None,
    bounds: tuple[Vector, Vector],
) -> Vector | None:
    """The x [n] that minimises x' Q x / 2 + c' x with A x = b, l <= G x <= u and bounds; None where infeasible.

    Raises Invalid where the objective is unbounded, Unsolved where the solver stops short of its tolerance (1e-10).
    """
    import piqp

    solver = piqp.DenseSolver()
    solver.settings.eps_abs = TOLERANCE
    solver.settings.eps_rel = TOLERANCE
    solver.settings.eps_duality_gap_abs = TOLERANCE
    solver.settings.eps_duality_gap_rel = TOLERANCE
    matrix, lower, upper = inequality or (None, None, None)
    solver.setup(
        np.asfortranarray(quadratic),
        linear,
        np.asfortranarray(equality[0]),
        equality[1],
        None if matrix is None else np.asfortranarray(matrix),
        lower,
        upper,
        bounds[0],
        bounds[1],
    )
    status = solver.solve()
    if status == piqp.PIQP_SOLVED:
        return np.array(solver.result.x)
    if status == piqp.PIQP_DUAL_INFEASIBLE:
        raise Invalid("limits", "the objective is unbounded within them")
    if status == piqp.PIQP_PRIMAL_INFEASIBLE:
        return None
    raise Unsolved("covariance", f"is too ill-conditioned for the solver ({status.name})")


def optimal_weights(covariance: Matrix, tilt: Vector, limits: Limits) -> Vector:
    """The weights w [assets] that minimise w' S w / 2 - tilt' w within the limits.

    Raises Infeasible with the demands in conflict. The objective is scaled by the mean variance, so that the
    tolerance does not depend on the units of the returns.
    """
    scale = float(np.mean(np.diagonal(covariance)))
    rows = np.array([limit.coefficients for limit in limits.linear]).reshape(-1, limits.assets)
    sides = (
        np.array([limit.lower for limit in limits.linear]),
        np.array([limit.upper for limit in limits.linear]),
    )
    try:
        weights = solve(
            covariance / scale,
            -tilt / scale,
            (np.ones((1, limits.assets)), np.array([limits.budget])),
            (rows, *sides) if len(rows) else None,
            (limits.lower.copy(), limits.upper.copy()),
        )
    except Unsolved:
        if not (conflict := conflicting(limits)):
            raise
        raise Infeasible(conflict) from None
    if weights is None:
        raise Infeasible(conflicting(limits) or ("the limits, to the solver's tolerance",))
    return np.clip(weights, limits.lower, limits.upper)
