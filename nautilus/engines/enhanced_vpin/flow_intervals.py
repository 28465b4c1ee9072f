"""Trades and quotes of one instrument gathered into intervals, and the price's response to what flowed in each."""

import math
from collections import deque
from typing import NamedTuple

from nautilus.engines.enhanced_vpin.order_flow import order_flow_event
from nautilus.engines.enhanced_vpin.regression import RollingRegression
from nautilus.engines.enhanced_vpin.usual import Usual

OUTLIER = 16.0
"""A squared return counts in what is usual as at most so many usual ones: a crash does not become usual."""


class PriceBar(NamedTuple):
    """Open, high, low and close of the trades of one interval, in ticks."""

    open: int
    high: int
    low: int
    close: int


class FlowIntervals:
    """Sums of the open interval in whole numbers; what the last intervals say about impact, volume and liquidity.

    Prices are midpoints in half ticks (twice the last trade where a side of the quote is missing), volumes in lots;
    `lot_value` is the currency that a lot is worth at a price of one tick. An interval without a trade or quote is left
    out; after a pause of `PAUSE` intervals the price starts anew, so that a night is no response to flow.
    """

    PAUSE = 10

    __slots__ = (
        "_depth_count",
        "_depth_sum",
        "_end",
        "_high",
        "_interval",
        "_last",
        "_low",
        "_open",
        "_quote",
        "_start_middle",
        "_touched",
        "amihud",
        "bars",
        "base_impact",
        "depth",
        "depth_loss",
        "flow",
        "flow_response",
        "intervals",
        "last_flow",
        "lot_value",
        "middle",
        "net_lots",
        "recent_impact",
        "root_impact",
        "root_value",
        "value",
        "variance",
        "variance_recent",
        "volatility_ratio",
        "volume",
        "volume_deviations",
        "volume_usual",
    )

    def __init__(self, interval_ns: int, window: int, recent: int, span: int, minimum: int, lot_value: float) -> None:
        self._interval = interval_ns
        self.lot_value = lot_value
        self._end = 0
        self._quote = (0, 0, 0, 0)
        self.middle = self._start_middle = 0
        self._touched = False
        self._open = self._high = self._low = self._last = 0
        self.volume = self.net_lots = self.flow = self.last_flow = self.intervals = 0
        self._depth_sum = self._depth_count = 0
        self.value = self.root_value = 0.0
        self.base_impact = RollingRegression(window)
        self.recent_impact = RollingRegression(recent)
        self.root_impact = RollingRegression(window)
        self.flow_response = RollingRegression(window)
        self.amihud: deque[float] = deque(maxlen=window)
        self.bars: deque[PriceBar] = deque(maxlen=window)
        self.volume_usual = Usual(span, minimum)
        self.depth = Usual(span, minimum)
        self.variance = Usual(span, minimum)
        self.variance_recent = Usual(recent, min(recent, minimum))
        self.volume_deviations: float | None = None
        self.volatility_ratio: float | None = None
        self.depth_loss: float | None = None

    def on_quote(self, ts: int, bid: int, bid_lots: int, ask: int, ask_lots: int) -> bool:
        """Take a quote; True where it closed an interval."""
        closed = ts >= self._end and self._turn(ts)
        before = self._quote
        self._quote = (bid, bid_lots, ask, ask_lots)
        if bid <= 0 or ask <= 0:
            return closed
        if before[0] > 0 and before[2] > 0:
            self.flow += order_flow_event(*before, bid, bid_lots, ask, ask_lots)
        self.middle = bid + ask
        self._depth_sum += bid_lots + ask_lots
        self._depth_count += 1
        self._touched = True
        if not self._start_middle:
            self._start_middle = self.middle
        return closed

    def on_trade(self, ts: int, price: int, lots: int, side: int) -> bool:
        """Take a trade of known side; True where it closed an interval."""
        closed = ts >= self._end and self._turn(ts)
        if not self.volume:
            self._open = self._high = self._low = price
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._last = price
        value = price * lots * self.lot_value
        self.volume += lots
        self.net_lots += side * lots
        self.value += value
        self.root_value += side * math.sqrt(value)
        self._touched = True
        if self._quote[0] <= 0 or self._quote[2] <= 0:
            self.middle = 2 * price
            if not self._start_middle:
                self._start_middle = self.middle
        return closed

    def advance(self, ts: int) -> bool:
        """Close the open interval if it has ended by `ts`; True where it did."""
        return self._end != 0 and ts >= self._end and self._turn(ts)

    def _turn(self, ts: int) -> bool:
        closed = self._touched
        if closed:
            self._close()
        if self._end and ts >= self._end + self.PAUSE * self._interval:
            self._start_middle = 0
        self._end = (ts // self._interval + 1) * self._interval
        return closed

    def _close(self) -> None:
        self.intervals += 1
        change, start = self.middle - self._start_middle, self._start_middle
        if start > 0:
            self.base_impact.add(self.net_lots, change)
            self.recent_impact.add(self.net_lots, change)
            self.flow_response.add(self.flow, change)
            log_return = math.log(self.middle / start)
            self.root_impact.add(self.root_value, log_return)
            self._weigh_volatility(log_return * log_return)
            if self.value > 0.0:
                self.amihud.append(abs(log_return) / self.value)
        self.volume_deviations = self.volume_usual.deviations(self.volume)
        self.volume_usual.add(self.volume)
        if self._depth_count:
            depth = self._depth_sum / self._depth_count
            ratio = self.depth.ratio(depth)
            self.depth_loss = None if ratio is None else 1.0 - ratio
            self.depth.add(depth)
        if self.volume:
            self.bars.append(PriceBar(self._open, self._high, self._low, self._last))
        self.last_flow, self._start_middle, self._touched = self.flow, self.middle, False
        self.volume = self.net_lots = self.flow = self._depth_sum = self._depth_count = 0
        self.value = self.root_value = 0.0

    def _weigh_volatility(self, squared: float) -> None:
        """Recent mean square against the usual one before this interval, whose own weight there is limited."""
        self.variance_recent.add(squared)
        recent, usual = self.variance_recent.mean, self.variance.mean
        self.volatility_ratio = math.sqrt(recent / usual) if recent is not None and usual else None
        self.variance.add(min(squared, OUTLIER * usual) if usual else squared)

    @property
    def quote(self) -> tuple[int, int, int, int]:
        """Bid, bid lots, ask, ask lots of the last quote."""
        return self._quote

    @property
    def last_price(self) -> int:
        """Price of the last trade in ticks, 0 before the first."""
        return self._last

    def fall(self, bars: int) -> float | None:
        """1 - last price / highest of the last `bars` intervals and the open one; None before a trade."""
        if not self._last:
            return None
        highest = max(self._last, self._high if self.volume else 0)
        for k in range(1, min(bars, len(self.bars)) + 1):
            highest = max(highest, self.bars[-k].high)
        return 1.0 - self._last / highest
