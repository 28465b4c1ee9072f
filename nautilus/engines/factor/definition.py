"""Named factors: a definition, and the library of all that are built in, checked and free of duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from nautilus.engines.factor import alpha101, alpha158, characteristics
from nautilus.engines.factor.graph import Graph


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A factor: its formula and where it comes from.

    `lookback` is the number of rows, today's included, that one value needs; `canonical` the form by which duplicates
    are found; a `cross_sectional` factor compares instruments with one another and needs at least two.
    """

    name: str
    formula: str
    inputs: tuple[str, ...]
    unit: str
    category: str
    source: str
    lookback: int
    cross_sectional: bool
    canonical: str


def define(rows: Iterable[tuple[str, str, str, str, str]]) -> tuple[Graph, Mapping[str, Definition]]:
    """The graph and the definitions of catalogue rows (name, formula, unit, category, source).

    Raises ValueError for a name used twice and for two names that compute the same, ExpressionError for a bad formula.

    >>> _, definitions = define([("gap", "open / delay(close, 1) - 1", "return", "momentum", "definition")])
    >>> definitions["gap"].inputs, definitions["gap"].lookback
    (('close', 'open'), 2)
    """
    graph = Graph()
    definitions: dict[str, Definition] = {}
    known: dict[int, str] = {}
    for name, formula, unit, category, source in rows:
        if name in definitions:
            raise ValueError(f"factor {name!r} is defined twice")
        index = graph.add(name, formula)
        if index in known:
            raise ValueError(f"factor {name!r} computes the same as {known[index]!r}")
        known[index] = name
        node = graph.nodes[index]
        definitions[name] = Definition(
            name=name, formula=formula, inputs=tuple(sorted(node.fields)), unit=unit, category=category, source=source,
            lookback=node.rows, cross_sectional=node.cross_sectional, canonical=node.text,
        )  # fmt: skip
    return graph, MappingProxyType(definitions)


@cache
def library() -> Mapping[str, Definition]:
    """Every built-in definition by name."""
    return _built_in()[1]


def library_graph(names: Iterable[str] | None = None) -> Graph:
    """A graph of the named definitions (default: all of them) with their common sub-expressions shared.

    Raises KeyError for an unknown name.
    """
    definitions = library()
    graph = Graph()
    for name in definitions if names is None else names:
        graph.add(name, definitions[name].formula)
    return graph


@cache
def _built_in() -> tuple[Graph, Mapping[str, Definition]]:
    return define([*alpha101.rows(), *alpha158.rows(), *characteristics.rows()])
