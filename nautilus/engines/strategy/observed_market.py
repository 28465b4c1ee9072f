"""The market as a feed shows it: best quote, displayed levels, and what of them our own fills have already taken.

Our fills do not change the recorded market, so what they took is remembered: a level's lots can be taken once, until
the feed shows another size for it.
"""

from collections.abc import Iterator

from nautilus.engines.strategy.ladder import LadderSide
from nautilus.model.enums import Side
from nautilus.model.market import BookDelta, BookDepth, Quote


class ObservedMarket:
    """One instrument. Depth is used where the levels agree with the quoted touch, else the quote alone.

    "Side" is the side of the displayed orders: BUY for bids.
    """

    __slots__ = ("_ladders", "_taken", "has_depth", "quote")

    def __init__(self) -> None:
        self.quote: Quote | None = None
        self.has_depth = False
        self._ladders = {Side.BUY: LadderSide(Side.BUY), Side.SELL: LadderSide(Side.SELL)}
        self._taken: dict[Side, dict[int, tuple[int, int]]] = {Side.BUY: {}, Side.SELL: {}}

    def apply_quote(self, quote: Quote) -> None:
        """Take in a new best bid and ask."""
        self.quote = quote
        taken = self._taken
        if taken[Side.BUY]:
            self._forget(Side.BUY, quote.bid_ticks, quote.bid_lots)
        if taken[Side.SELL]:
            self._forget(Side.SELL, quote.ask_ticks, quote.ask_lots)

    def apply_delta(self, delta: BookDelta) -> None:
        """Take in a new size of one level."""
        self.has_depth = True
        self._ladders[delta.side].set(delta.price_ticks, delta.size_lots)
        taken = self._taken[delta.side]
        if taken:
            taken.pop(delta.price_ticks, None)

    def apply_depth(self, depth: BookDepth) -> list[tuple[Side, int, int]]:
        """Take in the top of the book as it stands: right again as far as it reaches, whatever changes were missed.

        Returns what was not known: side, price and new lots of each level.
        """
        self.has_depth = True
        missed: list[tuple[Side, int, int]] = []
        for side, shown in ((Side.BUY, depth.bids), (Side.SELL, depth.asks)):
            ladder, taken = self._ladders[side], self._taken[side]
            levels = dict(shown)
            gone = []
            for price, _ in ladder:
                if shown and side * (price - shown[-1][0]) < 0:
                    break
                if price not in levels:
                    gone.append(price)
            for price, lots in (*((price, 0) for price in gone), *shown):
                if ladder.get(price) != lots:
                    ladder.set(price, lots)
                    taken.pop(price, None)
                    missed.append((side, price, lots))
        return missed

    def best(self, side: Side) -> int | None:
        """Best displayed price of a side, None while there is none."""
        quote = self.quote
        if quote is None:
            return self._ladders[side].best
        if side is Side.BUY:
            return quote.bid_ticks if quote.bid_lots > 0 else None
        return quote.ask_ticks if quote.ask_lots > 0 else None

    def displayed(self, side: Side, price_ticks: int) -> int | None:
        """Lots displayed at a price; 0 where a level would show and does not, None where the feed does not reach."""
        best = self.best(side)
        quoted = None
        if best is not None:
            distance = side * (best - price_ticks)
            if distance < 0:
                return 0
            if distance == 0:
                quoted = self._best_lots(side)
        ladder = self._ladders[side]
        worst = ladder.worst
        if not self.has_depth or worst is None or side * (price_ticks - worst) < 0:
            return quoted
        return max(ladder.get(price_ticks), quoted or 0)

    def levels(self, side: Side) -> Iterator[tuple[int, int, int]]:
        """(price, displayed lots, lots not taken yet), best first."""
        best = self.best(side)
        if best is None:
            return
        ladder = self._ladders[side]
        displayed: Iterator[tuple[int, int]]
        if self.has_depth and ladder.best == best:
            displayed = iter(ladder)
        else:
            displayed = iter(((best, self._best_lots(side)),))
        taken = self._taken[side]
        for price, lots in displayed:
            shown, used = taken.get(price, (lots, 0))
            yield price, lots, lots - used if shown == lots else lots

    def available(self, side: Side, limit_ticks: int | None, want: int) -> int:
        """Lots that can be taken from a side at the limit or better, counted up to `want`."""
        total = 0
        for price, _, lots in self.levels(side):
            if total >= want or (limit_ticks is not None and side * (price - limit_ticks) < 0):
                break
            total += lots
        return min(total, want)

    def take(self, side: Side, limit_ticks: int | None, want: int) -> list[tuple[int, int]]:
        """Take up to `want` lots from a side at the limit or better: (price, lots) taken, best first."""
        got: list[tuple[int, int]] = []
        taken = self._taken[side]
        for price, shown, lots in self.levels(side):
            if want <= 0 or (limit_ticks is not None and side * (price - limit_ticks) < 0):
                break
            if lots > 0:
                part = min(lots, want)
                taken[price] = (shown, shown - lots + part)
                got.append((price, part))
                want -= part
        return got

    def _best_lots(self, side: Side) -> int:
        quote = self.quote
        if quote is None:
            ladder = self._ladders[side]
            return ladder.get(ladder.best) if ladder.best is not None else 0
        return quote.bid_lots if side is Side.BUY else quote.ask_lots

    def _forget(self, side: Side, best: int, lots: int) -> None:
        """A level that has gone, or shows another size, can be taken afresh."""
        taken = self._taken[side]
        for price in list(taken):
            distance = side * (best - price)
            if lots <= 0 or distance < 0 or (distance == 0 and taken[price][0] != lots):
                del taken[price]
