"""Makes a market on both sides, and steps back from toxic flow: quotes widen and shrink as VPIN rises.

Prices are those of Avellaneda and Stoikov (2008): the reservation price leans against the inventory. The VPIN
percentile then multiplies the half-spread and takes from the size; at the configured toxicity level quotes are pulled.
"""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from nautilus.engines.strategy.strategies.avellaneda_stoikov import MidVariance, half_spread, reservation_offset
from nautilus.engines.strategy.strategy import Strategy, StrategyConfig
from nautilus.model.enums import Side

if TYPE_CHECKING:
    from nautilus.model.market import Quote
    from nautilus.model.messages import ToxicityAlert, VpinCalculation
    from nautilus.model.orders import Order


class VpinMarketMakerConfig(StrategyConfig, frozen=True, kw_only=True):
    """Prices in ticks, times in seconds, inventory in orders of `order_lots`."""

    order_lots: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Size of a quote in calm flow.")] = 100
    max_position_lots: Annotated[int, Meta(ge=1, le=10**12, description="Most it holds, long or short.")] = 500
    risk_aversion: Annotated[float, Meta(gt=0, le=100, description="Gamma, per tick and order.")] = 0.01
    horizon_seconds: Annotated[float, Meta(gt=0, le=86_400, description="How far ahead inventory is a risk.")] = 10.0
    arrival_decay: Annotated[float, Meta(gt=0, le=100, description="k: how fast fills thin out, per tick.")] = 0.5
    variance_half_life_seconds: Annotated[float, Meta(gt=0, le=86_400, description="Memory of the variance.")] = 60.0
    widen: Annotated[float, Meta(ge=0, le=100, description="Half-spreads added when VPIN is at its highest.")] = 2.0
    shrink: Annotated[float, Meta(ge=0, le=1, description="Share of the size given up then.")] = 0.8
    pull_at: Annotated[
        Literal["elevated", "high", "extreme"], Meta(description="Toxicity at which quotes are pulled.")
    ] = "extreme"
    requote_seconds: Annotated[float, Meta(ge=0, le=3600, description="Least time between changes of a quote.")] = 0.2
    requote_ticks: Annotated[int, Meta(ge=1, le=1_000_000, description="Least move that changes a quote.")] = 1


_SEVERITY = {"elevated": 1, "high": 2, "extreme": 3}


class _Market:
    """What it knows of one instrument, and its two quotes there."""

    __slots__ = ("changed_ns", "pulled", "quotes", "score", "variance")

    def __init__(self, half_life_seconds: float) -> None:
        self.variance = MidVariance(half_life_seconds)
        self.score = 0.0
        self.pulled = False
        self.quotes: dict[Side, Order | None] = {Side.BUY: None, Side.SELL: None}
        self.changed_ns = {Side.BUY: 0, Side.SELL: 0}


class VpinMarketMaker(Strategy[VpinMarketMakerConfig]):
    """One post-only order a side and instrument, moved with the market."""

    config_type = VpinMarketMakerConfig

    def __init__(self, config: VpinMarketMakerConfig) -> None:
        super().__init__(config)
        self._markets = {name: _Market(config.variance_half_life_seconds) for name in config.instrument_ids}
        self._pause_ns = round(config.requote_seconds * 1e9)

    def on_start(self) -> None:
        """Take over quotes that are still in the market after a restart."""
        for name, market in self._markets.items():
            for order in self.open_orders(name):
                if market.quotes[order.request.side] is None:
                    market.quotes[order.request.side] = order
                else:
                    self.cancel(order)

    def on_vpin(self, vpin: "VpinCalculation") -> None:
        """How toxic the flow is: the percentile of VPIN, or VPIN itself while there is too little history."""
        score = vpin.vpin if vpin.cdf is None else vpin.cdf
        self._markets[vpin.instrument_id].score = min(max(score, 0.0), 1.0)

    def on_toxicity(self, alert: "ToxicityAlert") -> None:
        """Pull the quotes while the flow is too toxic."""
        market = self._markets[alert.instrument_id]
        severe = alert.active and _SEVERITY.get(alert.level, 0) >= _SEVERITY[self.config.pull_at]
        if severe and not market.pulled:
            self.cancel_all(alert.instrument_id)
        market.pulled = severe

    def on_quote(self, quote: "Quote") -> None:
        """Move both quotes to where they should be now."""
        if quote.bid_lots <= 0 or quote.ask_lots <= 0:
            return
        market = self._markets[quote.instrument_id]
        mid = 0.5 * (quote.bid_ticks + quote.ask_ticks)
        market.variance.update(quote.ts_event, mid)
        if market.pulled:
            return
        bid, ask = self.prices(market.variance.value or 0.0, market.score, mid, self._inventory(quote.instrument_id))
        self._place(market, quote, Side.BUY, min(bid, quote.ask_ticks - 1))
        self._place(market, quote, Side.SELL, max(ask, quote.bid_ticks + 1))

    def prices(self, variance: float, score: float, mid: float, inventory: float) -> tuple[int, int]:
        """Bid and ask in ticks for a variance (ticks squared a second), a toxicity in [0, 1], and an inventory."""
        config = self.config
        centre = mid + reservation_offset(inventory, config.risk_aversion, variance, config.horizon_seconds)
        half = half_spread(config.risk_aversion, variance, config.horizon_seconds, config.arrival_decay)
        half *= 1.0 + config.widen * score
        return math.floor(centre - half), math.ceil(centre + half)

    def _inventory(self, instrument_id: str) -> float:
        return self.position(instrument_id) / self.config.order_lots

    def _size(self, market: _Market, side: Side, position: int) -> int:
        wanted = max(1, round(self.config.order_lots * (1.0 - self.config.shrink * market.score)))
        return max(0, min(wanted, self.config.max_position_lots - side * position))

    def _place(self, market: _Market, quote: "Quote", side: Side, price: int) -> None:
        now = self.clock.timestamp_ns()
        if now - market.changed_ns[side] < self._pause_ns:
            return
        size = self._size(market, side, self.position(quote.instrument_id))
        order = market.quotes[side]
        if order is None or not order.is_open:
            if size:
                market.changed_ns[side] = now
                market.quotes[side] = self.send(quote.instrument_id, side, size, price_ticks=price, post_only=True)
        elif not size:
            market.changed_ns[side] = now
            self.cancel(order)
        elif order.status.is_working and self._is_off(order, price, size):
            market.changed_ns[side] = now
            self.modify(order, price_ticks=price, quantity_lots=order.filled_lots + size)

    def _is_off(self, order: "Order", price: int, size: int) -> bool:
        held = order.price_ticks
        return held is None or abs(held - price) >= self.config.requote_ticks or order.remaining_lots > size
