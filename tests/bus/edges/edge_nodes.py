"""A bus with edges and an ear on everything it says, for tests of the edges."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from nautilus.bus import Bus
from nautilus.bus.edges.redis import RedisEdges
from nautilus.bus.edges.reports import InboundReport, OutboundReport
from nautilus.bus.edges.settings import EdgesConfig, EngineLogicEdge, MarketDataEdge, NeuralGpuEdge
from nautilus.clock import Clock, LiveClock
from nautilus.model import Channel, Quote, topics
from nautilus.model.messages import SystemAlert

QUICK: dict[str, Any] = {
    "connect_timeout_seconds": 0.5,
    "response_timeout_seconds": 0.5,
    "reconnect_max_seconds": 0.2,
    "claim_idle_seconds": 0.2,
}


async def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once the condition holds; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.005)


def quote(number: int, symbol: str = "A") -> Quote:
    return Quote(f"{symbol}.XNAS", 100 + number, 101 + number, 1, 1, number, number)


def alert(number: int, code: str = "test") -> SystemAlert:
    return SystemAlert(ts_event=number, source="test", severity="info", code=code, message=str(number))


ALERTS: Any = topics.system_alert("test")


class EdgeNode:
    """A node reduced to its bus, clock and edges. `channels` are changes of the settings of each channel."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "test",
        node: str = "a",
        instance: str = "",
        spool: Path | None = None,
        clock: Clock | None = None,
        on_receive: Callable[[str, Any, str], None] | None = None,
        **channels: dict[str, Any] | None,
    ) -> None:
        settings = {name: {"url": url, **QUICK, **(changes or {})} for name, changes in channels.items()}
        off: dict[str, Any] = {"enabled": False}
        self.config = EdgesConfig(
            enabled=True,
            prefix=prefix,
            marketdata=MarketDataEdge(**settings.get("marketdata", off)),
            engine_logic=EngineLogicEdge(**settings.get("engine_logic", off)),
            neural_gpu=NeuralGpuEdge(**settings.get("neural_gpu", off)),
        )
        self.errors: list[Exception] = []
        self.bus = Bus(on_error=lambda _source, error, _count: self.errors.append(error))
        self.edges = RedisEdges(
            self.config,
            bus=self.bus,
            clock=clock or LiveClock(),
            node=node,
            instance=instance or f"{node}1",
            spool_directory=spool,
            log=structlog.wrap_logger(structlog.ReturnLogger(), processors=[structlog.processors.JSONRenderer()]),
            on_receive=on_receive,
        )
        self.heard: list[tuple[str, Any]] = []
        self.bus.tap(">", lambda topic, message: self.heard.append((topic, message)))

    async def __aenter__(self) -> Self:
        await self.edges.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.edges.stop()

    def outbound(self, channel: Channel) -> OutboundReport:
        found = next(one for one in self.edges.report().channels if one.channel is channel).outbound
        assert found is not None
        return found

    def inbound(self, channel: Channel) -> InboundReport:
        found = next(one for one in self.edges.report().channels if one.channel is channel).inbound
        assert found is not None
        return found

    async def connected(self) -> None:
        await eventually(lambda: all(one.connected for one in self.edges.report().channels))

    def messages(self) -> list[Any]:
        return [message for _, message in self.heard]
