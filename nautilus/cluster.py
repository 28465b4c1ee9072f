"""A node among others: its edges to Redis, who else is there, what was said before it came, and whether it may trade.

A node without edges has none of this. With them, a node takes over its accounts before it opens its store, learns the
instruments that other processes define before its strategies act, and lets messages cross once it is up.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from nautilus import __version__
from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.presence import InstanceInfo, Presence, PresenceChange, PresenceReport
from nautilus.bus.edges.redis import RedisEdges
from nautilus.bus.edges.reports import EdgesReport
from nautilus.bus.edges.retained_messages import RetainedMessages, RetainedReport
from nautilus.errors import StoreError, Unavailable
from nautilus.model import topics
from nautilus.model.enums import Channel, Quality
from nautilus.model.instruments import Instrument
from nautilus.ownership import Ownership, OwnershipReport

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from nautilus.config import NodeConfig
    from nautilus.engines.context import Context

_INSTRUMENTS = "cluster.instruments"
_MARKET = "cluster.market"
_ASK_SECONDS = 2.0
"""How long a start waits for the cache server before it goes on with what it knows itself."""
_LOOK_SECONDS = 0.5
"""How often a node that stands by looks whether it still does so for the same reason."""
_GOODBYE_SECONDS = 2.0
_RETAINED = {Channel.MARKETDATA: "instrument.>", Channel.ENGINE_LOGIC: "control.>"}
"""What is retained of each channel."""


class ClusterReport(msgspec.Struct, frozen=True, kw_only=True):
    """This node among others; parts are null where it has no edges, or leases nothing."""

    instance: str
    presence: PresenceReport | None
    ownership: OwnershipReport | None
    edges: EdgesReport | None
    retained: RetainedReport | None
    problems: list[str]


class Cluster:
    """Everything that connects one node with others. Made before the node's store is open, in the node's stack."""

    def __init__(
        self,
        config: "NodeConfig",
        context: "Context",
        *,
        cache: "Redis",
        engines: tuple[str, ...],
        on_superseded: Callable[[str], object],
    ) -> None:
        self.instance = f"{config.name}-{os.getpid()}-{secrets.token_hex(3)}"
        self.http = ""
        """Where this node answers, "host:port"; told to the others."""
        self.ownership: Ownership | None = None
        self.waits_for_store = ""
        """Who still has the store open that this node, the owner by now, is to open; empty where nobody has."""
        self._config = config
        self._context = context
        self._engines = engines
        self._cache = cache
        self._untold: list[tuple[str, Any]] = []
        self._told: dict[str, int] = {}
        self._unheard: set[Channel] = set()
        self._store_is_open = False
        self._store_problem = ""
        self._following: asyncio.Task[None] | None = None
        self._started_ns = context.clock.timestamp_ns()
        prefix = config.edges.prefix
        if config.ownership.accounts:
            self.ownership = Ownership(
                config.ownership, cache, owner=self.instance, prefix=prefix, on_superseded=on_superseded
            )
        self.presence = Presence(cache, self._describe, prefix=prefix, on_change=self._peers_changed)
        self.retained = RetainedMessages(cache, context.bus, context.clock, instance=self.instance, prefix=prefix)
        self.edges = RedisEdges(
            config.edges,
            bus=context.bus,
            clock=context.clock,
            node=config.name,
            instance=self.instance,
            spool_directory=_spool_directory(config),
            log=context.log,
            on_receive=self._received,
        )

    @classmethod
    async def make(cls, config: "NodeConfig", context: "Context", **options: Any) -> Self:
        """One with a connection of its own to the cache server; no server need be there yet."""
        cache = await open_client(config.edges.cache, name=f"{config.name}:cache")
        return cls(config, context, cache=cache, **options)

    # -- life ----------------------------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Stand by until this node owns its accounts; others see it waiting, and the log says for what."""
        self.presence.start()
        if self.ownership is None:
            return
        taking = asyncio.get_running_loop().create_task(self.ownership.take(), name="take over")
        told = ""
        try:
            while not taking.done():
                await asyncio.wait({taking}, timeout=_LOOK_SECONDS)
                reason = self.ownership.waits_for()
                if reason not in ("", told):
                    told = reason
                    self._context.log.info("node.standing_by", reason=reason)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
        taking.result()
        self._context.log.info("node.owns", accounts=list(self.ownership.leases), fencing=self.ownership.token)

    async def begin(self) -> None:
        """The store is open: enter this node as the owner. Raises Conflict where it must not be one."""
        if self.ownership is not None:
            await self.ownership.begin(self._context.store.state)

    async def learn(self) -> None:
        """Make known what was said before this node came, before its engines are set up.

        From its own store what it knew when it last ran, then from the cache server what is known now. Without a server
        it goes on with the former.
        """
        self._store_is_open = True
        for _, data in self._context.store.state.items(_INSTRUMENTS):
            with suppress(msgspec.DecodeError):  # of another version: the server, or who defined it, will tell it again
                self._context.instruments.add(msgspec.json.decode(data, type=Instrument))
        self._recall_source()
        self._following = asyncio.get_running_loop().create_task(self._follow(), name="cluster")
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self.presence.beat()
                self._adopt_source()
                retained = await self.retained.load()
        except (Unavailable, TimeoutError) as error:
            self._context.log.warning("cluster.cache_server_away", error=str(error))
            return
        for one in retained:
            self._received(one.topic, one.message, one.source_instance)
            self._told[one.topic] = one.ts
            if not isinstance(one.message, Instrument) and not self._is_own(one.source_instance):
                self._untold.append((one.topic, one.message))

    async def tell(self) -> None:
        """Publish here what was said before, now that everybody listens, and begin to tell others what is said here.

        Instruments are known to all engines already.
        """
        untold, self._untold = self._untold, []
        for topic, message in untold:
            self._repeat(topic, message)
        self.retained.start()
        await self.edges.send()

    async def join(self) -> None:
        """Let messages of others in; servers that are not there yet are connected to when they come."""
        await self.edges.start()
        self._unheard = set(_RETAINED)

    async def leave(self) -> None:
        """Send what waits, then say good-bye; a second call does nothing."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        try:
            await self.edges.stop()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await asyncio.gather(self.retained.stop(), self.presence.stop())

    async def release(self) -> None:
        """The store is closed: let the next owner have the accounts at once."""
        self._store_is_open = False
        try:
            if self.ownership is not None:
                await self.ownership.release()
        finally:
            await self._cache.aclose()

    # -- how it stands -------------------------------------------------------------------------------------------

    def standing_by(self) -> str:
        """Why this node waits before it trades its accounts, or nothing where it does not."""
        if self.ownership is None:
            return ""
        return self.ownership.waits_for() or self.waits_for_store

    def problems(self) -> list[str]:
        """What is wrong with any part."""
        owning = self.ownership.problems() if self.ownership is not None else []
        own = [f"cluster: {text}" for text in (*map(self._same_name, self._namesakes()), self._store_problem) if text]
        return [*owning, *own, *self.presence.problems(), *self.retained.problems(), *self.edges.problems()]

    def report(self) -> ClusterReport:
        """Every part."""
        return ClusterReport(
            instance=self.instance,
            presence=self.presence.report(),
            ownership=self.ownership.report() if self.ownership is not None else None,
            edges=self.edges.report(),
            retained=self.retained.report(),
            problems=self.problems(),
        )

    # -- what others say -----------------------------------------------------------------------------------------

    def _describe(self) -> InstanceInfo:
        source = self._context.source
        owned = self.ownership.leases if self.ownership is not None else {}
        has_market = "marketdata" in self._engines
        return InstanceInfo(
            instance=self.instance,
            node=self._config.name,
            version=__version__,
            engines=self._engines,
            started_ns=self._started_ns,
            http=self.http,
            market=str(source.quality) if has_market else "",
            description=source.description if has_market else "",
            accounts={account: lease.token for account, lease in owned.items() if lease.is_held},
            process_id=os.getpid(),
        )

    def _peers_changed(self, change: PresenceChange) -> None:
        for info in change.left:
            self._context.log.info("cluster.left", instance=info.instance, engines=info.engines)
        for info in change.joined:
            self._context.log.info("cluster.joined", instance=info.instance, engines=info.engines)
        for info in self._namesakes():
            if info in change.joined:
                self._context.log.error("cluster.same_name", reason=self._same_name(info))

    def _namesakes(self) -> list[InstanceInfo]:
        """Living nodes that take this one's messages from it. One that stands by for our accounts takes none yet."""
        ours = [info for info in self.presence.peers() if info.node == self._config.name]
        return ours if self.ownership is None else [info for info in ours if info.accounts and self.ownership.token]

    def _same_name(self, info: InstanceInfo) -> str:
        return (
            f"another node is named {info.node!r} too ({info.instance}), so that each hears only a part of what others "
            "say; give each a name of its own"
        )

    def _adopt_source(self) -> None:
        """Market data of another process rest on what that process says; silence makes them stale, not unknown.

        The text names the node, which is the same over restarts: a model's rows are told apart by it. Of several nodes
        with a market the present one stays.
        """
        if "marketdata" in self._engines:
            return
        source = self._context.source
        found = {
            f"{info.description} (from {info.node})": Quality(info.market)
            for info in sorted(self.presence.peers(), key=lambda info: info.node)
            if "marketdata" in info.engines and info.market in Quality and info.market != Quality.NONE
        }
        if not found:
            return
        description = source.description if source.description in found else next(iter(found))
        source.set(found[description], description)
        self._keep(_MARKET, "source", description.encode())

    async def _follow(self) -> None:
        """A process is there before its market is, and its market may change: neither is a change of who is there."""
        while True:
            await asyncio.sleep(self.presence.interval_seconds / 2)
            self._adopt_source()
            if self._unheard:
                with suppress(Unavailable):  # the edge, and presence, say so among the problems
                    await self._catch_up()

    async def _catch_up(self) -> None:
        """Hear what was said between `learn` and the moment from which an edge reads its streams."""
        for report in self.edges.report().channels:
            if report.channel not in self._unheard or report.inbound is None or not report.inbound.connected:
                continue
            for one in await self.retained.load([_RETAINED[report.channel]]):
                is_old = one.ts == self._told.get(one.topic) or self._is_own(one.source_instance)
                if isinstance(one.message, Instrument):
                    is_old = self._context.instruments.get(one.message.id) == one.message
                if not is_old:
                    self._received(one.topic, one.message, one.source_instance)
                    self._repeat(one.topic, one.message)
            self._unheard.discard(report.channel)

    def _repeat(self, topic: str, message: Any) -> None:
        """Publish here what another process has said before."""
        self.retained.disregard(topic, message)
        self._context.bus.publish(topics.Topic[Any](topic), message)

    def _recall_source(self) -> None:
        """Until the process with the market is heard of, its data are taken to be what they were; how good, is open."""
        known = self._context.store.state.get(_MARKET, "source")
        source = self._context.source
        if known is not None and source.quality is Quality.NONE and "marketdata" not in self._engines:
            source.set(Quality.NONE, known.decode())

    def _received(self, topic: str, message: Any, _source: str) -> None:
        """Before a message of another process is published here."""
        self.retained.disregard(topic, message)
        if isinstance(message, Instrument):
            self._context.instruments.add(message)
            self._keep(_INSTRUMENTS, message.id, msgspec.json.encode(message))

    def _keep(self, namespace: str, key: str, value: bytes) -> None:
        """Remember for the next start. A store that refuses keeps nobody from hearing the message."""
        if not self._store_is_open:
            return
        try:
            if self._context.store.state.get(namespace, key) != value:
                self._context.store.state.put(namespace, key, value)
            self._store_problem = ""
        except StoreError as error:
            self._store_problem = str(error)

    def _is_own(self, instance: str) -> bool:
        """Whether an earlier run of this node was the instance: of what it said, its store knows more."""
        return instance.rsplit("-", 2)[0] == self._config.name


def _spool_directory(config: "NodeConfig") -> Path | None:
    if config.store.directory == ":memory:":
        return None
    return Path(config.store.directory).expanduser() / "spool"
