"""What every engine must do: start and stop without a trace, say how it is, be documented, refuse nonsense."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

import msgspec

from nautilus.clock import TestClock
from nautilus.configuration_reference import options_of
from nautilus.engines.base import Engine, EngineConfig
from nautilus.engines.operation import Operation
from nautilus.engines.registry import engine_entry_points, engine_type
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.testing import START_NS, make_instrument, make_node, make_quote, make_trade


async def check_engine(name: str) -> None:
    """Run every check on the installed engine of a name; raises AssertionError for the first that fails."""
    for check in ENGINE_CHECKS:
        await check(name)


async def check_declaration(name: str) -> None:
    """The class says what it is, under the name of its entry point, below a prefix of its own."""
    kind = engine_type(name)
    assert issubclass(kind, Engine)
    assert kind.name == name
    assert kind.prefix.startswith("/")
    assert kind.prefix.strip("/") == name.replace("_", "-")
    assert issubclass(kind.config_type, EngineConfig)
    assert inspect.getdoc(kind), f"{kind.__name__} has no docstring"
    unknown = set(kind.depends_on) - set(engine_entry_points())
    assert not unknown, f"{name} depends on engines that do not exist: {unknown}"


async def check_configuration(name: str) -> None:
    """Every option has a default and says what it means."""
    for option in options_of(engine_type(name).config_type(), f"engines.{name}"):
        assert option.description, f"{option.section}.{option.key} has no description"


async def check_starts_and_stops_twice(name: str) -> None:
    """After stopping there is no subscription, endpoint, timer or task left, and it starts again."""
    for _ in range(2):
        before = asyncio.all_tasks()
        node = make_node([name])
        async with node:
            engine = node[name]
            assert engine.running, engine.failure
            assert engine.health().status != "down"
        assert node[name].health().status == "down"
        assert node.bus.subscriptions == ()
        assert node.bus.endpoints == ()
        assert node.clock.timer_count == 0
        left = asyncio.all_tasks() - before
        assert not left, f"tasks left behind: {left}"
        await engine.stop()


async def check_handles_market_data(name: str) -> None:
    """Quotes and trades of known and unknown instruments and a minute of time raise nothing."""
    clock = TestClock(START_NS)
    async with make_node([name], clock=clock) as node:
        node.instruments.add(make_instrument())
        for second in range(60):
            ts = START_NS + second * 1_000_000_000
            clock.advance_to(ts)
            for instrument_id in ("TEST.SIM", "UNKNOWN.SIM"):
                bid = 10_000 + second % 7
                quote = make_quote(instrument_id, bid_ticks=bid, ask_ticks=bid + 1, ts_event=ts)
                node.bus.publish(topics.quote(instrument_id), quote)
                trade = make_trade(instrument_id, price_ticks=bid, trade_id=second, ts_event=ts)
                node.bus.publish(topics.trade(instrument_id), trade)
        assert node[name].stats.errors == 0
        health = node[name].health()
        assert not any("health check failed" in reason for reason in health.reasons), health.reasons
        msgspec.json.encode(health)


async def check_operations(name: str) -> None:
    """Every route is documented, typed, and unique; the application builds with the engine alone."""
    async with make_node([name]) as node:
        seen = set()
        for route in node[name].routes():
            if not isinstance(route, Operation):
                continue
            key = (route.method, route.path)
            assert key not in seen, f"{key} is declared twice"
            seen.add(key)
            assert route.path.startswith("/"), key
            assert inspect.getdoc(route.handler), f"{key} has no docstring"
            hints = get_type_hints(route.handler)
            assert "return" in hints, f"{key} does not say what it returns"
            assert set(inspect.signature(route.handler).parameters) <= set(hints), f"{key} has untyped parameters"
        build_app(node)


async def check_snapshot_round_trip(name: str) -> None:
    """What a snapshot gives, `restore` takes back, and a snapshot of that is the same."""
    async with make_node([name]) as node:
        data = node[name].snapshot()
        if data is None:
            return
    async with make_node([name]) as node:
        node[name].restore(data)
        assert node[name].snapshot() == data


ENGINE_CHECKS: tuple[Callable[[str], Awaitable[Any]], ...] = (
    check_declaration,
    check_configuration,
    check_starts_and_stops_twice,
    check_handles_market_data,
    check_operations,
    check_snapshot_round_trip,
)
