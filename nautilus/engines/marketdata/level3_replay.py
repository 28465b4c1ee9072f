"""Whole columns of order events (L3) through a book at once: the top after every event, and the queues at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit, kernel
from nautilus.engines.marketdata.level3_book import BookedOrder, Level3Book
from nautilus.engines.marketdata.order_book import Levels
from nautilus.engines.marketdata.order_events import ADD, MODIFY, BookFaults, OrderEventColumns
from nautilus.model import Side

Integers = NDArray[np.int64]
Slots = NDArray[np.int32]
_MARKED_SPAN_TICKS = 1 << 22
_MIXER, _MIXED_BITS = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)


def _replay_reference(
    action: Integers,
    order_id: Integers,
    side: Integers,
    rung: Slots,
    size_lots: Integers,
    prices: Integers,
    top: Integers,
    faults: Integers,
) -> Integers:
    book = Level3Book()
    stamps: dict[int, int] = {}
    for row in range(len(action)):
        order, lots = int(order_id[row]), int(size_lots[row])
        before = book.order(order) if order in book else None
        price = int(prices[rung[row]]) if action[row] in {ADD, MODIFY} else 0
        book.apply(int(action[row]), order, int(side[row]), price, lots)
        kept = before is not None and action[row] != ADD
        if order in book and not (kept and _keeps_place(before, book.order(order))):
            stamps[order] = row
        top[:, row] = book.best_bid or 0, book.bid_lots, book.best_ask or 0, book.ask_lots
    counts = book.faults
    faults[:] = counts.duplicate_adds, counts.unknown_modifies, counts.unknown_orders, counts.excess_reductions
    resting = sorted((*book.orders(1), *book.orders(-1)), key=lambda order: stamps[order.order_id])
    return np.array(resting, dtype=np.int64).reshape(-1, 4)


def _keeps_place(before: BookedOrder | None, after: BookedOrder) -> bool:
    return before is not None and before[:3] == after[:3] and after.size_lots <= before.size_lots


def _replay_example() -> tuple[object, ...]:
    one = np.array([1], dtype=np.int64)
    return one, one, one, np.zeros(1, np.int32), one, one, np.zeros((4, 1), np.int64), np.zeros(4, np.int64)


@jit
def _home(order_id: int, mask: int) -> int:
    return int((np.uint64(order_id) * _MIXER) >> _MIXED_BITS) & mask


@jit
def _find(table: Integers, order_id: int) -> int:
    """The row of `table` (id, cell, lots, stamp; lots 0: free) where an order is, or where it would go."""
    mask = len(table) - 1
    at = _home(order_id, mask)
    while table[at, 2] != 0 and table[at, 0] != order_id:
        at = (at + 1) & mask
    return at


@jit
def _free(table: Integers, hole: int) -> None:
    """Take a row out, and move up those that would no longer be found behind the hole."""
    mask = len(table) - 1
    at = (hole + 1) & mask
    while table[at, 2] != 0:
        if ((at - _home(table[at, 0], mask)) & mask) >= ((at - hole) & mask):
            for column in range(4):
                table[hole, column] = table[at, column]
            hole = at
        at = (at + 1) & mask
    table[hole, 2] = 0


@jit
def _grown(table: Integers) -> Integers:
    wider = np.zeros((2 * len(table), 4), np.int64)
    for row in range(len(table)):
        if table[row, 2] != 0:
            at = _find(wider, table[row, 0])
            for column in range(4):
                wider[at, column] = table[row, column]
    return wider


@kernel(reference=_replay_reference, example=_replay_example)
def replay_events(
    action: Integers,
    order_id: Integers,
    side: Integers,
    rung: Slots,
    size_lots: Integers,
    prices: Integers,
    top: Integers,
    faults: Integers,
) -> Integers:
    """Apply order events to an empty book; `rung` is each price's place in `prices`, which ascend.

    `top` [4, events] receives best bid, its lots, best ask and its lots after each event, 0 where a side is empty;
    `faults` [4], zero at the start, the counts of BookFaults in their order. Returns the resting orders [orders, 4] as
    id, side, price and lots, by the time since when each has its place.
    """
    rungs, live = len(prices), 0
    table, ladder = np.zeros((256, 4), np.int64), np.zeros(2 * rungs, np.int64)
    bid, ask = -1, 2 * rungs
    for row in range(len(action)):
        kind = action[row]
        if kind == 5:
            for at in range(len(table)):
                if table[at, 2] != 0:
                    ladder[table[at, 1]] = 0
            table, live = np.zeros((256, 4), np.int64), 0
        elif kind > 0:
            at = _find(table, order_id[row])
            before, cell = table[at, 2], table[at, 1]
            after = size_lots[row]
            if kind > 2:
                after = before - after if kind == 3 and before > 0 else 0
                if after < 0:
                    faults[3] += 1
                    after = 0
            elif after > 0:
                if (kind == 1) == (before > 0):
                    faults[0 if kind == 1 else 1] += 1
                wanted = rung[row] if side[row] > 0 else rungs + rung[row]
                if kind == 1 or before == 0 or wanted != cell or after > before:
                    table[at, 3] = row
                if before == 0:
                    live += 1
                    table[at, 0] = order_id[row]
                elif wanted != cell:
                    ladder[cell] -= before
                    before = 0
                bid = max(bid, wanted if wanted < rungs else -1)
                ask = min(ask, wanted if wanted >= rungs else 2 * rungs)
                cell = wanted
                table[at, 1] = cell
            if after > 0:
                ladder[cell] += after - before
                table[at, 2] = after
                if 2 * live > len(table):
                    table = _grown(table)
            elif before > 0:
                ladder[cell] -= before
                live -= 1
                _free(table, at)
            else:
                faults[2] += 1
        while bid >= 0 and ladder[bid] == 0:
            bid -= 1
        while ask < 2 * rungs and ladder[ask] == 0:
            ask += 1
        top[0, row], top[1, row] = (prices[bid], ladder[bid]) if bid >= 0 else (0, 0)
        top[2, row], top[3, row] = (prices[ask - rungs], ladder[ask]) if ask < 2 * rungs else (0, 0)
    return _resting(table, prices)


@jit
def _resting(table: Integers, prices: Integers) -> Integers:
    live = table[table[:, 2] > 0]
    live = live[np.argsort(live[:, 3])]
    found = np.empty((len(live), 4), np.int64)
    for row in range(len(live)):
        is_bid = live[row, 1] < len(prices)
        found[row, 0], found[row, 1] = live[row, 0], 1 if is_bid else -1
        found[row, 2] = prices[live[row, 1] - (0 if is_bid else len(prices))]
        found[row, 3] = live[row, 2]
    return found


@jit
def _ranked(action: Integers, price: Integers, span: int, low: int) -> tuple[Slots, Integers]:
    """The rank of each row's price among those of the rows that have one, and these prices, ascending."""
    rank = np.full(span, -1, np.int32)
    for row in range(len(action)):
        if action[row] == 1 or action[row] == 2:
            rank[price[row] - low] = 0
    count = 0
    for at in range(span):
        if rank[at] >= 0:
            rank[at] = count
            count += 1
    prices = np.empty(max(count, 1), np.int64)
    prices[0] = low
    for at in range(span):
        if rank[at] >= 0:
            prices[rank[at]] = low + at
    rung = np.zeros(len(action), np.int32)
    for row in range(len(action)):
        if action[row] == 1 or action[row] == 2:
            rung[row] = rank[price[row] - low]
    return rung, prices


