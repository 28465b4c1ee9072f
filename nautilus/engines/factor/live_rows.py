"""From bars and trades of many instruments to rows of a panel: one row for each interval in which anything traded.

Bars are merged into intervals of fixed length since the epoch, UTC. The volume-weighted price of a row comes from the
trades themselves and is NaN unless they account for the bars' volume exactly. An instrument without a trade in a row
keeps its last price and has volume 0, for a limited number of rows; after that, and before its first bar, its cells
are NaN. Columns are instruments in the order in which they first appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nautilus.model import Bar, Instrument, Trade

PRICES = ("open", "high", "low", "close", "vwap")
QUANTITIES = ("volume", "buy_volume", "trades")
BAR_FIELDS = (*PRICES, *QUANTITIES)


@dataclass(frozen=True, slots=True)
class Row:
    """One date of the panel, the end of its interval: each field [instruments], columns as in `instruments`."""

    ts_event: int
    instruments: tuple[str, ...]
    fields: dict[str, NDArray[np.float64]]


class IntervalVwap:
    """Volume-weighted price of one instrument's trades by time interval, for the interval in progress and the last."""

    __slots__ = ("_interval", "_notional", "_previous", "_volume")

    def __init__(self) -> None:
        self._interval = -1
        self._notional = 0
        self._volume = 0
        self._previous = (-1, 0, 0)

    def add(self, interval: int, price_ticks: int, size_lots: int) -> None:
        """Take a trade of interval number `interval`; one of an interval that is over is ignored."""
        if interval != self._interval:
            if interval < self._interval:
                return
            self._previous = (self._interval, self._notional, self._volume)
            self._interval, self._notional, self._volume = interval, 0, 0
        self._notional += price_ticks * size_lots
        self._volume += size_lots

    def ticks(self, interval: int, volume_lots: int) -> float:
        """The average price of an interval in ticks, NaN unless exactly `volume_lots` of it were seen.

        >>> vwap = IntervalVwap()
        >>> vwap.add(1, 100, 3); vwap.add(1, 104, 1)
        >>> vwap.ticks(1, 4), vwap.ticks(1, 5)
        (101.0, nan)
        """
        seen, notional, volume = self._previous
        if interval == self._interval:
            seen, notional, volume = self._interval, self._notional, self._volume
        return notional / volume if seen == interval and volume == volume_lots and volume else np.nan


class _Column:
    """One instrument: its bars of the row in progress, and what it carries over from the last."""

    __slots__ = ("bars", "close", "idle", "instrument", "vwap")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.vwap = IntervalVwap()
        self.bars: list[int] = []
        """Open, high, low, close in ticks; volume, bought volume in lots; trades."""
        self.close = np.nan
        self.idle = 0

    def merge(self, bar: Bar) -> None:
        if not self.bars:
            self.bars = [bar.open_ticks, bar.high_ticks, bar.low_ticks, bar.close_ticks, 0, 0, 0]
        bars = self.bars
        bars[1] = max(bars[1], bar.high_ticks)
        bars[2] = min(bars[2], bar.low_ticks)
        bars[3] = bar.close_ticks
        bars[4] += bar.volume_lots
        bars[5] += bar.buy_lots
        bars[6] += bar.trade_count

    def take(self, interval: int, carry_rows: int) -> Sequence[float]:
        """The cells of a row that is complete, in the order of BAR_FIELDS."""
        if not self.bars:
            self.idle += 1
            if self.idle > carry_rows or np.isnan(self.close):
                return _NOTHING
            return [self.close] * len(PRICES) + [0.0] * len(QUANTITIES)
        price, size = self.instrument.price, self.instrument.size
        opened, high, low, closed, volume, bought, count = self.bars
        self.bars, self.idle, self.close = [], 0, price(closed)
        average = price(self.vwap.ticks(interval, volume))
        return (price(opened), price(high), price(low), self.close, average, size(volume), size(bought), float(count))


_NOTHING = (np.nan,) * len(BAR_FIELDS)


class RowBuilder:
    """Collects bars and trades; a row is complete when a bar of a later interval comes, or when it is closed."""

    def __init__(self, interval_ns: int, maximum_instruments: int, carry_rows: int) -> None:
        self.late = 0
        self.refused = 0
        self._interval_ns = interval_ns
        self._limit = maximum_instruments
        self._carry = carry_rows
        self._columns: dict[str, _Column] = {}
        self._open_interval = -1
        self._done_interval = -1

    @property
    def instruments(self) -> tuple[str, ...]:
        """Every instrument seen so far."""
        return tuple(self._columns)

    @property
    def closes_at(self) -> int | None:
        """End of the row being collected, or None."""
        return (self._open_interval + 1) * self._interval_ns if self._open_interval >= 0 else None

    def add_trade(self, trade: Trade) -> None:
        """Take a trade of an instrument that has a column."""
        vwap = self._columns[trade.instrument_id].vwap
        vwap.add(trade.ts_event // self._interval_ns, trade.price_ticks, trade.size_lots)

    def has_column(self, instrument_id: str) -> bool:
        """Whether the instrument has a column."""
        return instrument_id in self._columns

    def open_column(self, instrument: Instrument) -> bool:
        """Make room for a new instrument; False when there are as many as allowed (counted in `refused`)."""
        if len(self._columns) >= self._limit:
            self.refused += 1
            return False
        self._columns[instrument.id] = _Column(instrument)
        return True

    def add_bar(self, bar: Bar) -> list[Row]:
        """Take a bar of an instrument that has a column; returns the row that this completes, if any.

        A bar of a row that is complete comes too late: it is counted in `late` and dropped.
        """
        interval = (bar.ts_event - 1) // self._interval_ns
        if interval <= self._done_interval or interval < self._open_interval:
            self.late += 1
            return []
        done = self.close() if interval > self._open_interval >= 0 else []
        self._open_interval = interval
        self._columns[bar.instrument_id].merge(bar)
        return done

    def close(self) -> list[Row]:
        """Complete the row being collected, if there is one."""
        ts_event = self.closes_at
        if ts_event is None:
            return []
        cells = np.array([column.take(self._open_interval, self._carry) for column in self._columns.values()]).T
        self._done_interval, self._open_interval = self._open_interval, -1
        fields = {name: np.ascontiguousarray(values) for name, values in zip(BAR_FIELDS, cells, strict=True)}
        return [Row(ts_event, tuple(self._columns), fields)]
