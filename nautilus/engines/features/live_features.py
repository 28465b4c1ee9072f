"""A feature set of one instrument in streaming form: ticks and bars in, the vector at every bar's close out.

The rule of time: a bar that closes at T sees the ticks with a timestamp before T and no others. Ticks are therefore
held back until a later one comes, so that it does not matter who hears of a tick first, the bar's maker or this.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

from nautilus.engines.features.feature import Stream
from nautilus.engines.features.feature_set import LIVE_INPUTS, SetMember
from nautilus.engines.features.formula import Formula
from nautilus.engines.features.liquidity import DEPTH_LEVELS
from nautilus.model.instruments import Instrument
from nautilus.model.market import Bar, BookDepth, Quote, Trade

HELD_LIMIT = 4_096
"""Ticks of one timestamp that are held back; more of them are let through."""


type Route = tuple[Callable[..., None], Callable[[Sequence[float]], tuple[float, ...]]]
"""A stream's push, and what picks its inputs from a row."""


def _picker(indices: tuple[int, ...]) -> Callable[[Sequence[float]], tuple[float, ...]]:
    if len(indices) == 1:
        (index,) = indices
        return lambda row: (row[index],)
    return itemgetter(*indices)


class Feed:
    """The streams of one kind of data. Those that only look at the newest row are not bothered with the others."""

    __slots__ = ("_every", "_held", "_held_ns", "_last", "_newest", "streams")

    def __init__(self, feed_members: Sequence[SetMember]) -> None:
        self.streams: dict[str, Stream] = {}
        every: list[Route] = []
        newest: list[Route] = []
        for member in feed_members:
            stream = self.streams[member.label] = member.bound.stream()
            computation = member.bound.computation
            forgetful = isinstance(computation, Formula) and computation.terms is None
            (newest if forgetful else every).append((stream.push, _picker(member.indices)))
        self._every = tuple(every)
        self._newest = tuple(newest)
        self._held: list[tuple[float, ...]] = []
        self._held_ns = 0
        self._last: tuple[float, ...] | None = None

    def take(self, row: tuple[float, ...]) -> None:
        """Hand one row to the streams at once."""
        for push, pick in (*self._every, *self._newest):
            push(*pick(row))

    def accept(self, ts_event: int, row: tuple[float, ...]) -> None:
        """Take one row; those of an earlier time go to the streams."""
        if ts_event > self._held_ns or len(self._held) >= HELD_LIMIT:
            self._release()
            self._held_ns = ts_event
        self._held.append(row)

    def settle(self, before_ns: int) -> None:
        """Bring the streams to what was known before that time."""
        if self._held_ns < before_ns:
            self._release()
        if self._last is not None:
            for push, pick in self._newest:
                push(*pick(self._last))
            self._last = None

    def _release(self) -> None:
        held = self._held
        if not held:
            return
        for push, pick in self._every:
            for row in held:
                push(*pick(row))
        self._last = held[-1]
        held.clear()


class LiveFeatures:
    """A feature set of one instrument as its market data come in."""

    __slots__ = ("_bars", "_depth", "_price", "_quotes", "_size", "_trades", "_values")

    def __init__(self, instrument: Instrument, set_members: Sequence[SetMember]) -> None:
        self._price = instrument.tick_size.as_integer_ratio()
        self._size = instrument.lot_size.as_integer_ratio()
        feeds = {kind: Feed([member for member in set_members if member.kind == kind]) for kind in LIVE_INPUTS}
        self._quotes, self._trades = feeds["quotes"], feeds["trades"]
        self._bars, self._depth = feeds["bars"], feeds["depth"]
        self._values = tuple(feeds[member.kind].streams[member.label] for member in set_members)

    def on_quote(self, quote: Quote) -> None:
        """Take a quote; one with an empty side says nothing about prices and is left out."""
        if quote.bid_lots <= 0 or quote.ask_lots <= 0 or not self._quotes.streams:
            return
        (p, q), (s, t) = self._price, self._size
        bid, ask = quote.bid_ticks * p / q, quote.ask_ticks * p / q
        row = (bid, ask, quote.bid_lots * s / t, quote.ask_lots * s / t, 0.5 * (bid + ask))
        self._quotes.accept(quote.ts_event, row)

    def on_trade(self, trade: Trade) -> None:
        """Take a trade."""
        if self._trades.streams:
            (p, q), (s, t) = self._price, self._size
            row = (trade.price_ticks * p / q, trade.size_lots * s / t, float(trade.aggressor))
            self._trades.accept(trade.ts_event, row)

    def on_depth(self, depth: BookDepth) -> None:
        """Take the top of the book; one with fewer levels than the features need is left out."""
        if not self._depth.streams or min(len(depth.bids), len(depth.asks)) < DEPTH_LEVELS:
            return
        (p, q), (s, t) = self._price, self._size
        row: list[float] = []
        for side in (depth.bids, depth.asks):
            row += [price * p / q for price, _ in side[:DEPTH_LEVELS]]
            row += [size * s / t for _, size in side[:DEPTH_LEVELS]]
        self._depth.accept(depth.ts_event, tuple(row))

    def on_bar(self, bar: Bar) -> tuple[float, ...]:
        """Take a bar and return the set's values at its close, in the set's order; NaN while one warms up."""
        for feed in (self._quotes, self._trades, self._depth):
            feed.settle(bar.ts_event)
        (p, q), (s, t) = self._price, self._size
        row = (
            bar.open_ticks * p / q,
            bar.high_ticks * p / q,
            bar.low_ticks * p / q,
            bar.close_ticks * p / q,
            bar.volume_lots * s / t,
            bar.buy_lots * s / t,
            float(bar.trade_count),
        )
        self._bars.take(row)
        return tuple([stream.value for stream in self._values])
