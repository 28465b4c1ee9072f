"""Factors: an expression language over panels, a library of definitions, cross-sectional factor returns."""

from nautilus.engines.factor.definition import Definition, define, library, library_graph
from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.exposures import (
    exponential_weights,
    momentum_scores,
    one_hot,
    size_scores,
    standardize,
    value_scores,
)
from nautilus.engines.factor.factor_returns import FactorReturns, estimate_factor_returns
from nautilus.engines.factor.graph import Graph, canonical
from nautilus.engines.factor.streaming import StreamEvaluator
from nautilus.engines.factor.syntax import ExpressionError, Limits, parse

__all__ = [
    "Definition",
    "ExpressionError",
    "FactorReturns",
    "Graph",
    "Limits",
    "StreamEvaluator",
    "canonical",
    "define",
    "estimate_factor_returns",
    "evaluate",
    "exponential_weights",
    "library",
    "library_graph",
    "momentum_scores",
    "one_hot",
    "parse",
    "size_scores",
    "standardize",
    "value_scores",
]
