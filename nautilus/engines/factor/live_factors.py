"""The live factor set: every definition whose inputs the live panel has, advanced row by row, and factor returns.

Runs off the loop; one thread at a time. Nothing here knows of clock, bus or instruments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor.definition import library
from nautilus.engines.factor.exposures import one_hot
from nautilus.engines.factor.factor_returns import FactorReturns, estimate_factor_returns
from nautilus.engines.factor.graph import Graph
from nautilus.engines.factor.live_rows import BAR_FIELDS, Row
from nautilus.engines.factor.streaming import StreamEvaluator

LIVE_FIELDS = frozenset((*BAR_FIELDS, "market_cap", "sector"))
_STYLE = "style "


@dataclass(frozen=True, slots=True)
class Attributes:
    """What does not change by row: each instrument's shares outstanding (NaN unknown) and sector name ("" none)."""

    shares: Mapping[str, float]
    sectors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LiveReturns:
    """Factor returns of the last row, over the exposures known before it."""

    ts_event: int
    estimate: FactorReturns
    sectors: tuple[str, ...]
    styles: tuple[str, ...]
    weighting: Literal["market_cap", "equal"]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrossSection:
    """Values of every live factor after a row, by instrument, None where undefined. `rows` seen so far."""

    ts_event: int
    rows: int
    instruments: tuple[str, ...]
    values: Mapping[str, Mapping[str, float | None]]
    returns: LiveReturns | None


