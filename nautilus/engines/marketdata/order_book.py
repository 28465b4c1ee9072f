"""An aggregated (L2) order book of one instrument: price level -> size, with the best of each side always at hand."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, nlargest, nsmallest

from nautilus.errors import Invalid
from nautilus.model import Side

Levels = tuple[tuple[int, int], ...]


class OrderBook:
    """Exact price ladder: whole ticks to whole lots, level sizes set absolutely (0 removes).

    Setting a level costs O(1) amortised plus O(log levels) where a new level appears. The best price is kept by a heap
    per side from which vanished levels are dropped only when they reach the top.

    >>> book = OrderBook()
    >>> book.apply(Side.BUY, 99, 300); book.apply(Side.SELL, 101, 100); book.apply(Side.BUY, 98, 50)
    >>> book.best_bid, book.best_ask, book.bids(5)
    (99, 101, ((99, 300), (98, 50)))
    >>> book.apply(Side.BUY, 99, 0)
    >>> book.best_bid, book.mid, book.is_crossed
    (98, 99.5, False)
    """

    __slots__ = ("_ask_heap", "_asks", "_bid_heap", "_bids", "best_ask", "best_bid")

    def __init__(self) -> None:
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._bid_heap: list[int] = []
        self._ask_heap: list[int] = []
        self.best_bid: int | None = None
        self.best_ask: int | None = None

    def apply(self, side: int, price_ticks: int, size_lots: int) -> None:
        """Set the size of the level `price_ticks` (ticks) on `side` to `size_lots` (lots); 0 removes the level."""
        if side > 0:
            bids = self._bids
            if size_lots:
                if price_ticks not in bids:
                    self._open_bid(price_ticks)
                bids[price_ticks] = size_lots
            elif bids.pop(price_ticks, 0) and price_ticks == self.best_bid:
                heap = self._bid_heap
                while heap and -heap[0] not in bids:
                    heappop(heap)
                self.best_bid = -heap[0] if heap else None
        else:
            asks = self._asks
            if size_lots:
                if price_ticks not in asks:
                    self._open_ask(price_ticks)
                asks[price_ticks] = size_lots
            elif asks.pop(price_ticks, 0) and price_ticks == self.best_ask:
                heap = self._ask_heap
                while heap and heap[0] not in asks:
                    heappop(heap)
                self.best_ask = heap[0] if heap else None

    def _open_bid(self, price: int) -> None:
        heap = self._bid_heap
        heappush(heap, -price)
        if self.best_bid is None or price > self.best_bid:
            self.best_bid = price
        if len(heap) > 2 * len(self._bids) + 64:
            self._bid_heap = [-level for level in (*self._bids, price)]
            heapify(self._bid_heap)

    def _open_ask(self, price: int) -> None:
        heap = self._ask_heap
        heappush(heap, price)
        if self.best_ask is None or price < self.best_ask:
            self.best_ask = price
        if len(heap) > 2 * len(self._asks) + 64:
            self._ask_heap = [*self._asks, price]
            heapify(self._ask_heap)

    def replace(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        """Take a snapshot: forget every level, then set these (price_ticks, size_lots) pairs."""
        self.clear()
        for price, lots in bids:
            self.apply(1, price, lots)
        for price, lots in asks:
            self.apply(-1, price, lots)

    def clear(self) -> None:
        """Forget every level."""
        self._bids.clear()
        self._asks.clear()
        self._bid_heap.clear()
        self._ask_heap.clear()
        self.best_bid = self.best_ask = None

    def __len__(self) -> int:
        return len(self._bids) + len(self._asks)

    @property
    def level_counts(self) -> tuple[int, int]:
        """How many bid and how many ask levels there are."""
        return len(self._bids), len(self._asks)

    @property
    def bid_lots(self) -> int:
        """Lots at the best bid; 0 where the side is empty."""
        return 0 if self.best_bid is None else self._bids[self.best_bid]

    @property
    def ask_lots(self) -> int:
        """Lots at the best ask; 0 where the side is empty."""
        return 0 if self.best_ask is None else self._asks[self.best_ask]

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid stands above the best ask: an impossible book, to be recovered by a snapshot."""
        return self.best_bid is not None and self.best_ask is not None and self.best_bid > self.best_ask

    @property
    def is_locked(self) -> bool:
        """Whether the best bid equals the best ask."""
        return self.best_bid is not None and self.best_bid == self.best_ask

    def size_at(self, side: Side, price_ticks: int) -> int:
        """Lots at one price level (ticks); 0 where there is none."""
        return (self._bids if side > 0 else self._asks).get(price_ticks, 0)

    def bids(self, depth: int | None = None) -> Levels:
        """The best `depth` bid levels (all where None), best first, as (price_ticks, size_lots)."""
        levels = self._bids
        prices = sorted(levels, reverse=True) if depth is None else nlargest(depth, levels)
        return tuple((price, levels[price]) for price in prices)

    def asks(self, depth: int | None = None) -> Levels:
        """The best `depth` ask levels (all where None), best first, as (price_ticks, size_lots)."""
        levels = self._asks
        prices = sorted(levels) if depth is None else nsmallest(depth, levels)
        return tuple((price, levels[price]) for price in prices)

    @property
    def mid(self) -> float | None:
        """Mean of best bid and ask, in ticks; None while a side is empty."""
        if self.best_bid is None or self.best_ask is None:
            return None
        return (self.best_bid + self.best_ask) / 2

    @property
    def microprice(self) -> float | None:
        """The mid leaning to the thinner side, in ticks: (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots).

        Gatheral and Oomen (2010), "Zero-intelligence realized variance estimation", weighted mid. None while a side is
        empty.
        """
        if self.best_bid is None or self.best_ask is None:
            return None
        bid_lots, ask_lots = self.bid_lots, self.ask_lots
        return (self.best_bid * ask_lots + self.best_ask * bid_lots) / (bid_lots + ask_lots)

    def imbalance(self, depth: int = 1) -> float | None:
        """(bid lots - ask lots) / (bid lots + ask lots) over the best `depth` levels, in [-1, 1]; None when empty."""
        bid_lots = sum(lots for _, lots in self.bids(depth))
        ask_lots = sum(lots for _, lots in self.asks(depth))
        total = bid_lots + ask_lots
        return (bid_lots - ask_lots) / total if total else None

    def vwap_to_size(self, side: Side, size_lots: int) -> float | None:
        """Mean price in ticks that a market order of `side` for `size_lots` (> 0) would pay; None where too thin.

        Raises Invalid where the size is not positive or the side is NONE.

        >>> book = OrderBook(); book.replace([], [(100, 10), (102, 30)])
        >>> book.vwap_to_size(Side.BUY, 20), book.vwap_to_size(Side.BUY, 41)
        (101.0, None)
        """
        if size_lots <= 0:
            raise Invalid("size_lots", f"must be positive, not {size_lots}")
        if side == Side.NONE:
            raise Invalid("side", "must be BUY or SELL")
        remaining, paid = size_lots, 0
        for price, lots in self.asks() if side > 0 else self.bids():
            taken = min(lots, remaining)
            paid += taken * price
            remaining -= taken
            if not remaining:
                return paid / size_lots
        return None
