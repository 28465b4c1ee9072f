"""One side of a book by price level, with the best price at hand."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from nautilus.model.enums import Side


class LadderSide:
    """Displayed lots by price. Levels near the touch, where changes happen, are at the cheap end of the list.

    >>> asks = LadderSide(Side.SELL)
    >>> asks.set(101, 5); asks.set(100, 7); asks.best, list(asks)
    (100, [(100, 7), (101, 5)])
    """

    __slots__ = ("_keys", "_lots", "_sign")

    def __init__(self, side: Side) -> None:
        self._sign = int(side)
        self._lots: dict[int, int] = {}
        self._keys: list[int] = []

    def set(self, price_ticks: int, lots: int) -> None:
        """Put the total size of a level; 0 removes it."""
        key = self._sign * price_ticks
        if lots > 0:
            if price_ticks not in self._lots:
                insort(self._keys, key)
            self._lots[price_ticks] = lots
        elif self._lots.pop(price_ticks, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def get(self, price_ticks: int) -> int:
        """Lots at a price, 0 where there is no level."""
        return self._lots.get(price_ticks, 0)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(price, lots), best first."""
        for key in reversed(self._keys):
            price = self._sign * key
            yield price, self._lots[price]

    @property
    def best(self) -> int | None:
        """The best price, None when empty."""
        return self._sign * self._keys[-1] if self._keys else None

    @property
    def worst(self) -> int | None:
        """The last price displayed, None when empty."""
        return self._sign * self._keys[0] if self._keys else None

    def clear(self) -> None:
        """Remove every level."""
        self._lots.clear()
        self._keys.clear()
