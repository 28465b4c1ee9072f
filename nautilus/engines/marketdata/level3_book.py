"""An order-by-order (L3) book of one instrument: every order with its place in the queue of its price level."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from nautilus.engines.marketdata.order_book import Levels
from nautilus.engines.marketdata.order_events import BookFaults, OrderAction
from nautilus.errors import Invalid, NotFound
from nautilus.model import Side

_SPARE_LEVELS = 64


class BookedOrder(NamedTuple):
    """An order that rests in the book."""

    order_id: int
    side: Side
    price_ticks: int
    size_lots: int


class QueuePosition(NamedTuple):
    """How many orders, and how many lots in them, must trade or leave before an order is first at its price."""

    orders_ahead: int
    lots_ahead: int


type _Entry = Any  # [lots, level] of one order: a list, whose cells the type system cannot tell apart


class _Level:
    """One price of one side: its orders by id, in order of priority, and their lots. Emptied, it may stay for later."""

    __slots__ = ("key", "lots", "price", "queue", "side")

    def __init__(self, side: int, price: int) -> None:
        self.side = side
        self.price = price
        self.key = -side * price
        self.lots = 0
        self.queue: dict[int, _Entry] = {}


class _LevelSide:
    """The levels of one side by price; the heap of keys (ascending from the best) holds each of them once."""

    __slots__ = ("heap", "levels", "room", "side")

    def __init__(self, side: int) -> None:
        self.side = side
        self.levels: dict[int, _Level] = {}
        self.heap: list[int] = []
        self.room = _SPARE_LEVELS

    def open(self, price: int) -> _Level:
        levels = self.levels
        if len(levels) >= self.room:
            self._prune()
        level = levels[price] = _Level(self.side, price)
        heappush(self.heap, level.key)
        return level

    def _prune(self) -> None:
        """Forget empty levels; so few calls come here that each event pays a constant share of it."""
        for price in [price for price, level in self.levels.items() if not level.lots]:
            del self.levels[price]
        self.heap = [level.key for level in self.levels.values()]
        heapify(self.heap)
        self.room = 2 * len(self.levels) + _SPARE_LEVELS

    def best(self) -> _Level | None:
        heap, levels = self.heap, self.levels
        while heap:
            price = -self.side * heap[0]
            level = levels[price]
            if level.lots:
                return level
            del levels[price]
            heappop(heap)
        return None

    def ordered(self) -> list[_Level]:
        return sorted((level for level in self.levels.values() if level.lots), key=lambda level: level.key)

    def clear(self) -> None:
        self.levels.clear()
        self.heap.clear()


class Level3Book:
    """Every order of one instrument by price, then by priority. Exact integers: ticks and lots.

    An event costs O(1), and O(log levels) where a level appears or vanishes. What a feed should never send is counted
    in `faults` and handled as said there, because a book must go on; a size or side that cannot be raises Invalid.

    >>> book = Level3Book()
    >>> book.add(1, Side.BUY, 99, 300); book.add(2, Side.BUY, 99, 50); book.add(3, Side.SELL, 101, 10)
    >>> book.best_bid, book.bid_lots, book.best_ask, book.queue_position(2)
    (99, 350, 101, QueuePosition(orders_ahead=1, lots_ahead=300))
    >>> book.reduce(1, 100); book.modify(2, Side.BUY, 99, 40); book.queue_position(2).lots_ahead
    200
    >>> book.modify(1, Side.BUY, 99, 250); [order.order_id for order in book.queue(Side.BUY, 99)]
    [2, 1]
    """

    __slots__ = ("_asks", "_bids", "_orders", "faults")

    def __init__(self) -> None:
        self._bids = _LevelSide(1)
        self._asks = _LevelSide(-1)
        self._orders: dict[int, _Entry] = {}
        self.faults = BookFaults()

    def apply(self, action: int, order_id: int, side: int, price_ticks: int, size_lots: int) -> None:
        """Take one event: `action` is an OrderAction, `side` 1 or -1, price in ticks, size in lots.

        Raises Invalid for an action or size that cannot be.
        """
        # the usual cases of the two commonest actions stand here, without a further call
        if action == 2:
            entry = self._orders.get(order_id)
            if entry is not None:
                before, level = entry
                if 0 < size_lots <= before and level.price == price_ticks and level.side == side:
                    entry[0] = size_lots
                    level.lots += size_lots - before
                    return
            self.modify(order_id, side, price_ticks, size_lots)
        elif action == 1:
            levels = self._bids if side > 0 else self._asks
            level = levels.levels.get(price_ticks)
            if level is None or size_lots <= 0 or order_id in self._orders:
                self.add(order_id, side, price_ticks, size_lots)
                return
            level.queue[order_id] = self._orders[order_id] = [size_lots, level]
            level.lots += size_lots
        elif action == 4:
            self.delete(order_id)
        elif action == 3:
            self.reduce(order_id, size_lots)
        elif action == OrderAction.CLEAR:
            self.clear()
        elif action != OrderAction.NONE:
            raise Invalid("action", f"must be an OrderAction, not {action}")

    def add(self, order_id: int, side: int, price_ticks: int, size_lots: int) -> None:
        """Put an order at the end of the queue of its level; raises Invalid where the size is not positive."""
        if size_lots <= 0:
            raise Invalid("size_lots", f"must be positive, not {size_lots}")
        if order_id in self._orders:
            self.faults.duplicate_adds += 1
            self.delete(order_id)
        levels = self._bids if side > 0 else self._asks
        level = levels.levels.get(price_ticks) or levels.open(price_ticks)
        level.queue[order_id] = self._orders[order_id] = [size_lots, level]
        level.lots += size_lots

    def modify(self, order_id: int, side: int, price_ticks: int, size_lots: int) -> None:
        """Give an order a new price and size (lots; 0 takes it out); see OrderAction for its place in the queue.

        An order not known is added, and counted. Raises Invalid where the size is negative.
        """
        if size_lots <= 0:
            if size_lots:
                raise Invalid("size_lots", f"must not be negative, not {size_lots}")
            self.delete(order_id)
            return
        entry = self._orders.get(order_id)
        if entry is None:
            self.faults.unknown_modifies += 1
            self.add(order_id, side, price_ticks, size_lots)
            return
        before, level = entry
        if level.price == price_ticks and level.side == side:
            if size_lots > before:
                del level.queue[order_id]
                level.queue[order_id] = entry
            entry[0] = size_lots
            level.lots += size_lots - before
        else:
            self.delete(order_id)
            self.add(order_id, side, price_ticks, size_lots)

    def reduce(self, order_id: int, by_lots: int) -> None:
        """Take lots off an order, which keeps its place; nothing left, it leaves. Raises Invalid where negative."""
        if by_lots < 0:
            raise Invalid("by_lots", f"must not be negative, not {by_lots}")
        entry = self._orders.get(order_id)
        if entry is None:
            self.faults.unknown_orders += 1
            return
        before, level = entry
        if by_lots < before:
            entry[0] = before - by_lots
            level.lots -= by_lots
        else:
            self.faults.excess_reductions += by_lots > before
            self.delete(order_id)

    def delete(self, order_id: int) -> None:
        """Take an order out of the book; one that is not there is counted."""
        entry = self._orders.pop(order_id, None)
        if entry is None:
            self.faults.unknown_orders += 1
            return
        lots, level = entry
        del level.queue[order_id]
        level.lots -= lots

    def clear(self) -> None:
        """Forget every order; the counts of faults stay."""
        self._orders.clear()
        self._bids.clear()
        self._asks.clear()

    def order(self, order_id: int) -> BookedOrder:
        """A resting order; raises NotFound."""
        lots, level = self._entry(order_id)
        return BookedOrder(order_id, Side(level.side), level.price, lots)

    def queue_position(self, order_id: int) -> QueuePosition:
        """What stands before an order at its price; walks the queue of that level. Raises NotFound."""
        orders = lots = 0
        own = self._entry(order_id)
        for entry in own[1].queue.values():
            if entry is own:
                break
            orders += 1
            lots += entry[0]
        return QueuePosition(orders, lots)

    def queue(self, side: int, price_ticks: int) -> tuple[BookedOrder, ...]:
        """Orders at one price (ticks), first in line first; empty where there is no level."""
        level = self._side(side).levels.get(price_ticks)
        if level is None:
            return ()
        return tuple(
            BookedOrder(order_id, Side(side), price_ticks, entry[0]) for order_id, entry in level.queue.items()
        )

    def _entry(self, order_id: int) -> _Entry:
        try:
            return self._orders[order_id]
        except KeyError:
            raise NotFound("order", order_id) from None

    def _side(self, side: int) -> _LevelSide:
        return self._bids if side > 0 else self._asks

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._orders

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def best_bid(self) -> int | None:
        """Best bid in ticks; None where the side is empty."""
        level = self._bids.best()
        return None if level is None else level.price

    @property
    def best_ask(self) -> int | None:
        """Best ask in ticks; None where the side is empty."""
        level = self._asks.best()
        return None if level is None else level.price

    @property
    def bid_lots(self) -> int:
        """Lots at the best bid; 0 where the side is empty."""
        level = self._bids.best()
        return 0 if level is None else level.lots

    @property
    def ask_lots(self) -> int:
        """Lots at the best ask; 0 where the side is empty."""
        level = self._asks.best()
        return 0 if level is None else level.lots

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid stands above the best ask."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid > ask

    def size_at(self, side: int, price_ticks: int) -> int:
        """Lots at one price (ticks); 0 where there is none."""
        level = self._side(side).levels.get(price_ticks)
        return 0 if level is None else level.lots

    def bids(self, depth: int | None = None) -> Levels:
        """The best `depth` bid levels (all where None), best first, as (price_ticks, size_lots)."""
        return tuple((level.price, level.lots) for level in self._bids.ordered()[:depth])

    def asks(self, depth: int | None = None) -> Levels:
        """The best `depth` ask levels (all where None), best first, as (price_ticks, size_lots)."""
        return tuple((level.price, level.lots) for level in self._asks.ordered()[:depth])

    def orders(self, side: int) -> tuple[BookedOrder, ...]:
        """Every order of one side by price, best first, then by place in the queue."""
        return tuple(
            BookedOrder(order_id, Side(side), level.price, entry[0])
            for level in self._side(side).ordered()
            for order_id, entry in level.queue.items()
        )
