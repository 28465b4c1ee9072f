"""What comes in becomes state and goes out: books, top-of-book quotes, conflated depth, bars. One object a node."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from nautilus.engines.marketdata.admission import Door, MarketEvent
from nautilus.engines.marketdata.bar_builder import BarBuilder
from nautilus.engines.marketdata.bar_policy import LatePolicy
from nautilus.engines.marketdata.bar_rule import NEVER_NS, BarRule
from nautilus.engines.marketdata.order_book import OrderBook
from nautilus.engines.marketdata.recorder import BAR_KIND_PREFIX, BOOK_KIND, QUOTE_KIND, TRADE_KIND, Recorder
from nautilus.model import Bar, BookDelta, BookDepth, InstrumentRegistry, Quote, Trade, topics

Publish = Callable[[Any, Any], None]
SPECS_KEPT = 32


class FeedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much is derived and kept of each instrument."""

    bars: tuple[BarRule, ...] = ()
    depth_levels: int = 10
    depth_interval_ns: int = 100_000_000
    trades_kept: int = 1000
    bars_kept: int = 5000


class InstrumentFeed:
    """Everything current about one instrument."""

    __slots__ = (
        "bar_due_ns",
        "bar_topics",
        "bars",
        "book",
        "book_topic",
        "book_ts",
        "builders",
        "depth_due_ns",
        "depth_pending",
        "depth_topic",
        "instrument_id",
        "quote",
        "quote_topic",
        "top",
        "trade_topic",
        "trades",
    )

    def __init__(self, instrument_id: str, settings: FeedSettings) -> None:
        self.instrument_id = instrument_id
        self.book = OrderBook()
        self.book_ts = 0
        self.top: tuple[int | None, int, int | None, int] = (None, 0, None, 0)
        self.quote: Quote | None = None
        self.trades: deque[Trade] = deque(maxlen=settings.trades_kept)
        self.builders = [BarBuilder(instrument_id, rule, late=LatePolicy.ADD) for rule in settings.bars]
        self.bars: dict[str, deque[Bar]] = {str(rule): deque(maxlen=settings.bars_kept) for rule in settings.bars}
        self.bar_due_ns = NEVER_NS
        self.depth_due_ns = 0
        self.depth_pending = False
        self.quote_topic = topics.quote(instrument_id)
        self.trade_topic = topics.trade(instrument_id)
        self.book_topic = topics.book(instrument_id)
        self.depth_topic = topics.depth(instrument_id)
        self.bar_topics = {spec: topics.bar(spec, instrument_id) for spec in self.bars}

    @property
    def due_ns(self) -> int:
        """When something is to be published though nothing comes in."""
        return min(self.bar_due_ns, self.depth_due_ns if self.depth_pending else NEVER_NS)

    @property
    def late_trades(self) -> int:
        """Trades out of order, of each kind of bar: they count in the bar that was open when they came."""
        return sum(builder.counts.late_added + builder.counts.late_dropped for builder in self.builders)


