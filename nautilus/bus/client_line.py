"""A client's connection to one channel's server: what it sends, and a reader for each set of types it asked for."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nautilus.bus.client_calls import families_with
from nautilus.bus.edges.awaited_outbox import AwaitedOutbox
from nautilus.bus.edges.channel_edge import Identity, make_inbound
from nautilus.bus.edges.codec import Codec, stream_name
from nautilus.bus.edges.connection import failures, open_client
from nautilus.bus.edges.delivery import Deliver
from nautilus.bus.edges.inbound import Inbound
from nautilus.bus.edges.outbound import Outbound
from nautilus.bus.edges.outbox import Sender
from nautilus.bus.edges.selection import Selection
from nautilus.bus.edges.settings import EdgeSettings
from nautilus.clock import Clock
from nautilus.model.enums import Channel, EngineType, MessageType

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

STOP_SECONDS = 2.0


class ClientLine:
    """One channel of one client. Nothing is connected before the first message is sent or the first type is read."""

    def __init__(
        self,
        channel: Channel,
        settings: EdgeSettings,
        *,
        identity: Identity,
        engine: EngineType,
        clock: Clock,
        deliver: Deliver,
        log: "BoundLogger",
    ) -> None:
        self.channel = channel
        self.readers: list[Inbound] = []
        self.outbound: Outbound | None = None
        self._settings = settings
        self._identity = identity
        self._engine = engine
        self._clock = clock
        self._deliver = deliver
        self._log = log
        self._codec = Codec(settings.array_max_bytes)
        self._types: set[MessageType] = set()
        self._outbox: AwaitedOutbox | None = None

    def outbox(self) -> AwaitedOutbox:
        """Where messages to be sent wait; the first call begins to send."""
        if self._outbox is None:
            sender = Sender(
                codec=self._codec,
                instance=self._identity.instance,
                timestamp_ns=self._clock.timestamp_ns,
                batch_max_events=self._settings.batch_max_events,
            )
            self._outbox = AwaitedOutbox(sender, engine=self._engine, capacity=self._settings.queue_max_events)
            self.outbound = Outbound(
                self.channel,
                self._settings,
                self._outbox,
                prefix=self._identity.prefix,
                node=self._identity.node,
                instance=self._identity.instance,
                log=self._log,
            )
            self.outbound.start()
        return self._outbox

    async def read(self, message_types: Iterable[MessageType]) -> None:
        """Read the streams of these types too. Returns when it does, or when the server has not answered in time."""
        added = [one for one in message_types if one not in self._types]
        if not added:
            return
        self._types.update(added)
        families = [f"{family}.>" for one in added for family in families_with(one)]
        own = frozenset({self._identity.instance})
        reader = make_inbound(
            self.channel,
            self._settings,
            Selection(families, self.channel, "message_types"),
            self._deliver,
            identity=self._identity,
            clock=self._clock,
            codec=self._codec,
            own_instances=lambda: own,
            log=self._log,
        )
        self.readers.append(reader)
        reader.start()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.connect_timeout_seconds
        while not reader.connected and loop.time() < deadline:  # noqa: ASYNC110 - a reader tells nobody but who asks
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Send what waits, hand on what has been read, and leave nothing on the server but what is to be resumed."""
        await asyncio.gather(*(reader.stop(STOP_SECONDS) for reader in self.readers))
        if self.outbound is not None:
            await self.outbound.stop(STOP_SECONDS)
        if self._outbox is not None:
            self._outbox.close()
        if self._types and not self._settings.resume:
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._delete_groups()
            except failures() as error:
                self._log.warning("client.group_left_behind", channel=str(self.channel), error=str(error))

    async def _delete_groups(self) -> None:
        connection = await open_client(self._settings, name=f"{self._identity.group}:close", connections=1)
        try:
            async with connection.pipeline(transaction=False) as exchange:
                for one in self._types:
                    exchange.xgroup_destroy(stream_name(self._identity.prefix, one), self._identity.group)
                await exchange.execute(raise_on_error=False)
        finally:
            await connection.aclose()
