"""Evaluation of a graph over whole panels: each shared node once, children first, memory freed after the last use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.cross_section import MAXIMUM_GROUPS
from nautilus.engines.factor.graph import Graph, Node
from nautilus.engines.factor.operators import Shape

type Panel = NDArray[np.float64]


def evaluate(graph: Graph, panel: Mapping[str, Panel], names: Iterable[str] | None = None) -> dict[str, Panel]:
    """The outputs `names` (default: all) of a graph over a panel of fields [dates, instruments], NaN where undefined.

    Raises KeyError for a field the panel lacks and ValueError if shapes differ or a group code is out of range.

    >>> graph = Graph()
    >>> _ = graph.add("gap", "open / delay(close, 1) - 1")
    >>> evaluate(graph, {"open": np.array([[1.0], [3.0]]), "close": np.array([[2.0], [4.0]])})["gap"].ravel()
    array([nan, 0.5])
    """
    chosen = list(graph.outputs if names is None else names)
    order = graph.needed(chosen)
    fields = checked_fields(graph, panel, order)
    uses = Counter(child for index in order for child in graph.nodes[index].children)
    uses.update(graph.outputs[name] for name in chosen)
    values: dict[int, Panel] = {}
    with np.errstate(all="ignore"):
        for index in order:
            node = graph.nodes[index]
            values[index] = _value(node, values, fields)
            for child in node.children:
                uses[child] -= 1
                if not uses[child]:
                    del values[child]
    return {name: values[graph.outputs[name]] for name in chosen}


def checked_fields(graph: Graph, panel: Mapping[str, Panel], order: Iterable[int]) -> dict[str, Panel]:
    """The fields that nodes `order` read, as float64 panels of one shape: infinities as NaN, group codes checked."""
    fields: dict[str, Panel] = {}
    for index in order:
        node = graph.nodes[index]
        if node.operator is not None:
            continue
        values = np.array(panel[node.field], dtype=np.float64, order="C", ndmin=2)
        values[~np.isfinite(values)] = np.nan
        if fields and values.shape != next(iter(fields.values())).shape:
            raise ValueError(f"field {node.field!r} has shape {values.shape}, the others differ")
        if graph.fields[node.field] == "group":
            _check_groups(node.field, values)
        fields[node.field] = values
    return fields


def _check_groups(name: str, codes: Panel) -> None:
    known = codes[~np.isnan(codes)]
    if known.size and (known.min() < 0 or known.max() >= MAXIMUM_GROUPS or (known != np.floor(known)).any()):
        raise ValueError(f"group codes of {name!r} must be whole numbers from 0 to {MAXIMUM_GROUPS - 1}")


def _value(node: Node, values: Mapping[int, Panel], fields: Mapping[str, Panel]) -> Panel:
    if node.operator is None:
        return fields[node.field]
    operands = [values[operand] if isinstance(operand, int) else operand for operand in node.operands]
    function = node.operator.function
    match node.operator.shape:
        case Shape.WINDOW:
            panels = [np.asarray(operand) for operand in operands]
            return _padded(function(*panels, int(node.constants[0]), *node.constants[1:]), panels[0].shape)
        case Shape.RECURSIVE:
            start = np.full((1, np.shape(operands[0])[1]), np.nan)
            result: Panel = function(operands[0], start, int(node.constants[0]), *node.constants[1:])[0]
            return result
        case _:
            whole: Panel = function(*operands, *node.constants)
            return whole


def _padded(complete: Panel, shape: tuple[int, ...]) -> Panel:
    out = np.full(shape, np.nan)
    if complete.shape[0]:
        out[shape[0] - complete.shape[0] :] = complete
    return out
