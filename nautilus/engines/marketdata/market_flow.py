"""A simulated market in columns: order flow with the clustering of a real day, at millions of events a second.

Limit orders, cancellations and market orders of both sides arrive by a Hawkes process, GOOG's unless another is given,
thinned exactly. They meet a ladder of price levels. Makers place and cancel around their belief, which follows public
value with a delay and learns from market orders. Time is cut into episodes; in some there is private news, and then a
burst of informed market orders buys while the true value is above the ask, and sells while it is below the bid; they
excite further flow as any order does. A flash crash can be switched on. Informed or not, true value: all is exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import msgspec
import numpy as np

from nautilus.engines.marketdata import market_flow_kernel as flow
from nautilus.engines.marketdata.fundamental import TRADING_SECONDS_A_YEAR
from nautilus.engines.marketdata.goog_flow import goog_process
from nautilus.engines.marketdata.hawkes import Floats, HawkesProcess, Integers
from nautilus.engines.marketdata.hawkes_fit import FLOW_TYPES
from nautilus.errors import Invalid
from nautilus.model import BookDeltaColumns, TradeColumns


class MarketLaws(msgspec.Struct, frozen=True, kw_only=True):
    """Laws of a market. Rates per second, bps of the price, `lots` the usual order; crash in seconds from the start.

    `resting_lots` is what a side holds when cancellations are of the size of orders: they grow with what rests.
    `crash_at` None: no crash. Raises Invalid naming what is out of bounds.
    """

    first_price_ticks: int = 18_000
    lots: int = 100
    resting_lots: int = 12_000
    half_spread_bps: float = 1.0
    placement_bps: float = 2.0
    impact_bps: float = 0.5
    belief_seconds: float = 5.0
    annual_volatility: float = 0.4
    episode_seconds: float = 60.0
    informed_probability: float = 0.25
    informed_per_second: float = 1.0
    smallest_news_bps: float = 15.0
    largest_news_bps: float = 40.0
    crash_at: float | None = None
    crash_seconds: float = 10.0
    crash_depth: float = 0.08

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not 0 <= value < inf:
                raise Invalid(name, "must be finite and not negative")
        for name in ("lots", "resting_lots", "placement_bps", "belief_seconds", "episode_seconds", "crash_seconds"):
            if not getattr(self, name) > 0:
                raise Invalid(name, "must be positive")
        if not 100 <= self.first_price_ticks <= 10_000_000:
            raise Invalid("first_price_ticks", "must be in 100..10000000")
        if self.informed_probability > 1:
            raise Invalid("informed_probability", "must be in 0..1")
        if self.largest_news_bps < self.smallest_news_bps:
            raise Invalid("largest_news_bps", "must not be below smallest_news_bps")
        if not self.crash_depth < 0.5:
            raise Invalid("crash_depth", "must be below 0.5")


@dataclass(frozen=True, slots=True, eq=False)
class FlowColumns:
    """Rows of order flow, one for each level that an order touched; arrays [rows].

    `kind`: FLOW_TYPES. `side`: of the book, 1 bids, -1 asks. `lots`: added, cancelled or traded. `level_lots`: what is
    left at the price. `last`: 1 on an order's last row. `source`: 0 noise, 1 informed, 2 the seller of a crash.
    `order`: number of the order or cancellation. `value`, `public_value`: what is true and what is known, in ticks.
    """

    instrument_id: str
    ts_event: Integers
    kind: Integers
    side: Integers
    price_ticks: Integers
    lots: Integers
    level_lots: Integers
    last: Integers
    source: Integers
    order: Integers
    value: Floats
    public_value: Floats

    def __len__(self) -> int:
        return len(self.kind)

    def trades(self) -> TradeColumns:
        """The trades, a row for each level that a market order met; `trade_id` is the row, from 1."""
        (rows,) = np.nonzero(self.kind >= FLOW_TYPES.index("market_buy"))
        time = self.ts_event[rows]
        columns = self.price_ticks[rows], self.lots[rows], -self.side[rows], rows + 1
        return TradeColumns(self.instrument_id, *columns, time, time)

    def deltas(self) -> BookDeltaColumns:
        """The level changes, one a row."""
        levels = self.side, self.price_ticks, self.level_lots, self.last
        return BookDeltaColumns(self.instrument_id, *levels, self.ts_event, self.ts_event)

    def informed_fraction(self) -> float:
        """Informed market orders over all market orders; NaN where there is none."""
        orders = self.last[self.kind >= FLOW_TYPES.index("market_buy")] == 1
        source = self.source[self.kind >= FLOW_TYPES.index("market_buy")][orders]
        return float(np.mean(source == flow.INFORMED)) if len(source) else float("nan")


class MarketFlow:
    """One simulated instrument. The same seed gives the same rows to the bit, however they are cut into batches.

    >>> columns = MarketFlow(seed=1).generate(1000)
    >>> len(columns), bool((MarketFlow(seed=1).generate(1000).price_ticks == columns.price_ticks).all())
    (1000, True)
    """

    def __init__(
        self,
        laws: MarketLaws | None = None,
        *,
        seed: int,
        start_ns: int = 0,
        process: HawkesProcess | None = None,
        instrument_id: str = "FLOW.SIM",
    ) -> None:
        self.laws = laws = laws or MarketLaws()
        self.process = process = process or goog_process()
        self.instrument_id = instrument_id
        if process.baseline.size != len(FLOW_TYPES):
            raise Invalid("process", f"must have {len(FLOW_TYPES)} types, not {process.baseline.size}")
        if not np.all(process.mean_rates > 0):
            raise Invalid("process", "must have a positive rate of every type")
        self._start_ns = start_ns
        self._laws = _numbers(laws)
        excitation = process.excitation.transpose(1, 2, 0).copy()
        self._process = process.baseline.copy(), excitation, process.decay.copy()
        self._excited = np.zeros(excitation.shape[1:])
        middle = log(laws.first_price_ticks)
        self._numbers = np.array([0.0, middle, middle, 0.0, 0.0])
        rows = 4 * laws.first_price_ticks
        self._state = np.array([0, rows - 1, rows - 1, 0, 0, 0, 0], np.int64)
        self._ladder = np.zeros((2, rows), np.int64)
        self._draws = np.random.Generator(np.random.PCG64(seed))
        self._waiting = np.empty((0, 9), np.int64), np.empty((0, 2))

    def generate(self, rows: int) -> FlowColumns:
        """The next `rows` rows; raises Invalid where they are negative."""
        if rows < 0:
            raise Invalid("rows", "must not be negative")
        ints, truth = np.empty((rows + flow.SPARE_ROWS, 9), np.int64), np.empty((rows + flow.SPARE_ROWS, 2))
        have = min(len(self._waiting[0]), rows)
        ints[:have], truth[:have] = self._waiting[0][:have], self._waiting[1][:have]
        filled = have
        if have < rows:
            filled += flow.run_flow(
                self._laws,
                self.laws.lots,
                self._start_ns,
                *self._process,
                self._excited,
                self._numbers,
                self._state,
                self._ladder,
                self._draws,
                ints[have:],
                truth[have:],
            )
            self._waiting = ints[rows:filled].copy(), truth[rows:filled].copy()
        else:
            self._waiting = self._waiting[0][have:], self._waiting[1][have:]
        time, kind, side, price, lots, level, last, source, order = (ints[:rows, column].copy() for column in range(9))
        value, public = truth[:rows, 0].copy(), truth[:rows, 1].copy()
        return FlowColumns(self.instrument_id, time, kind, side, price, lots, level, last, source, order, value, public)


def _numbers(laws: MarketLaws) -> Floats:
    """The laws as the kernel reads them."""
    begin = inf if laws.crash_at is None else laws.crash_at
    return np.array(
        [
            laws.half_spread_bps / 10_000,
            laws.placement_bps / 10_000,
            laws.impact_bps / 10_000,
            laws.belief_seconds,
            laws.annual_volatility / sqrt(TRADING_SECONDS_A_YEAR),
            laws.resting_lots,
            laws.episode_seconds,
            laws.informed_probability,
            laws.informed_per_second,
            laws.smallest_news_bps / 10_000,
            laws.largest_news_bps / 10_000,
            begin,
            begin + laws.crash_seconds,
            laws.crash_depth,
        ]
    )
