"""What a feature is: a name, parameters, inputs, a unit, a reference, and a computation in two equal forms."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from nautilus.engines.features.arithmetic import Array
from nautilus.errors import Invalid

COLUMNS: dict[str, tuple[str, ...]] = {
    "bars": ("open", "high", "low", "close", "volume", "buy_volume", "trade_count"),
    "quotes": ("bid", "ask", "bid_size", "ask_size", "mid"),
    "trades": ("price", "size", "side"),
}
"""The columns of each kind of market data: prices in currency, sizes in units, side +1 bought, -1 sold, 0 unknown."""


class Stream(Protocol):
    """The streaming form: rows in, one at a time; the feature's value out."""

    def push(self, *row: float) -> None:
        """Take one more row."""

    @property
    def value(self) -> float:
        """The feature after the last row; NaN while it warms up."""

    def update(self, *row: float) -> float:
        """Take one more row and return the feature after it."""


class Computation(Protocol):
    """A feature with its parameters fixed, in both forms."""

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""

    def batch(self, *columns: Array) -> Array:
        """The feature at every row, shape [rows]; columns are contiguous float64 of equal length."""

    def stream(self) -> Stream:
        """A new streaming form that has seen nothing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a feature: integral where its default is an int."""

    name: str
    default: int | float
    minimum: float
    maximum: float
    description: str = ""

    def check(self, value: float) -> int | float:
        """The value with its proper type; raises Invalid out of range, or where an integer is wanted and not given."""
        field = f"parameters.{self.name}"
        if not math.isfinite(value) or not self.minimum <= value <= self.maximum:
            raise Invalid(field, f"must be between {self.minimum:g} and {self.maximum:g}, not {value!r}")
        if not isinstance(self.default, int):
            return float(value)
        if value != int(value):
            raise Invalid(field, f"must be a whole number, not {value!r}")
        return int(value)


type Build = Callable[[str, Mapping[str, int | float]], Computation]


def fixed(computation: Computation) -> Build:
    """The build of a feature without parameters."""
    return lambda _output, _parameters: computation


def built_by(factory: Callable[..., Computation]) -> Build:
    """The build of a feature with one output whose parameters are the factory's arguments."""
    return lambda _output, parameters: factory(**parameters)


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the registry. `inputs` are columns as "kind.column"; `build` fixes the parameters."""

    name: str
    description: str
    unit: str
    reference: str
    inputs: tuple[str, ...]
    build: Build
    parameters: tuple[Parameter, ...] = ()
    outputs: tuple[str, ...] = ("value",)
    group: str = "microstructure"

    def bind(self, output: str = "", **parameters: float) -> "BoundFeature":
        """Fix the parameters (defaults where not given) and choose one output (the first where not given).

        Raises Invalid for an unknown output or parameter, and for a value out of range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in parameters:
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise Invalid(f"parameters.{name}", f"is not a parameter of {self.name}; it has: {allowed}")
        if output and output not in self.outputs:
            raise Invalid("output", f"must be one of {', '.join(self.outputs)}, not {output!r}")
        values = {name: parameter.check(parameters.get(name, parameter.default)) for name, parameter in known.items()}
        chosen = output or self.outputs[0]
        return BoundFeature(self, values, chosen, self.build(chosen, values))


@dataclass(frozen=True, slots=True)
class BoundFeature:
    """A feature with its parameters fixed and one output chosen: what is computed and streamed."""

    feature: Feature
    parameters: Mapping[str, int | float]
    output: str
    computation: Computation

    @property
    def label(self) -> str:
        """A name that says everything: "MACD.macdhist(12,26,9)", "order_flow_imbalance(100)"."""
        name = self.feature.name
        if len(self.feature.outputs) > 1:
            name += f".{self.output}"
        values = ",".join(f"{value:g}" for value in self.parameters.values())
        return f"{name}({values})" if values else name

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""
        return self.computation.warm_up

    def batch(self, *columns: Array) -> Array:
        """The feature at every row, shape [rows], one column for each of the feature's inputs; NaN in warm-up.

        Raises Invalid where the number of columns is not that of the inputs or their lengths differ.
        """
        names = ", ".join(self.feature.inputs)
        if len(columns) != len(self.feature.inputs):
            raise Invalid("columns", f"{self.feature.name} needs {len(self.feature.inputs)}: {names}")
        if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
            raise Invalid("columns", f"{names} must be one-dimensional and of equal length")
        return self.computation.batch(*columns)

    def stream(self) -> Stream:
        """A new streaming form that has seen nothing."""
        return self.computation.stream()
