"""A feature set in batch form: columns of market data in, one row of features for each bar out, point in time."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.features.arithmetic import Array
from nautilus.engines.features.feature_set import SetMember
from nautilus.errors import Invalid
from nautilus.model.columns import BarColumns, QuoteColumns, TradeColumns
from nautilus.model.instruments import Instrument

Times = NDArray[np.int64]


def as_of(times: Times, known_at: Times, values: Array) -> Array:
    """The newest of `values` known strictly before each of `times`, shape of `times`; NaN where there was none.

    `known_at` must not decrease. This is the join that cannot look ahead.

    >>> as_of(np.array([5, 10, 11]), np.array([5, 10]), np.array([1.0, 2.0])).tolist()
    [nan, 1.0, 2.0]
    """
    if len(known_at) and (np.diff(known_at) < 0).any():
        raise Invalid("known_at", "must not decrease")
    out = np.full(len(times), np.nan)
    position = np.searchsorted(known_at, times, side="left") - 1
    out[position >= 0] = values[position[position >= 0]]
    return out


def _scaled(numbers: NDArray[np.int64], step: tuple[int, int]) -> Array:
    return np.asarray((numbers * step[0]) / step[1], dtype=np.float64)


def bar_inputs(instrument: Instrument, bars: BarColumns) -> dict[str, Array]:
    """The columns of bars by input name, in currency and units, float64."""
    price, size = instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio()
    return {
        "bars.open": _scaled(bars.open_ticks, price),
        "bars.high": _scaled(bars.high_ticks, price),
        "bars.low": _scaled(bars.low_ticks, price),
        "bars.close": _scaled(bars.close_ticks, price),
        "bars.volume": _scaled(bars.volume_lots, size),
        "bars.buy_volume": _scaled(bars.buy_lots, size),
        "bars.trade_count": bars.trade_count.astype(np.float64),
    }


def quote_inputs(instrument: Instrument, quotes: QuoteColumns) -> dict[str, Array]:
    """The columns of quotes by input name, in currency and units; every row must have both sides."""
    price, size = instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio()
    bid, ask = _scaled(quotes.bid_ticks, price), _scaled(quotes.ask_ticks, price)
    return {
        "quotes.bid": bid,
        "quotes.ask": ask,
        "quotes.bid_size": _scaled(quotes.bid_lots, size),
        "quotes.ask_size": _scaled(quotes.ask_lots, size),
        "quotes.mid": 0.5 * (bid + ask),
    }


def trade_inputs(instrument: Instrument, trades: TradeColumns) -> dict[str, Array]:
    """The columns of trades by input name, in currency and units."""
    price, size = instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio()
    return {
        "trades.price": _scaled(trades.price_ticks, price),
        "trades.size": _scaled(trades.size_lots, size),
        "trades.side": trades.aggressor.astype(np.float64),
    }


def _two_sided(quotes: QuoteColumns) -> QuoteColumns:
    keep = (quotes.bid_lots > 0) & (quotes.ask_lots > 0)
    return QuoteColumns(quotes.instrument_id, *(column[keep] for column in quotes.arrays().values()))


def feature_matrix(
    set_members: Sequence[SetMember],
    instrument: Instrument,
    bars: BarColumns,
    quotes: QuoteColumns | None = None,
    trades: TradeColumns | None = None,
) -> Array:
    """The set at every bar, shape [bars, features], to the last bit what `LiveFeatures` gives bar by bar.

    Features of bars include the bar; features of ticks see those before the bar's close. A feature whose kind of data
    is not given, or that warms up, is NaN. Raises Invalid where ticks are not in the order of their `ts_event`.
    """
    inputs: dict[str, Array] = bar_inputs(instrument, bars)
    times: dict[str, Times] = {}
    if quotes is not None:
        quotes = _two_sided(quotes)
        inputs |= quote_inputs(instrument, quotes)
        times["quotes"] = quotes.ts_event
    if trades is not None:
        inputs |= trade_inputs(instrument, trades)
        times["trades"] = trades.ts_event
    out = np.full((len(bars), len(set_members)), np.nan)
    for position, member in enumerate(set_members):
        out[:, position] = _column(member, inputs, times, bars.ts_event)
    return out


def _column(member: SetMember, inputs: Mapping[str, Array], times: Mapping[str, Times], closes: Times) -> Array | float:
    if member.kind == "bars":
        return member.bound.batch(*(inputs[name] for name in member.inputs))
    if member.kind not in times:
        return np.nan
    values = member.bound.batch(*(inputs[name] for name in member.inputs))
    return as_of(closes, times[member.kind], values)
