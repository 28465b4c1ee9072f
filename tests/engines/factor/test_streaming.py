"""One row at a time gives the same bits as the whole history."""

import numpy as np
import pytest

from nautilus.engines.factor.definition import library_graph
from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.graph import Graph
from nautilus.engines.factor.streaming import StreamEvaluator


@pytest.mark.parametrize("instruments", [1, 5])
def test_the_whole_library_streams_to_the_bit(instruments, make_panel):
    panel = make_panel(70, instruments, seed=instruments, missing=0.002)
    graph = library_graph()
    whole = evaluate(graph, panel)
    stream = StreamEvaluator(graph, instruments)
    for row in range(70):
        found = stream.push({name: values[row] for name, values in panel.items()})
        for name, values in found.items():
            np.testing.assert_array_equal(values, whole[name][row], err_msg=f"{name} row {row}")


def test_long_windows_stream_to_the_bit(make_panel):
    panel = make_panel(560, 3, seed=8)
    names = [
        "alpha101_019", "alpha101_048", "momentum_12_1", "style_momentum", "skewness_1y", "market_beta",
        "rsi_14", "alpha101_052", "alpha158_rank60",
    ]  # fmt: skip
    graph = library_graph(names)
    whole = evaluate(graph, panel)
    stream = StreamEvaluator(graph, 3)
    for row in range(560):
        found = stream.push({name: values[row] for name, values in panel.items()})
    for name in names:
        np.testing.assert_array_equal(found[name], whole[name][-1], err_msg=name)
        assert np.isfinite(found[name]).any(), name


def test_an_instrument_may_join_later(make_panel):
    panel = make_panel(60, 4, seed=1)
    formulas = {"a": "rank(ts_mean(close, 5))", "b": "ema(close, 5) / close", "c": "ts_corr(close, volume, 10)"}
    graph = Graph()
    for name, formula in formulas.items():
        graph.add(name, formula)
    late = {name: values.copy() for name, values in panel.items()}
    for values in late.values():
        values[:20, 3] = np.nan
    whole = evaluate(graph, late)
    stream = StreamEvaluator(graph, 3)
    for row in range(60):
        if row == 20:
            stream.widen(4)
        found = stream.push({name: values[row, : stream.columns] for name, values in late.items()})
        for name in formulas:
            np.testing.assert_array_equal(found[name], whole[name][row, : stream.columns])
    with pytest.raises(ValueError, match="already"):
        stream.widen(3)


def test_a_refused_row_changes_nothing():
    graph = Graph()
    graph.add("a", "ts_sum(close, 2) + open")
    stream, other = StreamEvaluator(graph, 2), StreamEvaluator(graph, 2)
    good = {"close": np.array([1.0, 2.0]), "open": np.zeros(2)}
    for each in (stream, other):
        each.push(good)
    with pytest.raises(KeyError):
        stream.push({"close": np.ones(2)})
    with pytest.raises(ValueError, match="2 instruments"):
        stream.push({"close": np.ones(3), "open": np.ones(3)})
    np.testing.assert_array_equal(stream.push(good)["a"], other.push(good)["a"])


def test_memory_is_bounded():
    graph = Graph()
    graph.add("a", "ts_mean(close, 5)")
    stream = StreamEvaluator(graph, 1)
    sizes = set()
    for _ in range(100):
        stream.push({"close": np.ones(1)})
        sizes.add(sum(rows._buffer.nbytes for rows in stream._rows.values()))
    assert len(sizes) == 1
