"""The strategy engine: strategies, the orders they send, and the simulated venues that fill them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from nautilus.clock import TimeEvent
from nautilus.engines.base import Engine, StopStage
from nautilus.engines.operation import Operation
from nautilus.engines.strategy.deployment import Deployment, DeploymentRecord, DeploymentStatus
from nautilus.engines.strategy.deployments import Deployments
from nautilus.engines.strategy.desk import Desk
from nautilus.engines.strategy.execution import GATE, OrderManager
from nautilus.engines.strategy.fees import BasisPointFee, FeeModel, PerShareFee
from nautilus.engines.strategy.latency import ConstantLatency, LatencyModel, SampledLatency
from nautilus.engines.strategy.liquidation import Liquidation
from nautilus.engines.strategy.models import SimulatedVenueConfig, StrategyEngineConfig
from nautilus.engines.strategy.order_record import OrderRecord, OrdersSnapshot
from nautilus.engines.strategy.queue_position import ProbabilisticQueue, QueueModel, RiskAverseQueue
from nautilus.engines.strategy.routes import strategy_routes
from nautilus.engines.strategy.simulated_venue import SimulatedVenue
from nautilus.engines.strategy.strategy_classes import StrategyClasses
from nautilus.model import topics
from nautilus.model.enums import EngineType, Quality
from nautilus.model.instruments import Instrument
from nautilus.model.messages import SystemAlert, TradingControl
from nautilus.model.orders import Order, OrderAccepted, OrderCanceled, OrderEvent, OrderExpired, OrderFilled

LIQUIDATION_INTERVAL_NS = 250_000_000
_ENDS = (OrderCanceled, OrderExpired, OrderFilled)


class StrategySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of the engine that the journal gave: orders, and the counters of each venue (orders, trades)."""

    orders: OrdersSnapshot
    venues: dict[str, tuple[int, int]]


