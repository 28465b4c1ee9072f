"""Follows the crossing of two exponential moving averages of the price: long while the fast one is above."""

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from nautilus.engines.strategy.strategy import Strategy, StrategyConfig
from nautilus.errors import Invalid
from nautilus.model.enums import Side

if TYPE_CHECKING:
    from nautilus.model.market import Bar, Quote


class EmaCrossConfig(StrategyConfig, frozen=True, kw_only=True):
    """Periods count quotes, or bars where `bar_spec` is given."""

    fast: Annotated[int, Meta(ge=1, le=100_000, description="Period of the fast average.")] = 100
    slow: Annotated[int, Meta(ge=2, le=1_000_000, description="Period of the slow average.")] = 400
    trade_lots: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Position taken, long or short.")] = 100
    bar_spec: Annotated[
        str, Meta(pattern=r"^([0-9]{1,9}[stv])?$", description='Bars to use, such as "1s"; empty for quotes.')
    ] = ""
    long_only: Annotated[bool, Meta(description="Go flat instead of short.")] = False

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise Invalid("fast", f"must be less than slow ({self.slow}), not {self.fast}")


class _Averages:
    """Both averages of one instrument; alpha = 2 / (period + 1), begun with the first price."""

    __slots__ = ("above", "count", "fast", "fast_alpha", "slow", "slow_alpha")

    def __init__(self, fast: int, slow: int) -> None:
        self.fast_alpha = 2.0 / (fast + 1)
        self.slow_alpha = 2.0 / (slow + 1)
        self.fast = 0.0
        self.slow = 0.0
        self.count = 0
        self.above: bool | None = None

    def update(self, price: float) -> None:
        self.count += 1
        if self.count == 1:
            self.fast = self.slow = price
        else:
            self.fast += self.fast_alpha * (price - self.fast)
            self.slow += self.slow_alpha * (price - self.slow)


class EmaCross(Strategy[EmaCrossConfig]):
    """Market orders on each crossing, after `slow` prices have been seen. Equal averages change nothing."""

    config_type = EmaCrossConfig

    def __init__(self, config: EmaCrossConfig) -> None:
        super().__init__(config)
        self._averages = {name: _Averages(config.fast, config.slow) for name in config.instrument_ids}
        self._warm_up = config.slow
        self._on_quotes = not config.bar_spec

    def bar_specs(self) -> tuple[str, ...]:
        """The configured bars."""
        return () if self._on_quotes else (self.config.bar_spec,)

    def on_quote(self, quote: "Quote") -> None:
        """Follow the mid price."""
        if self._on_quotes and quote.bid_lots and quote.ask_lots:
            self._follow(quote.instrument_id, 0.5 * (quote.bid_ticks + quote.ask_ticks))

    def on_bar(self, bar: "Bar") -> None:
        """Follow the close."""
        self._follow(bar.instrument_id, float(bar.close_ticks))

    def save(self) -> dict[str, Any]:
        """The averages."""
        return {name: [item.fast, item.slow, item.count, item.above] for name, item in self._averages.items()}

    def load(self, state: dict[str, Any]) -> None:
        """The averages, of instruments still configured."""
        for name, (fast, slow, count, above) in state.items():
            if name in self._averages:
                item = self._averages[name]
                item.fast, item.slow, item.count, item.above = fast, slow, count, above

    def _follow(self, instrument_id: str, price: float) -> None:
        averages = self._averages[instrument_id]
        averages.update(price)
        fast, slow = averages.fast, averages.slow
        if averages.count < self._warm_up or fast == slow:
            return
        above = fast > slow
        if above is not averages.above:
            first, averages.above = averages.above is None, above
            if not first:
                self._cross(instrument_id, above, (fast - slow) / slow if slow else 0.0)

    def _cross(self, instrument_id: str, above: bool, gap: float) -> None:
        side = Side.BUY if above else Side.SELL
        self.signal(instrument_id, side, gap, "the fast average is above" if above else "the fast average is below")
        target = self.config.trade_lots if above else 0 if self.config.long_only else -self.config.trade_lots
        change = target - self.position(instrument_id) - self.pending_lots(instrument_id)
        if change:
            self.send(instrument_id, Side.BUY if change > 0 else Side.SELL, abs(change))
