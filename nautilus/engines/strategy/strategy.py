"""The base class of strategies: what one overrides, what one may call. Live, paper and backtest run the same class."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from nautilus.clock import Clock, TimeEvent
from nautilus.errors import Conflict
from nautilus.model.enums import Side, TimeInForce
from nautilus.model.instruments import Instrument, InstrumentId

if TYPE_CHECKING:
    from collections.abc import Callable

    import structlog

    from nautilus.engines.strategy.desk import Desk
    from nautilus.model.market import Bar, BookDelta, Quote, Trade
    from nautilus.model.messages import FeatureVector, Prediction, ToxicityAlert, VpinCalculation
    from nautilus.model.orders import Order, OrderEvent, OrderFilled


class StrategyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every strategy is told."""

    instrument_ids: Annotated[
        tuple[InstrumentId, ...],
        Meta(max_length=1000, description="What it listens to and trades; none named: all that the node knows."),
    ] = ()


class Strategy[C: StrategyConfig]:
    """Override the handlers you need; only those are subscribed, and only for the instruments of the configuration.

    Handlers run inside the platform's loop: microseconds, no waiting, no I/O. A handler that raises ends this
    strategy alone, in the state `error`, and its open orders are cancelled. `config_type` types the configuration.
    """

    config_type: ClassVar[type[StrategyConfig]] = StrategyConfig

    def __init__(self, config: C) -> None:
        self.config = config
        self._desk: Desk | None = None

    # -- to be overridden ----------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """It begins to run. Saved state has been loaded."""

    def on_stop(self) -> None:
        """It is being stopped; its open orders are being cancelled."""

    def on_quote(self, quote: "Quote") -> None:
        """A new best bid and ask."""

    def on_trade(self, trade: "Trade") -> None:
        """A trade in the market."""

    def on_book(self, delta: "BookDelta") -> None:
        """A price level has a new size."""

    def on_bar(self, bar: "Bar") -> None:
        """A bar of one of `bar_specs` has closed."""

    def on_feature(self, features: "FeatureVector") -> None:
        """New features."""

    def on_prediction(self, prediction: "Prediction") -> None:
        """A model has predicted."""

    def on_vpin(self, vpin: "VpinCalculation") -> None:
        """A volume bucket is complete."""

    def on_toxicity(self, alert: "ToxicityAlert") -> None:
        """The flow has become toxic, or no longer is."""

    def on_order(self, event: "OrderEvent") -> None:
        """Anything has happened to one of its orders, fills included."""

    def on_fill(self, fill: "OrderFilled") -> None:
        """One of its orders has traded."""

    def on_timer(self, event: TimeEvent) -> None:
        """A timer or alert of its own has come due; `event.name` is the name it was given."""

    def bar_specs(self) -> tuple[str, ...]:
        """Specifications of the bars for `on_bar`, such as "1s"."""
        return ()

    def save(self) -> dict[str, Any]:
        """What must survive a restart: numbers, texts, lists and dicts of them."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """Take back what `save` gave."""

    # -- to be called --------------------------------------------------------------------------------------------

    @property
    def desk(self) -> "Desk":
        """The connection to the platform; a Conflict before the strategy is deployed."""
        if self._desk is None:
            raise Conflict("the strategy is not deployed")
        return self._desk

    def bind(self, desk: "Desk") -> None:
        """Connect to the platform."""
        self._desk = desk

    @property
    def strategy_id(self) -> str:
        """The name under which it is deployed."""
        return self.desk.strategy_id

    @property
    def clock(self) -> Clock:
        """The node's clock."""
        return self.desk.clock

    @property
    def log(self) -> "structlog.stdlib.BoundLogger":
        """A logger that carries the strategy's name. Not for every tick."""
        return self.desk.log

    def instrument(self, instrument_id: str) -> Instrument:
        """An instrument's definition."""
        return self.desk.instruments[instrument_id]

    def position(self, instrument_id: str) -> int:
        """Net lots held: positive is long."""
        return self.desk.position(instrument_id)

    def open_orders(self, instrument_id: str | None = None) -> "list[Order]":
        """Its open orders, oldest first."""
        return self.desk.open_orders(instrument_id)

    def pending_lots(self, instrument_id: str) -> int:
        """Signed lots that open orders may still trade."""
        return sum(order.request.side * order.remaining_lots for order in self.open_orders(instrument_id))

    def buy(self, instrument_id: str, quantity_lots: int, **terms: Any) -> "Order":
        """Send an order to buy; for the terms see `send`."""
        return self.send(instrument_id, Side.BUY, quantity_lots, **terms)

    def sell(self, instrument_id: str, quantity_lots: int, **terms: Any) -> "Order":
        """Send an order to sell; for the terms see `send`."""
        return self.send(instrument_id, Side.SELL, quantity_lots, **terms)

    def send(
        self,
        instrument_id: str,
        side: Side,
        quantity_lots: int,
        *,
        price_ticks: int | None = None,
        trigger_ticks: int | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        expire_ns: int | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
    ) -> "Order":
        """Send an order: market without prices, limit with `price_ticks`, stop or stop-limit with `trigger_ticks`.

        Returns the order as it stands after the risk gate: look at its status. Raises Invalid for a malformed one.
        """
        return self.desk.submit(
            instrument_id,
            side,
            quantity_lots,
            price_ticks,
            trigger_ticks,
            time_in_force,
            expire_ns,
            post_only,
            reduce_only,
        )

    def cancel(self, order: "Order") -> None:
        """Ask for an order's cancellation; nothing happens if it is closed."""
        self.desk.cancel(order)

    def modify(
        self,
        order: "Order",
        *,
        quantity_lots: int | None = None,
        price_ticks: int | None = None,
        trigger_ticks: int | None = None,
    ) -> None:
        """Ask for a change of an open order; nothing happens if it is closed."""
        self.desk.modify(order, quantity_lots, price_ticks, trigger_ticks)

    def cancel_all(self, instrument_id: str | None = None) -> int:
        """Ask for the cancellation of all its open orders; returns how many."""
        return self.desk.cancel_all(instrument_id)

    def signal(self, instrument_id: str, side: Side, strength: float, reason: str) -> None:
        """Publish what it wants and why."""
        self.desk.signal(instrument_id, side, strength, reason)

    def set_timer(self, name: str, interval_ns: int) -> None:
        """Call `on_timer` at every interval while the strategy runs."""
        self.desk.set_timer(name, interval_ns, self._timer_callback(name))

    def set_alert(self, name: str, at_ns: int) -> None:
        """Call `on_timer` once; an alert that comes due while the strategy is paused is lost."""
        self.desk.set_alert(name, at_ns, self._timer_callback(name))

    def _timer_callback(self, name: str) -> "Callable[[TimeEvent], None]":
        guard = self.desk.guard

        def call(event: TimeEvent) -> None:
            guard(self.on_timer, TimeEvent(name, event.ts_event, event.ts_init))

        return call
