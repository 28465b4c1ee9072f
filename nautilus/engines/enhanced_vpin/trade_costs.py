"""What a trade cost: effective spread, and its split into realised spread and price impact at horizons.

Effective = 2 side (price - midpoint); price impact = 2 side (midpoint later - midpoint); realised = effective - impact.
All relative to the midpoint at the trade, in basis points. Huang and Stoll (1996), Bessembinder and Kaufman (1997).
"""

from collections import deque
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeCosts:
    """Basis points, [trades]; impact and realised [horizons, trades]. NaN where a midpoint or the side is not known."""

    effective: Floats
    impact: Floats
    realised: Floats


def trade_costs(
    ts: Integers,
    price: Integers,
    side: Integers,
    quote_ts: Integers,
    bid: Integers,
    ask: Integers,
    horizons_ns: tuple[int, ...],
) -> TradeCosts:
    """Costs of each trade; trades [trades] and quotes [quotes] in order of time, prices in ticks.

    The midpoint at a moment is that of the last quote stamped not later; a horizon past the last quote gives NaN.
    """
    midpoint = np.where((bid > 0) & (ask > 0), (bid + ask) / 2.0, np.nan)
    now = _in_force(ts, quote_ts, midpoint)
    sign = np.where(side != 0, side, np.nan)
    effective = 2e4 * sign * (price - now) / now
    later = np.array([_in_force(ts + horizon, quote_ts, midpoint, censor=True) for horizon in horizons_ns])
    impact = 2e4 * sign * (later.reshape(len(horizons_ns), ts.size) - now) / now
    return TradeCosts(effective, impact, effective - impact)


def _in_force(ts: Integers, quote_ts: Integers, midpoint: Floats, *, censor: bool = False) -> Floats:
    row = np.searchsorted(quote_ts, ts, side="right") - 1
    known = row >= 0
    if censor and quote_ts.size:
        known &= ts <= quote_ts[-1]
    return np.where(known, midpoint[np.maximum(row, 0)], np.nan) if quote_ts.size else np.full(ts.shape, np.nan)


class HorizonCost(msgspec.Struct, frozen=True):
    """Mean price impact and realised spread at one horizon, in basis points, over `trades`; None before the first."""

    horizon_ns: int
    impact_bps: float | None
    realised_bps: float | None
    trades: int


class CostMeter:
    """Running means of the same costs, trade by trade: weight 1 / min(trades so far, span), so recent ones count.

    Feed quotes and trades in order of time. At most `capacity` trades wait for a horizon; beyond, the oldest are left
    out and counted in `dropped`.
    """

    __slots__ = (
        "_effective",
        "_impact",
        "_midpoint",
        "_next_due",
        "_resolved",
        "_trades",
        "_waiting",
        "capacity",
        "dropped",
        "horizons_ns",
        "span",
    )

    def __init__(self, horizons_ns: tuple[int, ...], span: int, capacity: int = 65_536) -> None:
        if not horizons_ns or min(horizons_ns) < 1 or span < 1:
            raise Invalid("horizons_ns", "must name at least one positive horizon")
        self.horizons_ns = horizons_ns
        self.span = span
        self.capacity = capacity
        self.dropped = 0
        self._midpoint = 0.0
        self._effective = 0.0
        self._trades = 0
        self._waiting: list[deque[tuple[int, int, float, float]]] = [deque() for _ in horizons_ns]
        self._impact = [[0.0, 0.0] for _ in horizons_ns]
        self._resolved = [0] * len(horizons_ns)
        self._next_due = 1 << 63

    def on_quote(self, ts: int, midpoint: float) -> None:
        """A new midpoint in ticks (0 where a side is missing)."""
        if ts > self._next_due:
            self._resolve(ts)
        self._midpoint = midpoint

    def on_trade(self, ts: int, price: int, side: int) -> None:
        """A trade of known side (1 or -1) at `price` ticks; without a midpoint in force it cannot be measured."""
        if ts > self._next_due:
            self._resolve(ts)
        midpoint = self._midpoint
        if not midpoint or not side:
            return
        effective = 2e4 * side * (price - midpoint) / midpoint
        self._trades += 1
        self._effective += (effective - self._effective) / min(self._trades, self.span)
        for waiting, horizon in zip(self._waiting, self.horizons_ns, strict=True):
            due = ts + horizon
            self._next_due = min(self._next_due, due)
            if len(waiting) == self.capacity:
                waiting.popleft()
                self.dropped += 1
            waiting.append((due, side, midpoint, effective))

    def _resolve(self, ts: int) -> None:
        midpoint, following = self._midpoint, 1 << 63
        for k, waiting in enumerate(self._waiting):
            means = self._impact[k]
            while waiting and waiting[0][0] < ts:
                _, side, before, effective = waiting.popleft()
                if midpoint:
                    self._resolved[k] += 1
                    weight = 1.0 / min(self._resolved[k], self.span)
                    impact = 2e4 * side * (midpoint - before) / before
                    means[0] += weight * (impact - means[0])
                    means[1] += weight * (effective - impact - means[1])
            if waiting and waiting[0][0] < following:
                following = waiting[0][0]
        self._next_due = following

    @property
    def effective_bps(self) -> float | None:
        """Mean effective spread; None before the first measured trade."""
        return self._effective if self._trades else None

    @property
    def trades(self) -> int:
        """Trades measured."""
        return self._trades

    def horizons(self) -> list[HorizonCost]:
        """Means by horizon."""
        return [
            HorizonCost(horizon, means[0] if count else None, means[1] if count else None, count)
            for horizon, means, count in zip(self.horizons_ns, self._impact, self._resolved, strict=True)
        ]
