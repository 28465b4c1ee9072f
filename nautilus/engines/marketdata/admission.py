"""The door for market data: what cannot be true is refused with a reason and counted, and never enters state.

Policy. Refused are: an instrument nobody defined; a price or size that is not a whole number of ticks or lots (NaN and
infinity among them); a price <= 0; a negative size (a trade's must be positive); numbers beyond any real market; a
crossed quote (bid > ask; a locked one, bid = ask, happens and passes); a bar whose high or low is not its extreme; an
unknown side; and a time before that of the last event of the same kind and instrument (equal times pass, in order of
arrival).
"""

from __future__ import annotations

from collections import deque

import msgspec

from nautilus.engines.marketdata.bar_rule import RULE
from nautilus.model import Bar, BookDelta, InstrumentRegistry, Quote, Trade

MarketEvent = Quote | Trade | BookDelta | Bar

LARGEST_TICKS = 10**12
LARGEST_LOTS = 10**9
LATEST_NS = 2**62
_RECENT = 100


class Refusal(msgspec.Struct, frozen=True):
    """One event that was turned away. `instrument_id` is cut to 40 characters."""

    kind: str
    instrument_id: str
    reason: str
    ts_event: int | None


class Door:
    """Checks every event before it is used or passed on.

    >>> door = Door(InstrumentRegistry())
    >>> door.admits(Quote("NONE.XNAS", 1, 2, 1, 1, 0, 0)), door.refused
    (False, {'quote: unknown instrument': 1})
    """

    __slots__ = ("_instruments", "_latest", "admitted", "recent", "refused")

    def __init__(self, instruments: InstrumentRegistry) -> None:
        self._instruments = instruments
        self._latest: dict[tuple[str, str], int] = {}
        self.admitted: dict[str, int] = {"quote": 0, "trade": 0, "book_delta": 0, "bar": 0}
        self.refused: dict[str, int] = {}
        self.recent: deque[Refusal] = deque(maxlen=_RECENT)

    def admits(self, event: MarketEvent) -> bool:
        """Whether the event may pass; a refusal is counted and kept among the recent ones."""
        kind: str
        if isinstance(event, BookDelta):
            kind, reason = "book_delta", _wrong_delta(event)
        elif isinstance(event, Quote):
            kind, reason = "quote", _wrong_quote(event)
        elif isinstance(event, Trade):
            kind, reason = "trade", _wrong_trade(event)
        else:
            kind, reason = "bar", _wrong_bar(event)
        if not reason:
            reason = self._unknown_or_late(kind, event)
        if reason:
            self._refuse(kind, event, reason)
            return False
        self.admitted[kind] += 1
        return True

    @property
    def total(self) -> int:
        """Events that passed."""
        return sum(self.admitted.values())

    def _unknown_or_late(self, kind: str, event: MarketEvent) -> str:
        series = event.spec if isinstance(event, Bar) else kind
        latest = self._latest.get((series, event.instrument_id))
        if latest is None:
            if event.instrument_id not in self._instruments:
                return "unknown instrument"
        elif event.ts_event < latest:
            return "time runs backwards"
        self._latest[series, event.instrument_id] = event.ts_event
        return ""

    def _refuse(self, kind: str, event: MarketEvent, reason: str) -> None:
        key = f"{kind}: {reason}"
        self.refused[key] = self.refused.get(key, 0) + 1
        time = event.ts_event if type(event.ts_event) is int else None
        self.recent.append(Refusal(kind, str(event.instrument_id)[:40], reason, time))


def _wrong_time(ts_event: int, ts_init: int) -> bool:
    return not (
        type(ts_event) is int and type(ts_init) is int and 0 <= ts_event < LATEST_NS and 0 <= ts_init < LATEST_NS
    )


def _wrong_delta(delta: BookDelta) -> str:
    price, lots = delta.price_ticks, delta.size_lots
    if not (type(price) is int and type(lots) is int):
        return "not a whole number"
    if price <= 0:
        return "price not positive"
    if lots < 0:
        return "negative size"
    if price > LARGEST_TICKS or lots > LARGEST_LOTS:
        return "beyond any market"
    if delta.side not in (1, -1):
        return "side unknown"
    return "impossible time" if _wrong_time(delta.ts_event, delta.ts_init) else ""


def _wrong_quote(quote: Quote) -> str:
    bid, ask, bid_lots, ask_lots = quote.bid_ticks, quote.ask_ticks, quote.bid_lots, quote.ask_lots
    if not (type(bid) is int and type(ask) is int and type(bid_lots) is int and type(ask_lots) is int):
        return "not a whole number"
    if bid_lots < 0 or ask_lots < 0:
        return "negative size"
    if (bid_lots and bid <= 0) or (ask_lots and ask <= 0) or bid < 0 or ask < 0:
        return "price not positive"
    if max(bid, ask) > LARGEST_TICKS or max(bid_lots, ask_lots) > LARGEST_LOTS:
        return "beyond any market"
    if bid_lots and ask_lots and bid > ask:
        return "crossed"
    return "impossible time" if _wrong_time(quote.ts_event, quote.ts_init) else ""


def _wrong_trade(trade: Trade) -> str:
    price, lots = trade.price_ticks, trade.size_lots
    if not (type(price) is int and type(lots) is int and type(trade.trade_id) is int):
        return "not a whole number"
    if price <= 0:
        return "price not positive"
    if lots <= 0:
        return "size not positive"
    if price > LARGEST_TICKS or lots > LARGEST_LOTS:
        return "beyond any market"
    if trade.aggressor not in (1, 0, -1):
        return "side unknown"
    return "impossible time" if _wrong_time(trade.ts_event, trade.ts_init) else ""


def _wrong_bar(bar: Bar) -> str:
    prices = (bar.low_ticks, bar.open_ticks, bar.close_ticks, bar.high_ticks)
    sizes = (bar.volume_lots, bar.buy_lots, bar.trade_count)
    if not all(type(number) is int for number in (*prices, *sizes, bar.ts_open)):
        return "not a whole number"
    if min(prices) <= 0:
        return "price not positive"
    if min(sizes) < 0:
        return "negative size"
    if max(prices) > LARGEST_TICKS or max(sizes) > LATEST_NS:
        return "beyond any market"
    if bar.low_ticks != min(prices) or bar.high_ticks != max(prices) or bar.buy_lots > bar.volume_lots:
        return "high, low or volume contradict"
    if not RULE.fullmatch(bar.spec):
        return "no bar specification"
    if _wrong_time(bar.ts_event, bar.ts_init) or not 0 <= bar.ts_open <= bar.ts_event:
        return "impossible time"
    return ""