class StrategyEngine(Engine[StrategyEngineConfig]):
    """Registers the endpoints "venue.<NAME>" (clearances), "strategy.submit" and "strategy.cancel" (from other engines)
    and "strategy.venue_event" (from venues that are not simulated here).
    """

    name = "strategy"
    prefix = "/strategy"
    engine_type = EngineType.STRATEGY
    config_type = StrategyEngineConfig
    depends_on = ("marketdata", "portfolio", "risk")
    stop_stage = StopStage.STRATEGIES

    async def setup(self) -> None:
        """Make the record, a venue for each venue of the instruments, and listen for instruments and control."""
        config = self.config
        self.record = OrderRecord(config.closed_orders, config.order_ids, config.fills)
        self.orders = OrderManager(
            bus=self.context.bus,
            publish=self.publish,
            clock=self.clock,
            journal=self.store.journal,
            instruments=self.instruments,
            record=self.record,
        )
        self.venues: dict[str, SimulatedVenue] = {}
        self.liquidation = Liquidation(self.orders)
        self.unfit_records = 0
        self.deployments = Deployments(
            classes=await self.accel.run(StrategyClasses, config.classes),
            state=self.store.state,
            instruments=self.instruments,
            make_desk=self._desk,
            subscribe=self._subscribe,
            changed=self._deployment_changed,
        )
        self._traded: set[str] = set()
        self._patient = "marketdata" not in self.context.loaded
        """The market is in another process: instruments come in their time, and changes of books may be missed."""
        for instrument in self.instruments:
            self._add_instrument(instrument)
        self.subscribe(topics.ALL_INSTRUMENTS, self._add_instrument)
        self.subscribe(topics.CONTROL, self._on_control)
        self.endpoint("strategy.submit", self.orders.submit)
        self.endpoint("strategy.cancel", self.orders.cancel)
        self.endpoint("strategy.venue_event", self._on_venue_event)
        self.every(round(config.state_seconds * 1e9), self._save)
        self.every(LIQUIDATION_INTERVAL_NS, self._liquidate)

    async def activate(self) -> None:
        """Reconcile with the venues, then let the strategies go on."""
        working: dict[str, list[Order]] = {}
        for order in self.orders.reconcile(lambda name: self._venue(_venue_of(name)) is not None):
            working.setdefault(_venue_of(order.request.instrument_id), []).append(order)
        positions: dict[str, dict[tuple[str, str, str], int]] = {}
        for key, lots in self.record.positions().items():
            positions.setdefault(_venue_of(key[2]), {})[key] = lots
        for name in sorted(working.keys() | positions.keys()):
            venue = self._venue(name)
            if venue is not None:
                venue.restore(working.get(name, []), positions.get(name, {}))
        simulated = self.context.source.quality in (Quality.SIMULATED, Quality.REPLAYED)
        configured = [item for item in self.config.deployments if simulated or not item.only_simulated]
        for deployment in self.deployments.bring_back(configured, self.config.account_id):
            self._start(deployment)
        for deployment in self.deployments:
            if deployment.strategy is None:
                deployment.revive(patient=self._patient)
            if deployment.status is not DeploymentStatus.RUNNING:
                self.orders.cancel_all(deployment.record.name)  # a cancel that was on its way is lost with the process

    async def teardown(self) -> None:
        """Keep the strategies' state; open orders stay as they are, for the next start."""
        self.deployments.suspend()
        for venue in self.venues.values():
            venue.close()

    def routes(self) -> list[Operation]:
        """HTTP operations below /strategy."""
        return strategy_routes(self)

    def degraded(self) -> list[str]:
        """Failed strategies, a missing gate, positions that could not be closed."""
        reasons = [
            f"strategy {deployment.record.name} ended with an error"
            for deployment in self.deployments
            if deployment.status is DeploymentStatus.ERROR
        ]
        reasons += [
            f"strategy {deployment.record.name} waits: {deployment.waits_for}"
            for deployment in self.deployments
            if deployment.waits_for
        ]
        if not self.context.bus.has_endpoint(GATE):
            reasons.append("no risk gate is running: every order is denied")
        reasons += self.deployments.classes.problems
        if self.orders.refused_events:
            reasons.append(f"{self.orders.refused_events} events of venues did not fit their orders")
        if self.unfit_records:
            reasons.append(f"{self.unfit_records} records of the journal did not fit their orders")
        reasons += [f"{key[2]} of {key[0]} could not be liquidated yet" for key in self.liquidation.stuck]
        return reasons

    # -- recovery ------------------------------------------------------------------------------------------------

    def recover(self, record: msgspec.Struct) -> None:
        """Take in an order event of the journal."""
        if isinstance(record, OrderEvent):
            reason = self.record.recover(record)
            if reason:
                self.unfit_records += 1
                self.log.error("strategy.record_does_not_fit", order=record.client_order_id, reason=reason)
            if isinstance(record, OrderAccepted | OrderFilled):
                venue = self._venue(_venue_of(record.instrument_id))
                if venue is not None:
                    venue.observe(record)

    def snapshot(self) -> bytes:
        """Orders, positions and counters."""
        venues = {name: (venue.order_count, venue.trade_count) for name, venue in self.venues.items()}
        return msgspec.msgpack.encode(StrategySnapshot(orders=self.record.export(), venues=venues))

    def restore(self, data: bytes) -> None:
        """Take back what `snapshot` gave."""
        snapshot = msgspec.msgpack.decode(data, type=StrategySnapshot)
        self.record.take_over(snapshot.orders)
        for name, (orders, trades) in snapshot.venues.items():
            venue = self._venue(name)
            if venue is not None:
                venue.order_count, venue.trade_count = orders, trades

    # -- venues --------------------------------------------------------------------------------------------------

    def _add_instrument(self, instrument: Instrument) -> None:
        """Let the simulated venue of an instrument see its market, before any strategy does."""
        if instrument.id in self._traded:
            return
        venue = self._venue(instrument.venue)
        if venue is not None:
            self._traded.add(instrument.id)
            book = venue.book(instrument.id)
            self.subscribe(topics.quote(instrument.id), book.on_quote)
            self.subscribe(topics.trade(instrument.id), book.on_trade)
            self.subscribe(topics.book(instrument.id), book.on_delta)
            if self._patient:
                self.subscribe(topics.depth(instrument.id), book.on_depth)
        for deployment in self.deployments:
            if deployment.waits_for:
                deployment.revive(patient=True)

    def _venue(self, name: str) -> SimulatedVenue | None:
        """The simulated venue of a name, made if need be; None where another engine answers for that venue."""
        venue = self.venues.get(name)
        if venue is None and not self.context.bus.has_endpoint(f"venue.{name}"):
            venue = self.venues[name] = self._make_venue(name)
            self.endpoint(f"venue.{name}", venue.receive)
        return venue

    def _make_venue(self, name: str) -> SimulatedVenue:
        config = self.config.venue
        return SimulatedVenue(
            name,
            bus=self.context.bus,
            clock=self.clock,
            instruments=self.instruments,
            latency=make_latency(config),
            fees=make_fees(config),
            queue=make_queue(config),
            report=self._on_venue_event,
            refuse=self.orders.on_command_refused,
            stop_trigger=config.stop_trigger,
            day_end_ns=config.day_end_minutes * 60_000_000_000,
        )

    def _on_venue_event(self, event: OrderEvent) -> bool:
        taken = self.orders.on_venue_event(event)
        if self.liquidation and isinstance(event, _ENDS):
            self.liquidation.advance()
        return taken

    # -- control -------------------------------------------------------------------------------------------------

    def _on_control(self, control: TradingControl) -> None:
        scope = None if control.scope == "global" else control.scope
        if control.action == "cancel_all":
            self.orders.cancel_all(scope)
        elif control.action == "liquidate":
            self.liquidation.begin(scope)

    def _liquidate(self, _: TimeEvent) -> None:
        if self.liquidation:
            self.liquidation.advance()

    # -- strategies ----------------------------------------------------------------------------------------------

    def _desk(self, name: str, account_id: str) -> Desk:
        return Desk(
            name,
            account_id,
            orders=self.orders,
            clock=self.clock,
            instruments=self.instruments,
            publish=self.publish,
            log=self.log.bind(strategy=name),
        )

    def _subscribe(self, topic: str, handler: Callable[[Any], object]) -> Callable[[], None]:
        return self.context.bus.subscribe(topics.Topic[Any](topic), self._metered(handler), owner=self.name).cancel

    def _start(self, deployment: Deployment) -> None:
        """Start a strategy of the configuration; one that cannot be made is reported, the others go on."""
        deployment.record = msgspec.structs.replace(deployment.record, status=DeploymentStatus.RUNNING)
        deployment.revive(patient=self._patient)

    def _save(self, _: TimeEvent) -> None:
        self.deployments.save()

    def _deployment_changed(self, record: DeploymentRecord) -> None:
        self.log.info("strategy.status", strategy=record.name, status=record.status)
        if record.status is DeploymentStatus.ERROR:
            self.log.error("strategy.failed", strategy=record.name, error=record.error)
            alert = SystemAlert(
                source=self.name,
                severity="critical",
                code="strategy_failed",
                message=f"strategy {record.name}: {record.error.strip().rpartition(chr(10))[2]}",
                ts_event=self.clock.timestamp_ns(),
            )
            self.publish(topics.system_alert(self.name), alert)


def make_latency(config: SimulatedVenueConfig) -> LatencyModel:
    """The latency model of a configuration; sampled, half of the entry latency is the floor and half the median."""
    entry_ns, response_ns = config.entry_latency_us * 1_000, config.response_latency_us * 1_000
    if not config.latency_sigma or entry_ns < 2:
        return ConstantLatency(entry_ns, response_ns)
    half = entry_ns // 2
    return SampledLatency(config.seed, half, half, config.latency_sigma, response_ns / entry_ns)


def make_fees(config: SimulatedVenueConfig) -> FeeModel:
    """The fee model of a configuration."""
    maker, taker = Decimal(str(config.maker_fee)), Decimal(str(config.taker_fee))
    return BasisPointFee(maker, taker) if config.fees == "basis_points" else PerShareFee(maker, taker)


def make_queue(config: SimulatedVenueConfig) -> QueueModel:
    """The queue-position model of a configuration."""
    return RiskAverseQueue() if config.queue == "risk_averse" else ProbabilisticQueue(config.queue_exponent)


def _venue_of(instrument_id: str) -> str:
    return instrument_id.rpartition(".")[2]