class LiveFactors:
    """Holds the stream of one live panel.

    `formulas` maps the name of each live factor to its formula, `styles` that of each style of the return model.
    """

    def __init__(self, formulas: Mapping[str, str], styles: Mapping[str, str]) -> None:
        self._graph = Graph()
        self._names = tuple(formulas)
        for name, formula in formulas.items():
            self._graph.add(name, formula)
        self._styles = tuple(styles)
        for name, formula in styles.items():
            self._graph.add(_STYLE + name, formula)
        self._needs_caps = any("market_cap" in self._graph[name].fields for name in self._graph.outputs)
        self._sector_codes: dict[str, int] = {}
        self.reset()

    @property
    def lookbacks(self) -> dict[str, int]:
        """Rows that one value of each factor needs."""
        return {name: self._graph[name].rows for name in self._names}

    @property
    def cross_sectional(self) -> frozenset[str]:
        """The factors that compare instruments with one another."""
        return frozenset(name for name in self._names if self._graph[name].cross_sectional)

    def reset(self) -> None:
        """Forget every row; the next one is the first."""
        self._stream: StreamEvaluator | None = None
        self._rows = 0
        self._close: NDArray[np.float64] = np.empty(0)
        self._caps: NDArray[np.float64] = np.empty(0)
        self._exposures: dict[str, NDArray[np.float64]] = {}

    def advance(self, rows: Sequence[Row], attributes: Attributes) -> CrossSection:
        """Take rows in order of time; returns the cross-section after the last. Raises ValueError without a row."""
        if not rows:
            raise ValueError("no rows")
        for row in rows:
            outputs, returns = self._push(row, attributes)
        names = rows[-1].instruments
        values = {name: dict(zip(names, numbers(outputs[name]), strict=True)) for name in self._names}
        return CrossSection(rows[-1].ts_event, self._rows, names, values, returns)

    def _push(self, row: Row, attributes: Attributes) -> tuple[dict[str, NDArray[np.float64]], LiveReturns | None]:
        columns = len(row.instruments)
        if self._stream is None:
            self._stream = StreamEvaluator(self._graph, columns)
        elif self._stream.columns < columns:
            self._stream.widen(columns)
        fields = self._fields(row, attributes)
        outputs = self._stream.push(fields)
        returns = self._factor_returns(row, fields["close"], attributes)
        self._rows += 1
        self._close, self._caps = fields["close"], fields["market_cap"]
        self._exposures = {name: outputs[_STYLE + name] for name in self._styles}
        return outputs, returns

    def _fields(self, row: Row, attributes: Attributes) -> dict[str, NDArray[np.float64]]:
        shares = np.array([attributes.shares.get(name, np.nan) for name in row.instruments])
        for name in row.instruments:
            sector = attributes.sectors.get(name, "")
            if sector and sector not in self._sector_codes:
                self._sector_codes[sector] = len(self._sector_codes)
        codes = np.array([self._sector_codes.get(attributes.sectors.get(name, ""), np.nan) for name in row.instruments])
        return {**row.fields, "market_cap": row.fields["close"] * shares, "sector": codes}

    def _factor_returns(self, row: Row, close: NDArray[np.float64], attributes: Attributes) -> LiveReturns | None:
        """Returns of this row on the exposures and capitalisations after the row before."""
        known = self._close.size
        with np.errstate(all="ignore"):
            returns = close[:known] / self._close - 1.0
        if np.isfinite(returns).sum() < 2:
            return None
        left_out: list[str] = []
        caps = self._caps
        weighting: Literal["market_cap", "equal"] = "market_cap"
        if not np.isfinite(caps[np.isfinite(returns)]).all():
            caps, weighting = np.ones(known), "equal"
            left_out.append("market capitalisation: shares outstanding unknown for some instrument; equal weights")
        sectors, membership = self._sector_model(row.instruments[:known], returns, attributes, left_out)
        styles = self._style_model(returns, left_out)
        scores = np.column_stack([self._exposures[name] for name in styles]) if styles else np.empty((known, 0))
        estimate = estimate_factor_returns(
            returns[None], caps[None], membership, scores[None], winsor_share=None, constraint="cap"
        )
        return LiveReturns(row.ts_event, estimate, sectors, styles, weighting, tuple(left_out))

    def _sector_model(
        self, names: Sequence[str], returns: NDArray[np.float64], attributes: Attributes, left_out: list[str]
    ) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        of_each = [attributes.sectors.get(name, "") for name in names]
        sectors = tuple(sorted({sector for sector in of_each if sector}))
        assets = int(np.isfinite(returns).sum())
        if "" in of_each or len(sectors) < 2 or assets < 2 * len(sectors):
            left_out.append(f"sectors: {assets} instruments are too few for {len(sectors)} sectors, or one has none")
            return (), np.empty((len(names), 0))
        return sectors, one_hot([sectors.index(sector) for sector in of_each], len(sectors))

    def _style_model(self, returns: NDArray[np.float64], left_out: list[str]) -> tuple[str, ...]:
        """Styles whose exposure is known for every asset with a return, as many as the assets can bear."""
        present = np.isfinite(returns)
        chosen: list[str] = []
        for name in self._styles:
            exposure = self._exposures.get(name)
            if exposure is None or not np.isfinite(exposure[present]).all():
                left_out.append(f"style {name}: exposure not known yet for every instrument")
            elif present.sum() < 2 * (len(chosen) + 1):
                left_out.append(f"style {name}: {int(present.sum())} instruments are too few")
            else:
                chosen.append(name)
        return tuple(chosen)


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """A row as messages have it: None for what is not a finite number.

    >>> numbers(np.array([1.0, np.nan]))
    [1.0, None]
    """
    return [value if finite else None for value, finite in zip(values.tolist(), np.isfinite(values), strict=True)]


def live_formulas(chosen: Iterable[str], expressions: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Formulas that a live panel can compute, and for the other names the reason why not.

    `chosen` are names of the library (empty: all of it); `expressions` are added under their own names. Raises KeyError
    for a name that the library lacks and ExpressionError for an expression that is wrong.
    """
    definitions = library()
    wanted = {name: definitions[name].formula for name in (list(chosen) or definitions)}
    graph = Graph()
    formulas: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name, formula in {**wanted, **expressions}.items():
        graph.add(name, formula)
        missing = sorted(graph[name].fields - LIVE_FIELDS)
        if missing:
            reasons[name] = f"the live panel has no {', '.join(missing)}"
        else:
            formulas[name] = formula
    return formulas, reasons