@jit
def _bounds(action: Integers, price: Integers) -> tuple[int, int]:
    low, high, found = 0, 0, False
    for row in range(len(action)):
        if action[row] == 1 or action[row] == 2:
            low = min(low, price[row]) if found else price[row]
            high = max(high, price[row]) if found else price[row]
            found = True
    return low, high


def _rungs(events: OrderEventColumns) -> tuple[Slots, Integers]:
    """Without sorting where the prices lie close together."""
    low, high = _bounds(events.action, events.price_ticks)
    if high - low < _MARKED_SPAN_TICKS:
        return _ranked(events.action, events.price_ticks, high - low + 1, low)
    priced = (events.action == ADD) | (events.action == MODIFY)
    prices, rank = np.unique(events.price_ticks[priced], return_inverse=True)
    rung = np.zeros(len(events), np.int32)
    rung[priced] = rank
    return rung, prices


@dataclass(frozen=True, slots=True)
class Level3History:
    """Top of the book after each event (arrays [events], ticks and lots; lots 0 where a side is empty) and the end.

    `resting` [orders, 4] are the orders at the end: id, side, ticks and lots, by the time since when each has its
    place, which within one level is the queue.
    """

    bid_ticks: Integers
    bid_lots: Integers
    ask_ticks: Integers
    ask_lots: Integers
    resting: Integers
    faults: BookFaults

    @property
    def orders(self) -> tuple[BookedOrder, ...]:
        """All orders that rest at the end, in the order of `resting`."""
        return _booked(self.resting)

    def queue(self, side: int, price_ticks: int) -> tuple[BookedOrder, ...]:
        """Orders at one price at the end, first in line first."""
        return _booked(self.resting[(self.resting[:, 1] == side) & (self.resting[:, 2] == price_ticks)])

    def bids(self) -> Levels:
        """Bid levels at the end, best first, as (price_ticks, size_lots)."""
        return self._levels(Side.BUY)

    def asks(self) -> Levels:
        """Ask levels at the end, best first, as (price_ticks, size_lots)."""
        return self._levels(Side.SELL)

    def _levels(self, side: Side) -> Levels:
        totals: dict[int, int] = {}
        for _, _, price, lots in self.resting[self.resting[:, 1] == side].tolist():
            totals[price] = totals.get(price, 0) + lots
        return tuple(sorted(totals.items(), key=lambda level: -level[0] * side))


def replay_orders(events: OrderEventColumns) -> Level3History:
    """The best bid and ask after every order event, and every order of the last book in its place; one compiled call.

    >>> from nautilus.engines.marketdata.order_events import OrderEventColumns
    >>> columns = ([1, 1, 3, 1], [7, 8, 7, 9], [1, 1, 1, -1], [99, 99, 99, 101], [5, 4, 5, 6], [1, 2, 3, 4])
    >>> history = replay_orders(OrderEventColumns(*columns))
    >>> history.bid_lots.tolist(), history.ask_ticks.tolist(), history.queue(1, 99)[0].order_id
    ([5, 9, 4, 4], [0, 0, 0, 101], 8)
    """
    top, faults = np.empty((4, len(events)), np.int64), np.zeros(4, np.int64)
    rung, prices = _rungs(events)
    resting = replay_events(events.action, events.order_id, events.side, rung, events.size_lots, prices, top, faults)
    return Level3History(top[0], top[1], top[2], top[3], resting, BookFaults(*faults.tolist()))


def _booked(rows: Integers) -> tuple[BookedOrder, ...]:
    return tuple(BookedOrder(order_id, Side(side), price, lots) for order_id, side, price, lots in rows.tolist())
