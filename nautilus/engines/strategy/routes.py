"""HTTP operations of the strategy engine: deploy and steer strategies, place and look at orders."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.operation import Operation, delete, get, post
from nautilus.engines.strategy.deployment import Deployment, DeploymentStatus
from nautilus.engines.strategy.execution import OrderStatistics
from nautilus.engines.strategy.models import (
    DeployRequest,
    FillView,
    ModifyOrderRequest,
    OrderId,
    OrderView,
    PlaceOrderRequest,
    StrategyClassView,
    StrategyName,
    StrategyView,
    VenueView,
)
from nautilus.engines.strategy.order_views import fill_view, order_view, to_modification, to_order
from nautilus.errors import Conflict, NotFound
from nautilus.model.orders import Order

if TYPE_CHECKING:
    from nautilus.engines.strategy.engine import StrategyEngine
    from nautilus.engines.strategy.simulated_venue import SimulatedVenue

MANUAL = "manual"
Limit = Annotated[int, Meta(ge=1, le=10_000, description="Most rows to give.")]
OptionalName = Annotated[str, Meta(max_length=64, description="Only of this strategy; empty for all.")]


def strategy_routes(engine: "StrategyEngine") -> list[Operation]:
    """The operations, static paths first."""
    return [*_strategies(engine), *_orders(engine), *_reports(engine)]


def _strategies(engine: "StrategyEngine") -> list[Operation]:
    async def classes() -> list[StrategyClassView]:
        """The strategy classes that can be deployed, each with the schema of its configuration."""
        return [_class_view(engine, name) for name in engine.deployments.classes.names()]

    async def strategies() -> list[StrategyView]:
        """Every deployment."""
        return [_strategy_view(engine, deployment) for deployment in engine.deployments]

    async def strategy(name: StrategyName) -> StrategyView:
        """One deployment."""
        return _strategy_view(engine, engine.deployments[name])

    async def deploy(body: DeployRequest) -> StrategyView:
        """Deploy a strategy, and start it unless told otherwise."""
        if body.name == MANUAL:
            raise Conflict('"manual" is the name of orders by hand')
        account_id = body.account_id or engine.config.account_id
        deployment = engine.deployments.deploy(body.name, body.strategy, body.config, account_id)
        if body.start:
            deployment.start()
        return _strategy_view(engine, deployment)

    async def start(name: StrategyName) -> StrategyView:
        """Start a strategy that is deployed, stopped or ended by an error."""
        engine.deployments[name].start()
        return _strategy_view(engine, engine.deployments[name])

    async def pause(name: StrategyName) -> StrategyView:
        """Pause a strategy: its orders are cancelled, its position stays, it is no longer called."""
        engine.deployments[name].pause()
        return _strategy_view(engine, engine.deployments[name])

    async def resume(name: StrategyName) -> StrategyView:
        """Let a paused strategy go on."""
        engine.deployments[name].resume()
        return _strategy_view(engine, engine.deployments[name])

    async def stop(name: StrategyName) -> StrategyView:
        """Stop a strategy: its orders are cancelled, its position stays."""
        engine.deployments[name].stop()
        return _strategy_view(engine, engine.deployments[name])

    async def remove(name: StrategyName) -> StrategyView:
        """Remove a strategy that is not running; gives its last state."""
        view = _strategy_view(engine, engine.deployments[name])
        engine.deployments.remove(name)
        return view

    return [
        get("/classes", classes),
        get("/strategies", strategies),
        post("/strategies", deploy, status=201),
        get("/strategies/{name}", strategy),
        post("/strategies/{name}/start", start),
        post("/strategies/{name}/pause", pause),
        post("/strategies/{name}/resume", resume),
        post("/strategies/{name}/stop", stop),
        delete("/strategies/{name}", remove),
    ]


def _orders(engine: "StrategyEngine") -> list[Operation]:
    def view(order: Order) -> OrderView:
        return order_view(order, engine.instruments.get(order.request.instrument_id))

    async def orders(
        status: Literal["all", "open", "closed"] = "all", strategy_id: OptionalName = "", limit: Limit = 100
    ) -> list[OrderView]:
        """Orders: open ones oldest first, then closed ones newest first."""
        chosen = _known_strategy(engine, strategy_id)
        found = [] if status == "closed" else engine.record.open_orders(chosen)[:limit]
        if status != "open":
            found += engine.record.closed_orders(limit - len(found), chosen)
        return [view(order) for order in found]

    async def order(client_order_id: OrderId) -> OrderView:
        """One order, open or closed."""
        return view(engine.record[client_order_id])

    async def place(body: PlaceOrderRequest) -> OrderView:
        """Place an order by hand. It passes the risk gate like any other; a denied one says why in `reason`."""
        if body.strategy_id != MANUAL and body.strategy_id not in engine.deployments:
            raise NotFound("strategy", body.strategy_id)
        instrument = engine.instruments[body.instrument_id]
        identifier = body.client_order_id or engine.record.next_id(body.strategy_id)
        account_id = body.account_id or engine.config.account_id
        command = to_order(body, instrument, identifier, account_id, engine.clock.timestamp_ns())
        return view(engine.orders.submit(command))

    async def cancel(client_order_id: OrderId) -> OrderView:
        """Ask for the cancellation of an open order. It is cancelled when its status says so."""
        return view(engine.orders.cancel(client_order_id))

    async def modify(client_order_id: OrderId, body: ModifyOrderRequest) -> OrderView:
        """Ask for another price or quantity of an open order. It has changed when its values say so."""
        known = engine.record.changeable(client_order_id)
        instrument = engine.instruments[known.request.instrument_id]
        return view(engine.orders.modify(to_modification(client_order_id, body, instrument)))

    return [
        get("/orders", orders),
        post("/orders", place, status=201),
        get("/orders/{client_order_id}", order),
        post("/orders/{client_order_id}/cancel", cancel),
        post("/orders/{client_order_id}/modify", modify),
    ]


def _reports(engine: "StrategyEngine") -> list[Operation]:
    async def fills(strategy_id: OptionalName = "", limit: Limit = 100) -> list[FillView]:
        """The last fills, newest first."""
        chosen = _known_strategy(engine, strategy_id)
        found = (fill for fill in reversed(engine.record.fills) if chosen in (None, fill.strategy_id))
        return [
            fill_view(fill, engine.instruments.get(fill.instrument_id))
            for _, fill in zip(range(limit), found, strict=False)
        ]

    async def venues() -> list[VenueView]:
        """The simulated venues and what they assume."""
        return [_venue_view(engine, venue) for venue in engine.venues.values()]

    async def statistics() -> OrderStatistics:
        """Counts of orders, events and refusals since the start."""
        return engine.orders.statistics()

    return [get("/fills", fills), get("/venues", venues), get("/statistics", statistics)]


def _known_strategy(engine: "StrategyEngine", strategy_id: str) -> str | None:
    """The strategy to filter by, None for all; raises NotFound for one that is unknown and has no orders."""
    if not strategy_id:
        return None
    known = strategy_id == MANUAL or strategy_id in engine.deployments
    if not known and not engine.record.open_orders(strategy_id) and not engine.record.closed_orders(1, strategy_id):
        raise NotFound("strategy", strategy_id)
    return strategy_id


def _strategy_view(engine: "StrategyEngine", deployment: Deployment) -> StrategyView:
    record = deployment.record
    return StrategyView(
        name=record.name,
        strategy=record.strategy,
        status=record.status,
        account_id=record.account_id,
        config=record.config,
        positions={key[2]: lots for key, lots in engine.record.positions(record.name).items()},
        open_orders=len(engine.record.open_orders(record.name)),
        error=record.error if record.status is DeploymentStatus.ERROR else "",
        ts_changed=record.ts_changed,
    )


def _class_view(engine: "StrategyEngine", name: str) -> StrategyClassView:
    kind = engine.deployments.classes.get(name)
    schema = msgspec.json.schema(kind.config_type)
    return StrategyClassView(name=name, description=(kind.__doc__ or "").strip(), config_schema=schema)


def _venue_view(engine: "StrategyEngine", venue: "SimulatedVenue") -> VenueView:
    config = engine.config.venue
    return VenueView(
        name=venue.name,
        simulated=True,
        instruments=venue.instrument_count,
        working_orders=venue.working,
        received=venue.received,
        refused=venue.refused,
        trades=venue.trade_count,
        assumptions={
            "latency": f"{config.entry_latency_us} us to the venue, {config.response_latency_us} us back, "
            + (f"log-normal with sigma {config.latency_sigma}" if config.latency_sigma else "constant"),
            "queue": config.queue,
            "fees": f"{config.fees}: maker {config.maker_fee}, taker {config.taker_fee}",
            "stops": f"triggered by {config.stop_trigger}",
            "market impact": "none: our orders do not change the market data",
        },
    )
