"""Whole columns of book deltas through a price ladder at once: the best of both sides after every delta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.engines.marketdata.order_book import Levels, OrderBook
from nautilus.model import BookDeltaColumns, Side

Integers = NDArray[np.int64]
_MARKED_SPAN_TICKS = 1 << 22


def _replay_reference(
    rung: Integers,
    prices: Integers,
    side: Integers,
    size_lots: Integers,
    bid_ladder: Integers,
    ask_ladder: Integers,
    top: Integers,
) -> None:
    book = OrderBook()
    for row in range(len(rung)):
        book.apply(int(side[row]), int(prices[rung[row]]), int(size_lots[row]))
        (bid_ladder if side[row] > 0 else ask_ladder)[rung[row]] = size_lots[row]
        top[:, row] = book.best_bid or 0, book.bid_lots, book.best_ask or 0, book.ask_lots


def _replay_example() -> tuple[Integers, ...]:
    ones, ladders = np.array([1, 1]), np.zeros((2, 2), np.int64)
    deltas = BookDeltaColumns("X.Y", ones, ones, ones, ones, ones, ones)
    prices, rung = _ranked(deltas.price_ticks)
    return rung, prices, deltas.side, deltas.size_lots, ladders[0], ladders[1], np.zeros((4, 2), np.int64)


@kernel(reference=_replay_reference, example=_replay_example)
def replay_ladder(
    rung: Integers,
    prices: Integers,
    side: Integers,
    size_lots: Integers,
    bid_ladder: Integers,
    ask_ladder: Integers,
    top: Integers,
) -> None:
    """Apply deltas to two ladders (lots by rung, `prices` ascending with the rung), in place.

    `top` [4, deltas], zero at the start, receives best bid, its lots, best ask and its lots after each delta. The
    ladders must be empty at the start.
    """
    bid, ask, rungs = -1, len(ask_ladder), len(ask_ladder)
    for row in range(len(rung)):
        at, lots = rung[row], size_lots[row]
        if side[row] > 0:
            bid_ladder[at] = lots
            if lots > 0 and at > bid:
                bid = at
            while bid >= 0 and bid_ladder[bid] == 0:
                bid -= 1
        else:
            ask_ladder[at] = lots
            if lots > 0 and at < ask:
                ask = at
            while ask < rungs and ask_ladder[ask] == 0:
                ask += 1
        if bid >= 0:
            top[0, row], top[1, row] = prices[bid], bid_ladder[bid]
        if ask < rungs:
            top[2, row], top[3, row] = prices[ask], ask_ladder[ask]


@dataclass(frozen=True, slots=True)
class BookHistory:
    """Top of the book after each delta (arrays [deltas], ticks and lots; lots 0 where a side is empty) and the end."""

    bid_ticks: Integers
    bid_lots: Integers
    ask_ticks: Integers
    ask_lots: Integers
    bids: Levels
    asks: Levels


def replay_deltas(deltas: BookDeltaColumns) -> BookHistory:
    """The best bid and ask after every row of `deltas`, and every level of the last book, best first.

    Prices are ranked, so that neither memory nor the search for the next level grows with their distance.

    >>> columns = BookDeltaColumns("X.Y", [1, -1, 1], [99, 101, 99], [5, 7, 0], [1, 1, 1], [1, 2, 3], [1, 2, 3])
    >>> history = replay_deltas(columns)
    >>> history.bid_lots.tolist(), history.ask_ticks.tolist(), history.bids, history.asks
    ([5, 5, 0], [0, 101, 101], (), ((101, 7),))
    """
    if not len(deltas):
        empty = np.empty(0, np.int64)
        return BookHistory(empty, empty, empty, empty, (), ())
    prices, rung = _ranked(deltas.price_ticks)
    bid_ladder, ask_ladder = np.zeros(len(prices), np.int64), np.zeros(len(prices), np.int64)
    top = np.zeros((4, len(deltas)), np.int64)
    replay_ladder(rung, prices, deltas.side, deltas.size_lots, bid_ladder, ask_ladder, top)
    bids, asks = _levels(prices, bid_ladder, Side.BUY), _levels(prices, ask_ladder, Side.SELL)
    return BookHistory(top[0], top[1], top[2], top[3], bids, asks)


def _ranked(price: Integers) -> tuple[Integers, Integers]:
    """The different prices, ascending, and the rank of each row's price: without sorting where they lie close."""
    low, high = int(price.min()), int(price.max())
    if high - low >= _MARKED_SPAN_TICKS:
        prices, rank = np.unique(price, return_inverse=True)
        return prices, rank.astype(np.int64)
    is_price = np.zeros(high - low + 1, dtype=np.bool_)
    is_price[price - low] = True
    return np.nonzero(is_price)[0] + low, (np.cumsum(is_price) - 1)[price - low]


def _levels(prices: Integers, ladder: Integers, side: Side) -> Levels:
    (rungs,) = np.nonzero(ladder)
    ordered = rungs[::-1] if side == Side.BUY else rungs
    return tuple(zip(prices[ordered].tolist(), ladder[ordered].tolist(), strict=True))
