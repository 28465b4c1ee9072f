"""Answers out of state: from whole ticks and lots to prices and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nautilus.engines.marketdata.models import (
    BarView,
    BookView,
    History,
    MarketDataStatus,
    QuoteView,
    RecordingStatus,
    TradeView,
)
from nautilus.engines.marketdata.recorder import read_recorded
from nautilus.model import Bar, Instrument, Quote, Side, Trade

if TYPE_CHECKING:
    from nautilus.engines.marketdata.engine import MarketDataEngine
    from nautilus.engines.marketdata.feed import InstrumentFeed
    from nautilus.engines.marketdata.order_book import OrderBook
    from nautilus.store.base import Catalog


def quote_view(instrument: Instrument, quote: Quote, feed: InstrumentFeed) -> QuoteView:
    """A quote with its mid, spread, microprice and the last trade's price."""
    bid, ask = quote.bid_ticks, quote.ask_ticks
    bid_lots, ask_lots = quote.bid_lots, quote.ask_lots
    both = bool(bid_lots and ask_lots)
    return QuoteView(
        instrument_id=quote.instrument_id,
        bid=instrument.price(bid) if bid_lots else None,
        ask=instrument.price(ask) if ask_lots else None,
        bid_size=instrument.size(bid_lots),
        ask_size=instrument.size(ask_lots),
        mid=instrument.price((bid + ask) / 2) if both else None,
        spread=instrument.price(ask - bid) if both else None,
        microprice=instrument.price((bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots)) if both else None,
        last=instrument.price(feed.trades[-1].price_ticks) if feed.trades else None,
        ts_event=quote.ts_event,
        ts_init=quote.ts_init,
    )


def trade_view(instrument: Instrument, trade: Trade) -> TradeView:
    """A trade in currency and units."""
    return TradeView(
        instrument_id=trade.instrument_id,
        price=instrument.price(trade.price_ticks),
        size=instrument.size(trade.size_lots),
        aggressor=int(trade.aggressor),
        trade_id=trade.trade_id,
        ts_event=trade.ts_event,
        ts_init=trade.ts_init,
    )


def bar_view(instrument: Instrument, bar: Bar) -> BarView:
    """A bar in currency and units."""
    return BarView(
        instrument_id=bar.instrument_id,
        spec=bar.spec,
        open=instrument.price(bar.open_ticks),
        high=instrument.price(bar.high_ticks),
        low=instrument.price(bar.low_ticks),
        close=instrument.price(bar.close_ticks),
        volume=instrument.size(bar.volume_lots),
        buy_volume=instrument.size(bar.buy_lots),
        trade_count=bar.trade_count,
        ts_open=bar.ts_open,
        ts_event=bar.ts_event,
    )


def book_view(
    instrument: Instrument, book: OrderBook, ts_event: int, depth: int, vwap_lots: int | None = None
) -> BookView:
    """The best `depth` levels of a book, and what a market order of `vwap_lots` would cost."""

    def price(ticks: float | None) -> float | None:
        return None if ticks is None else instrument.price(ticks)

    bid_levels, ask_levels = book.level_counts
    return BookView(
        instrument_id=instrument.id,
        bids=[(instrument.price(ticks), instrument.size(lots)) for ticks, lots in book.bids(depth)],
        asks=[(instrument.price(ticks), instrument.size(lots)) for ticks, lots in book.asks(depth)],
        bid_levels=bid_levels,
        ask_levels=ask_levels,
        mid=price(book.mid),
        microprice=price(book.microprice),
        imbalance=book.imbalance(depth),
        buy_vwap=price(book.vwap_to_size(Side.BUY, vwap_lots)) if vwap_lots else None,
        sell_vwap=price(book.vwap_to_size(Side.SELL, vwap_lots)) if vwap_lots else None,
        is_crossed=book.is_crossed,
        is_locked=book.is_locked,
        ts_event=ts_event,
    )


def history(
    catalog: Catalog, kind: str, instrument_id: str, start_ns: int | None, end_ns: int | None, limit: int
) -> History:
    """Recorded rows as lists. Blocks."""
    columns = read_recorded(catalog, kind, instrument_id, start_ns, end_ns, newest=limit)
    arrays = {name: column.tolist() for name, column in columns.arrays().items()}
    return History(instrument_id=instrument_id, kind=kind, rows=len(columns), columns=arrays)


def status(engine: MarketDataEngine) -> MarketDataStatus:
    """The engine's whole account of itself."""
    config, feed, recorder, replay = engine.config, engine.feed, engine.recorder, engine.replay
    recording = RecordingStatus(enabled=False)
    if recorder is not None:
        recording = RecordingStatus(
            enabled=True,
            waiting=recorder.waiting,
            written=recorder.written,
            dropped=recorder.dropped,
            failure=recorder.failure,
        )
    return MarketDataStatus(
        source=config.source,
        description=engine.describe_source(),
        quality=engine.quality(),
        seed=config.seed if config.source == "simulated" else None,
        speed=str(config.replay_speed) if config.source == "replay" else None,
        instruments=len(engine.instruments),
        messages=replay.messages if replay else None,
        messages_done=engine.messages_done if replay else None,
        finished=engine.finished.is_set(),
        admitted=dict(feed.door.admitted),
        refused=dict(feed.door.refused),
        recent_refusals=list(feed.door.recent),
        skipped_rows=dict(replay.skipped) if replay else {},
        crossed_books=feed.crossed_books,
        late_trades=sum(one.late_trades for one in feed.feeds.values()),
        recording=recording,
    )
