"""The obvious venue: every rule of the simulated one as a loop over all orders, one lot at a time."""

from typing import Any

from nautilus.model import Side


class SlowVenue:
    """One instrument, quotes and trades, risk-averse queue. `fills` maps (order, price) to lots of the last event."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.fills: dict[tuple[str, int], int] = {}
        self.shown: dict[Side, tuple[int, int]] = {}
        self.used: dict[tuple[Side, int], tuple[int, int]] = {}

    def enter(self, name: str, side: Side, lots: int, price: int | None) -> None:
        self.fills = {}
        order = {"name": name, "side": side, "left": lots, "price": price, "ahead": None}
        self.orders.append(order)
        self.meet(order, at=None)
        if price is not None:
            order["ahead"] = self.in_front(side, price)

    def cancel(self, name: str) -> None:
        self.fills = {}
        self.orders = [order for order in self.orders if order["name"] != name]

    def quote(self, bid: int, ask: int, bid_lots: int, ask_lots: int) -> None:
        self.fills = {}
        self.shown = {Side.BUY: (bid, bid_lots), Side.SELL: (ask, ask_lots)}
        for (side, price), (lots_then, _) in list(self.used.items()):
            best, lots = self.shown[side]
            if side * (price - best) > 0 or (price == best and lots != lots_then):
                del self.used[side, price]
        for order in self.resting():
            front = self.in_front(order["side"], order["price"])
            if front is not None:
                order["ahead"] = front if order["ahead"] is None else min(order["ahead"], front)
        if bid < ask:
            for order in self.resting():
                self.meet(order, at=order["price"])
        for order in [order for order in self.orders if order["price"] is None]:
            self.meet(order, at=None)

    def trade(self, price: int, lots: int, aggressor: Side) -> None:
        self.fills = {}
        for side in (Side.BUY, Side.SELL):
            for _ in range(lots):
                self.one_lot(side, price, aggressor)

    def one_lot(self, side: Side, price: int, aggressor: Side) -> None:
        """One lot of a trade goes to whoever is first: orders at better prices, then the queue at the price."""
        mine = self.resting(side)
        better = [order for order in mine if side * (order["price"] - price) > 0]
        level = [order for order in mine if order["price"] == price]
        if better:
            self.fill(better[0], 1, better[0]["price"])
        elif level and aggressor is not side and level[0]["ahead"] is not None:
            if level[0]["ahead"] == 0:
                self.fill(level[0], 1, price)
            else:
                for order in level:
                    if order["ahead"] is not None:
                        order["ahead"] -= 1

    def meet(self, order: dict[str, Any], at: int | None) -> None:
        """Take what the other side shows, if the price allows; `at` is the price, else that of the other side."""
        side, limit = order["side"].opposite, order["price"]
        if side not in self.shown:
            return
        best, lots = self.shown[side]
        while order["left"] and (limit is None or order["side"] * (limit - best) >= 0):
            _, used = self.used.get((side, best), (lots, 0))
            if used >= lots:
                return
            self.used[side, best] = (lots, used + 1)
            self.fill(order, 1, best if at is None else at)

    def in_front(self, side: Side, price: int) -> int | None:
        if side not in self.shown:
            return None
        best, lots = self.shown[side]
        return lots if price == best else 0 if side * (price - best) > 0 else None

    def resting(self, side: Side | None = None) -> list[dict[str, Any]]:
        """Limit orders by side, price and time."""
        mine = [order for order in self.orders if order["price"] is not None and side in (None, order["side"])]
        return sorted(mine, key=lambda order: (-order["side"], -order["side"] * order["price"]))

    def fill(self, order: dict[str, Any], lots: int, price: int) -> None:
        key = (order["name"], price)
        self.fills[key] = self.fills.get(key, 0) + lots
        order["left"] -= lots
        if not order["left"]:
            self.orders.remove(order)
