"""Estimates for the arrays of a request, checked as a whole before anything is computed."""

import numpy as np

from nautilus.engines.enhanced_vpin.models import BarsRequest, PinRequest, SpreadEstimates
from nautilus.engines.enhanced_vpin.pin import PinEstimate, estimate_pin
from nautilus.engines.enhanced_vpin.spread_estimators import abdi_ranaldo, corwin_schultz, edge, roll
from nautilus.errors import Invalid


def compute_pin(request: PinRequest) -> PinEstimate:
    """PIN of the request's counts; raises Invalid naming the field at fault."""
    return estimate_pin(np.array(request.buys, dtype=np.float64), np.array(request.sells, dtype=np.float64))


def compute_spreads(request: BarsRequest) -> SpreadEstimates:
    """Spreads of the request's bars; raises Invalid naming the field at fault."""
    columns = {name: np.array(getattr(request, name), dtype=np.float64) for name in ("open", "high", "low", "close")}
    for name, column in columns.items():
        if column.size != len(request.open):
            raise Invalid(name, f"must have {len(request.open)} values like open, not {column.size}")
    top, bottom = columns["high"], columns["low"]
    for name in ("open", "low", "close"):
        if (columns[name] > top).any() or (columns[name] < bottom).any():
            raise Invalid(name, "must lie between low and high in every bar")
    return spread_estimates(columns["open"], top, bottom, columns["close"])


def spread_estimates(
    open_: np.ndarray[tuple[int], np.dtype[np.float64]],
    high: np.ndarray[tuple[int], np.dtype[np.float64]],
    low: np.ndarray[tuple[int], np.dtype[np.float64]],
    close: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> SpreadEstimates:
    """All estimates of one set of bars."""
    return SpreadEstimates(
        roll=roll(close),
        corwin_schultz=corwin_schultz(high, low, close),
        abdi_ranaldo=abdi_ranaldo(high, low, close),
        edge=edge(open_, high, low, close),
    )
