"""NaN, zero and infinity in cell-by-cell operators."""

import numpy as np
import pytest

from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.graph import Graph

NAN = np.nan


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x / y", [0.5, NAN, NAN, -2.0]),
        ("log(x)", [0.0, NAN, NAN, NAN]),
        ("sqrt(x)", [1.0, 0.0, NAN, NAN]),
        ("x^0.5", [1.0, 0.0, NAN, NAN]),
        ("(x + 1)^(1 / x)", [2.0, NAN, NAN, NAN]),
        ("(1 / x)^0", [1.0, NAN, NAN, 1.0]),
        ("y^-1", [0.5, NAN, 1.0, 1.0]),
        ("exp(x * 1000)", [NAN, 1.0, NAN, 0.0]),
        ("signedpower(x, 2)", [1.0, 0.0, NAN, -4.0]),
        ("sign(x)", [1.0, 0.0, NAN, -1.0]),
        ("abs(-x)", [1.0, 0.0, NAN, 2.0]),
        ("x < y", [1.0, 0.0, NAN, 1.0]),
        ("x >= 0", [1.0, 1.0, NAN, 0.0]),
        ("x == y", [0.0, 1.0, NAN, 0.0]),
        ("x != y", [1.0, 0.0, NAN, 1.0]),
        ("x && y", [1.0, 0.0, NAN, 1.0]),
        ("x || y", [1.0, 0.0, NAN, 1.0]),
        ("!x", [0.0, 1.0, NAN, 0.0]),
        ("x > 0 ? y : 9", [2.0, 9.0, NAN, 9.0]),
        ("y ? 1 / y : 5", [0.5, 5.0, 1.0, 1.0]),
        ("min(x, y)", [1.0, 0.0, NAN, -2.0]),
        ("max(x, 0)", [1.0, 0.0, NAN, 0.0]),
        ("clip(x, -1, 0.5)", [0.5, 0.0, NAN, -1.0]),
        ("fill(x, 7)", [1.0, 0.0, 7.0, -2.0]),
        ("defined(x)", [1.0, 1.0, 0.0, 1.0]),
        ("fill(1 / x)", [1.0, 0.0, 0.0, -0.5]),
        ("x * 1e200 * 1e200", [NAN, 0.0, NAN, NAN]),
    ],
)
def test_cells(formula, expected):
    graph = Graph({"x": "number", "y": "number"})
    graph.add("value", formula)
    panel = {"x": np.array([[1.0, 0.0, NAN, -2.0]]), "y": np.array([[2.0, 0.0, 1.0, 1.0]])}
    np.testing.assert_array_equal(evaluate(graph, panel)["value"][0], expected)


def test_an_infinite_input_counts_as_missing():
    graph = Graph({"x": "number"})
    graph.add("value", "x + 1")
    np.testing.assert_array_equal(
        evaluate(graph, {"x": np.array([[np.inf, 1.0, -np.inf]])})["value"], [[NAN, 2.0, NAN]]
    )
