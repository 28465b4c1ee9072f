"""Our orders at a simulated venue: those that rest by price and time with their place in the queue, and stops."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from nautilus.engines.strategy.queue_position import QueueModel
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.orders import SubmitOrder


class WorkingOrder:
    """An order at the venue. `ahead`: lots in front of it at its price, None while the feed does not show them."""

    __slots__ = (
        "ahead",
        "filled",
        "identifier",
        "order_type",
        "price",
        "quantity",
        "reduce_only",
        "request",
        "side",
        "time_in_force",
        "trigger",
        "triggered",
        "venue_order_id",
    )

    def __init__(self, request: SubmitOrder, venue_order_id: str) -> None:
        self.request = request
        self.identifier = request.client_order_id
        self.venue_order_id = venue_order_id
        self.side = request.side
        self.order_type = request.order_type
        self.time_in_force: TimeInForce = request.time_in_force
        self.reduce_only = request.reduce_only
        self.quantity = request.quantity_lots
        self.filled = 0
        self.price = request.price_ticks
        self.trigger = request.trigger_ticks
        self.triggered = False
        self.ahead: float | None = None

    @property
    def remaining(self) -> int:
        """Lots still to be filled."""
        return self.quantity - self.filled

    @property
    def has_limit(self) -> bool:
        """Whether the order names the worst price it accepts."""
        return self.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)


class RestingLevel:
    """Our orders at one price, in time order, and what the feed showed there last."""

    __slots__ = ("displayed", "orders", "price", "traded")

    def __init__(self, price: int, displayed: int | None) -> None:
        self.price = price
        self.displayed = displayed
        self.traded = 0
        self.orders: list[WorkingOrder] = []

    def join(self, order: WorkingOrder, displayed: int | None) -> None:
        """Stand at the back of the queue: behind all that is displayed now."""
        order.ahead = displayed
        self.orders.append(order)

    def show(self, displayed: int, model: QueueModel) -> None:
        """The feed shows a size for the level: everyone may move forward."""
        before = self.displayed
        for order in self.orders:
            if order.ahead is None or before is None:
                order.ahead = displayed
            else:
                order.ahead = model.after_change(order.ahead, before, displayed, self.traded)
        self.displayed = displayed
        self.traded = 0

    def serve(self, lots: int) -> list[tuple[WorkingOrder, int]]:
        """A trade of `lots` takes from the front of the queue; returns what reached our orders.

        The lots in front of two of our orders are the same lots as far as both have them in front.
        """
        volume: float = lots
        passed: float = 0.0
        reached: list[tuple[WorkingOrder, int]] = []
        for order in self.orders:
            if order.ahead is None:
                break
            step = min(volume, max(order.ahead - passed, 0.0))
            passed += step
            volume -= step
            part = min(order.remaining, int(volume))
            if part <= 0:
                break
            reached.append((order, part))
            volume -= part
        else:
            passed += volume
        if reached or passed:
            self.traded += int(passed)
            for order in self.orders:
                if order.ahead is not None:
                    order.ahead = max(order.ahead - passed, 0.0)
        return reached


class RestingSide:
    """Our resting orders of one side, best price first."""

    __slots__ = ("_keys", "_levels", "_sign", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = int(side)
        self._levels: dict[int, RestingLevel] = {}
        self._keys: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._keys)

    def get(self, price: int) -> RestingLevel | None:
        """The level at a price, where we have orders."""
        return self._levels.get(price)

    def open(self, price: int, displayed: int | None) -> RestingLevel:
        """The level at a price, made if there is none."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = RestingLevel(price, displayed)
            insort(self._keys, self._sign * price)
        return level

    def remove(self, order: WorkingOrder) -> None:
        """Take an order out; its level goes with the last one."""
        assert order.price is not None
        level = self._levels[order.price]
        level.orders.remove(order)
        if not level.orders:
            del self._levels[order.price]
            del self._keys[bisect_left(self._keys, self._sign * order.price)]

    def not_worse_than(self, price: int) -> Iterator[RestingLevel]:
        """Levels at `price` or better, best first; orders may be removed on the way."""
        bound = self._sign * price
        for key in reversed(self._keys[bisect_left(self._keys, bound) :]):
            yield self._levels[self._sign * key]

    @property
    def best(self) -> int | None:
        """Best price of ours, None without orders."""
        return self._sign * self._keys[-1] if self._keys else None


class StopSide:
    """Untriggered stops of one side, next one first: buy stops by lowest trigger, sell stops by highest."""

    __slots__ = ("_entries", "_sequence", "_sign", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = int(side)
        self._entries: list[tuple[int, int, WorkingOrder]] = []
        self._sequence = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, order: WorkingOrder) -> None:
        """Wait for the order's trigger."""
        assert order.trigger is not None
        self._sequence += 1
        insort(self._entries, (self._sign * order.trigger, self._sequence, order))

    def remove(self, order: WorkingOrder) -> None:
        """Wait no longer."""
        self._entries = [entry for entry in self._entries if entry[2] is not order]

    def touched(self, price: int) -> list[WorkingOrder]:
        """Take out the stops that a price triggers, in order."""
        reach = self._sign * price
        count = 0
        while count < len(self._entries) and self._entries[count][0] <= reach:
            count += 1
        hit = [entry[2] for entry in self._entries[:count]]
        del self._entries[:count]
        return hit
