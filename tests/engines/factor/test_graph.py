"""Type checks, canonical forms and sharing."""

import pytest

from nautilus.engines.factor.graph import Graph, canonical
from nautilus.engines.factor.syntax import ExpressionError, Limits


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("nothing + 1", "unknown field 'nothing'"),
        ("frob(close)", "unknown operator 'frob'"),
        ("ts_mean(close)", "got 1 arguments"),
        ("ts_mean(close, 2, 3)", "got 3 arguments"),
        ("ts_mean(close, 2.5)", "whole number"),
        ("ts_mean(close, 0)", "from 1 to"),
        ("ts_mean(close, -3)", "from 1 to"),
        ("ts_std(close, 1)", "from 2 to"),
        ("ts_mean(close, 100000)", "to 1024"),
        ("ts_mean(close, volume)", "must be a number"),
        ("ts_mean(3, 5)", "must be a panel"),
        ("rank(sector)", "panel of numbers"),
        ("close + sector", "panel of numbers"),
        ("group_neutralize(close, close)", "group field"),
        ("group_neutralize(close, 1)", "must be a group"),
        ("ts_quantile(close, 5, 1.5)", "from 0 to 1"),
        ("winsorize(close, 0.7)", "from 0 to 0.5"),
        ("1 + 2", "plain number"),
        ("sector", "is a group"),
        ("1 / 0 + close", "not a number"),
        ("delay(close, 0)", "from 1 to"),
    ],
)
def test_wrong_arguments_are_named(formula: str, reason: str) -> None:
    graph = Graph()
    with pytest.raises(ExpressionError, match=reason):
        graph.add("wrong", formula)
    assert not graph.outputs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("close + open", "open + close"),
        ("close > open", "open < close"),
        ("2 * 3 * close", "close * 6"),
        ("-close", "close * -1"),
        ("returns", "close / delay(close, 1) - 1"),
        ("adv(20)", "ts_mean(volume, 20)"),
        ("ts_corr(close, open, 5)", "ts_corr(open, close, 5)"),
        ("scale(close)", "scale(close, 1)"),
        ("where(close < open, 1, 2)", "close < open ? 1 : 2"),
        ("ts_sum(close, 1) * 1 + 0", "close"),
    ],
)
def test_equal_formulas_have_one_canonical_form(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("close - open", "open - close"),
        ("ts_beta(close, open, 5)", "ts_beta(open, close, 5)"),
        ("rank(close)", "close"),
    ],
)
def test_different_formulas_differ(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_common_parts_are_kept_once() -> None:
    graph = Graph()
    graph.add("a", "rank(ts_corr(close, volume, 10))")
    before = len(graph.nodes)
    graph.add("b", "ts_mean(rank(ts_corr(volume, close, 10)), 5)")
    assert len(graph.nodes) == before + 1


@pytest.mark.parametrize(
    ("formula", "rows"),
    [
        ("close", 1),
        ("delay(close, 3)", 4),
        ("ts_mean(close, 5)", 5),
        ("ts_mean(delta(close, 2), 5)", 7),
        ("returns", 2),
    ],
)
def test_lookback_counts_todays_row(formula: str, rows: int) -> None:
    graph = Graph()
    graph.add("x", formula)
    assert graph["x"].rows == rows


def test_a_graph_knows_inputs_and_whether_instruments_are_compared() -> None:
    graph = Graph()
    graph.add("x", "ts_mean(rank(close) * volume, 5)")
    graph.add("y", "ts_mean(close * volume, 5)")
    assert graph["x"].fields == {"close", "volume"}
    assert (graph["x"].cross_sectional, graph["y"].cross_sectional) == (True, False)


def test_cost_grows_with_the_window() -> None:
    graph = Graph()
    graph.add("short", "ts_mean(close, 5)")
    graph.add("long", "ts_mean(close, 500)")
    assert graph.cost(["long"]) > 50 * graph.cost(["short"])


def test_a_graph_takes_the_fields_it_is_given() -> None:
    graph = Graph({"temperature": "number"}, Limits(window=10))
    graph.add("x", "ts_mean(temperature, 10)")
    with pytest.raises(ExpressionError, match="unknown field"):
        graph.add("y", "returns")


def test_a_number_is_not_mistaken_for_the_node_of_that_index() -> None:
    graph = Graph()
    nodes = [graph.add(name, name) for name in ("close", "open", "low")]
    assert nodes == [0, 1, 2]
    assert graph.add("a", "open - low") != graph.add("b", "1 - low")
    assert graph.add("c", "open - low") != graph.add("d", "open - 2")
