"""Answers to requests for data: level 1, ticks, depth, bars, details."""

import asyncio
from collections import deque

from tests.fakes.ibkr_gateway.history import duration, within
from tests.fakes.ibkr_gateway.instruments import Instrument, WireContract
from tests.fakes.ibkr_gateway.market import TICK_BY_TICK, Market
from tests.fakes.ibkr_gateway.requests import (
    ContractDetailsRequest,
    DepthRequest,
    HistoricalRequest,
    MarketDataRequest,
    RealTimeBarsRequest,
    Request,
    TickByTickRequest,
)
from tests.fakes.ibkr_gateway.session import Session, Subscription
from tests.fakes.ibkr_gateway.wire import UNSET_INTEGER, BadMessage, parse_time

type DataRequest = MarketDataRequest | TickByTickRequest | DepthRequest | RealTimeBarsRequest | HistoricalRequest


class DataAnswers(Market):
    """Subscriptions have the limits that IBKR's accounts have."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.max_lines = 100
        self.max_depth = 3
        self.max_tick_by_tick = 5
        self.historical_pacing: tuple[int, float] | None = None
        self._historical_times: deque[float] = deque()

    def resolve(self, session: Session, request_id: int, contract: WireContract) -> Instrument | None:
        """The instrument meant, or an error to the client."""
        found = self.meant(contract)
        if not found:
            self.error(session, request_id, 200)
            return None
        return found[0]

    def subscribe(self, session: Session, request: DataRequest, instrument: Instrument) -> Subscription | None:
        """Remember a subscription, or tell the client that its number is in use."""
        if request.request_id in session.subscriptions:
            self.error(session, request.request_id, 322, "Error processing request: Duplicate ticker ID")
            return None
        subscription = Subscription(session, request.request_id, request, instrument)
        session.subscriptions[request.request_id] = subscription
        return subscription

    def unsubscribe(self, session: Session, request_id: int, unknown: int) -> None:
        """Forget a subscription, or tell the client that there was none."""
        if session.subscriptions.pop(request_id, None) is None:
            self.error(session, request_id, unknown)

    def _is_full(self, session: Session, kind: type[Request], limit: int) -> bool:
        return sum(isinstance(each.request, kind) for each in session.subscriptions.values()) >= limit

    def market_data(self, session: Session, request: MarketDataRequest) -> None:
        """Parameters, the type of data, what is known, then ticks as they come; a snapshot ends with what is known."""
        instrument = self.resolve(session, request.request_id, request.contract)
        if instrument is None:
            return
        if self._is_full(session, MarketDataRequest, self.max_lines):
            self.error(session, request.request_id, 101)
            return
        subscription = self.subscribe(session, request, instrument)
        if subscription is None:
            return
        session.send(81, request.request_id, instrument.min_tick, "9c0001", 3)
        session.send(58, 1, request.request_id, session.data_type)
        self.send_level1(subscription)
        if request.snapshot:
            session.send(57, 1, request.request_id)
            del session.subscriptions[request.request_id]

    def tick_by_tick(self, session: Session, request: TickByTickRequest) -> None:
        """Nothing but ticks as they come."""
        instrument = self.resolve(session, request.request_id, request.contract)
        if instrument is None:
            return
        if request.tick_type not in TICK_BY_TICK:
            self.error(session, request.request_id, 321, f"Error validating request: tick type {request.tick_type}")
        elif self._is_full(session, TickByTickRequest, self.max_tick_by_tick):
            self.error(session, request.request_id, 10190)
        else:
            self.subscribe(session, request, instrument)

    def market_depth(self, session: Session, request: DepthRequest) -> None:
        """The book as it stands, then its changes."""
        instrument = self.resolve(session, request.request_id, request.contract)
        if instrument is None:
            return
        if self._is_full(session, DepthRequest, self.max_depth):
            self.error(session, request.request_id, 309)
            return
        subscription = self.subscribe(session, request, instrument)
        if subscription is not None:
            self.send_book(subscription)

    def realtime_bars(self, session: Session, request: RealTimeBarsRequest) -> None:
        """Bars of five seconds as they come."""
        instrument = self.resolve(session, request.request_id, request.contract)
        if instrument is not None:
            self.subscribe(session, request, instrument)

    def historical(self, session: Session, request: HistoricalRequest) -> None:
        """All bars in one message, then updates where they are asked for."""
        number = request.request_id
        instrument = self.resolve(session, number, request.contract)
        if instrument is None:
            return
        if self._is_too_fast():
            self.error(session, number, 162)
            return
        try:
            end, length = parse_time(request.end), duration(request.duration)
        except BadMessage as error:
            self.error(session, number, 321, f"Error validating request.-'bZ' : cause - {error}")
            return
        held = self.bars.get((instrument.con_id, request.bar_size, request.what), [])
        chosen = [] if {"historical", "connectivity"} & self.outages else within(held, end, length)
        if not chosen:
            asked = f"{instrument.symbol}@{request.contract.exchange} {request.what.capitalize()}"
            text = f"Historical Market Data Service error message:HMDS query returned no data: {asked}"
            self.error(session, number, 162, text)
            return
        if request.keep_up_to_date and self.subscribe(session, request, instrument) is None:
            return
        bars = [bar.fields(request.format_date, instrument.zone) for bar in chosen]
        first, last = (each.moment.strftime("%Y%m%d  %H:%M:%S") for each in (chosen[0], chosen[-1]))
        session.send(17, number, first, last, len(bars), *(field for bar in bars for field in bar))

    def _is_too_fast(self) -> bool:
        if self.historical_pacing is None:
            return False
        most, seconds = self.historical_pacing
        now = asyncio.get_running_loop().time()
        while self._historical_times and now - self._historical_times[0] > seconds:
            self._historical_times.popleft()
        if len(self._historical_times) >= most:
            return True
        self._historical_times.append(now)
        return False

    def details(self, session: Session, request: ContractDetailsRequest) -> None:
        """Every instrument that could be meant, and the end."""
        found = [] if {"definitions", "connectivity"} & self.outages else self.meant(request.contract)
        if not found:
            self.error(session, request.request_id, 200)
            return
        for instrument in found:
            session.send(*instrument.details(request.request_id))
        session.send(52, 1, request.request_id)

    def depth_exchanges(self, session: Session) -> None:
        """Two of them."""
        rows = (("ISLAND", "STK", "NASDAQ", "Deep2"), ("CME", "FUT", "", "Deep"))
        session.send(80, len(rows), *(field for row in rows for field in (*row, UNSET_INTEGER)))
