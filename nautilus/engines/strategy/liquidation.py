"""Closing positions on the order of the risk manager: cancel first, then reduce-only market orders until flat."""

from contextlib import suppress

from nautilus.engines.strategy.execution import OrderManager
from nautilus.errors import NautilusError
from nautilus.model.enums import OrderType, Side
from nautilus.model.orders import SubmitOrder

ATTEMPTS_MAX = 20


class Liquidation:
    """Positions that are to be closed. `advance` is called until nothing is left: after order events, and by a timer.

    A position is closed only once no order of its strategy is open in the instrument, so that nothing is sold twice. A
    refused order is tried again, twenty times at most; then the position stays and `given_up` names it.
    """

    def __init__(self, orders: OrderManager) -> None:
        self._orders = orders
        self._attempts: dict[tuple[str, str, str], int] = {}
        self.given_up: set[tuple[str, str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def begin(self, strategy_id: str | None) -> None:
        """Close every position of a strategy, or of all."""
        self._orders.cancel_all(strategy_id)
        for key in self._orders.record.positions(strategy_id):
            self._attempts[key] = 0
            self.given_up.discard(key)
        self.advance()

    def advance(self) -> None:
        """Do what can be done now."""
        for key in list(self._attempts):
            strategy_id, account_id, instrument_id = key
            lots = self._orders.record.position(*key)
            if not lots:
                del self._attempts[key]
            elif not self._orders.record.open_orders(strategy_id, instrument_id):
                self._attempts[key] += 1
                if self._attempts[key] > ATTEMPTS_MAX:
                    del self._attempts[key]
                    self.given_up.add(key)
                else:
                    self._close(strategy_id, account_id, instrument_id, lots)

    def _close(self, strategy_id: str, account_id: str, instrument_id: str, lots: int) -> None:
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
