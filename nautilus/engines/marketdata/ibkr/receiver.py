"""What ib_async's decoder calls: messages are routed by request id to the stream that asked, times are kept."""

# ruff: noqa: N802 - the names are ib_async's

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from nautilus.clock import Clock
from nautilus.engines.marketdata.ibkr.bar_stream import BarRow, BarStream
from nautilus.engines.marketdata.ibkr.depth_stream import DepthStream
from nautilus.engines.marketdata.ibkr.quote_stream import QuoteStream, TickQuoteStream
from nautilus.engines.marketdata.ibkr.settings import NANOSECONDS
from nautilus.engines.marketdata.ibkr.streams import Stream
from nautilus.engines.marketdata.ibkr.trade_stream import TradeStream


class Listener(Protocol):
    """Who is told what is no data: the feed."""

    def heard(self, request_id: int, now_ns: int) -> None:
        """A message of a subscription has come."""

    def noticed(self, request_id: int, code: int, text: str) -> None:
        """An error, warning or notice has come; `request_id` is -1 where it belongs to none."""

    def answered(self, request_id: int) -> None:
        """A historical request has been answered in full."""


class Receiver:
    """The wrapper of one connection; another connection has another, so that nothing of an old one gets through."""

    def __init__(self, clock: Clock, listener: Listener) -> None:
        self.streams: dict[int, Stream] = {}
        """Who gets the messages of a request id."""
        self.last_message_ns = clock.timestamp_ns()
        """When a message that could be decoded last came: the proof of life."""
        self.messages = 0
        self.unrouted = 0
        """Messages of requests that are over, or that nobody made."""
        self.on_time: Callable[[], None] | None = None
        self._clock = clock
        self._listener = listener
        self._dirty: list[Stream] = []
        self._arrival_ns = self.last_message_ns

    # -- the packet ----------------------------------------------------------------------------------------------

    def tcpDataArrived(self) -> None:
        """A packet begins."""
        self._arrival_ns = self._clock.timestamp_ns()

    def tcpDataProcessed(self) -> None:
        """A packet has ended: what waited for that goes out."""
        while self._dirty:
            self._dirty.pop().flush(self._arrival_ns)

    def _alive(self) -> None:
        self.messages += 1
        self.last_message_ns = self._arrival_ns

    def _find(self, request_id: int) -> Stream | None:
        self._alive()
        stream = self.streams.get(request_id)
        if stream is None:
            self.unrouted += 1
        else:
            self._listener.heard(request_id, self._arrival_ns)
        return stream

    def _mark(self, stream: Stream, was_dirty: bool) -> None:
        if stream.is_dirty and not was_dirty:
            self._dirty.append(stream)

    # -- quotes and trades ---------------------------------------------------------------------------------------

    def priceSizeTick(self, reqId: int, tickType: int, price: float, size: float) -> None:
        """A price of a market data line."""
        stream = self._find(reqId)
        if isinstance(stream, QuoteStream):
            was_dirty = stream.is_dirty
            stream.price(tickType, price, size)
            self._mark(stream, was_dirty)

    def tickSize(self, reqId: int, tickType: int, size: float) -> None:
        """A size of a market data line."""
        stream = self._find(reqId)
        if isinstance(stream, QuoteStream):
            was_dirty = stream.is_dirty
            stream.size(tickType, size)
            self._mark(stream, was_dirty)

    def tickByTickAllLast(
        self,
        reqId: int,
        tickType: int,
        time: int,
        price: float,
        size: float,
        tickAttribLast: Any,
        exchange: str,
        specialConditions: str,
    ) -> None:
        """A trade, with the exchange's time in seconds."""
        stream = self._find(reqId)
        if isinstance(stream, TradeStream):
            stream.trade(time, price, size, self._arrival_ns)

    def tickByTickBidAsk(
        self,
        reqId: int,
        time: int,
        bidPrice: float,
        askPrice: float,
        bidSize: float,
        askSize: float,
        tickAttribBidAsk: Any,
    ) -> None:
        """A quote, with the exchange's time in seconds."""
        stream = self._find(reqId)
        if isinstance(stream, TickQuoteStream):
            stream.quote(time, bidPrice, askPrice, bidSize, askSize, self._arrival_ns)

    def marketDataType(self, reqId: int, marketDataId: int) -> None:
        """Which kind of data a line really gives: live, frozen, delayed; no sign that any flow."""
        self._alive()
        stream = self.streams.get(reqId)
        if isinstance(stream, QuoteStream):
            stream.data_type = marketDataId

    # -- depth ---------------------------------------------------------------------------------------------------

    def updateMktDepth(self, reqId: int, position: int, operation: int, side: int, price: float, size: float) -> None:
        """A row operation without a market maker."""
        self.updateMktDepthL2(reqId, position, "", operation, side, price, size)

    def updateMktDepthL2(
        self,
        reqId: int,
        position: int,
        marketMaker: str,
        operation: int,
        side: int,
        price: float,
        size: float,
        isSmartDepth: bool = False,
    ) -> None:
        """A row operation with the market maker, or the exchange."""
        stream = self._find(reqId)
        if isinstance(stream, DepthStream):
            was_dirty = stream.is_dirty
            stream.apply(position, operation, side == 1, price, size, marketMaker)
            self._mark(stream, was_dirty)

    def reset_depth(self, request_id: int) -> None:
        """Error 317 for one book."""
        stream = self.streams.get(request_id)
        if isinstance(stream, DepthStream):
            was_dirty = stream.is_dirty
            stream.reset()
            self._mark(stream, was_dirty)

    # -- bars ----------------------------------------------------------------------------------------------------

    def historicalData(self, reqId: int, bar: Any) -> None:
        """One bar of an answer."""
        stream = self._find(reqId)
        row = _row(bar)
        if isinstance(stream, BarStream):
            if row is None:
                stream.refused += 1
            else:
                stream.history(row)

    def historicalDataEnd(self, reqId: int, _start: str, _end: str) -> None:
        """An answer is complete."""
        if isinstance(self._find(reqId), BarStream):
            self._listener.answered(reqId)

    def historicalDataUpdate(self, reqId: int, bar: Any) -> None:
        """A live bar has changed."""
        stream = self._find(reqId)
        row = _row(bar)
        if isinstance(stream, BarStream):
            if row is None:
                stream.refused += 1
            else:
                stream.update(row, self._arrival_ns)

    # -- the connection ------------------------------------------------------------------------------------------

    def currentTime(self, _time: int) -> None:
        """The answer to the heartbeat."""
        self._alive()
        if self.on_time is not None:
            self.on_time()

    def error(self, reqId: int, errorCode: int, errorString: str, _advancedOrderRejectJson: str = "") -> None:
        """An error, a warning or a notice."""
        self._alive()
        self._listener.noticed(reqId, errorCode, errorString)

    def nextValidId(self, _orderId: int) -> None:
        """Part of the handshake."""
        self._alive()

    def managedAccounts(self, _accounts: str) -> None:
        """Part of the handshake."""
        self._alive()

    def tickOptionComputation(self, reqId: int, *_computation: Any) -> None:
        """Greeks of an option's line: alive, but ours are computed elsewhere."""
        self._find(reqId)

    def connectAck(self) -> None:
        """The versions have been agreed on."""
        self._alive()

    def setEventsDone(self) -> None:
        """ib_async asks this of its wrapper when a connection ends."""

    def connectionClosed(self) -> None:
        """ib_async asks this of its wrapper when a connection ends."""


def _row(bar: Any) -> BarRow | None:
    """A bar with its start in epoch seconds, as it was asked for; None for any other time."""
    if not (isinstance(bar.date, str) and bar.date.isdigit() and len(bar.date) > 8):
        return None
    start_ns = int(bar.date) * NANOSECONDS
    return BarRow(start_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.barCount)
