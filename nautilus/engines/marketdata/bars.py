"""Bars by time, by number of trades and by volume: one trade at a time, or whole columns with the same result.

Boundaries. A time bar of step S covers [k S, (k + 1) S) since the epoch, UTC: a trade exactly on a boundary opens the
next bar. An interval without a trade has no bar. A tick bar has exactly N trades. A volume bar has exactly V lots: the
trade that completes it is split, and what is left of it opens the next bar; it counts as a trade in each of them.
A bar's `ts_init` is that of the trade that completed it, and of a time bar its close.
"""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.errors import Invalid
from nautilus.model import Bar, BarColumns, Side, Trade, TradeColumns

Integers = NDArray[np.int64]

NANOSECONDS = 1_000_000_000
NEVER_NS = 2**63 - 1
SPEC_PATTERN = r"^[1-9][0-9]{0,8}[stv]$"
SPEC = re.compile(SPEC_PATTERN)
_NOTHING: tuple[Bar, ...] = ()


class BarKind(IntEnum):
    """What completes a bar."""

    TIME = 0
    TICK = 1
    VOLUME = 2


class BarSpec(msgspec.Struct, frozen=True):
    """What completes a bar, and how much of it: `step` is in nanoseconds, trades or lots.

    >>> BarSpec.parse("60s"), str(BarSpec.parse("5000v"))
    (BarSpec(kind=<BarKind.TIME: 0>, step=60000000000), '5000v')
    """

    kind: BarKind
    step: int

    @classmethod
    def parse(cls, text: str) -> BarSpec:
        """Read "60s" (seconds), "100t" (trades) or "5000v" (lots); raises Invalid for anything else."""
        if not SPEC.fullmatch(text):
            raise Invalid("spec", f"must be a whole number and s, t or v, such as 60s, 100t or 5000v, not {text!r}")
        kind = BarKind("stv".index(text[-1]))
        return cls(kind, int(text[:-1]) * (NANOSECONDS if kind is BarKind.TIME else 1))

    def __str__(self) -> str:
        amount = self.step // NANOSECONDS if self.kind is BarKind.TIME else self.step
        return f"{amount}{'stv'[self.kind]}"


class BarAggregator:
    """Bars of one instrument and one spec, trade by trade, each in O(1) (and O(bars) where one trade fills many).

    >>> aggregator = BarAggregator("X.Y", BarSpec.parse("10v"))
    >>> bars = aggregator.update(Trade("X.Y", 100, 25, Side.BUY, 1, 7, 7))
    >>> [(bar.volume_lots, bar.buy_lots) for bar in bars], aggregator.current().volume_lots
    ([(10, 10), (10, 10)], 5)
    """

    __slots__ = (
        "_buy",
        "_close",
        "_closed_ns",
        "_count",
        "_high",
        "_low",
        "_open",
        "_ts_last",
        "_ts_open",
        "_volume",
        "instrument_id",
        "late",
        "spec",
        "spec_text",
    )

    def __init__(self, instrument_id: str, spec: BarSpec) -> None:
        self.instrument_id = instrument_id
        self.spec = spec
        self.spec_text = str(spec)
        self._open = self._high = self._low = self._close = 0
        self._volume = self._buy = self._count = self._ts_open = self._ts_last = self._closed_ns = 0
        self.late = 0

    @property
    def due_ns(self) -> int:
        """When the time bar in progress closes; far in the future where there is none."""
        return self._ts_open + self.spec.step if self._count and self.spec.kind is BarKind.TIME else NEVER_NS

    def update(self, trade: Trade) -> tuple[Bar, ...]:
        """Take in a trade (times must not run backwards); returns the bars that it completed, oldest first.

        A trade of a time bar that `advance` has closed already is counted in `late` and left out.
        """
        kind, step = self.spec.kind, self.spec.step
        if kind is BarKind.TIME:
            if trade.ts_event < self._closed_ns:
                self.late += 1
                return _NOTHING
            done = self.advance(trade.ts_event)
            self._add(trade, trade.size_lots, trade.ts_event - trade.ts_event % step)
            return done
        if kind is BarKind.TICK:
            self._add(trade, trade.size_lots, trade.ts_event)
            return (self._complete(trade.ts_event, trade.ts_init),) if self._count == step else _NOTHING
        if self._volume + trade.size_lots < step:
            self._add(trade, trade.size_lots, trade.ts_event)
            return _NOTHING
        bars, remaining = [], trade.size_lots
        while self._volume + remaining >= step:
            lots = step - self._volume
            self._add(trade, lots, trade.ts_event)
            bars.append(self._complete(trade.ts_event, trade.ts_init))
            remaining -= lots
        if remaining:
            self._add(trade, remaining, trade.ts_event)
        return tuple(bars)

    def advance(self, now_ns: int) -> tuple[Bar, ...]:
        """Time has reached `now_ns`: returns the time bar that this completes, if any."""
        if self._count and self.spec.kind is BarKind.TIME and now_ns >= self._ts_open + self.spec.step:
            close = self._closed_ns = self._ts_open + self.spec.step
            return (self._complete(close, close),)
        return _NOTHING

    def current(self) -> Bar | None:
        """The bar in progress, ending for now with its last trade; None where it has no trade yet."""
        return self._bar(self._ts_last, self._ts_last) if self._count else None

    def _add(self, trade: Trade, lots: int, ts_open: int) -> None:
        price = trade.price_ticks
        if not self._count:
            self._open = self._high = self._low = price
            self._ts_open = ts_open
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume += lots
        self._count += 1
        self._ts_last = trade.ts_event
        if trade.aggressor == Side.BUY:
            self._buy += lots

    def _bar(self, ts_event: int, ts_init: int) -> Bar:
        return Bar(
            self.instrument_id,
            self.spec_text,
            self._open,
            self._high,
            self._low,
            self._close,
            self._volume,
            self._buy,
            self._count,
            self._ts_open,
            ts_event,
            ts_init,
        )

    def _complete(self, ts_event: int, ts_init: int) -> Bar:
        bar = self._bar(ts_event, ts_init)
        self._volume = self._buy = self._count = 0
        return bar


