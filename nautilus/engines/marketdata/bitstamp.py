"""Bitstamp's live order feed: recorded lines into order events, without the rows that come too late.

A line of a recording is `<receive time, ms> <kind> <JSON>`; the kinds order_created, order_changed and order_deleted
say what one order is now. An order's id is never used again, so what arrives for it after its deletion is late and is
left out. Orders that rested before the recording began are known only from their first change on.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from nautilus.engines.marketdata.decimal_grid import DecimalGrid
from nautilus.engines.marketdata.order_events import ADD, DELETE, MODIFY, OrderEventColumns
from nautilus.errors import Invalid
from nautilus.model import Instrument

REMEMBERED_DELETIONS: Final = 100_000
_ACTIONS: Final = {"order_created": ADD, "order_changed": MODIFY, "order_deleted": DELETE}


class BitstampLine(NamedTuple):
    """One line of a recording; `body` is JSON."""

    ts_recv: int
    kind: str
    body: bytes


class OrderEvent(NamedTuple):
    """The arguments of Level3Book.apply."""

    action: int
    order_id: int
    side: int
    price_ticks: int
    size_lots: int


class _LiveOrder(msgspec.Struct):
    id: int
    order_type: int
    price: str
    amount: str
    datetime: str


class BitstampOrders:
    """What Bitstamp says of one instrument's orders, as events of a Level3Book.

    It remembers the last `remembered` deletions (the oldest is forgotten first); `late` counts what was left out.

    >>> from decimal import Decimal
    >>> from nautilus.model import AssetClass
    >>> bitcoin = Instrument(id="BTCUSD.BITSTAMP", asset_class=AssetClass.CRYPTO, tick_size=Decimal("0.01"))
    >>> body = b'{"price": "236.47", "amount": "2", "datetime": "1430438404", "id": 7, "order_type": 0}'
    >>> orders = BitstampOrders(bitcoin)
    >>> orders.event("order_created", body)
    OrderEvent(action=1, order_id=7, side=1, price_ticks=23647, size_lots=2)
    """

    def __init__(self, instrument: Instrument, remembered: int = REMEMBERED_DELETIONS) -> None:
        if remembered < 1:
            raise Invalid("remembered", f"must be at least 1, not {remembered}")
        self.instrument = instrument
        self.late = 0
        self._remembered = remembered
        self._ticks = DecimalGrid(instrument.tick_size)
        self._lots = DecimalGrid(instrument.lot_size)
        self._deleted: dict[int, None] = {}
        self._decoder = msgspec.json.Decoder(_LiveOrder)

    def event(self, kind: str, body: bytes | str) -> OrderEvent | None:
        """The event of one message; None where it is no order's, or late.

        Raises Invalid where the body is not an order of Bitstamp's, or off the grid.
        """
        parsed = self._parsed(kind, body)
        return None if parsed is None else parsed[0]

    def _parsed(self, kind: str, body: bytes | str) -> tuple[OrderEvent, int] | None:
        action = _ACTIONS.get(kind)
        if action is None:
            return None
        try:
            order = self._decoder.decode(body)
            seconds = int(order.datetime)
        except (msgspec.DecodeError, ValueError) as error:
            raise Invalid(kind, f"is not an order: {error}") from error
        if order.order_type not in {0, 1}:
            raise Invalid("order_type", f"must be 0 (buy) or 1 (sell), not {order.order_type}")
        price, lots = self._ticks.steps(order.price, "price"), self._lots.steps(order.amount, "amount")
        if lots < 0 or (action == ADD and not lots):
            raise Invalid("amount", f"must be positive, not {order.amount}")
        if order.id in self._deleted:
            self.late += 1
            return None
        if action == DELETE:
            self._deleted[order.id] = None
            if len(self._deleted) > self._remembered:
                del self._deleted[next(iter(self._deleted))]
        side = 1 if order.order_type == 0 else -1
        return OrderEvent(action, order.id, side, price, lots), seconds * 1_000_000_000

    def columns(self, lines: Iterator[BitstampLine]) -> OrderEventColumns:
        """All order events of a recording, for `replay_orders`; times are the exchange's, to the second."""
        rows = [(*parsed[0], parsed[1]) for line in lines if (parsed := self._parsed(line.kind, line.body)) is not None]
        return OrderEventColumns(*np.array(rows, dtype=np.int64).reshape(-1, 6).T)


def read_lines(path: Path) -> Iterator[BitstampLine]:
    """The lines of a recording, which may be packed with xz; raises Invalid, naming it, for a line of another shape."""
    with lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            time, _, rest = line.partition(b" ")
            kind, _, body = rest.partition(b" ")
            if not (time.isdigit() and body):
                raise Invalid(f"{path}: line {number}", "must be a time in ms, a kind and JSON")
            yield BitstampLine(int(time) * 1_000_000, kind.decode("ascii", "replace"), body)
