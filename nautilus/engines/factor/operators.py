"""The vocabulary of the factor language: every operator with its argument kinds, bounds and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from nautilus.engines.factor import cross_section, elementwise, time_series, window_statistics
from nautilus.engines.factor.windows import Panel

type ArgumentKind = Literal["value", "panel", "group", "window", "real"]


class Shape(Enum):
    """Which cells of its operands one cell of the result depends on."""

    ELEMENTWISE = "elementwise"
    """The same cell."""
    WINDOW = "time_series"
    """The last rows of the same column."""
    RECURSIVE = "recursive"
    """All rows so far of the same column, through a state of one row."""
    CROSS_SECTION = "cross_section"
    """The whole row."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: a `value` (panel or number), a `panel`, a `group`, a `window` (rows) or a `real` constant."""

    name: str
    kind: ArgumentKind
    low: float = -1e300
    high: float = 1e300
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: `function` follows the conventions of the module that its shape names.

    `extra_rows` says how many rows beyond `window` - 1 before today a WINDOW function looks at (1 for lags).
    """

    name: str
    shape: Shape
    arguments: tuple[Argument, ...]
    function: Callable[..., Any]
    extra_rows: int = 0
    commutative: bool = False
    passes: int = field(default=1)
    """Rough cost per cell and row of window, in additions."""

    @property
    def signature(self) -> str:
        """How to write it: `ts_corr(x, y, window)`."""
        return f"{self.name}({', '.join(argument.name for argument in self.arguments)})"

    @property
    def meaning(self) -> str:
        """The first paragraph of the function's documentation."""
        return " ".join((self.function.__doc__ or "").split("\n\n")[0].split())


def _values(names: str) -> tuple[Argument, ...]:
    return tuple(Argument(name, "value") for name in names.split())


def _window(smallest: int = 1) -> Argument:
    return Argument("window", "window", low=smallest)


_X, _Y = Argument("x", "panel"), Argument("y", "panel")
_GROUP = Argument("group", "group")


def _elementwise() -> list[Operator]:
    e = elementwise
    plain: list[tuple[str, str, Callable[..., Any]]] = [
        ("sub", "x y", e.subtract), ("div", "x y", e.divide), ("pow", "x y", e.power),
        ("signedpower", "x y", e.signed_power), ("neg", "x", e.negate), ("abs", "x", e.absolute),
        ("sign", "x", e.sign), ("log", "x", e.logarithm), ("exp", "x", e.exponential), ("sqrt", "x", e.square_root),
        ("defined", "x", e.defined), ("where", "condition x y", e.where), ("lt", "x y", e.less),
        ("le", "x y", e.less_equal), ("not", "x", e.negation),
    ]  # fmt: skip
    symmetric: list[tuple[str, Callable[..., Any]]] = [
        ("add", e.add), ("mul", e.multiply), ("min", e.smaller), ("max", e.larger),
        ("eq", e.equal), ("ne", e.not_equal), ("and", e.both), ("or", e.either),
    ]  # fmt: skip
    shape = Shape.ELEMENTWISE
    return [
        *(Operator(name, shape, _values(names), function) for name, names, function in plain),
        *(Operator(name, shape, _values("x y"), function, commutative=True) for name, function in symmetric),
        Operator("clip", shape, (*_values("x"), Argument("low", "real"), Argument("high", "real")), e.clip),
        Operator("fill", shape, (*_values("x"), Argument("value", "real", default=0.0)), e.fill),
    ]


