"""A request for the statistics of many series, answered."""

from __future__ import annotations

from math import isfinite

import numpy as np

from nautilus.engines.analytics.drawdowns import drawdown_table
from nautilus.engines.analytics.models import VALUES_LIMIT, PerformanceRequest, SeriesPerformance
from nautilus.engines.analytics.moments import Series
from nautilus.engines.analytics.performance import performance
from nautilus.errors import Invalid


def evaluate(request: PerformanceRequest) -> dict[str, SeriesPerformance]:
    """Statistics and drawdowns by series. Raises Invalid naming the field at fault."""
    periods = len(request.returns[0])
    if any(len(series) != periods for series in request.returns):
        raise Invalid("returns", "must be series of equal length")
    if periods * len(request.returns) > VALUES_LIMIT:
        raise Invalid("returns", f"must have at most {VALUES_LIMIT} numbers")
    names = request.names or [str(index) for index in range(len(request.returns))]
    if len(names) != len(request.returns) or len(set(names)) != len(names):
        raise Invalid("names", f"must be {len(request.returns)} different names")
    table = np.column_stack([_column(series) for series in request.returns])
    found = performance(
        table,
        None if request.benchmark is None else _column(request.benchmark),
        risk_free=request.risk_free,
        required_return=request.required_return,
        periods_per_year=request.periods_per_year,
        cutoff=request.cutoff,
    )
    return {
        name: SeriesPerformance(
            statistics={key: defined(float(values[index])) for key, values in found.items()},
            drawdowns=drawdown_table(table[:, index], request.drawdowns),
        )
        for index, name in enumerate(names)
    }


def defined(value: float) -> float | None:
    """The value, or None where it is NaN or infinite."""
    return value if isfinite(value) else None


def _column(series: list[float | None]) -> Series:
    return np.array([np.nan if value is None else value for value in series], dtype=np.float64)
