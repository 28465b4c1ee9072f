"""What tests of the fake gateway share: a connected client, its errors, and the book that a client should build."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ib_async import IB, BarData, Stock

from tests.fakes.ibkr_gateway import Bar, Gateway, Level

AAPL = Stock(conId=265598, symbol="AAPL", exchange="SMART", currency="USD")
NOON = datetime(2026, 1, 6, 17, 0, tzinfo=UTC)


async def connect(gateway: Gateway, client_id: int = 7, **options: object) -> IB:
    """A client that is ready and has made its first requests."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id, **{"timeout": 5, **options})
    return ib


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Until a condition holds. Raises AssertionError."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.002)


def errors_of(ib: IB) -> list[tuple[int, int, str]]:
    """The request, code and text of every notice and error from now on."""
    errors: list[tuple[int, int, str]] = []

    def add(request_id: int, code: int, text: str, _contract: object) -> None:
        errors.append((request_id, code, text))

    ib.errorEvent += add
    return errors


def minute_bars(count: int, start: datetime = NOON) -> list[Bar]:
    """Bars that all differ."""
    return [
        Bar(start + timedelta(minutes=i), 100 + i, 101.5 + i, 99.5 + i, 100.5 + i, 1000 + i, 100.25 + i, 10 + i)
        for i in range(count)
    ]


async def history(ib: IB, end: object = "", length: str = "1 D", **options: object) -> list[BarData]:
    """Bars of AAPL, of a minute unless it says otherwise."""
    asked = {"barSizeSetting": "1 min", "whatToShow": "TRADES", "useRTH": True, "formatDate": 2, **options}
    return await ib.reqHistoricalDataAsync(AAPL, end, length, **asked)


class ClientBook:
    """The book as a client should build it: inserts shift rows down, deletes shift them up, 317 empties."""

    def __init__(self, ib: IB) -> None:
        self.asks: list[Level] = []
        self.bids: list[Level] = []
        self.messages = 0
        self._next = ib.wrapper.updateMktDepthL2
        ib.wrapper.updateMktDepthL2 = self._update
        ib.errorEvent += self._error

    def _update(self, number: int, position: int, maker: str, operation: int, side: int, *rest: float) -> None:
        self.messages += 1
        rows = self.bids if side else self.asks
        level = Level(rest[0], rest[1], maker)
        if operation == 0:
            rows.insert(position, level)
        elif operation == 2:
            del rows[position : position + 1]
        elif position < len(rows):
            rows[position] = level
        else:
            rows.append(level)
        self._next(number, position, maker, operation, side, *rest)

    def _error(self, _number: int, code: int, _text: str, _contract: object) -> None:
        if code == 317:
            self.asks, self.bids = [], []

    def equals(self, gateway: Gateway, name: str = "AAPL", rows: int = 20) -> bool:
        """Whether it is the true book."""
        book = gateway.book(name)
        return (self.asks, self.bids) == (book.asks[:rows], book.bids[:rows])
