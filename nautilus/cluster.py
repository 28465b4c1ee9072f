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
from nautilus.errors import Unavailable
from nautilus.model import topics
from nautilus.model.enums import Quality
from nautilus.model.instruments import Instrument
from nautilus.ownership import Ownership, OwnershipReport

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from nautilus.config import NodeConfig
    from nautilus.engines.context import Context

_INSTRUMENTS = "cluster.instruments"
_ASK_SECONDS = 2.0
"""How long a start waits for the cache server before it goes on with what it knows itself."""


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
        self._config = config
        self._context = context
        self._engines = engines
        self._cache = cache
        self._untold: list[tuple[str, Any]] = []
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
        """Stand by until this node owns its accounts; others see it waiting."""
        self.presence.start()
        if self.ownership is not None:
            await self.ownership.take()

    async def begin(self) -> None:
        """The store is open: enter this node as the owner. Raises Conflict where it must not be."""
        if self.ownership is not None:
            await self.ownership.begin(self._context.store.state)

    async def learn(self) -> None:
        """Make known what was said before this node came, before its engines are set up.

        From its own store what it knew when it last ran, then from the cache server what is known now. Without a server
        it goes on with the former.
        """
        for _, data in self._context.store.state.items(_INSTRUMENTS):
            with suppress(msgspec.DecodeError):  # of another version: the server, or who defined it, will tell it again
                self._context.instruments.add(msgspec.json.decode(data, type=Instrument))
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self.presence.beat()
                retained = await self.retained.load()
        except (Unavailable, TimeoutError) as error:
            self._context.log.warning("cluster.cache_server_away", error=str(error))
            return
        for one in retained:
            self._received(one.topic, one.message, one.source_instance)
            if not isinstance(one.message, Instrument) and not self._is_own(one.source_instance):
                self._untold.append((one.topic, one.message))

    async def tell(self) -> None:
        """Publish here what was said before, now that everybody listens, and begin to tell others what is said here.

        Instruments are known to all engines already.
        """
        untold, self._untold = self._untold, []
        for topic, message in untold:
            self.retained.disregard(topic, message)
            self._context.bus.publish(topics.Topic[Any](topic), message)
        self.retained.start()
        await self.edges.send()

    async def join(self) -> None:
        """Let messages of others in; servers that are not there yet are connected to when they come."""
        await self.edges.start()

    async def leave(self) -> None:
        """Send what waits, say good-bye, give up the leases; a second call does nothing."""
        await self.edges.stop()
        await self.retained.stop()
        await self.presence.stop()

    async def release(self) -> None:
        """The store is closed: let the next owner have the accounts at once."""
        if self.ownership is not None:
            await self.ownership.release()
        await self._cache.aclose()

    # -- how it stands -------------------------------------------------------------------------------------------

    def standing_by(self) -> str:
        """Why this node waits for its accounts, or nothing where it does not."""
        if self.ownership is None:
            return ""
        report = self.ownership.report()
        waiting = [lease for lease in report.leases if not lease.held]
        owners = [f"owned by {lease.holder}" if lease.holder else "not free yet" for lease in waiting]
        names = [lease.name.partition(":")[2] for lease in waiting]
        return "; ".join(f"account {name} is {owner}" for name, owner in zip(names, owners, strict=True))

    def problems(self) -> list[str]:
        """What is wrong with any part."""
        owning = self.ownership.problems() if self.ownership is not None else []
        return [*owning, *self.presence.problems(), *self.retained.problems(), *self.edges.problems()]

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
        self._adopt_source()

    def _adopt_source(self) -> None:
        """Market data of another process rest on what that process says; silence makes them stale, not unknown."""
        if "marketdata" in self._engines:
            return
        for info in self.presence.peers():
            if "marketdata" in info.engines and info.market not in ("", Quality.NONE):
                self._context.source.set(Quality(info.market), f"{info.description} (from {info.node})")
                return

    def _received(self, topic: str, message: Any, _source: str) -> None:
        """Before a message of another process is published here."""
        self.retained.disregard(topic, message)
        if isinstance(message, Instrument):
            self._context.instruments.add(message)
            state, data = self._context.store.state, msgspec.json.encode(message)
            if state.get(_INSTRUMENTS, message.id) != data:
                state.put(_INSTRUMENTS, message.id, data)

    def _is_own(self, instance: str) -> bool:
        """Whether an earlier run of this node was the instance: of what it said, its store knows more."""
        return instance.rsplit("-", 2)[0] == self._config.name


def _spool_directory(config: "NodeConfig") -> Path | None:
    if config.store.directory == ":memory:":
        return None
    return Path(config.store.directory).expanduser() / "spool"
