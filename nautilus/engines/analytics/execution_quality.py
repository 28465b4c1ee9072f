"""Execution quality: what orders cost against the market at their arrival and against the market they met."""

from __future__ import annotations

import msgspec

from nautilus.model import Side


class ExecutionQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Costs of fills in basis points of the arrival mid (of the fill's own mid for the spread), weighted by value.

    Positive is a cost. `arrival_slippage_bps`: fill price against the mid when the order was submitted;
    `effective_half_spread_bps`: fill price against the mid at the fill; `delay_and_impact_bps`: the mid at the fill
    against the mid at arrival, so that where both are known the first is, to first order, the sum of the other two.
    None: no fill had the prices that it needs.
    """

    fills: int
    lots: int
    notional: float
    fees: float
    fee_bps: float | None
    arrival_slippage_bps: float | None
    effective_half_spread_bps: float | None
    delay_and_impact_bps: float | None
    fills_with_arrival: int
    fills_with_market: int
    maker_share: float | None


def cost_bps(side: Side, price: float, reference: float) -> float:
    """Cost of trading at `price` against `reference` (same unit), in basis points of it; negative is better.

    >>> round(cost_bps(Side.BUY, 100.05, 100.0), 6), round(cost_bps(Side.SELL, 100.05, 100.0), 6)
    (5.0, -5.0)
    """
    return int(side) * (price - reference) / reference * 1e4


class ExecutionTally(msgspec.Struct):
    """Running sums of the costs of fills, in constant time and memory."""

    fills: int = 0
    lots: int = 0
    maker: int = 0
    with_arrival: int = 0
    with_market: int = 0
    value: float = 0.0
    fees: float = 0.0
    arrival: float = 0.0
    arrival_value: float = 0.0
    spread: float = 0.0
    spread_value: float = 0.0
    drift: float = 0.0
    drift_value: float = 0.0

    def add(
        self,
        side: Side,
        lots: int,
        price_ticks: float,
        value: float,
        fee: float,
        *,
        arrival_ticks: float | None,
        market_ticks: float | None,
        maker: bool,
    ) -> None:
        """Take in one fill worth `value` > 0, with the mids at arrival and at the fill where they are known."""
        self.fills += 1
        self.lots += lots
        self.value += value
        self.fees += fee
        self.maker += maker
        if arrival_ticks is not None and arrival_ticks > 0:
            self.with_arrival += 1
            self.arrival += value * cost_bps(side, price_ticks, arrival_ticks)
            self.arrival_value += value
        if market_ticks is not None and market_ticks > 0:
            self.with_market += 1
            self.spread += value * cost_bps(side, price_ticks, market_ticks)
            self.spread_value += value
        if arrival_ticks is not None and market_ticks is not None and arrival_ticks > 0:
            self.drift += value * cost_bps(side, market_ticks, arrival_ticks)
            self.drift_value += value

    def quality(self) -> ExecutionQuality:
        """The costs so far."""
        return ExecutionQuality(
            fills=self.fills,
            lots=self.lots,
            notional=self.value,
            fees=self.fees,
            fee_bps=1e4 * self.fees / self.value if self.value else None,
            arrival_slippage_bps=self.arrival / self.arrival_value if self.arrival_value else None,
            effective_half_spread_bps=self.spread / self.spread_value if self.spread_value else None,
            delay_and_impact_bps=self.drift / self.drift_value if self.drift_value else None,
            fills_with_arrival=self.with_arrival,
            fills_with_market=self.with_market,
            maker_share=self.maker / self.fills if self.fills else None,
        )
