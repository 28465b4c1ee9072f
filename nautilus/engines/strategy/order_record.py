"""The record of orders: open and closed apart, identifiers used, net positions. The same after a restart.

Whatever history there is, an event costs the same; every collection has a bound.
"""

from collections import OrderedDict, deque
from itertools import islice

import msgspec

from nautilus.errors import Conflict, NautilusError, NotFound
from nautilus.model.orders import Order, OrderEvent, OrderFilled, OrderInitialized
from nautilus.model.recent_ids import RecentIds


class OrdersSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A record of orders as it is written between restarts. Orders and fills are kept encoded; `ids` are lines."""

    open: list[msgspec.Raw]
    closed: list[msgspec.Raw]
    ids: str
    counters: dict[str, int]
    positions: list[tuple[str, str, str, int]]
    fills: list[msgspec.Raw]


class OrderRecord:
    """Every order, by events alone.

    `closed_max` bounds the closed orders kept whole, `ids_max` the identifiers remembered to refuse duplicates,
    `fills_max` the fills that can be listed. An open order is never dropped.
    """

    def __init__(self, closed_max: int = 5_000, ids_max: int = 100_000, fills_max: int = 5_000) -> None:
        self._closed_max = closed_max
        self._open: dict[str, Order] = {}
        self._open_of: dict[str, dict[str, Order]] = {}
        self._closed: OrderedDict[str, Order] = OrderedDict()
        self._ids = RecentIds(ids_max)
        self._counters: dict[str, int] = {}
        self._positions: dict[tuple[str, str, str], int] = {}
        self._account_positions: dict[tuple[str, str], int] = {}
        self.fills: deque[OrderFilled] = deque(maxlen=fills_max)
        self._fills_encoded: deque[msgspec.Raw] = deque(maxlen=fills_max)
        self._fills_since_export = 0
        self._encoded: dict[str, msgspec.Raw] = {}
        self._changed: dict[str, Order] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def get(self, client_order_id: str) -> Order | None:
        """An order, open or closed and still kept; None otherwise."""
        return self._open.get(client_order_id) or self._closed.get(client_order_id)

    def __getitem__(self, client_order_id: str) -> Order:
        order = self.get(client_order_id)
        if order is None:
            raise NotFound("order", client_order_id)
        return order

    def is_used(self, client_order_id: str) -> bool:
        """Whether an identifier has been used, as far as remembered."""
        return client_order_id in self._ids

    @property
    def open_count(self) -> int:
        """How many orders are open."""
        return len(self._open)

    @property
    def closed_count(self) -> int:
        """How many closed orders are kept."""
        return len(self._closed)

    def changeable(self, client_order_id: str) -> Order:
        """An open order; raises NotFound or, where it is closed, Conflict."""
        order = self._open.get(client_order_id)
        if order is None:
            raise Conflict(f"order {client_order_id} is {self[client_order_id].status}")
        return order

    def open_orders(self, strategy_id: str | None = None, instrument_id: str | None = None) -> list[Order]:
        """Open orders, oldest first, of one strategy and one instrument where given."""
        orders = self._open if strategy_id is None else self._open_of.get(strategy_id, {})
        if instrument_id is None:
            return list(orders.values())
        return [order for order in orders.values() if order.request.instrument_id == instrument_id]

    def closed_orders(self, limit: int, strategy_id: str | None = None) -> list[Order]:
        """The orders closed last, newest first."""
        found: list[Order] = []
        for order in reversed(self._closed.values()):
            if len(found) >= limit:
                break
            if strategy_id in (None, order.request.strategy_id):
                found.append(order)
        return found

    def position(self, strategy_id: str, account_id: str, instrument_id: str) -> int:
        """Net lots that a strategy has bought (positive) or sold in an account."""
        return self._positions.get((strategy_id, account_id, instrument_id), 0)

    def account_position(self, account_id: str, instrument_id: str) -> int:
        """Net lots of an account over all strategies."""
        return self._account_positions.get((account_id, instrument_id), 0)

    def positions(self, strategy_id: str | None = None) -> dict[tuple[str, str, str], int]:
        """Net lots that are not zero by (strategy, account, instrument)."""
        return {key: lots for key, lots in self._positions.items() if strategy_id in (None, key[0])}

    def next_id(self, strategy_id: str) -> str:
        """A new client order id. The counter comes from the journal, so a restart goes on where it stopped."""
        number = self._counters.get(strategy_id, 0) + 1
        while f"{strategy_id}-{number}" in self._ids:
            number += 1
        self._counters[strategy_id] = number
        return f"{strategy_id}-{number}"

    # -- changing ------------------------------------------------------------------------------------------------

    def opened(self, order: Order) -> None:
        """Take in a new order."""
        request = order.request
        identifier = request.client_order_id
        self._open[identifier] = self._changed[identifier] = order
        self._open_of.setdefault(request.strategy_id, {})[identifier] = order
        self._ids.add(identifier)
        prefix, _, number = identifier.rpartition("-")
        if prefix == request.strategy_id and number.isascii() and number.isdigit() and len(number) < 16:
            self._counters[prefix] = max(self._counters.get(prefix, 0), int(number))

    def applied(self, order: Order, event: OrderEvent) -> None:
        """Take note of an event that `order` has just applied."""
        self._changed[order.client_order_id] = order
        if type(event) is OrderFilled:
            self._filled(event)
        if order.status.is_terminal:
            self._close(order)

    def recover(self, event: OrderEvent) -> str:
        """Apply an event of the journal; returns why it does not fit its order, or an empty text.

        Events before it may be missing where the disk had refused them. A fill counts in the positions all the same.
        """
        if isinstance(event, OrderInitialized):
            self.opened(Order.from_initialized(event))
            return ""
        order = self.get(event.client_order_id)
        try:
            if order is None:
                raise NotFound("order", event.client_order_id)
            if order.apply(event):
                self.applied(order, event)
        except NautilusError as error:
            if isinstance(event, OrderFilled):
                self._filled(event)
            return str(error)
        return ""

    def export(self) -> OrdersSnapshot:
        """Everything, for a snapshot. Only what is new since the last one is encoded, so that it takes little time."""
        new_fills = min(self._fills_since_export, len(self.fills))
        self._fills_encoded += map(_encoded, islice(self.fills, len(self.fills) - new_fills, None))
        self._fills_since_export = 0
        self._encoded |= {name: _encoded(order) for name, order in self._changed.items()}
        self._changed.clear()
        return OrdersSnapshot(
            open=list(map(self._encoded.__getitem__, self._open)),
            closed=list(map(self._encoded.__getitem__, self._closed)),
            ids=self._ids.text(),
            counters=dict(self._counters),
            positions=[(*key, lots) for key, lots in self._positions.items()],
            fills=list(self._fills_encoded),
        )

    def take_over(self, snapshot: OrdersSnapshot) -> None:
        """Take back what `export` gave, into an empty record."""
        self._ids = RecentIds.from_text(snapshot.ids, self._ids.limit)
        decode = msgspec.msgpack.Decoder(Order).decode
        for order in map(decode, snapshot.open):
            self.opened(order)
        self._closed = OrderedDict((order.client_order_id, order) for order in map(decode, snapshot.closed))
        self._encoded = {
            order.client_order_id: encoded.copy()
            for order, encoded in zip(self._closed.values(), snapshot.closed, strict=True)
        }
        self._counters = dict(snapshot.counters)
        for strategy_id, account_id, instrument_id, lots in snapshot.positions:
            self._move(strategy_id, account_id, instrument_id, lots)
        self.fills.extend(map(msgspec.msgpack.Decoder(OrderFilled).decode, snapshot.fills))
        self._fills_encoded.extend(item.copy() for item in snapshot.fills)

    def _filled(self, event: OrderFilled) -> None:
        self.fills.append(event)
        self._fills_since_export += 1
        self._move(event.strategy_id, event.account_id, event.instrument_id, event.side * event.quantity_lots)

    def _close(self, order: Order) -> None:
        identifier, strategy_id = order.client_order_id, order.request.strategy_id
        self._open.pop(identifier, None)
        mine = self._open_of.get(strategy_id)
        if mine is not None:
            mine.pop(identifier, None)
            if not mine:
                del self._open_of[strategy_id]
        self._closed[identifier] = order
        if len(self._closed) > self._closed_max:
            forgotten, _ = self._closed.popitem(last=False)
            self._encoded.pop(forgotten, None)
            self._changed.pop(forgotten, None)

    def _move(self, strategy_id: str, account_id: str, instrument_id: str, lots: int) -> None:
        _add(self._positions, (strategy_id, account_id, instrument_id), lots)
        _add(self._account_positions, (account_id, instrument_id), lots)


def _encoded(item: msgspec.Struct) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(item))


def _add[K](totals: dict[K, int], key: K, lots: int) -> None:
    total = totals.get(key, 0) + lots
    if total:
        totals[key] = total
    else:
        totals.pop(key, None)
