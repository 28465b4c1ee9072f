"""Formulas as one graph: type-checked, constants folded, equal sub-expressions kept once, children before parents.

Two formulas with the same canonical text compute the same numbers; the graph keeps one node for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nautilus.engines.factor.fields import DERIVED, FIELDS, FieldKind
from nautilus.engines.factor.operators import Argument, Operator, Shape, operators
from nautilus.engines.factor.syntax import Call, ExpressionError, Limits, Name, Number, Tree, parse


@dataclass(frozen=True, slots=True)
class Node:
    """A field (no operator) or an operator applied to earlier nodes and constants, in the order of its arguments.

    An operand is a node's index in the graph (int) or a constant (float); `rows` is how many rows, today's included,
    the result looks back (recursive operators count as one more than their operand).
    """

    field: str
    operator: Operator | None
    operands: tuple[int | float, ...]
    constants: tuple[float, ...]
    rows: int
    text: str
    fields: frozenset[str]
    cross_sectional: bool

    @property
    def children(self) -> tuple[int, ...]:
        """The nodes this one reads."""
        return tuple(operand for operand in self.operands if isinstance(operand, int))

    @property
    def window(self) -> int:
        """Rows of its operands that a WINDOW node reads for one row of its own; 1 for other shapes."""
        if self.operator is None or self.operator.shape is not Shape.WINDOW:
            return 1
        return int(self.constants[0]) + self.operator.extra_rows


@dataclass(frozen=True, slots=True)
class _Typed:
    """A checked sub-expression: a node or a plain number."""

    operand: int | float
    position: int


class Graph:
    """Formulas joined over their common sub-expressions. `outputs` maps each name to its node.

    >>> graph = Graph()
    >>> graph.add("a", "rank(close - open) * 2") == graph.add("b", "2 * rank(close - open)")
    True
    >>> len(graph.nodes)
    5
    """

    def __init__(self, fields: Mapping[str, FieldKind] | None = None, limits: Limits | None = None) -> None:
        self.fields = FIELDS_BY_KIND if fields is None else fields
        self.limits = limits or Limits()
        self.nodes: list[Node] = []
        self.outputs: dict[str, int] = {}
        self._index: dict[str, int] = {}

    def add(self, name: str, formula: str) -> int:
        """Parse, check and join a formula; returns its node.

        Raises ExpressionError if it cannot be read, names an unknown field or operator, or gives a wrong argument.
        """
        tree = parse(formula, self.limits)
        typed = self._build(tree)
        if isinstance(typed.operand, float):
            raise ExpressionError("formula is a plain number, not a panel", typed.position)
        if self._is_group(typed.operand):
            raise ExpressionError("formula is a group, not a panel of numbers", typed.position)
        self.outputs[name] = typed.operand
        return typed.operand

    def __getitem__(self, name: str) -> Node:
        return self.nodes[self.outputs[name]]

    def needed(self, names: list[str]) -> list[int]:
        """The nodes that these outputs need, children before parents."""
        wanted: set[int] = set()
        pending = [self.outputs[name] for name in names]
        while pending:
            index = pending.pop()
            if index not in wanted:
                wanted.add(index)
                pending.extend(self.nodes[index].children)
        return sorted(wanted)

    def cost(self, names: list[str]) -> int:
        """Additions per cell to evaluate these outputs over a panel, roughly."""
        total = 0
        for index in self.needed(names):
            node = self.nodes[index]
            if node.operator is not None:
                total += max(node.operator.passes * node.window, 2)
        return total

    def _is_group(self, index: int) -> bool:
        node = self.nodes[index]
        return node.operator is None and self.fields[node.field] == "group"

    def _build(self, tree: Tree) -> _Typed:
        match tree:
            case Number(value, position):
                return _Typed(value, position)
            case Name(text, position):
                return self._field(text, position)
            case Call("gt" | "ge" as function, (left, right), position):
                return self._build(Call("lt" if function == "gt" else "le", (right, left), position))
            case Call("adv", (days,), position):
                return self._build(Call("ts_mean", (Name("volume", position), days), position))
            case Call(function, arguments, position):
                operator = operators().get(function)
                if operator is None:
                    raise ExpressionError(f"unknown operator {function!r}", position)
                return self._apply(operator, arguments, position)

    def _field(self, text: str, position: int) -> _Typed:
        if text in self.fields:
            field = Node(text, None, (), (), 1, text, frozenset((text,)), cross_sectional=False)
            return _Typed(self._intern(field), position)
        if text in DERIVED:
            return _Typed(self._build(parse(DERIVED[text])).operand, position)
        raise ExpressionError(f"unknown field {text!r}", position)

    def _apply(self, operator: Operator, arguments: tuple[Tree, ...], position: int) -> _Typed:
        required = sum(argument.default is None for argument in operator.arguments)
        if not required <= len(arguments) <= len(operator.arguments):
            raise ExpressionError(f"{operator.signature} got {len(arguments)} arguments", position)
        operands: list[int | float] = []
        constants: list[float] = []
        for index, argument in enumerate(operator.arguments):
            if index >= len(arguments):
                constants.append(float(argument.default or 0.0))
                continue
            typed = self._build(arguments[index])
            if argument.kind in {"window", "real"}:
                constants.append(self._constant(operator, argument, typed))
            else:
                operands.append(self._operand(operator, argument, typed))
        return _Typed(self._combine(operator, operands, constants, position), position)

    def _constant(self, operator: Operator, argument: Argument, typed: _Typed) -> float:
        value = typed.operand
        label = f"{argument.name} of {operator.name}"
        if isinstance(value, int):
            raise ExpressionError(f"{label} must be a number", typed.position)
        high = min(argument.high, self.limits.window) if argument.kind == "window" else argument.high
        if not argument.low <= value <= high:
            raise ExpressionError(f"{label} must be from {argument.low:g} to {high:g}", typed.position)
        if argument.kind == "window" and not value.is_integer():
            raise ExpressionError(f"{label} must be a whole number of rows", typed.position)
        return value

    def _operand(self, operator: Operator, argument: Argument, typed: _Typed) -> int | float:
        value = typed.operand
        label = f"{argument.name} of {operator.name}"
        if argument.kind != "value" and isinstance(value, float):
            raise ExpressionError(f"{label} must be a {argument.kind}, not a number", typed.position)
        if isinstance(value, int) and self._is_group(value) != (argument.kind == "group"):
            expected = "a group field" if argument.kind == "group" else "a panel of numbers"
            raise ExpressionError(f"{label} must be {expected}", typed.position)
        return value

    def _combine(
        self, operator: Operator, operands: list[int | float], constants: list[float], position: int
    ) -> int | float:
        if all(isinstance(operand, float) for operand in operands):
            return _folded(operator, [float(operand) for operand in operands], constants, position)
        if operator.name == "neg":
            return self._combine(operators()["mul"], [-1.0, *operands], [], position)
        if (unchanged := _identity(operator, operands, constants)) is not None:
            return unchanged
        if operator.commutative:
            operands.sort(key=self._text_of)
        return self._intern(self._node(operator, tuple(operands), tuple(constants)))

    def _text_of(self, operand: int | float) -> str:
        return self.nodes[operand].text if isinstance(operand, int) else repr(operand)

    def _intern(self, node: Node) -> int:
        """The node with this one's canonical text, which says all there is to say: operands may be nodes or numbers."""
        if node.text not in self._index:
            self.nodes.append(node)
            self._index[node.text] = len(self.nodes) - 1
        return self._index[node.text]

    def _node(self, operator: Operator, operands: tuple[int | float, ...], constants: tuple[float, ...]) -> Node:
        children = [self.nodes[operand] for operand in operands if isinstance(operand, int)]
        rows = max(child.rows for child in children)
        if operator.shape is Shape.WINDOW:
            rows += int(constants[0]) + operator.extra_rows - 1
        elif operator.shape is Shape.RECURSIVE:
            rows += 1
        written = [*(self._text_of(operand) for operand in operands), *(repr(constant) for constant in constants)]
        return Node(
            "", operator, operands, constants, rows, f"{operator.name}({','.join(written)})",
            frozenset().union(*(child.fields for child in children)),
            operator.shape is Shape.CROSS_SECTION or any(child.cross_sectional for child in children),
        )  # fmt: skip


