"""Evaluation of whole graphs: against the slow evaluator, and what is refused."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nautilus.engines.factor.definition import library
from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.fields import DERIVED
from nautilus.engines.factor.graph import Graph
from nautilus.engines.factor.operators import operators
from nautilus.engines.factor.streaming import StreamEvaluator
from nautilus.engines.factor.syntax import Call, ExpressionError, Name, Number, parse

LOOKBACK = 65


def slow(tree, panel, operators, known):
    """The value of a formula by walking its tree, every operator the obvious one; infinities become NaN."""
    match tree:
        case Number(value):
            return value
        case Name(text):
            return panel[text] if text in panel else slow(parse(DERIVED[text]), panel, operators, known)
        case Call("adv", (days,)):
            return slow(Call("ts_mean", (Name("volume"), days)), panel, operators, known)
        case Call(function, arguments):
            key = (function, *(repr(argument) for argument in arguments))
            if key not in known:
                values = [slow(argument, panel, operators, known) for argument in arguments]
                value = np.asarray(operators[function](*values), dtype=float)
                known[key] = np.where(np.isfinite(value), value, np.nan)
            return known[key]


def test_every_short_definition_equals_the_obvious_evaluation(make_panel, slow_operators):
    """Flags and ranks may differ where rounding decides a comparison: a few cells, not more."""
    panel = make_panel(LOOKBACK + 6, 4, seed=2)
    names = [name for name, definition in library().items() if definition.lookback <= LOOKBACK]
    assert len(names) > 240
    graph = Graph()
    for name in names:
        graph.add(name, library()[name].formula)
    found = evaluate(graph, panel)
    known = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            expected = np.broadcast_to(
                slow(parse(library()[name].formula), panel, slow_operators, known), (LOOKBACK + 6, 4)
            )
            close = np.isclose(found[name], expected, rtol=1e-7, atol=1e-9, equal_nan=True)
            assert close.mean() >= 0.95, name


def test_each_value_needs_exactly_its_lookback(make_panel):
    panel = make_panel(60, 6, seed=3)
    graph = Graph()
    for name, formula in {"a": "ts_mean(returns, 20)", "b": "ts_rank(delay(volume, 5), 10)"}.items():
        graph.add(name, formula)
    for name, values in evaluate(graph, panel).items():
        rows = graph[name].rows
        assert np.isnan(values[: rows - 1]).all()
        assert np.isfinite(values[rows - 1 :]).all()


def test_the_future_does_not_change_the_past(make_panel):
    panel = make_panel(90, 5, seed=6)
    graph = Graph()
    for name, definition in library().items():
        if definition.lookback <= 80:
            graph.add(name, definition.formula)
    whole = evaluate(graph, panel)
    before = evaluate(graph, {name: values[:80] for name, values in panel.items()})
    for name, values in before.items():
        np.testing.assert_array_equal(values, whole[name][:80], err_msg=name)


def test_chosen_outputs_only(make_panel):
    graph = Graph()
    graph.add("a", "close + 1")
    graph.add("b", "market_cap + 1")
    assert list(evaluate(graph, {"close": np.ones((2, 2))}, ["a"])) == ["a"]


def test_inputs_are_not_changed():
    x = np.array([[1.0, np.inf], [2.0, 3.0]])
    graph = Graph()
    graph.add("a", "rank(close)")
    graph.add("same", "close * 1")
    out = evaluate(graph, {"close": x})
    out["same"][:] = 0
    assert x[0, 1] == np.inf
    assert x[1, 0] == 2.0


def test_what_is_refused():
    graph = Graph()
    graph.add("a", "group_mean(close, sector) + open")
    ones = np.ones((3, 2))
    with pytest.raises(KeyError):
        evaluate(graph, {"close": ones, "open": ones})
    with pytest.raises(ValueError, match="shape"):
        evaluate(graph, {"close": ones, "open": np.ones((2, 2)), "sector": ones})
    with pytest.raises(ValueError, match="group codes of 'sector'"):
        evaluate(graph, {"close": ones, "open": ones, "sector": ones * 0.5})


def test_a_window_longer_than_the_history_gives_nothing():
    graph = Graph()
    graph.add("a", "ts_mean(close, 50)")
    assert np.isnan(evaluate(graph, {"close": np.ones((10, 2))})["a"]).all()


def formulas():
    """Formulas that type-check, of any operators."""
    groups = st.just("sector")
    numbers = st.sampled_from(["0", "1", "-2.5", "1e-9", "3e12"])
    leaves = st.sampled_from(["close", "open", "volume", "returns"])

    def calls(panels):
        def write(operator):
            kinds = {"panel": panels, "value": st.one_of(panels, numbers), "group": groups}
            parts = [
                kinds[argument.kind] if argument.kind in kinds
                else st.integers(int(argument.low), int(argument.low) + 4).map(str) if argument.kind == "window"
                else st.floats(max(argument.low, -3), min(argument.high, 3)).map(lambda v: f"{v:.6f}")
                for argument in operator.arguments
            ]  # fmt: skip
            return st.tuples(*parts).map(lambda written: f"{operator.name}({', '.join(written)})")

        return st.sampled_from(sorted(operators().values(), key=lambda operator: operator.name)).flatmap(write)

    return st.recursive(leaves, calls, max_leaves=6)


extremes = st.one_of(st.sampled_from([np.nan, np.inf, 0.0, -0.0, 1.0, 1e15, -1e15, 1e-300, 1e300]), st.floats(-10, 10))


@given(formula=formulas(), data=st.data())
@settings(max_examples=150)
def test_any_formula_gives_numbers_or_nan_on_any_panel_and_streams_alike(formula, data):
    graph = Graph()
    try:
        graph.add("value", formula)
    except ExpressionError:
        return
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 4)))
    panel = {name: data.draw(hnp.arrays(np.float64, shape, elements=extremes)) for name in ("close", "open", "volume")}
    panel["sector"] = np.zeros(shape)
    found = evaluate(graph, panel)["value"]
    assert found.shape == shape
    assert not np.isinf(found).any()
    stream = StreamEvaluator(graph, shape[1])
    rows = [stream.push({name: values[row] for name, values in panel.items()})["value"] for row in range(shape[0])]
    np.testing.assert_array_equal(np.array(rows), found)
