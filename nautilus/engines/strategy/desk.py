"""What one strategy may do: send and change its own orders, look at its own position, set timers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.strategy.execution import OrderManager, Publish
from nautilus.model import topics
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.instruments import InstrumentRegistry
from nautilus.model.messages import StrategySignal
from nautilus.model.orders import ModifyOrder, Order, SubmitOrder

if TYPE_CHECKING:
    import structlog

Guard = Callable[[Callable[[Any], object], Any], None]
NOT_RUNNING = ("NOT_RUNNING", "the strategy is not running")


def order_type(price_ticks: int | None, trigger_ticks: int | None) -> OrderType:
    """The type that goes with the prices given.

    >>> order_type(None, None).value, order_type(100, None).value, order_type(100, 101).value
    ('market', 'limit', 'stop_limit')
    """
    if trigger_ticks is None:
        return OrderType.MARKET if price_ticks is None else OrderType.LIMIT
    return OrderType.STOP if price_ticks is None else OrderType.STOP_LIMIT


class Desk:
    """The platform as one strategy sees it.

    `may_trade` says whether new orders pass; `guard` calls a handler so that its failure ends the strategy alone.
    """

    def __init__(
        self,
        strategy_id: str,
        account_id: str,
        *,
        orders: OrderManager,
        clock: Clock,
        instruments: InstrumentRegistry,
        publish: Publish,
        log: "structlog.stdlib.BoundLogger",
    ) -> None:
        self.strategy_id = strategy_id
        self.account_id = account_id
        self.clock = clock
        self.instruments = instruments
        self.log = log
        self.may_trade = False
        self.guard: Guard = _unguarded
        self._orders = orders
        self._publish = publish
        self._timers: set[str] = set()

    def submit(
        self,
        instrument_id: str,
        side: Side,
        quantity_lots: int,
        price_ticks: int | None,
        trigger_ticks: int | None,
        time_in_force: TimeInForce,
        expire_ns: int | None,
        post_only: bool,
        reduce_only: bool,
    ) -> Order:
        """Send an order; while the strategy is not running it is denied at once."""
        command = SubmitOrder(
            client_order_id=self._orders.record.next_id(self.strategy_id),
            strategy_id=self.strategy_id,
            account_id=self.account_id,
            instrument_id=instrument_id,
            side=side,
            order_type=order_type(price_ticks, trigger_ticks),
            quantity_lots=quantity_lots,
            price_ticks=price_ticks,
            trigger_ticks=trigger_ticks,
            time_in_force=time_in_force,
            expire_ns=expire_ns,
            post_only=post_only,
            reduce_only=reduce_only,
            ts_init=self.clock.timestamp_ns(),
        )
        return self._orders.submit(command, refuse=None if self.may_trade else NOT_RUNNING)

    def cancel(self, order: Order) -> None:
        """Ask for a cancellation; a closed order stays as it is."""
        if order.is_open:
            self._orders.cancel(order.client_order_id)

    def modify(
        self, order: Order, quantity_lots: int | None, price_ticks: int | None, trigger_ticks: int | None
    ) -> None:
        """Ask for a change; a closed order stays as it is."""
        if order.is_open and self.may_trade:
            self._orders.modify(
                ModifyOrder(
                    client_order_id=order.client_order_id,
                    quantity_lots=quantity_lots,
                    price_ticks=price_ticks,
                    trigger_ticks=trigger_ticks,
                )
            )

    def cancel_all(self, instrument_id: str | None = None) -> int:
        """Ask for the cancellation of every open order of the strategy."""
        return self._orders.cancel_all(self.strategy_id, instrument_id)

    def open_orders(self, instrument_id: str | None = None) -> list[Order]:
        """The strategy's open orders, oldest first."""
        return self._orders.record.open_orders(self.strategy_id, instrument_id)

    def position(self, instrument_id: str) -> int:
        """Net lots that the strategy holds."""
        return self._orders.record.position(self.strategy_id, self.account_id, instrument_id)

    def signal(self, instrument_id: str, side: Side, strength: float, reason: str) -> None:
        """Say on the bus what the strategy wants and why."""
        signal = StrategySignal(
            strategy_id=self.strategy_id,
            instrument_id=instrument_id,
            side=side,
            strength=strength,
            reason=reason,
            ts_event=self.clock.timestamp_ns(),
        )
        self._publish(topics.signal(self.strategy_id), signal)

    def set_timer(self, name: str, interval_ns: int, callback: Callable[[TimeEvent], None]) -> None:
        """Call back at every interval."""
        self.clock.set_timer_ns(self._timer(name), interval_ns, callback)

    def set_alert(self, name: str, at_ns: int, callback: Callable[[TimeEvent], None]) -> None:
        """Call back once."""
        self.clock.set_time_alert_ns(self._timer(name), at_ns, callback)

    def cancel_timer(self, name: str) -> None:
        """Forget a timer or alert."""
        full = f"strategy.{self.strategy_id}.{name}"
        self._timers.discard(full)
        self.clock.cancel_timer(full)

    def cancel_timers(self) -> None:
        """Forget every timer of the strategy."""
        for name in sorted(self._timers):
            self.clock.cancel_timer(name)
        self._timers.clear()

    def _timer(self, name: str) -> str:
        full = f"strategy.{self.strategy_id}.{name}"
        self._timers.add(full)
        return full


def _unguarded(handler: Callable[[Any], object], message: Any) -> None:
    handler(message)