FIELDS_BY_KIND: Mapping[str, FieldKind] = {name: field.kind for name, field in FIELDS.items()}


def _folded(operator: Operator, values: list[float], constants: list[float], position: int) -> float:
    with np.errstate(all="ignore"):
        value = float(operator.function(*(np.float64(value) for value in values), *constants))
    if not np.isfinite(value):
        raise ExpressionError(f"{operator.name} of these numbers is not a number", position)
    return value


def _identity(operator: Operator, operands: list[int | float], constants: list[float]) -> int | None:
    """The operand that the operation leaves as it is: x * 1, x + 0, x / 1, x ^ 1, a sum over one row."""
    first, last = operands[0], operands[-1]
    neutral = {"mul": 1.0, "add": 0.0}.get(operator.name)
    if neutral is not None and first == neutral and isinstance(first, float) and isinstance(last, int):
        return last
    one_sided = {"mul": 1.0, "add": 0.0, "sub": 0.0, "div": 1.0, "pow": 1.0, "signedpower": 1.0}.get(operator.name)
    if one_sided is not None and isinstance(first, int) and isinstance(last, float) and last == one_sided:
        return first
    over_one_row = operator.name in {"ts_sum", "ts_mean", "ts_product", "ts_min", "ts_max", "decay_linear"}
    return first if over_one_row and constants == [1.0] and isinstance(first, int) else None


def canonical(formula: str, fields: Mapping[str, FieldKind] | None = None) -> str:
    """The canonical text of a formula: derived fields expanded, constants folded, commutative operands sorted.

    >>> canonical("close + open > 2 - 1")
    'lt(1.0,add(close,open))'
    """
    graph = Graph(fields)
    return graph.nodes[graph.add("formula", formula)].text
