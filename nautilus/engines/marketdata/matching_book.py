"""A limit order book with price-time priority: orders in, fills and level changes out. Exact integers throughout."""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import Side


class Match(msgspec.Struct, frozen=True, gc=False):
    """One resting order met by an incoming one: `size_lots` traded at the resting order's price."""

    resting_id: int
    price_ticks: int
    size_lots: int
    resting_lots_left: int


class RestingOrder(msgspec.Struct, gc=False):
    """An order in the book; `size_lots` is what is left of it."""

    order_id: int
    side: Side
    price_ticks: int
    size_lots: int


class _BookSide:
    """Levels of one side; `_prices` is sorted so that the best is last (bids ascending, asks negated ascending)."""

    __slots__ = ("_levels", "_prices", "_sign", "_totals", "lots")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._prices: list[int] = []
        self._levels: dict[int, dict[int, RestingOrder]] = {}
        self._totals: dict[int, int] = {}
        self.lots = 0

    @property
    def best(self) -> int | None:
        return self._prices[-1] * self._sign if self._prices else None

    def total(self, price: int) -> int:
        return self._totals.get(price, 0)

    def add(self, order: RestingOrder) -> None:
        level = self._levels.get(order.price_ticks)
        if level is None:
            insort(self._prices, order.price_ticks * self._sign)
            level = self._levels[order.price_ticks] = {}
            self._totals[order.price_ticks] = 0
        level[order.order_id] = order
        self._totals[order.price_ticks] += order.size_lots
        self.lots += order.size_lots

    def take(self, order: RestingOrder, lots: int) -> None:
        price = order.price_ticks
        order.size_lots -= lots
        self._totals[price] -= lots
        self.lots -= lots
        if order.size_lots:
            return
        level = self._levels[price]
        del level[order.order_id]
        if not level:
            del self._levels[price], self._totals[price]
            del self._prices[bisect_left(self._prices, price * self._sign)]

    def first(self, price: int) -> RestingOrder:
        return next(iter(self._levels[price].values()))

    def top(self, depth: int) -> tuple[tuple[int, int], ...]:
        prices = (price * self._sign for price in self._prices[: -depth - 1 : -1])
        return tuple((price, self._totals[price]) for price in prices)

    def queue(self, price: int) -> tuple[RestingOrder, ...]:
        return tuple(self._levels.get(price, {}).values())


class MatchingBook:
    """Orders of one instrument, matched by price, then by time of arrival.

    >>> book = MatchingBook()
    >>> book.limit(1, Side.SELL, 101, 5), book.limit(2, Side.SELL, 101, 5), book.limit(3, Side.BUY, 99, 4)
    ((), (), ())
    >>> [(match.resting_id, match.size_lots) for match in book.limit(4, Side.BUY, 101, 7)]
    [(1, 5), (2, 2)]
    >>> book.best_bid, book.best_ask, book.size_at(Side.SELL, 101)
    (99, 101, 3)
    """

    __slots__ = ("_asks", "_bids", "_orders")

    def __init__(self) -> None:
        self._bids = _BookSide(1)
        self._asks = _BookSide(-1)
        self._orders: dict[int, RestingOrder] = {}

    def limit(self, order_id: int, side: Side, price_ticks: int, size_lots: int) -> tuple[Match, ...]:
        """Enter a limit order: match what its price reaches, rest what is left; returns the matches in order.

        Raises Invalid where size or price is not positive or the side is NONE, Conflict where the id is in the book.
        """
        _check(side, size_lots)
        if price_ticks <= 0:
            raise Invalid("price_ticks", f"must be positive, not {price_ticks}")
        if order_id in self._orders:
            raise Conflict(f"order {order_id} is already in the book")
        matches, remaining = self._match(side, size_lots, price_ticks)
        if remaining:
            order = RestingOrder(order_id, side, price_ticks, remaining)
            self._orders[order_id] = order
            self._side(side).add(order)
        return matches

    def market(self, side: Side, size_lots: int) -> tuple[Match, ...]:
        """Match up to `size_lots` at any price; what finds no counterpart is dropped. Raises as `limit` does."""
        _check(side, size_lots)
        return self._match(side, size_lots, None)[0]

    def reduce(self, order_id: int, by_lots: int) -> RestingOrder:
        """Make an order smaller, keeping its place in the queue; removes it when nothing is left.

        Raises NotFound for an unknown id, Invalid where `by_lots` is not in 1..size.
        """
        order = self.order(order_id)
        if not 0 < by_lots <= order.size_lots:
            raise Invalid("by_lots", f"must be in 1..{order.size_lots}, not {by_lots}")
        self._side(order.side).take(order, by_lots)
        if not order.size_lots:
            del self._orders[order_id]
        return order

    def cancel(self, order_id: int) -> RestingOrder:
        """Remove an order; raises NotFound for an unknown id."""
        return self.reduce(order_id, self.order(order_id).size_lots)

    def _match(self, side: Side, remaining: int, limit_ticks: int | None) -> tuple[tuple[Match, ...], int]:
        opposite = self._side(side.opposite)
        matches: list[Match] = []
        while remaining:
            price = opposite.best
            if price is None or (limit_ticks is not None and (limit_ticks - price) * side < 0):
                break
            order = opposite.first(price)
            lots = min(remaining, order.size_lots)
            opposite.take(order, lots)
            remaining -= lots
            matches.append(Match(order.order_id, price, lots, order.size_lots))
            if not order.size_lots:
                del self._orders[order.order_id]
        return tuple(matches), remaining

    def _side(self, side: Side) -> _BookSide:
        return self._bids if side > 0 else self._asks

    def order(self, order_id: int) -> RestingOrder:
        """A resting order; raises NotFound."""
        try:
            return self._orders[order_id]
        except KeyError:
            raise NotFound("order", order_id) from None

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._orders

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def best_bid(self) -> int | None:
        """Best bid in ticks."""
        return self._bids.best

    @property
    def best_ask(self) -> int | None:
        """Best ask in ticks."""
        return self._asks.best

    def size_at(self, side: Side, price_ticks: int) -> int:
        """Lots resting at one price level."""
        return self._side(side).total(price_ticks)

    def total_lots(self, side: Side) -> int:
        """Lots resting on a whole side."""
        return self._side(side).lots

    def depth(self, side: Side, levels: int) -> tuple[tuple[int, int], ...]:
        """The best `levels` levels of a side, best first: (price_ticks, size_lots)."""
        return self._side(side).top(levels)

    def queue(self, side: Side, price_ticks: int) -> tuple[RestingOrder, ...]:
        """Orders at one level, first in line first."""
        return self._side(side).queue(price_ticks)


def _check(side: Side, size_lots: int) -> None:
    if side == Side.NONE:
        raise Invalid("side", "must be BUY or SELL")
    if size_lots <= 0:
        raise Invalid("size_lots", f"must be positive, not {size_lots}")
