"""Closing positions on the order of the risk manager: cancel first, then reduce-only market orders until flat."""

from contextlib import suppress

from nautilus.engines.strategy.execution import OrderManager
from nautilus.errors import NautilusError
from nautilus.model.enums import OrderType, Side
from nautilus.model.orders import SubmitOrder

ATTEMPTS_QUICK = 20
PAUSE_NS = 10_000_000_000
Key = tuple[str, str, str]


class Liquidation:
    """Positions that are to be closed. `advance` is called until nothing is left: after order events, and by a timer.

    A position is closed only once no order of its strategy is open in the instrument, so that nothing is sold twice. A
    refused order is tried again: twenty times at once, then every ten seconds, for as long as the position is there.
    """

    def __init__(self, orders: OrderManager) -> None:
        self._orders = orders
        self._attempts: dict[Key, int] = {}
        self._resume_ns: dict[Key, int] = {}

    def __bool__(self) -> bool:
        return bool(self._attempts)

    @property
    def stuck(self) -> list[Key]:
        """The positions (strategy, account, instrument) that many attempts have not closed, in order."""
        return sorted(self._resume_ns)

    def begin(self, strategy_id: str | None) -> None:
        """Close every position of a strategy, or of all, and what open orders make until they are cancelled."""
        record = self._orders.record
        requests = [order.request for order in record.open_orders(strategy_id)]
        working = [(request.strategy_id, request.account_id, request.instrument_id) for request in requests]
        for key in [*record.positions(strategy_id), *working]:
            self._attempts[key] = 0
            self._resume_ns.pop(key, None)
        self._orders.cancel_all(strategy_id)
        self.advance()

    def advance(self) -> None:
        """Do what can be done now. An order's answer may come within, and call this again."""
        now = self._orders.now_ns()
        for key in list(self._attempts):
            strategy_id, _, instrument_id = key
            if self._orders.record.open_orders(strategy_id, instrument_id):
                continue
            if not self._orders.record.position(*key):
                self._attempts.pop(key, None)
                self._resume_ns.pop(key, None)
            elif now >= self._resume_ns.get(key, 0):
                self._attempts[key] = self._attempts.get(key, 0) + 1
                if self._attempts[key] >= ATTEMPTS_QUICK:
                    self._resume_ns[key] = now + PAUSE_NS
                self._close(key)

    def _close(self, key: Key) -> None:
        strategy_id, account_id, instrument_id = key
        lots = self._orders.record.position(*key)
        command = SubmitOrder(
            client_order_id=self._orders.record.next_id(strategy_id),
            strategy_id=strategy_id,
            account_id=account_id,
            instrument_id=instrument_id,
            side=Side.SELL if lots > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            quantity_lots=abs(lots),
            reduce_only=True,
        )
        with suppress(NautilusError):  # an attempt that failed is counted like one that was refused
            self._orders.submit(command)
