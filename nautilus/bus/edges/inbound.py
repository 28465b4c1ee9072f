"""One channel's way in: reads the streams as one consumer of the node's group, hands on, and acknowledges after that.

An entry is acknowledged once all of its messages have been handed on. What this process dies over, or never hears the
answer to, is read again, by it or by another of the group: at least once across processes, once within one, by ids.
"""

import asyncio
from typing import TYPE_CHECKING

from nautilus.bus.edges.connection import Backoff, failures, open_client
from nautilus.bus.edges.consumer_group import ConsumerGroup, Standing, Streams, gone
from nautilus.bus.edges.delivery import Delivery
from nautilus.bus.edges.reports import InboundReport
from nautilus.bus.edges.settings import EdgeSettings
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from structlog.stdlib import BoundLogger

BLOCK_MS = 1_000
LOOK_SECONDS = 5.0
"""How often what others left behind, and how far the group is, are looked at."""


class Inbound:
    """Reads one channel's streams, in a task of its own."""

    def __init__(
        self,
        channel: Channel,
        settings: EdgeSettings,
        delivery: Delivery,
        group: ConsumerGroup,
        *,
        client_name: str,
        log: "BoundLogger",
    ) -> None:
        self.connected = False
        self._channel = channel
        self._settings = settings
        self._delivery = delivery
        self._group = group
        self._client_name = client_name
        self._log = log
        self._backoff = Backoff(f"{client_name}-{channel}", settings.reconnect_max_seconds)
        self._idle_ms = max(1, round(settings.claim_idle_seconds * 1_000))
        self._task: asyncio.Task[None] | None = None
        self._client: Redis | None = None
        self._handling = False
        self._stopping = False
        self._acknowledged: dict[str, list[str]] = {}
        self._next_look = 0.0
        self._standing: Standing | None = None
        self._claimed = 0
        self._expired = 0
        self._trimmed = 0
        self._failures = 0
        self._last_error = ""

    def start(self) -> None:
        """Begin to read, in a task."""
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=f"edge-{self._channel}-in")

    async def stop(self, seconds: float) -> None:
        """Hand on what has been read, acknowledge it if the server answers in time, and end."""
        if self._task is None:
            return
        self._stopping = True
        if self._handling:
            await asyncio.wait([self._task], timeout=seconds)
        while not self._task.done():  # a library may take a cancellation for a time-out of its own
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
        self._task = None
        if self.connected:
            try:
                async with asyncio.timeout(seconds):
                    await self._leave()
            except failures() as error:
                self._last_error = f"{type(error).__name__}: {error}"
        await self._close()

    def report(self) -> InboundReport:
        """The counts so far."""
        counts = self._delivery.counts
        return InboundReport(
            connected=self.connected,
            received=counts.received,
            entries=counts.entries,
            echoes=counts.echoes,
            duplicates=counts.duplicates,
            unselected=counts.unselected,
            dead_letters=counts.dead_letters,
            claimed=self._claimed,
            expired=self._expired,
            trimmed=counts.trimmed + self._trimmed,
            groups_remade=self._group.remade,
            handler_failures=counts.handler_failures,
            lag_entries=self._standing.lag if self._standing else None,
            pending_entries=self._standing.pending if self._standing else None,
            last_latency_ns=self._delivery.last_latency_ns,
            failures=self._failures,
            last_error=self._last_error or self._delivery.last_error,
        )

    def problems(self) -> list[str]:
        """What an operator should know."""
        found = []
        if self._failures and not self.connected:
            found.append(f"nothing can be read from {self._settings.url}: {self._last_error}")
        trimmed = self._delivery.counts.trimmed + self._trimmed
        if trimmed:
            found.append(f"{trimmed} entries were trimmed on the server before they were handled")
        if self._delivery.counts.dead_letters:
            found.append(f"{self._delivery.counts.dead_letters} messages went to the dead letters")
        if self._delivery.counts.handler_failures:
            found.append(f"{self._delivery.counts.handler_failures} messages failed in a handler here")
        return found

    async def _run(self) -> None:
        while not self._stopping:
            try:
                client = await self._connection()
                await self._group.join(client)
                self._succeeded()
                await self._read_own_pending(client)
                await self._read(client)
            except failures() as error:
                await self._failed(error)
            except Exception as error:  # noqa: BLE001 - a defect must show, and not end the edge in silence
                self._log.error("edge.defect", channel=str(self._channel), exc_info=error)
                await self._failed(error)

    async def _read(self, client: "Redis") -> None:
        while not self._stopping:
            try:
                await self._look(client)
                acknowledged = self._acknowledged
                found = await self._group.read(client, acknowledged, self._settings.read_max_entries, BLOCK_MS)
            except failures() as error:
                if not gone(error):
                    raise
                await self._group.join(client)
                continue
            self._acknowledged = {}
            if found:
                await self._handle(client, found)

    async def _read_own_pending(self, client: "Redis") -> None:
        """What this consumer was given before the connection broke: some of it may never have arrived."""
        if self._acknowledged:
            await self._group.acknowledge(client, self._acknowledged)
            self._acknowledged = {}
        while found := await self._group.own_pending(client, self._settings.read_max_entries):
            await self._handle(client, found)
            await self._group.acknowledge(client, self._acknowledged)
            self._acknowledged = {}

    async def _handle(self, client: "Redis", found: Streams) -> None:
        """Hand on what was read; its ids are then to be acknowledged."""
        ids = {stream: [entry_id for entry_id, _ in entries] for stream, entries in found.items()}
        self._handling = True
        keeper = asyncio.create_task(self._keep(client, ids), name=f"edge-{self._channel}-keep")
        try:
            letters = await self._delivery.hand_on(found)
        finally:
            keeper.cancel()
            self._handling = False
        if letters:
            self._log.error("edge.dead_letters", channel=str(self._channel), count=len(letters), why=letters[0].reason)
            await self._group.bury(client, letters, ids)
        else:
            self._acknowledged = ids

    async def _keep(self, client: "Redis", ids: dict[str, list[str]]) -> None:
        """While handlers take long, say so to the server, lest another takes the entries over."""
        while True:
            await asyncio.sleep(self._settings.claim_idle_seconds / 3)
            try:
                await self._group.keep(client, ids)
            except failures() as error:
                self._last_error = f"{type(error).__name__}: {error}"

    async def _look(self, client: "Redis") -> None:
        """Now and then: take over what others left, and see how far the group is."""
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return
        if self._acknowledged:
            await self._group.acknowledge(client, self._acknowledged)
            self._acknowledged = {}
        if self._settings.resume:
            await self._bury_hopeless(client)
        found, trimmed = await self._group.take_over(client, self._idle_ms)
        entries = sum(len(taken) for taken in found.values())
        self._claimed += entries
        self._trimmed += trimmed
        if found and self._settings.resume:
            await self._handle(client, found)
        elif found:
            self._expired += entries
            self._acknowledged = {stream: [entry_id for entry_id, _ in taken] for stream, taken in found.items()}
        await self._group.forget_the_dead(client)
        self._standing = await self._group.standing(client)
        if not found:
            self._next_look = now + min(LOOK_SECONDS, self._settings.claim_idle_seconds / 2)

    async def _bury_hopeless(self, client: "Redis") -> None:
        hopeless = await self._group.hopeless(client, self._idle_ms, self._settings.max_deliveries)
        if hopeless:
            ids: dict[str, list[str]] = {}
            for letter in hopeless:
                ids.setdefault(letter.stream, []).append(letter.entry_id)
            await self._group.bury(client, hopeless, ids)
            self._delivery.counts.dead_letters += len(hopeless)
            self._log.error(
                "edge.dead_letters", channel=str(self._channel), count=len(hopeless), why=hopeless[0].reason
            )

    async def _leave(self) -> None:
        """The answer to the reading that was broken off may have held something: that comes first."""
        client = await self._connection()
        await self._read_own_pending(client)
        await self._group.leave(client)

    async def _connection(self) -> "Redis":
        if self._client is None:
            patience = BLOCK_MS / 1_000 + self._settings.response_timeout_seconds
            self._client = await open_client(self._settings, name=self._client_name, response_timeout_seconds=patience)
        return self._client

    async def _close(self) -> None:
        self.connected = False
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _failed(self, error: BaseException) -> None:
        self._failures += 1
        self._last_error = f"{type(error).__name__}: {error}"
        if self.connected or self._failures == 1:
            self._log.warning("edge.cannot_read", channel=str(self._channel), error=self._last_error)
        await self._close()
        await asyncio.sleep(self._backoff.next())

    def _succeeded(self) -> None:
        if not self.connected:
            self._log.info("edge.reads", channel=str(self._channel), server=self._settings.url)
        self.connected = True
        self._backoff.reset()