def _time_series() -> list[Operator]:
    t, s = time_series, window_statistics
    lag, half_life = Argument("rows", "window", low=1), Argument("half_life", "real", 1e-3, 1e6)
    single: list[tuple[str, int, int, Callable[..., Any]]] = [
        ("ts_sum", 1, 1, t.ts_sum), ("ts_mean", 1, 1, t.ts_mean), ("ts_product", 1, 1, t.ts_product),
        ("ts_min", 1, 1, t.ts_min), ("ts_max", 1, 1, t.ts_max), ("ts_argmax", 1, 3, t.ts_argmax),
        ("ts_argmin", 1, 3, t.ts_argmin), ("ts_rank", 1, 6, t.ts_rank), ("ts_median", 1, 10, t.ts_median),
        ("ts_var", 2, 6, s.ts_var), ("ts_std", 2, 6, s.ts_std), ("ts_zscore", 2, 8, s.ts_zscore),
        ("ts_skew", 3, 8, s.ts_skew), ("ts_kurt", 4, 10, s.ts_kurt), ("ts_slope", 2, 3, s.ts_slope),
        ("ts_rsquare", 3, 9, s.ts_rsquare), ("ts_residual", 3, 5, s.ts_residual),
        ("decay_linear", 1, 2, t.decay_linear),
    ]  # fmt: skip
    paired: list[tuple[str, bool, Callable[..., Any]]] = [
        ("ts_corr", True, s.ts_corr), ("ts_corr_or_zero", True, s.ts_corr_or_zero),
        ("ts_cov", True, s.ts_cov), ("ts_beta", False, s.ts_beta),
    ]  # fmt: skip
    shape = Shape.WINDOW
    return [
        Operator("delay", shape, (_X, lag), t.delay, extra_rows=1, passes=0),
        Operator("delta", shape, (_X, lag), t.delta, extra_rows=1, passes=0),
        *(Operator(name, shape, (_X, _window(low)), f, passes=passes) for name, low, passes, f in single),
        *(Operator(name, shape, (_X, _Y, _window(2)), f, commutative=c, passes=14) for name, c, f in paired),
        Operator(
            "ts_quantile", shape, (_X, _window(), Argument("probability", "real", 0.0, 1.0)), t.ts_quantile, passes=10
        ),
        Operator("decay_exp", shape, (_X, _window(), half_life), t.decay_exp, passes=2),
        Operator("compound_exp", shape, (_X, _window(), half_life), t.compound_exp, passes=3),
    ]


def _recursive() -> list[Operator]:
    shape = Shape.RECURSIVE
    steps = Argument("m", "real", 1e-9, 1e6)
    return [
        Operator("ema", shape, (_X, _window()), ema, passes=8),
        Operator("sma", shape, (_X, _window(), steps), sma, passes=8),
    ]


def ema(x: Panel, previous: Panel, window: int) -> tuple[Panel, Panel]:
    """Exponential moving average with weight 2 / (window + 1), started by the first number."""
    return time_series.recursive_mean(x, previous, 2.0 / (window + 1.0))


def sma(x: Panel, previous: Panel, window: int, m: float) -> tuple[Panel, Panel]:
    """Smoothed moving average y = (m x + (window - m) y') / window, started by the first number; m at most window."""
    return time_series.recursive_mean(x, previous, min(m / window, 1.0))


def _cross_section() -> list[Operator]:
    c = cross_section
    shape = Shape.CROSS_SECTION
    total = Argument("total", "real", default=1.0)
    share = Argument("share", "real", 0.0, 0.5, default=0.05)
    grouped: list[tuple[str, Callable[..., Any]]] = [
        ("group_mean", c.group_mean), ("group_neutralize", c.group_neutralize),
        ("group_zscore", c.group_zscore), ("group_rank", c.group_rank),
    ]  # fmt: skip
    return [
        Operator("rank", shape, (_X,), c.rank, passes=60),
        Operator("demean", shape, (_X,), c.demean, passes=8),
        Operator("zscore", shape, (_X,), c.zscore, passes=14),
        Operator("scale", shape, (_X, total), c.scale, passes=10),
        Operator("winsorize", shape, (_X, share), c.winsorize, passes=50),
        Operator("residual", shape, (_X, _Y), c.residual, passes=20),
        *(Operator(name, shape, (_X, _GROUP), function, passes=40) for name, function in grouped),
    ]


@cache
def operators() -> Mapping[str, Operator]:
    """Every operator by name.

    >>> operators()["ts_corr"].signature
    'ts_corr(x, y, window)'
    """
    every = [*_elementwise(), *_time_series(), *_recursive(), *_cross_section()]
    return MappingProxyType({operator.name: operator for operator in every})
