"""The market: what scripts do to prices, ticks, books and bars, and how clients that subscribed hear of it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType

from tests.fakes.ibkr_gateway.books import OPERATIONS, SIDES, Book, Level
from tests.fakes.ibkr_gateway.core import Core
from tests.fakes.ibkr_gateway.history import Bar, put
from tests.fakes.ibkr_gateway.instruments import Instrument
from tests.fakes.ibkr_gateway.requests import (
    DepthRequest,
    HistoricalRequest,
    MarketDataRequest,
    RealTimeBarsRequest,
    TickByTickRequest,
)
from tests.fakes.ibkr_gateway.session import Subscription
from tests.fakes.ibkr_gateway.wire import Field, epoch

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, HIGH, LOW, VOLUME, CLOSE, OPEN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14
LAST_TIMESTAMP, HALTED = 45, 49
# with delayed data (types 3 and 4) the same ticks come under other numbers
DELAYED = MappingProxyType(
    {1: 66, 2: 67, 4: 68, 0: 69, 3: 70, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 14: 76, 45: 88, 49: 90}
)
TICK_BY_TICK = MappingProxyType({"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4})
PRICE_MESSAGE, SIZE_MESSAGE, GENERIC_MESSAGE, STRING_MESSAGE = 1, 2, 45, 46

type Level1 = tuple[int, int, tuple[Field, ...]]
type BarsKey = tuple[int, str, str]


class Market(Core):
    """Prices, books and bars of the listed instruments."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.bars: dict[BarsKey, list[Bar]] = {}
        self._books: defaultdict[int, Book] = defaultdict(Book)
        self._level1: defaultdict[int, dict[int, Level1]] = defaultdict(dict)

    def add(self, instrument: Instrument) -> Instrument:
        """List another instrument."""
        self.instruments[instrument.con_id] = instrument
        return instrument

    def tick(
        self,
        name: str | int,
        *,
        bid: float | None = None,
        bid_size: float | None = None,
        ask: float | None = None,
        ask_size: float | None = None,
        last: float | None = None,
        last_size: float | None = None,
        volume: float | None = None,
        high: float | None = None,
        low: float | None = None,
        open: float | None = None,  # noqa: A002 - as it is called on the wire
        close: float | None = None,
        timestamp: datetime | float | None = None,
        halted: int | None = None,
    ) -> int:
        """Level 1, of what is given; a price with its size is one message. Returns how many subscriptions heard."""
        heard = 0
        pairs = ((BID, bid, BID_SIZE, bid_size), (ASK, ask, ASK_SIZE, ask_size), (LAST, last, LAST_SIZE, last_size))
        for price_type, price, size_type, size in pairs:
            if price is not None:
                heard = self.tick_price(name, price_type, price, size or 0)
            elif size is not None:
                heard = self.tick_size(name, size_type, size)
        for tick_type, price in ((HIGH, high), (LOW, low), (OPEN, open), (CLOSE, close)):
            if price is not None:
                heard = self.tick_price(name, tick_type, price)
        if volume is not None:
            heard = self.tick_size(name, VOLUME, volume)
        if timestamp is not None:
            heard = self.tick_string(name, LAST_TIMESTAMP, str(epoch(timestamp)))
        if halted is not None:
            heard = self.tick_generic(name, HALTED, halted)
        return heard

    def tick_price(self, name: str | int, tick_type: int, price: float, size: float = 0.0, mask: int = 0) -> int:
        """A price and its size."""
        return self._tick(name, PRICE_MESSAGE, tick_type, price, size, mask)

    def tick_size(self, name: str | int, tick_type: int, size: float) -> int:
        """A size alone."""
        return self._tick(name, SIZE_MESSAGE, tick_type, size)

    def tick_generic(self, name: str | int, tick_type: int, value: float) -> int:
        """A number."""
        return self._tick(name, GENERIC_MESSAGE, tick_type, value)

    def tick_string(self, name: str | int, tick_type: int, value: str) -> int:
        """A text."""
        return self._tick(name, STRING_MESSAGE, tick_type, value)

    def _tick(self, name: str | int, message_id: int, tick_type: int, *values: Field) -> int:
        instrument = self.find(name)
        tick = (message_id, tick_type, values)
        self._level1[instrument.con_id][tick_type] = tick
        return sum(self._push_tick(each, tick) for each in self.subscriptions(name, MarketDataRequest))

    def _push_tick(self, subscription: Subscription, tick: Level1) -> bool:
        message_id, tick_type, values = tick
        delayed = subscription.session.data_type in {3, 4}
        number = DELAYED.get(tick_type, tick_type) if delayed else tick_type
        return self.push(subscription, message_id, 6, subscription.request_id, number, *values)

    def send_level1(self, subscription: Subscription) -> None:
        """What is known, to somebody who has just subscribed."""
        for tick in self._level1[subscription.instrument.con_id].values():
            self._push_tick(subscription, tick)

    def trade(
        self,
        name: str | int,
        price: float,
        size: float,
        *,
        time: datetime | float | None = None,
        exchange: str = "",
        conditions: str = "",
        past_limit: bool = False,
        unreported: bool = False,
    ) -> int:
        """A trade, to Last and AllLast; an unreported one only to AllLast."""
        mask = past_limit | unreported << 1
        kinds = ("AllLast",) if unreported else ("Last", "AllLast")
        return self._tick_by_tick(name, kinds, time, price, size, mask, exchange, conditions)

    def quote(
        self,
        name: str | int,
        bid: float,
        ask: float,
        bid_size: float,
        ask_size: float,
        *,
        time: datetime | float | None = None,
        bid_past_low: bool = False,
        ask_past_high: bool = False,
    ) -> int:
        """A change of the best bid or ask."""
        mask = bid_past_low | ask_past_high << 1
        return self._tick_by_tick(name, ("BidAsk",), time, bid, ask, bid_size, ask_size, mask)

    def midpoint(self, name: str | int, price: float, *, time: datetime | float | None = None) -> int:
        """A change of the middle."""
        return self._tick_by_tick(name, ("MidPoint",), time, price)

    def _tick_by_tick(
        self, name: str | int, kinds: Sequence[str], time: datetime | float | None, *values: Field
    ) -> int:
        seconds = epoch(self.now() if time is None else time)
        heard = 0
        for each in self.subscriptions(name, TickByTickRequest):
            assert isinstance(each.request, TickByTickRequest)
            kind = each.request.tick_type
            if kind in kinds:
                heard += self.push(each, 99, each.request_id, TICK_BY_TICK[kind], seconds, *values)
        return heard

    def book(self, name: str | int) -> Book:
        """The true book."""
        return self._books[self.find(name).con_id]

    def depth(
        self,
        name: str | int,
        operation: str,
        side: str,
        position: int,
        price: float = 0.0,
        size: float = 0.0,
        market_maker: str = "",
    ) -> int:
        """Change the true book by one operation and send it, to each client as many rows as it asked for."""
        level = Level(price, size, market_maker)
        self.book(name).apply(operation, side, position, level)
        subscriptions = self.subscriptions(name, DepthRequest)
        return sum(self._push_operation(each, operation, side, position, level) for each in subscriptions)

    def _push_operation(self, to: Subscription, operation: str, side: str, position: int, level: Level) -> bool:
        """One operation on the rows that a client sees; the row that falls out of sight, or comes into it, goes too."""
        assert isinstance(to.request, DepthRequest)
        seen = to.request.rows
        if position >= seen:
            return False
        rows = self._books[to.instrument.con_id].rows(side)
        if operation == "insert" and len(rows) > seen:
            self._push_row(to, "delete", side, seen - 1, rows[seen])
        heard = self._push_row(to, operation, side, position, level)
        if operation == "delete" and len(rows) >= seen:
            self._push_row(to, "insert", side, seen - 1, rows[seen - 1])
        return heard

    def send_book(self, subscription: Subscription) -> None:
        """The true book as inserts, row by row."""
        book = self._books[subscription.instrument.con_id]
        for side in ("bid", "ask"):
            for position, level in enumerate(book.rows(side)):
                self._push_row(subscription, "insert", side, position, level)

    def reset_depth(self, name: str | int, *, refill: bool = True) -> int:
        """Error 317 to those who see the book, and the book again."""
        subscriptions = self.subscriptions(name, DepthRequest)
        for each in subscriptions:
            self.error(each.session, each.request_id, 317)
            if refill:
                self.send_book(each)
        return len(subscriptions)

    def _push_row(self, to: Subscription, operation: str, side: str, position: int, level: Level) -> bool:
        assert isinstance(to.request, DepthRequest)
        if position >= to.request.rows:
            return False
        numbers = (OPERATIONS[operation], SIDES[side], level.price, level.size)
        if to.request.smart or level.market_maker:
            return self.push(to, 13, 1, to.request_id, position, level.market_maker, *numbers, to.request.smart)
        return self.push(to, 12, 1, to.request_id, position, *numbers)

    def set_bars(self, name: str | int, bar_size: str, bars: Sequence[Bar], what: str = "TRADES") -> None:
        """The history that requests for this size ("1 min", "1 day") and kind are answered from."""
        key = (self.find(name).con_id, bar_size, what)
        self.bars[key] = sorted(bars, key=lambda bar: bar.moment)

    def live_bar(self, name: str | int, bar_size: str, bar: Bar, what: str = "TRADES") -> int:
        """The bar that is being made, or the first of a new one, to those who keep up to date; it enters history."""
        instrument = self.find(name)
        put(self.bars.setdefault((instrument.con_id, bar_size, what), []), bar)
        heard = 0
        for each in self.subscriptions(name, HistoricalRequest):
            request = each.request
            assert isinstance(request, HistoricalRequest)
            if (request.bar_size, request.what) == (bar_size, what):
                fields = bar.update_fields(request.format_date, instrument.zone)
                heard += self.push(each, 90, each.request_id, *fields)
        return heard

    def realtime_bar(self, name: str | int, bar: Bar, what: str = "TRADES") -> int:
        """A bar of five seconds."""
        prices = (bar.open, bar.high, bar.low, bar.close)
        heard = 0
        for each in self.subscriptions(name, RealTimeBarsRequest):
            assert isinstance(each.request, RealTimeBarsRequest)
            if each.request.what == what:
                seconds = epoch(bar.moment)
                heard += self.push(each, 50, 3, each.request_id, seconds, *prices, bar.volume, bar.average, bar.count)
        return heard
