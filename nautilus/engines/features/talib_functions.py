"""TA-Lib's functions as features: its batch functions on columns, its stateful streams row by row.

A TA-Lib stream opens on as many rows as the function looks back, plus one; from that row on it gives what the batch
function gives, bit for bit. Candle patterns and indices come as floats. TA-Lib takes over a second to import (it
imports pandas where that is installed), so it is imported when the first of its features is asked for.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nautilus.engines.features.arithmetic import Array
from nautilus.engines.features.feature import Feature, Parameter
from nautilus.errors import Invalid

if TYPE_CHECKING:
    from types import ModuleType

REFERENCE = "TA-Lib {version}, https://ta-lib.org/functions/"
UNITS = {
    "Pattern Recognition": "signal: -200 to 200, 0 for none",
    "Overlap Studies": "the input's",
    "Price Transform": "the input's",
    "Math Operators": "the inputs'",
    "Math Transform": "function of the input",
    "Volume Indicators": "indicator",
    "Volatility Indicators": "indicator",
    "Momentum Indicators": "indicator",
    "Cycle Indicators": "indicator",
    "Statistic Functions": "statistic of the input",
}


@cache
def _talib() -> "tuple[ModuleType, Any]":
    import talib
    from talib import abstract

    return talib, abstract


@dataclass(frozen=True, slots=True)
class TalibComputation:
    """One output of a TA-Lib function with its parameters fixed. Raises Invalid for parameters that TA-Lib refuses."""

    function: str
    parameters: Mapping[str, int | float]
    output: int
    warm_up: int = field(init=False)

    def __post_init__(self) -> None:
        talib, abstract = _talib()
        description = abstract.Function(self.function, **self.parameters)
        try:
            getattr(talib, self.function)(*[np.ones(2)] * len(_inputs(description)), **self.parameters)
        except Exception as error:
            raise Invalid("parameters", f"{self.function} refuses {dict(self.parameters)}") from error
        object.__setattr__(self, "warm_up", int(description.lookback))

    def batch(self, *columns: Array) -> Array:
        """The output at every row, shape [rows]; NaN in warm-up, which begins at the first row without a NaN."""
        talib, _ = _talib()
        out = np.full(len(columns[0]), np.nan)
        defined = np.logical_and.reduce([~np.isnan(column) for column in columns])
        start = int(defined.argmax()) + self.warm_up if defined.any() else len(out)
        if len(out) > start:
            result = getattr(talib, self.function)(*map(np.ascontiguousarray, columns), **self.parameters)
            chosen = result[self.output] if isinstance(result, tuple) else result
            out[start:] = chosen[start:]
        return out

    def stream(self) -> "TalibStream":
        """A new streaming form that has seen nothing."""
        return TalibStream(self)


class TalibStream:
    """A TA-Lib stream with the rows before it could be opened."""

    __slots__ = ("_computation", "_history", "_opened", "_output", "_row_update", "value")

    def __init__(self, computation: TalibComputation) -> None:
        self._computation = computation
        self._output = computation.output
        self._history: list[tuple[float, ...]] = []
        self._opened: Any = None
        self._row_update: Any = None
        self.value = math.nan

    def update(self, *row: float) -> float:
        """Take one more row and return the output after it; NaN while it warms up."""
        if self._row_update is None:
            self._collect(row)
        else:
            result = self._row_update(*row)
            self.value = float(result[self._output] if type(result) is tuple else result)
        return self.value

    def push(self, *row: float) -> None:
        """Take one more row."""
        self.update(*row)

    def _collect(self, row: tuple[float, ...]) -> None:
        if not self._history and any(map(math.isnan, row)):
            return
        self._history.append(row)
        if len(self._history) <= self._computation.warm_up:
            return
        talib, _ = _talib()
        columns = [np.array(column) for column in zip(*self._history, strict=True)]
        opened = getattr(talib.stream, self._computation.function)(*columns, **self._computation.parameters)
        result = opened.value
        self.value = float(result[self._output] if isinstance(result, tuple) else result)
        self._opened, self._row_update = opened, opened.update
        self._history = []


def _inputs(description: Any) -> tuple[str, ...]:
    """Names of a function's inputs in the order of its arguments."""
    names: list[str] = []
    for value in description.input_names.values():
        names += value if isinstance(value, (list, tuple)) else [value]
    return tuple(names)


def _parameter(name: str, default: int | float) -> Parameter:
    if "matype" in name:
        return Parameter(name, default, 0, 13, "kind of moving average, TA-Lib's MA_Type")
    if isinstance(default, int):
        return Parameter(name, default, 0, 100_000, "number of rows")
    return Parameter(name, default, -1e6, 1e6)


def _feature(name: str, description: Any, version: str) -> Feature:
    def build(output: str, parameters: Mapping[str, int | float]) -> TalibComputation:
        return TalibComputation(name, parameters, outputs.index(output))

    information = description.info
    outputs = tuple(information["output_names"])
    group = information["group"]
    return Feature(
        name,
        information["display_name"] + ".",
        UNITS[group],
        REFERENCE.format(version=version) + name.lower(),
        tuple(f"bars.{column}" for column in _inputs(description)),
        build,
        tuple(_parameter(key, value) for key, value in information["parameters"].items()),
        outputs,
        f"talib: {group}",
    )


def talib_features() -> tuple[Feature, ...]:
    """Every function of the installed TA-Lib. `bars.periods` (of MAVP) is a column that the caller must supply."""
    talib, abstract = _talib()
    version = talib.__ta_version__.decode().split()[0]
    return tuple(_feature(name, abstract.Function(name), version) for name in talib.get_functions())
