"""One channel's way out: takes what waits in an outbox, packs it into entries and adds them to the streams.

One exchange at a time, all of it or nothing (a transaction), so that a reader finds what was said together together.
What failed, or went unanswered, is sent again unchanged: readers know its ids.
"""

import asyncio
from typing import TYPE_CHECKING

from nautilus.bus.edges.codec import Packet, stream_name
from nautilus.bus.edges.connection import Backoff, failures, open_client
from nautilus.bus.edges.outbox import Outbox
from nautilus.bus.edges.reports import OutboundReport
from nautilus.bus.edges.settings import EdgeSettings
from nautilus.errors import StoreError
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from structlog.stdlib import BoundLogger

IDLE_SECONDS = 2.0
"""After so long without a message the server is asked whether it is there."""


class Outbound:
    """Sends one outbox, in a task of its own."""

    def __init__(
        self,
        channel: Channel,
        settings: EdgeSettings,
        outbox: Outbox,
        *,
        prefix: str,
        node: str,
        instance: str,
        log: "BoundLogger",
    ) -> None:
        self.connected = False
        self._channel = channel
        self._settings = settings
        self._outbox = outbox
        self._prefix = prefix
        self._node = node
        self._instance = instance
        self._log = log
        self._backoff = Backoff(f"{instance}-{channel}-out", settings.reconnect_max_seconds)
        self._client: Redis | None = None
        self._task: asyncio.Task[None] | None = None
        self._left: list[Packet] = []
        self._sending = 0
        self._exchanged_at = 0.0
        self._busy = False
        self._idle = asyncio.Event()
        self._sent = 0
        self._entries = 0
        self._failures = 0
        self._last_error = ""

    def start(self) -> None:
        """Begin to send, in a task."""
        self._task = asyncio.create_task(self._run(), name=f"edge-{self._channel}-out")

    async def stop(self, flush_seconds: float) -> None:
        """Send what can be sent within `flush_seconds`, nothing where the server is away, and end."""
        if self._task is None:
            return
        if self.connected or not self._failures:
            try:
                async with asyncio.timeout(flush_seconds):
                    await self.flush()
            except TimeoutError:
                self._log.warning("edge.not_all_sent", channel=str(self._channel), waiting=len(self._outbox))
        while not self._task.done():  # a library may take a cancellation for a time-out of its own
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
        self._task = None
        await self._close()

    async def flush(self) -> None:
        """Return once nothing waits. Bound it: with the server away that may be long."""
        while self._busy or len(self._outbox):
            self._idle.clear()
            await self._idle.wait()

    def report(self) -> OutboundReport:
        """The counts so far."""
        counts = self._outbox.counts
        return OutboundReport(
            connected=self.connected,
            queued=len(self._outbox),
            queued_bytes=self._outbox.waiting_bytes,
            sent=self._sent,
            entries=self._entries,
            conflated=counts.conflated,
            dropped=counts.dropped.by_topic(),
            unencodable=counts.unencodable,
            failures=self._failures,
            last_error=self._last_error or counts.last_error,
        )

    def problems(self) -> list[str]:
        """What an operator should know."""
        found = self._outbox.problems()
        if self._failures and not self.connected:
            found.insert(0, f"nothing can be sent to {self._settings.url}: {self._last_error}")
        if self._outbox.counts.unencodable:
            counts = self._outbox.counts
            found.append(f"{counts.unencodable} messages could not be encoded: {counts.last_error}")
        return found

    async def _run(self) -> None:
        await self._ping()
        while True:
            try:
                await self._turn()
            except failures() as error:
                await self._failed(error)
            except StoreError as error:  # what waits on the disk cannot be read now
                await self._failed(error)
            except Exception as error:  # noqa: BLE001 - a defect must show, and not end the edge in silence
                self._log.error("edge.defect", channel=str(self._channel), exc_info=error)
                await self._failed(error)

    async def _turn(self) -> None:
        """One exchange, once there is something to send; what an attempt left is sent first."""
        if not self._left:
            if not len(self._outbox):
                self._busy = False
                self._idle.set()
                if not await self._something_waits():
                    await self._ping()
                    return
            await self._company()
            self._busy = True
            self._left = await self._outbox.take()
            self._sending = sum(packet.count for packet in self._left)
        while self._left:
            self._left = await self._send(self._left)
        self._succeeded()
        await self._outbox.settle()
        self._sent += self._sending
        self._sending = 0
        self._busy = False

    async def _company(self) -> None:
        """Wait for more messages to send together, where the last exchange was not long ago."""
        loop = asyncio.get_running_loop()
        pause = self._exchanged_at + self._settings.batch_max_seconds - loop.time()
        if pause > 0 and len(self._outbox) < self._settings.batch_max_events:
            await asyncio.sleep(pause)
        self._exchanged_at = loop.time()

    async def _something_waits(self) -> bool:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._outbox.wait()
        except TimeoutError:
            return False
        return True

    async def _ping(self) -> None:
        try:
            await (await self._connection()).ping()
        except failures() as error:
            await self._failed(error)
        else:
            self._succeeded()

    async def _send(self, packets: list[Packet]) -> list[Packet]:
        """One attempt; returns what one stream refused while others took theirs. Raises where nothing was taken."""
        client = await self._connection()
        async with client.pipeline(transaction=True) as exchange:
            for packet in packets:
                exchange.xadd(
                    stream_name(self._prefix, packet.message_type),
                    packet.fields(self._node),
                    maxlen=self._settings.stream_max_entries,
                    approximate=True,
                )
            answers = await exchange.execute(raise_on_error=False)
        refused = [packet for packet, answer in zip(packets, answers, strict=True) if isinstance(answer, Exception)]
        self._entries += len(packets) - len(refused)
        if refused:
            await self._failed(next(answer for answer in answers if isinstance(answer, Exception)))
        return refused

    async def _connection(self) -> "Redis":
        if self._client is None:
            self._client = await open_client(self._settings, name=f"{self._prefix}:{self._node}:{self._instance}:out")
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
            self._log.warning("edge.cannot_send", channel=str(self._channel), error=self._last_error)
        self._outbox.trouble()
        await self._close()
        await asyncio.sleep(self._backoff.next())

    def _succeeded(self) -> None:
        if not self.connected:
            self._log.info("edge.sends", channel=str(self._channel), server=self._settings.url)
        self.connected = True
        self._backoff.reset()
