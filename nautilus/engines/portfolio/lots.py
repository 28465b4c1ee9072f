"""Open lots of one position: which lots a trade closes (FIFO, LIFO, average, highest cost) and what that realises."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

import msgspec

from nautilus.engines.portfolio.exact_money import ZERO, share

MAXIMUM_LOTS = 65_536
"""Lots kept apart per position; beyond it the two newest become one of their total cost."""


class LotMethod(StrEnum):
    """Which open lot a closing trade takes first.

    HIGHEST_COST takes the lot that realises the smallest gain: the dearest of a long, the cheapest of a short position.
    AVERAGE keeps one lot at the average cost.
    """

    FIFO = "fifo"
    LIFO = "lifo"
    AVERAGE = "average"
    HIGHEST_COST = "highest_cost"


class OpenLot(msgspec.Struct):
    """Lots (long positive, short negative) and what they cost in total, signed alike, in the instrument's currency."""

    quantity_lots: int
    cost: Decimal
    ts_event: int
    trade_id: str

    @property
    def unit_cost(self) -> Decimal:
        """Cost of one lot."""
        return share(self.cost, 1, self.quantity_lots)


class ClosedLot(msgspec.Struct, frozen=True):
    """What one trade closed of one lot. `realized_pnl` = `proceeds` - `cost`; all are signed like `quantity_lots`."""

    quantity_lots: int
    cost: Decimal
    proceeds: Decimal
    realized_pnl: Decimal
    ts_open: int
    ts_close: int
    open_trade_id: str


class OpenLots:
    """The open lots of one position, all long or all short.

    Call under `exact_money.exact()` so that no multiplication rounds.

    >>> lots = OpenLots(LotMethod.FIFO)
    >>> lots.trade(100, Decimal("10.00"), 1, "a"), lots.trade(50, Decimal("12.00"), 2, "b")
    ([], [])
    >>> [str(closed.realized_pnl) for closed in lots.trade(-120, Decimal("13.00"), 3, "c")]
    ['300.00', '20.00']
    >>> lots.quantity_lots, str(lots.cost)
    (30, '360.00')
    """

    __slots__ = ("_heap", "_lots", "_sequence", "cost", "method", "quantity_lots")

    def __init__(self, method: LotMethod = LotMethod.FIFO) -> None:
        self.method = method
        self.quantity_lots = 0
        self.cost = ZERO
        self._lots: deque[OpenLot] = deque()
        self._heap: list[tuple[Decimal, int, OpenLot]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._lots) + len(self._heap)

    def __iter__(self) -> Iterator[OpenLot]:
        """The open lots, oldest first (highest cost: the one to be closed next first)."""
        if self.method is LotMethod.HIGHEST_COST:
            return iter([lot for _, _, lot in sorted(self._heap, key=lambda entry: entry[:2])])
        return iter(self._lots)

    def trade(self, quantity_lots: int, unit_value: Decimal, ts_event: int, trade_id: str) -> list[ClosedLot]:
        """Apply a trade of `quantity_lots` (bought positive) worth `unit_value` a lot; returns what it closed.

        A trade larger than the opposite position closes all of it and opens the rest: the position flips.
        """
        if quantity_lots == 0:
            raise ValueError("a trade has at least one lot")
        closed: list[ClosedLot] = []
        remaining = quantity_lots
        while remaining and self.quantity_lots and (remaining > 0) != (self.quantity_lots > 0):
            lot = self._next()
            part = -remaining if abs(remaining) < abs(lot.quantity_lots) else lot.quantity_lots
            closed.append(self._close(lot, part, unit_value, ts_event))
            remaining += part
        if remaining:
            self._open(OpenLot(remaining, unit_value * remaining, ts_event, trade_id))
        return closed

    def restore(self, lots: list[OpenLot]) -> None:
        """Take lots as saved by iterating; the position must be empty."""
        for lot in lots:
            self._open(lot)

    def _open(self, lot: OpenLot) -> None:
        self.quantity_lots += lot.quantity_lots
        self.cost += lot.cost
        if self.method is LotMethod.HIGHEST_COST:
            self._push(lot)
        elif self.method is LotMethod.AVERAGE and self._lots:
            self._lots.append(_merged(self._lots.pop(), lot))
        else:
            self._lots.append(lot)
        if len(self) > MAXIMUM_LOTS:
            self._merge_newest()

    def _close(self, lot: OpenLot, part: int, unit_value: Decimal, ts_event: int) -> ClosedLot:
        whole = part == lot.quantity_lots
        cost = lot.cost if whole else share(lot.cost, part, lot.quantity_lots)
        proceeds = unit_value * part
        if whole:
            self._drop()
        else:
            lot.quantity_lots -= part
            lot.cost -= cost
        self.quantity_lots -= part
        self.cost -= cost
        return ClosedLot(part, cost, proceeds, proceeds - cost, lot.ts_event, ts_event, lot.trade_id)

    def _next(self) -> OpenLot:
        if self.method is LotMethod.HIGHEST_COST:
            return self._heap[0][2]
        return self._lots[-1] if self.method is LotMethod.LIFO else self._lots[0]

    def _drop(self) -> None:
        if self.method is LotMethod.HIGHEST_COST:
            heapq.heappop(self._heap)
        elif self.method is LotMethod.LIFO:
            self._lots.pop()
        else:
            self._lots.popleft()

    def _push(self, lot: OpenLot) -> None:
        self._sequence += 1
        key = -lot.unit_cost if lot.quantity_lots > 0 else lot.unit_cost
        heapq.heappush(self._heap, (key, self._sequence, lot))

    def _merge_newest(self) -> None:
        if self.method is LotMethod.HIGHEST_COST:
            newer, older = self._heap.pop()[2], self._heap.pop()[2]
            self._push(_merged(older, newer))
        else:
            newer = self._lots.pop()
            self._lots.append(_merged(self._lots.pop(), newer))


def _merged(older: OpenLot, newer: OpenLot) -> OpenLot:
    return OpenLot(older.quantity_lots + newer.quantity_lots, older.cost + newer.cost, older.ts_event, older.trade_id)
