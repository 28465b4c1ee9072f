"""The library: complete rows, no duplicates, every definition has values."""

import numpy as np
import pytest

from nautilus.engines.factor.definition import define, library, library_graph
from nautilus.engines.factor.evaluate import evaluate
from nautilus.engines.factor.fields import FIELDS
from nautilus.engines.factor.syntax import ExpressionError


def test_how_many_there_are():
    names = list(library())
    assert len(names) >= 300
    assert sum(name.startswith("alpha101_") for name in names) == 101
    assert sum(name.startswith("alpha158_") for name in names) == 158


@pytest.fixture(scope="module")
def values(make_panel):
    return evaluate(library_graph(), make_panel(560, 12, seed=11))


@pytest.mark.parametrize("name", list(library()))
def test_a_definition_is_complete_and_has_values(name, values):
    definition = library()[name]
    assert definition.name == name
    assert all((definition.unit, definition.category, definition.source, definition.formula))
    assert set(definition.inputs) <= set(FIELDS)
    if not any(early in definition.formula for early in ("?", "ema(", "sma(")):
        assert np.isnan(values[name][: definition.lookback - 1]).all()
    assert not np.isinf(values[name]).any()
    assert np.isfinite(values[name][definition.lookback :]).mean() > 0.3


def test_no_two_compute_the_same():
    forms = [definition.canonical for definition in library().values()]
    assert len(set(forms)) == len(forms)
    row = ("price", "test", "nobody")
    with pytest.raises(ValueError, match="computes the same as 'a'"):
        define([("a", "close + open", *row), ("b", "open + close", *row)])
    with pytest.raises(ValueError, match="defined twice"):
        define([("a", "close + open", *row), ("a", "open", *row)])
    with pytest.raises(ExpressionError):
        define([("a", "close +", *row)])


def test_units_that_are_fractions_and_flags_keep_their_range(values):
    for name, definition in library().items():
        finite = values[name][np.isfinite(values[name])]
        if definition.unit in {"correlation", "fraction"}:
            assert np.abs(finite).max() <= 1 + 1e-9, name
        if definition.unit == "flag":
            assert set(np.unique(finite)) <= {-1.0, 0.0, 1.0}, name


def test_an_unknown_name_is_refused():
    with pytest.raises(KeyError):
        library_graph(["nothing"])