class MarketFeed:
    """Takes in events that may come from anywhere, publishes what holds and what follows from it.

    A group of book deltas (up to `last`) that changes the top of the book gives one Quote; a crossed book gives none
    and is counted. Depth goes out at most once an interval of event time for each instrument, its last state always.
    A bar of the source stops our own aggregation of that spec for the instrument.
    """

    def __init__(
        self,
        publish: Publish,
        instruments: InstrumentRegistry,
        settings: FeedSettings,
        recorder: Recorder | None = None,
    ) -> None:
        self.door = Door(instruments)
        self.feeds: dict[str, InstrumentFeed] = {}
        self.recorder = recorder
        self.crossed_books = 0
        self._own: object = None
        self._send = publish
        self._settings = settings
        self._due_ns = NEVER_NS

    def ingest(self, event: MarketEvent, *, relay: bool = True) -> bool:
        """Take in one event and, where it is to be relayed, publish it; False where the door refused it."""
        if not self.door.admits(event):
            return False
        feed = self.feeds.get(event.instrument_id)
        if feed is None:
            feed = self.feeds[event.instrument_id] = InstrumentFeed(event.instrument_id, self._settings)
        if isinstance(event, BookDelta):
            self._take_delta(feed, event, relay)
        elif isinstance(event, Trade):
            self._take_trade(feed, event, relay)
        elif isinstance(event, Quote):
            self._take_quote(feed, event, relay)
        else:
            self._take_bar(feed, event, relay)
        return True

    def observe(self, event: MarketEvent) -> None:
        """Take in an event that somebody else has put on the bus: only what follows from it is published."""
        if event is not self._own:
            self.ingest(event, relay=False)

    def advance(self, now_ns: int) -> None:
        """Event time has reached `now_ns`: close the bars and send the depths that are due."""
        if now_ns < self._due_ns:
            return
        for feed in self.feeds.values():
            if feed.bar_due_ns <= now_ns:
                self._close_bars(feed, now_ns)
            if feed.depth_pending and feed.depth_due_ns <= now_ns:
                self._send_depth(feed)
        self._due_ns = min((feed.due_ns for feed in self.feeds.values()), default=NEVER_NS)

    def flush_depths(self) -> None:
        """Send every depth that waits."""
        for feed in self.feeds.values():
            if feed.depth_pending:
                self._send_depth(feed)

    def _publish(self, topic: Any, message: Any) -> None:
        outer, self._own = self._own, message
        try:
            self._send(topic, message)
        finally:
            self._own = outer

    def _take_delta(self, feed: InstrumentFeed, delta: BookDelta, relay: bool) -> None:
        feed.book.apply(delta.side, delta.price_ticks, delta.size_lots)
        if self.recorder is not None:
            self.recorder.record(BOOK_KIND, delta)
        if relay:
            self._publish(feed.book_topic, delta)
        if not delta.last:
            return
        feed.book_ts = delta.ts_event
        book = feed.book
        top = (book.best_bid, book.bid_lots, book.best_ask, book.ask_lots)
        if top != feed.top:
            feed.top = top
            if book.is_crossed:
                self.crossed_books += 1
            else:
                self._send_quote(feed, delta.ts_event, delta.ts_init)
        feed.depth_pending = True
        if delta.ts_event >= feed.depth_due_ns:
            self._send_depth(feed)
        elif feed.depth_due_ns < self._due_ns:
            self._due_ns = feed.depth_due_ns

    def _send_quote(self, feed: InstrumentFeed, ts_event: int, ts_init: int) -> None:
        bid, bid_lots, ask, ask_lots = feed.top
        quote = Quote(feed.instrument_id, bid or 0, ask or 0, bid_lots, ask_lots, ts_event, ts_init)
        feed.quote = quote
        if self.recorder is not None:
            self.recorder.record(QUOTE_KIND, quote)
        self._publish(feed.quote_topic, quote)

    def _send_depth(self, feed: InstrumentFeed) -> None:
        feed.depth_pending = False
        feed.depth_due_ns = feed.book_ts + self._settings.depth_interval_ns
        levels, book = self._settings.depth_levels, feed.book
        depth = BookDepth(feed.instrument_id, book.bids(levels), book.asks(levels), feed.book_ts, feed.book_ts)
        self._publish(feed.depth_topic, depth)

    def _take_trade(self, feed: InstrumentFeed, trade: Trade, relay: bool) -> None:
        if trade.ts_event >= feed.bar_due_ns:
            self._close_bars(feed, trade.ts_event)
        feed.trades.append(trade)
        if self.recorder is not None:
            self.recorder.record(TRADE_KIND, trade)
        if relay:
            self._publish(feed.trade_topic, trade)
        for builder in feed.builders:
            for bar in builder.update(trade):
                self._send_bar(feed, bar)
            feed.bar_due_ns = min(feed.bar_due_ns, builder.due_ns)
        self._due_ns = min(self._due_ns, feed.bar_due_ns)

    def _close_bars(self, feed: InstrumentFeed, now_ns: int) -> None:
        for builder in feed.builders:
            for bar in builder.advance(now_ns):
                self._send_bar(feed, bar)
        feed.bar_due_ns = min((builder.due_ns for builder in feed.builders), default=NEVER_NS)

    def _send_bar(self, feed: InstrumentFeed, bar: Bar) -> None:
        feed.bars[bar.spec].append(bar)
        if self.recorder is not None:
            self.recorder.record(BAR_KIND_PREFIX + bar.spec, bar)
        self._publish(feed.bar_topics[bar.spec], bar)

    def _take_quote(self, feed: InstrumentFeed, quote: Quote, relay: bool) -> None:
        feed.quote = quote
        if self.recorder is not None:
            self.recorder.record(QUOTE_KIND, quote)
        if relay:
            self._publish(feed.quote_topic, quote)

    def _take_bar(self, feed: InstrumentFeed, bar: Bar, relay: bool) -> None:
        if bar.spec not in feed.bars:
            if len(feed.bars) >= SPECS_KEPT:
                return
            feed.bars[bar.spec] = deque(maxlen=self._settings.bars_kept)
            feed.bar_topics[bar.spec] = topics.bar(bar.spec, feed.instrument_id)
        feed.builders = [builder for builder in feed.builders if builder.spec_text != bar.spec]
        if relay:
            self._send_bar(feed, bar)
        else:
            feed.bars[bar.spec].append(bar)
