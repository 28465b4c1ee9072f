"""Hierarchical risk parity: a tree of correlations orders the assets, and risk is halved down the order."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.engines.portfolio.covariance import checked_covariance, correlation_of
from nautilus.errors import Invalid

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Linkage = Literal["single", "complete", "average", "ward"]
Distance = Literal["nested", "direct"]


def hierarchical_risk_parity(
    covariance: ArrayLike,
    linkage: Linkage = "single",
    distance: Distance = "nested",
    optimal_ordering: bool = False,
    correlation: ArrayLike | None = None,
) -> Vector:
    """Long-only weights [assets], summing to one, of Lopez de Prado (2016), "Building diversified portfolios that
    outperform out of sample".

    The variants in use differ, and so do their weights; the defaults are the paper's:
    - `distance`: d = sqrt((1 - correlation) / 2) between assets; "nested" (the paper) takes the Euclidean distance
      between the columns of d, "direct" (PyPortfolioOpt, Riskfolio-Lib) takes d itself;
    - `linkage`: "single" in the paper, "ward" is skfolio's default;
    - `optimal_ordering`: leaves in the order of least total distance (Bar-Joseph et al. 2001); not in the paper.
    `correlation` [assets, assets] orders the assets where it is not that of the covariance, as when each of the two was
    estimated pair by pair from incomplete returns.
    Bisection is of the ordered list in halves, as in the paper, not along the branches of the tree.

    >>> hierarchical_risk_parity([[0.04, 0.0], [0.0, 0.01]]).round(6).tolist()
    [0.2, 0.8]
    """
    matrix = checked_covariance(covariance)
    if len(matrix) == 1:
        return np.ones(1)
    ordering = correlation_of(matrix if correlation is None else checked_covariance(correlation))
    if ordering.shape != matrix.shape:
        raise Invalid("correlation", f"must be for {len(matrix)} assets")
    order = leaf_order(ordering, linkage, distance, optimal_ordering)
    return _bisected(matrix, order)


def leaf_order(correlation: Matrix, linkage: Linkage, distance: Distance, optimal_ordering: bool) -> list[int]:
    """Assets from left to right under their correlation tree: similar ones stand together."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import pdist, squareform

    apart = np.sqrt(np.clip((1.0 - correlation) / 2.0, 0.0, 1.0))
    condensed = pdist(apart) if distance == "nested" else squareform(apart, checks=False)
    tree = hierarchy.linkage(condensed, method=linkage, optimal_ordering=optimal_ordering)
    return [int(leaf) for leaf in hierarchy.leaves_list(tree)]


def _bisected(covariance: Matrix, order: list[int]) -> Vector:
    """Split the order in halves again and again; each half gets weight by the inverse of its variance."""
    weights = np.ones(len(order))
    pending = [np.array(order)]
    while pending:
        cluster = pending.pop()
        if len(cluster) == 1:
            continue
        left, right = np.split(cluster, [len(cluster) // 2])
        left_variance, right_variance = _cluster_variance(covariance, left), _cluster_variance(covariance, right)
        share = right_variance / (left_variance + right_variance)
        weights[left] *= share
        weights[right] *= 1.0 - share
        pending += [left, right]
    return weights


def _cluster_variance(covariance: Matrix, members: NDArray[np.int64]) -> float:
    """Variance of the cluster held in proportion to inverse variances."""
    block = covariance[np.ix_(members, members)]
    inverse = 1.0 / np.diagonal(block)
    held = inverse / inverse.sum()
    return float(held @ block @ held)
