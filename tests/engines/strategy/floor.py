"""A trading floor without a node: bus, clock, journal, a gate that can be told what to say, and one simulated venue."""

import itertools
from decimal import Decimal
from typing import Any, get_args

from nautilus.bus import Bus
from nautilus.clock import TestClock
from nautilus.engines.strategy.execution import OrderManager
from nautilus.engines.strategy.fees import BasisPointFee
from nautilus.engines.strategy.latency import ConstantLatency
from nautilus.engines.strategy.order_record import OrderRecord
from nautilus.engines.strategy.queue_position import RiskAverseQueue
from nautilus.engines.strategy.simulated_venue import SimulatedVenue
from nautilus.model import (
    BookDelta,
    InstrumentRegistry,
    Order,
    OrderEvent,
    OrderFilled,
    OrderType,
    Side,
    SubmitOrder,
)
from nautilus.model.messages import Clearance, GateDecision, OrderCommand, SystemAlert
from nautilus.store.embedded import EmbeddedStore
from nautilus.testing import START_NS, Capture, make_instrument, make_quote, make_trade

MICROSECOND = 1_000


class FakeGate:
    """Passes every command, unless told to deny it, and honours each clearance once."""

    def __init__(self, bus: Bus) -> None:
        self.denial: tuple[str, str] | None = None
        self.commands: list[OrderCommand] = []
        self.clearances: dict[int, Clearance] = {}
        self._numbers = itertools.count(1)
        bus.register("risk.gate", self.decide)
        bus.register("risk.redeem", self.redeem)

    def decide(self, command: OrderCommand) -> GateDecision:
        self.commands.append(command)
        if self.denial is not None:
            return GateDecision(code=self.denial[0], reason=self.denial[1])
        clearance = Clearance(clearance_id=next(self._numbers), command=command)
        self.clearances[clearance.clearance_id] = clearance
        return GateDecision(clearance=clearance)

    def redeem(self, clearance: Clearance) -> bool:
        return self.clearances.pop(clearance.clearance_id, None) is clearance


class Floor:
    """Everything that an order meets, driven by hand."""

    def __init__(self, *, gate: bool = True, **options: Any) -> None:
        self.errors: list[Exception] = []
        self.bus = Bus(on_error=lambda source, error, count: self.errors.append(error))
        self.clock = TestClock(START_NS)
        self.store = EmbeddedStore.in_memory(record_types=get_args(OrderEvent))
        self.store.journal.recover()
        self.instruments = InstrumentRegistry()
        self.instruments.add(make_instrument())
        self.record = OrderRecord()
        self.manager = OrderManager(
            bus=self.bus,
            publish=self.bus.publish,
            clock=self.clock,
            journal=self.store.journal,
            instruments=self.instruments,
            record=self.record,
        )
        self.gate = FakeGate(self.bus) if gate else None
        self.venue = SimulatedVenue(
            "SIM",
            bus=self.bus,
            clock=self.clock,
            instruments=self.instruments,
            latency=options.get("latency", ConstantLatency(0)),
            fees=BasisPointFee(Decimal("-0.1"), Decimal("0.3")),
            queue=options.get("queue", RiskAverseQueue()),
            report=self.manager.on_venue_event,
            refuse=self.manager.on_command_refused,
            stop_trigger=options.get("stop_trigger", "either"),
            day_end_ns=options.get("day_end_ns", 0),
        )
        self.bus.register("venue.SIM", self.venue.receive)
        self.book = self.venue.book("TEST.SIM")
        self.events: Capture[OrderEvent] = Capture(self.bus, "order.>")
        self.fill_events: Capture[OrderFilled] = Capture(self.bus, "fill.>")
        self.alerts: Capture[SystemAlert] = Capture(self.bus, "system_alert.>")

    def order(self, side: Side, lots: int, price: int | None = None, **terms: Any) -> SubmitOrder:
        trigger = terms.get("trigger_ticks")
        kinds = {
            (True, True): OrderType.MARKET,
            (False, True): OrderType.LIMIT,
            (True, False): OrderType.STOP,
            (False, False): OrderType.STOP_LIMIT,
        }
        strategy_id = terms.pop("strategy_id", "s")
        return SubmitOrder(
            client_order_id=terms.pop("client_order_id", None) or self.record.next_id(strategy_id),
            strategy_id=strategy_id,
            account_id=terms.pop("account_id", "main"),
            instrument_id=terms.pop("instrument_id", "TEST.SIM"),
            side=side,
            order_type=kinds[price is None, trigger is None],
            quantity_lots=lots,
            price_ticks=price,
            **terms,
        )

    def send(self, side: Side, lots: int, price: int | None = None, **terms: Any) -> Order:
        """Submit an order and let it arrive."""
        order = self.manager.submit(self.order(side, lots, price, **terms))
        self.advance(0)
        return order

    def buy(self, lots: int, price: int | None = None, **terms: Any) -> Order:
        return self.send(Side.BUY, lots, price, **terms)

    def sell(self, lots: int, price: int | None = None, **terms: Any) -> Order:
        return self.send(Side.SELL, lots, price, **terms)

    def quote(self, bid: int, ask: int, bid_lots: int = 100, ask_lots: int = 100) -> None:
        self.book.on_quote(make_quote("TEST.SIM", bid, ask, bid_lots, ask_lots, self.clock.timestamp_ns()))

    def trade(self, price: int, lots: int, aggressor: Side = Side.NONE) -> None:
        self.book.on_trade(make_trade("TEST.SIM", price, lots, aggressor, ts_event=self.clock.timestamp_ns()))

    def level(self, side: Side, price: int, lots: int, *, last: bool = True) -> None:
        now = self.clock.timestamp_ns()
        self.book.on_delta(BookDelta("TEST.SIM", side, price, lots, last, now, now))

    def advance(self, nanoseconds: int) -> None:
        self.clock.advance_time(nanoseconds)

    def cancel(self, order: Order) -> None:
        self.manager.cancel(order.client_order_id)
        self.advance(0)

    def fills(self) -> list[tuple[int, int, str]]:
        """(lots, price, rule) of every fill so far."""
        return [(fill.quantity_lots, fill.price_ticks, fill.rule) for fill in self.fill_events.messages]

    def kinds(self, order: Order) -> list[str]:
        """Names of an order's events so far."""
        return [
            type(event).__name__[5:] for event in self.events.messages if event.client_order_id == order.client_order_id
        ]
