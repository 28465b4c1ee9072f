"""Bars of whole columns of trades by any rule, compiled: equal to what BarBuilder gives for them one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit, kernel
from nautilus.engines.marketdata.bar_builder import BEFORE_NS, BarBuilder
from nautilus.engines.marketdata.bar_policy import BarCounts, LatePolicy, SessionTimes
from nautilus.engines.marketdata.bar_rule import NEVER_NS, BarRule, Criterion, Unit
from nautilus.errors import Invalid
from nautilus.model import Bar, BarColumns, Side, Trade, TradeColumns

Integers = NDArray[np.int64]

_TIME, _TOTAL, _RUN = int(Criterion.TIME), int(Criterion.TOTAL), int(Criterion.RUN)
_LOTS, _VALUE = int(Unit.LOTS), int(Unit.VALUE)
_LARGEST_VALUE = 2**62


def _fill_reference(
    rule: tuple[int, int, int, int, int, int, int, int],
    until_ns: int,
    opens: Integers,
    closes: Integers,
    price: Integers,
    size: Integers,
    aggressor: Integers,
    time: Integers,
    out: Integers,
    counts: Integers,
) -> int:
    criterion, unit, step, span, least, most, by_aggressor, late = rule
    parsed = BarRule(
        criterion=Criterion(criterion),
        unit=Unit(unit),
        step=step,
        span=span,
        least_trades=least,
        most_trades=most,
        by_aggressor=bool(by_aggressor),
    )
    sessions = SessionTimes(opens, closes) if len(opens) else None
    builder = BarBuilder("", parsed, sessions, LatePolicy(late))
    bars: list[tuple[Bar, int]] = []
    for row in range(len(price)):
        moment = int(time[row])
        side = Side(int(aggressor[row]))
        trade = Trade("", int(price[row]), int(size[row]), side, row, moment, BEFORE_NS)
        bars += [(bar, row if bar.ts_init == BEFORE_NS else -1) for bar in builder.update(trade)]
    bars += [(bar, -1) for bar in builder.advance(until_ns)]
    for number, (bar, row) in enumerate(bars):
        out[number] = [*(getattr(bar, name) for name in BarColumns.names()[:-1]), row]
    found = builder.counts
    counts[:] = [found.late_dropped, found.late_added, found.outside_sessions]
    return len(bars)


def _fill_example() -> tuple[object, ...]:
    column, none = np.array([1, 2], np.int64), np.empty(0, np.int64)
    trades = TradeColumns("X.Y", column, column, np.ones(2, np.int64), column, column, column)
    out, counts = np.zeros((4, 10), np.int64), np.zeros(3, np.int64)
    columns = trades.price_ticks, trades.size_lots, trades.aggressor, trades.ts_event
    return (1, 1, 1, 20, 1, 10, 0, 0), 3, none, none, *columns, out, counts


@jit
def _close_bar(out: Integers, bar: int, held: tuple[int, int, int], ts_event: int, row: int) -> int:
    # held: volume, buy volume, trades
    out[bar, 4], out[bar, 5], out[bar, 6] = held
    out[bar, 8], out[bar, 9] = ts_event, row
    return bar + 1


@kernel(reference=_fill_reference, example=_fill_example)
def fill_bars(
    rule: tuple[int, int, int, int, int, int, int, int],
    until_ns: int,
    opens: Integers,
    closes: Integers,
    price: Integers,
    size: Integers,
    aggressor: Integers,
    time: Integers,
    out: Integers,
    counts: Integers,
) -> int:
    """Fill `out` [bars, 10] with open, high, low, close, volume, buy volume, trades, ts_open, ts_event and last row.

    `rule` is criterion, unit, step, span, least and most trades, whether signs are the aggressors', and LatePolicy.
    `opens` and `closes` [sessions], none where there are no sessions. `counts` [3]: late trades dropped and added,
    trades outside of sessions. The last row is -1 where a bar ended by time. Returns the number of bars.
    """
    criterion, unit, step, span, least, most, by_aggressor, add_late = rule
    bars, volume, buy, count, total, up, down = 0, 0, 0, 0, 0, 0, 0
    latest, session, session_open, due = BEFORE_NS, -1, BEFORE_NS, NEVER_NS
    session_close = BEFORE_NS if len(opens) else NEVER_NS
    sign, last_price, is_first, learnt = 0, 0, True, False
    expected, expected_up, expected_down, threshold = 0.0, 0.0, 0.0, 0.0
    for row in range(len(price)):
        moment = time[row]
        if moment < latest:
            if add_late == 0 or moment < session_open or latest >= session_close:
                counts[0] += 1
                continue
            counts[1] += 1
            moment = latest
        latest = moment
        if count > 0 and moment >= due:
            bars = _close_bar(out, bars, (volume, buy, count), due, -1)
            volume, buy, count, total, up, down = 0, 0, 0, 0, 0, 0
        if moment >= session_close:
            while session + 1 < len(opens) and opens[session + 1] <= moment:
                session += 1
            if session < 0 or moment >= closes[session]:
                counts[2] += 1
                continue
            session_open, session_close = opens[session], closes[session]
        remaining = size[row]
        while remaining > 0:
            lots, amount = remaining, 1
            if criterion == _TOTAL and unit == _LOTS:
                lots = amount = min(remaining, step - total)
            elif criterion == _TOTAL and unit == _VALUE:
                lots = min(remaining, -((total - step) // price[row]))
                amount = lots * price[row]
            remaining -= lots
            if count == 0:
                out[bars, 0] = out[bars, 1] = out[bars, 2] = price[row]
                out[bars, 7], due = moment, session_close
                if criterion == _TIME:
                    start = moment - moment % step
                    out[bars, 7], due = max(start, session_open), min(start + step, session_close)
            out[bars, 1], out[bars, 2] = max(out[bars, 1], price[row]), min(out[bars, 2], price[row])
            out[bars, 3] = price[row]
            volume, count, total = volume + lots, count + 1, total + amount
            if aggressor[row] > 0:
                buy += lots
            if criterion == _TOTAL and total >= step:
                bars = _close_bar(out, bars, (volume, buy, count), moment, row)
                volume, buy, count, total = 0, 0, 0, 0
        if criterion <= _TOTAL:
            continue
        if by_aggressor != 0 and aggressor[row] != 0:
            sign = aggressor[row]
        elif not is_first and price[row] != last_price:
            sign = 1 if price[row] > last_price else -1
        is_first, last_price = False, price[row]
        amount = size[row] if unit == _LOTS else size[row] * price[row] if unit == _VALUE else 1
        if sign > 0:
            up += amount
        elif sign < 0:
            down += amount
        reached = max(up, down) if criterion == _RUN else abs(up - down)
        if not learnt:
            met = count >= step
        else:
            met = (count >= least and float(reached) >= threshold) or count >= most
        if met:
            bars = _close_bar(out, bars, (volume, buy, count), moment, row)
            weight = 2.0 / (span + 1.0) if learnt else 1.0
            expected += (float(count) - expected) * weight
            expected_up += (float(up) / float(count) - expected_up) * weight
            expected_down += (float(down) / float(count) - expected_down) * weight
            learnt = True
            threshold = expected * (
                max(expected_up, expected_down) if criterion == _RUN else abs(expected_up - expected_down)
            )
            volume, buy, count, up, down = 0, 0, 0, 0, 0
    if count > 0 and until_ns >= due:
        bars = _close_bar(out, bars, (volume, buy, count), due, -1)
    return bars


def build_bars(
    trades: TradeColumns,
    rule: BarRule,
    sessions: SessionTimes | None = None,
    late: LatePolicy = LatePolicy.DROP,
    until_ns: int | None = None,
    max_bars: int = 10_000_000,
) -> tuple[BarColumns, BarCounts]:
    """The completed bars of a column of trades in order of arrival, and how many trades came late or outside.

    A bar that ends by time is complete when a later trade, or `until_ns`, reaches its end. Raises Invalid where a size
    is not positive, a price is not and the rule counts value, or more than `max_bars` could result.

    >>> trades = TradeColumns("X.Y", [100, 101, 99], [1, 2, 3], [1, -1, 1], [1, 2, 3], [5, 7, 6], [5, 7, 8])
    >>> bars, counts = build_bars(trades, BarRule.parse("2t"))
    >>> bars.volume_lots.tolist(), counts.late_dropped
    ([3], 1)
    """
    _check(trades, rule)
    most = _most_bars(trades, rule, 0 if sessions is None else len(sessions))
    if most > max_bars:
        raise Invalid("spec", f"{rule} could give {most} bars, more than {max_bars}")
    none = np.empty(0, np.int64)
    opens, closes = (none, none) if sessions is None else (sessions.opens.copy(), sessions.closes.copy())
    out, counts = np.empty((most + 1, 10), np.int64), np.zeros(3, np.int64)
    numbers = (int(rule.criterion), int(rule.unit), rule.step, rule.span, *rule.trade_bounds, int(rule.by_aggressor))
    time = trades.ts_event
    until = (int(time.max()) if len(time) else BEFORE_NS) if until_ns is None else until_ns
    columns = trades.price_ticks, trades.size_lots, trades.aggressor, time
    count = fill_bars((*numbers, int(late)), until, opens, closes, *columns, out, counts)
    last_row = out[:count, 9]
    ended_by_time = last_row < 0
    ts_init = out[:count, 8].copy()
    ts_init[~ended_by_time] = trades.ts_init[last_row[~ended_by_time]]
    opened, high, low, close, volume, buy, trade_count, begin, end = (out[:count, column] for column in range(9))
    bars = BarColumns(trades.instrument_id, opened, high, low, close, volume, buy, trade_count, begin, end, ts_init)
    return bars, BarCounts(*counts.tolist())


def _check(trades: TradeColumns, rule: BarRule) -> None:
    size, price = trades.size_lots, trades.price_ticks
    if np.any(size <= 0):
        raise Invalid("size_lots", f"is not positive at row {int(np.argmax(size <= 0))}")
    if rule.unit is not Unit.VALUE or not len(size):
        return
    if np.any(price <= 0):
        raise Invalid("price_ticks", f"is not positive at row {int(np.argmax(price <= 0))}, and value counts")
    if int(price.max()) * int(size.max()) * (1 if rule.criterion is Criterion.TOTAL else len(size)) > _LARGEST_VALUE:
        raise Invalid("size_lots", "times price is too large to be counted in 64 bits")


def _most_bars(trades: TradeColumns, rule: BarRule, sessions: int) -> int:
    """No more bars than this can result: those of the rule, and one cut by each session's close."""
    rows, step, price, size = len(trades), rule.step, trades.price_ticks, trades.size_lots
    if rule.criterion is Criterion.TIME:
        whole = len(np.unique(trades.ts_event // step))
    elif rule.criterion is not Criterion.TOTAL:
        whole = rows // min(step, rule.trade_bounds[0])
    elif rule.unit is Unit.TRADES:
        whole = rows // step
    elif rule.unit is Unit.LOTS:
        whole = int(size.sum()) // step
    else:
        whole = int(np.dot(price.astype(np.float64), size.astype(np.float64)) / step * (1 + 1e-9)) + 1
    return whole + min(rows, sessions)
