"""The text of the factor language: a small precedence parser from a formula to a syntax tree, and back to text.

    ternary     condition ? a : b         (right associative)
    or          a || b
    and         a && b
    comparison  <  <=  >  >=  ==  !=
    sum         +  -
    product     *  /
    prefix      -  !
    power       ^                         (right associative, binds tighter than a prefix: -x^2 is -(x^2))
    primary     1.5   close   ts_mean(close, 20)   ( ... )

Nothing is ever handed to Python's own evaluator; a formula is bounded in length, depth and number of nodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol><=|>=|==|!=|&&|\|\||[-+*/^<>!?:(),]))",
    re.ASCII,
)
_LEVELS: tuple[dict[str, str], ...] = (
    {"||": "or"},
    {"&&": "and"},
    {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"},
    {"+": "add", "-": "sub"},
    {"*": "mul", "/": "div"},
)
_INFIX = {name: (level, symbol) for level, names in enumerate(_LEVELS) for symbol, name in names.items()}
_TERNARY, _PREFIX, _POWER, _PRIMARY = -1, len(_LEVELS), len(_LEVELS) + 1, len(_LEVELS) + 2


class ExpressionError(ValueError):
    """A formula that cannot be read or does not type-check; `position` is the offset of the fault in the text."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(f"{message} (at character {position})")
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Limits:
    """What a formula may cost: characters of text, depth of nesting, nodes of its tree, rows of one window."""

    characters: int = 4000
    depth: int = 64
    nodes: int = 400
    window: int = 1024


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float
    position: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """An input field, such as `close`."""

    text: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """An operator applied to arguments; infix and prefix operators are calls of `add`, `neg`, `where` and so on."""

    function: str
    arguments: tuple[Tree, ...]
    position: int = 0


type Tree = Number | Name | Call