def _bars_reference(
    kind: int,
    step: int,
    until_ns: int,
    price: Integers,
    size: Integers,
    aggressor: Integers,
    time: Integers,
    out: Integers,
) -> int:
    aggregator = BarAggregator("", BarSpec(BarKind(kind), step))
    bars: list[tuple[Bar, int]] = []
    for row in range(len(price)):
        trade = Trade(
            "", int(price[row]), int(size[row]), Side(int(aggressor[row])), row, int(time[row]), int(time[row])
        )
        bars.extend((bar, row if kind else -1) for bar in aggregator.update(trade))
    bars.extend((bar, -1) for bar in aggregator.advance(until_ns))
    for number, (bar, row) in enumerate(bars):
        out[number] = [*(getattr(bar, name) for name in BarColumns.names()[:-1]), row]
    return len(bars)


def _bars_example() -> tuple[int, int, int, Integers, Integers, Integers, Integers, Integers]:
    column = np.array([1, 2])
    trades = TradeColumns("X.Y", column, column, np.ones(2, np.int64), column, column, column)
    out = np.zeros((4, 10), np.int64)
    return 1, 1, 3, trades.price_ticks, trades.size_lots, trades.aggressor, trades.ts_event, out


@kernel(reference=_bars_reference, example=_bars_example)
def aggregate_columns(
    kind: int,
    step: int,
    until_ns: int,
    price: Integers,
    size: Integers,
    aggressor: Integers,
    time: Integers,
    out: Integers,
) -> int:
    """Fill `out` [bars, 10] with open, high, low, close, volume, buy volume, trades, ts_open, ts_event and last row.

    `kind` and `step` as in BarSpec; a time bar that closes at or before `until_ns` is complete. Returns how many.
    """
    bars, volume, buy, count = 0, 0, 0, 0
    for row in range(len(price)):
        remaining = size[row]
        if kind == 0 and count > 0 and time[row] >= out[bars, 7] + step:
            out[bars, 4], out[bars, 5], out[bars, 6] = volume, buy, count
            out[bars, 8], out[bars, 9] = out[bars, 7] + step, -1
            bars, volume, buy, count = bars + 1, 0, 0, 0
        while remaining > 0:
            lots = min(remaining, step - volume) if kind == 2 else remaining
            remaining -= lots
            if count == 0:
                out[bars, 0] = out[bars, 1] = out[bars, 2] = price[row]
                out[bars, 7] = time[row] - time[row] % step if kind == 0 else time[row]
            out[bars, 1], out[bars, 2] = max(out[bars, 1], price[row]), min(out[bars, 2], price[row])
            out[bars, 3] = price[row]
            volume, count = volume + lots, count + 1
            if aggressor[row] > 0:
                buy += lots
            if (kind == 1 and count == step) or (kind == 2 and volume == step):
                out[bars, 4], out[bars, 5], out[bars, 6] = volume, buy, count
                out[bars, 8], out[bars, 9] = time[row], row
                bars, volume, buy, count = bars + 1, 0, 0, 0
    if kind == 0 and count > 0 and until_ns >= out[bars, 7] + step:
        out[bars, 4], out[bars, 5], out[bars, 6] = volume, buy, count
        out[bars, 8], out[bars, 9] = out[bars, 7] + step, -1
        bars += 1
    return bars


def aggregate(
    trades: TradeColumns, spec: BarSpec, until_ns: int | None = None, max_bars: int = 10_000_000
) -> BarColumns:
    """The completed bars of a column of trades, equal to what BarAggregator gives for them one by one.

    A time bar is complete when a later trade, or `until_ns`, reaches its close. Raises Invalid where times run
    backwards, sizes are not positive, or more than `max_bars` would result.

    >>> trades = TradeColumns("X.Y", [100, 101, 99], [1, 2, 3], [1, -1, 1], [1, 2, 3], [5, 6, 7], [5, 6, 7])
    >>> bars = aggregate(trades, BarSpec.parse("2t"))
    >>> bars.close_ticks.tolist(), bars.volume_lots.tolist(), bars.buy_lots.tolist()
    ([101], [3], [1])
    """
    time, size = trades.ts_event, trades.size_lots
    if np.any(np.diff(time) < 0):
        raise Invalid("ts_event", f"runs backwards at row {int(np.argmax(np.diff(time) < 0)) + 1}")
    if np.any(size <= 0):
        raise Invalid("size_lots", f"is not positive at row {int(np.argmax(size <= 0))}")
    if spec.kind is BarKind.TIME:
        most = len(np.unique(time // spec.step))
    else:
        most = (len(time) if spec.kind is BarKind.TICK else int(size.sum())) // spec.step
    if most > max_bars:
        raise Invalid("spec", f"{spec} would give {most} bars, more than {max_bars}")
    out = np.empty((most + 1, 10), np.int64)
    until = int(time[-1]) if until_ns is None and len(time) else (until_ns or 0)
    count = aggregate_columns(int(spec.kind), spec.step, until, trades.price_ticks, size, trades.aggressor, time, out)
    last_row = out[:count, 9]
    ts_init = out[:count, 8] if spec.kind is BarKind.TIME else trades.ts_init[last_row]
    opened, high, low, close, volume, buy, trade_count, begin, end = (out[:count, column] for column in range(9))
    return BarColumns(trades.instrument_id, opened, high, low, close, volume, buy, trade_count, begin, end, ts_init)
