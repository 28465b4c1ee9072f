"""Features made of features: one fed with another's values, or several put together by a formula."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nautilus.engines.features.arithmetic import ARRAY, SCALAR, Array
from nautilus.engines.features.feature import Computation, Feature, Parameter, Stream
from nautilus.engines.features.talib_functions import TalibComputation


@dataclass(frozen=True, slots=True)
class Chained:
    """`second` of the values of `first`, from the row on at which `first` has warmed up."""

    first: Computation
    second: Computation

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""
        return self.first.warm_up + self.second.warm_up

    def batch(self, *columns: Array) -> Array:
        """The chain at every row, shape [rows]; NaN in warm-up."""
        out = np.full(len(columns[0]), np.nan)
        start = self.first.warm_up
        if len(out) > start:
            out[start:] = self.second.batch(np.ascontiguousarray(self.first.batch(*columns)[start:]))
        return out

    def stream(self) -> "ChainedStream":
        """A new streaming form that has seen nothing."""
        return ChainedStream(self.first.stream(), self.second.stream(), self.first.warm_up)


class ChainedStream:
    """A chain row by row."""

    __slots__ = ("_first", "_remaining", "_second")

    def __init__(self, first: Stream, second: Stream, warm_up: int) -> None:
        self._first, self._second = first, second
        self._remaining = warm_up

    def push(self, *row: float) -> None:
        """Take one more row."""
        if self._remaining:
            self._remaining -= 1
            self._first.push(*row)
        else:
            self._second.push(self._first.update(*row))

    @property
    def value(self) -> float:
        """The chain after the last row; NaN while it warms up."""
        return self._second.value

    def update(self, *row: float) -> float:
        """Take one more row and return the chain after it."""
        self.push(*row)
        return self.value


@dataclass(frozen=True, slots=True)
class Combined:
    """combine(arithmetic, values of `parts`, row): every part sees the columns at its indices."""

    parts: tuple[tuple[Computation, tuple[int, ...]], ...]
    combine: Callable[..., Any]

    @property
    def warm_up(self) -> int:
        """The number of leading rows without a value."""
        return max(part.warm_up for part, _ in self.parts)

    def batch(self, *columns: Array) -> Array:
        """The combination at every row, shape [rows]; NaN in warm-up."""
        out = np.full(len(columns[0]), np.nan)
        start = self.warm_up
        if len(out) > start:
            values = [part.batch(*(columns[i] for i in indices))[start:] for part, indices in self.parts]
            with np.errstate(all="ignore"):
                out[start:] = self.combine(ARRAY, values, tuple(column[start:] for column in columns))
        return out

    def stream(self) -> "CombinedStream":
        """A new streaming form that has seen nothing."""
        return CombinedStream(self)


class CombinedStream:
    """A combination row by row."""

    __slots__ = ("_combine", "_parts", "_remaining", "_row")

    def __init__(self, combined: Combined) -> None:
        self._parts = tuple((part.stream(), indices) for part, indices in combined.parts)
        self._combine = combined.combine
        self._remaining = combined.warm_up + 1
        self._row: tuple[float, ...] = ()

    def push(self, *row: float) -> None:
        """Take one more row."""
        self._row = row
        if self._remaining:
            self._remaining -= 1
        for part, indices in self._parts:
            part.push(*(row[i] for i in indices))

    @property
    def value(self) -> float:
        """The combination after the last row; NaN while it warms up."""
        if self._remaining:
            return math.nan
        return float(self._combine(SCALAR, [part.value for part, _ in self._parts], self._row))

    def update(self, *row: float) -> float:
        """Take one more row and return the combination after it."""
        self.push(*row)
        return self.value


def bollinger_position(timeperiod: int, deviations: float) -> Combined:
    """(close - lower band) / (upper band - lower band)."""
    bands: dict[str, int | float] = {"timeperiod": timeperiod, "nbdevup": deviations, "nbdevdn": deviations}
    upper = TalibComputation("BBANDS", bands, 0)
    lower = TalibComputation("BBANDS", bands, 2)
    return Combined(
        ((upper, (0,)), (lower, (0,))),
        lambda a, values, row: a.ratio(row[0] - values[1], values[0] - values[1]),
    )


def atr_percentile(timeperiod: int, rank_period: int) -> Chained:
    """Percentile rank of the average true range among its own last values."""
    return Chained(
        TalibComputation("ATR", {"timeperiod": timeperiod}, 0),
        TalibComputation("PERCENTRANK", {"timeperiod": rank_period}, 0),
    )


def momentum_rank(timeperiod: int, rank_period: int) -> Chained:
    """Percentile rank of the rate of change among its own last values."""
    return Chained(
        TalibComputation("ROC", {"timeperiod": timeperiod}, 0),
        TalibComputation("PERCENTRANK", {"timeperiod": rank_period}, 0),
    )


def trend_strength(timeperiod: int) -> Combined:
    """Average directional index with the sign of the prevailing direction."""
    period: dict[str, int | float] = {"timeperiod": timeperiod}
    bars = (0, 1, 2)
    return Combined(
        (
            (TalibComputation("ADX", period, 0), bars),
            (TalibComputation("PLUS_DI", period, 0), bars),
            (TalibComputation("MINUS_DI", period, 0), bars),
        ),
        lambda a, values, row: values[0] * ((values[1] > values[2]) * 2.0 - 1.0),
    )


_PERIOD = Parameter("timeperiod", 14, 2, 10_000, "number of bars")
_RANK = Parameter("rank_period", 100, 2, 10_000, "number of values ranked against")
FEATURES = (
    Feature(
        "bollinger_position",
        "Where the close lies between the Bollinger bands: 0 at the lower, 1 at the upper.",
        "fraction of the band's width",
        "Bollinger (2001), Bollinger on Bollinger Bands: %b.",
        ("bars.close",),
        lambda _, p: bollinger_position(int(p["timeperiod"]), p["deviations"]),
        (
            Parameter("timeperiod", 20, 2, 10_000, "number of bars"),
            Parameter("deviations", 2.0, 0.01, 100.0, "half width in standard deviations"),
        ),
        group="composite",
    ),
    Feature(
        "atr_percentile",
        "Percentile rank of the average true range among its own last values.",
        "percent",
        "Wilder (1978), New concepts in technical trading systems, for the range.",
        ("bars.high", "bars.low", "bars.close"),
        lambda _, p: atr_percentile(int(p["timeperiod"]), int(p["rank_period"])),
        (_PERIOD, _RANK),
        group="composite",
    ),
    Feature(
        "momentum_rank",
        "Percentile rank of the rate of change among its own last values.",
        "percent",
        "Definition: PERCENTRANK of ROC.",
        ("bars.close",),
        lambda _, p: momentum_rank(int(p["timeperiod"]), int(p["rank_period"])),
        (_PERIOD, _RANK),
        group="composite",
    ),
    Feature(
        "trend_strength",
        "Average directional index, negative where the prevailing direction is down.",
        "in [-100, 100]",
        "Wilder (1978), New concepts in technical trading systems.",
        ("bars.high", "bars.low", "bars.close"),
        lambda _, p: trend_strength(int(p["timeperiod"])),
        (_PERIOD,),
        group="composite",
    ),
)