def parse(text: str, limits: Limits | None = None) -> Tree:
    """The syntax tree of a formula.

    Raises ExpressionError for text that is not a formula or exceeds `limits`.

    >>> to_text(parse("rank( ts_corr(close,volume, 10) )*-1"))
    'rank(ts_corr(close, volume, 10)) * -1'
    """
    limits = limits or Limits()
    if len(text) > limits.characters:
        raise ExpressionError(f"formula is longer than {limits.characters} characters", limits.characters)
    parser = _Parser(_tokens(text), len(text), limits)
    tree = parser.ternary()
    parser.expect_end()
    return tree


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens, position = [], 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"unexpected character {text[position:].lstrip()[0]!r}", position)
        kind = str(match.lastgroup)
        tokens.append((kind, match.group(kind), match.start(kind)))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over the token list; every recursion and every node is counted."""

    def __init__(self, tokens: list[tuple[str, str, int]], length: int, limits: Limits) -> None:
        self.tokens = tokens
        self.length = length
        self.limits = limits
        self.index = 0
        self.nesting = 0
        self.nodes = 0
        self.depths: dict[int, int] = {}

    def peek(self) -> str:
        return self.tokens[self.index][1] if self.index < len(self.tokens) else ""

    @property
    def position(self) -> int:
        return self.tokens[self.index][2] if self.index < len(self.tokens) else self.length

    def take(self, *symbols: str) -> str | None:
        if self.index < len(self.tokens):
            kind, text, _ = self.tokens[self.index]
            if kind == "symbol" and text in symbols:
                self.index += 1
                return text
        return None

    def expect(self, symbol: str) -> None:
        if self.take(symbol) is None:
            raise ExpressionError(f"expected {symbol!r}, found {self.peek() or 'the end'!r}", self.position)

    def expect_end(self) -> None:
        if self.index < len(self.tokens):
            raise ExpressionError(f"unexpected {self.peek()!r}", self.position)

    def made[T: (Number, Name, Call)](self, tree: T) -> T:
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            raise ExpressionError(f"formula has more than {self.limits.nodes} nodes", tree.position)
        return tree

    def call(self, function: str, position: int, *arguments: Tree) -> Call:
        tree = self.made(Call(function, arguments, position))
        depth = 1 + max((self.depths.get(id(argument), 1) for argument in arguments), default=0)
        if depth > self.limits.depth:
            raise ExpressionError(f"formula is nested deeper than {self.limits.depth}", position)
        self.depths[id(tree)] = depth
        return tree

    def enter(self) -> None:
        self.nesting += 1
        if self.nesting > self.limits.depth:
            raise ExpressionError(f"formula is nested deeper than {self.limits.depth}", self.position)

    def ternary(self) -> Tree:
        self.enter()
        condition = self.binary(0)
        position = self.position
        if self.take("?"):
            chosen = self.ternary()
            self.expect(":")
            condition = self.call("where", position, condition, chosen, self.ternary())
        self.nesting -= 1
        return condition

    def binary(self, level: int) -> Tree:
        if level == len(_LEVELS):
            return self.prefix()
        left = self.binary(level + 1)
        position = self.position
        while symbol := self.take(*_LEVELS[level]):
            left = self.call(_LEVELS[level][symbol], position, left, self.binary(level + 1))
            position = self.position
        return left

    def prefix(self) -> Tree:
        position = self.position
        symbol = self.take("-", "!")
        if symbol is None:
            return self.power()
        self.enter()
        operand = self.prefix()
        self.nesting -= 1
        if symbol == "-" and isinstance(operand, Number):
            return Number(-operand.value, position)
        return self.call("neg" if symbol == "-" else "not", position, operand)

    def power(self) -> Tree:
        base = self.primary()
        position = self.position
        if self.take("^"):
            self.enter()
            base = self.call("pow", position, base, self.prefix())
            self.nesting -= 1
        return base

    def primary(self) -> Tree:
        if self.take("("):
            inside = self.ternary()
            self.expect(")")
            return inside
        if self.index >= len(self.tokens):
            raise ExpressionError("formula ends too early", self.length)
        kind, text, position = self.tokens[self.index]
        if kind == "symbol":
            raise ExpressionError(f"unexpected {text!r}", position)
        self.index += 1
        if kind == "number":
            value = float(text)
            if value > 1e300:
                raise ExpressionError("number is too large", position)
            return self.made(Number(value, position))
        if self.take("("):
            return self.call(text, position, *self.arguments())
        return self.made(Name(text, position))

    def arguments(self) -> list[Tree]:
        if self.take(")"):
            return []
        found = [self.ternary()]
        while self.take(","):
            found.append(self.ternary())
        self.expect(")")
        return found


def to_text(tree: Tree) -> str:
    """The formula of a tree with the fewest brackets; parsing it gives the same tree.

    >>> to_text(parse("(a - (b - c)) * (-(d))^2 < 3 ? a : b"))
    '(a - (b - c)) * (-d)^2 < 3 ? a : b'
    """
    return _write(tree)[0]


def _write(tree: Tree) -> tuple[str, int]:
    match tree:
        case Number(value):
            text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
            return text, _PRIMARY if value >= 0 else _PREFIX
        case Name(text):
            return text, _PRIMARY
        case Call("where", (condition, chosen, other)):
            return f"{_within(condition, 0)} ? {_within(chosen, _TERNARY)} : {_within(other, _TERNARY)}", _TERNARY
        case Call("neg" | "not" as function, (operand,)):
            return f"{'-' if function == 'neg' else '!'}{_within(operand, _PREFIX)}", _PREFIX
        case Call("pow", (base, exponent)):
            return f"{_within(base, _PRIMARY)}^{_within(exponent, _PREFIX)}", _POWER
        case Call(function, (left, right)) if function in _INFIX:
            level, symbol = _INFIX[function]
            return f"{_within(left, level)} {symbol} {_within(right, level + 1)}", level
        case Call(function, arguments):
            return f"{function}({', '.join(to_text(argument) for argument in arguments)})", _PRIMARY


def _within(tree: Tree, level: int) -> str:
    text, own = _write(tree)
    return text if own >= level else f"({text})"
