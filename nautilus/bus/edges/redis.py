"""The edges of a node: what its bus says to other processes, and hears from them, over Redis Streams."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nautilus.bus.bus import Bus
from nautilus.bus.edges.channel_edge import ChannelEdge, Identity
from nautilus.bus.edges.reports import EdgesReport
from nautilus.bus.edges.settings import EdgesConfig, EdgeSettings
from nautilus.clock import Clock
from nautilus.errors import Invalid
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

MOST_NAME_CHARACTERS = 64


class RedisEdges:
    """All edges of one node, one for each channel that is enabled.

    `node` names the consumer group, so that a node goes on where it was; `instance` names this process of it, and no
    other process at any time. `spool_directory` keeps what waits for the server of engine logic; with None that is kept
    in memory. `on_receive(topic, message, source_instance)` is told of each message before the bus is. Nothing that
    came in goes out again. After `stop` make another. Raises Invalid for a pattern that is not of its channel.
    """

    def __init__(
        self,
        config: EdgesConfig,
        *,
        bus: Bus,
        clock: Clock,
        node: str,
        instance: str,
        spool_directory: Path | None,
        log: "BoundLogger",
        on_receive: Callable[[str, Any, str], None] | None = None,
    ) -> None:
        for name, value in (("node", node), ("instance", instance)):
            if not 0 < len(value) <= MOST_NAME_CHARACTERS or not (value.isascii() and value.isprintable()):
                raise Invalid(name, f"must be 1 to {MOST_NAME_CHARACTERS} printable ASCII characters, not {value!r}")
        self._identity = Identity(config.prefix, node, instance)
        self._running = False
        self._sends = False
        by_channel: dict[Channel, EdgeSettings] = {
            Channel.MARKETDATA: config.marketdata,
            Channel.ENGINE_LOGIC: config.engine_logic,
            Channel.NEURAL_GPU: config.neural_gpu,
        }
        self._edges = [
            ChannelEdge(
                channel,
                settings,
                identity=self._identity,
                bus=bus,
                clock=clock,
                spool_directory=spool_directory,
                log=log,
                on_receive=on_receive,
            )
            for channel, settings in by_channel.items()
            if settings.enabled
        ]

    async def send(self) -> None:
        """Begin the way out alone, for who has something to say before it can listen; `start` then does the rest."""
        self._sends = True
        try:
            for edge in self._edges:
                await edge.send()
        except BaseException:
            await self.stop()
            raise

    async def start(self) -> None:
        """Begin. A server that is away is tried again in the background; raises StoreError for a useless spool."""
        if self._running:
            return
        self._running = self._sends = True
        try:
            for edge in self._edges:
                await edge.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Send what can be sent in a few seconds, and end; a second call does nothing."""
        if not self._sends:
            return
        self._running = self._sends = False
        await asyncio.gather(*(edge.stop() for edge in self._edges))

    def problems(self) -> list[str]:
        """What an operator should know; empty when all is well."""
        return [problem for edge in self._edges for problem in edge.problems()]

    def report(self) -> EdgesReport:
        """Every channel's counts."""
        return EdgesReport(
            node=self._identity.node,
            instance=self._identity.instance,
            running=self._running,
            channels=tuple(edge.report() for edge in self._edges),
        )
