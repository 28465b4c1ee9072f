"""Snapshots of engines, so that a recovery need not replay the whole journal; and what is not needed beside them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.clock import Clock
from nautilus.config import StoreConfig
from nautilus.engines.base import Engine

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

    from nautilus.store.base import Store

_NAMESPACE = "snapshots"
_DAY_NS = 86_400_000_000_000


class Snapshot(msgspec.Struct, frozen=True):
    """An engine's state after the journal's record number `sequence`."""

    sequence: int
    data: bytes


class Snapshots:
    """The snapshots in a node's store."""

    def __init__(self, config: StoreConfig, store: "Store", clock: Clock, log: "BoundLogger") -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._log = log
        self._catalog_tended_on = 0

    def restore(self, engine: Engine[Any]) -> int:
        """Hand the engine its snapshot; returns the number of the last record that is in it, 0 without one."""
        data = self._store.state.get(_NAMESPACE, engine.name)
        if data is None:
            return 0
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
        engine.restore(snapshot.data)
        return snapshot.sequence

    async def take(self, engines: Iterable[Engine[Any]], may_write: Callable[[], bool] = lambda: True) -> None:
        """Save the state of every engine that keeps one; what it rests on is durable first.

        `may_write` is asked last of all: while the journal is flushed another node may have taken this one's place.
        """
        taken: dict[str, Snapshot] = {}
        for engine in engines:
            data = self._taken(engine)
            if data is not None:
                taken[engine.name] = Snapshot(self._store.journal.last_sequence, data)
                await asyncio.sleep(0)  # each engine's work is a stall of its own, not one of them all
        if not taken:
            return
        await self._store.journal.flush()
        if not may_write():
            return
        for name, snapshot in taken.items():
            self._store.state.put(_NAMESPACE, name, msgspec.msgpack.encode(snapshot))
        await self._store.state.flush()

    async def prune(self, engines: Iterable[Engine[Any]]) -> None:
        """Remove what the configuration does not ask to keep, and pack the catalog's days that are over.

        Records of the journal go when every snapshot holds them.
        """
        if self._config.journal_retention == "recovery" and (through := self._held(engines)):
            freed = await asyncio.to_thread(self._store.journal.prune, through)
            if freed:
                self._log.info("journal.pruned", through=through, bytes=freed)
        today = self._clock.timestamp_ns() // _DAY_NS
        if today != self._catalog_tended_on:
            await self._tend_catalog(today)
            self._catalog_tended_on = today

    async def _tend_catalog(self, today: int) -> None:
        from nautilus.store.catalog import ParquetCatalog

        catalog = self._store.catalog
        if self._config.catalog_days:
            rows = await catalog.prune((today - self._config.catalog_days) * _DAY_NS)
            if rows:
                self._log.info("catalog.pruned", rows=rows)
        if isinstance(catalog, ParquetCatalog):
            packed = await catalog.compact(before_ns=today * _DAY_NS)
            if packed.days:
                self._log.info("catalog.compacted", days=packed.days, rows=packed.rows)

    def _taken(self, engine: Engine[Any]) -> bytes | None:
        """The engine's snapshot; one that fails keeps its older one, and the others get theirs."""
        try:
            return engine.snapshot() if engine.running else None
        except Exception:  # noqa: BLE001 - whatever it is, the others get theirs
            self._log.exception("snapshot.failed", engine=engine.name)
            return None

    def _held(self, engines: Iterable[Engine[Any]]) -> int:
        """The last record that nobody needs any more to recover, also no engine that is not loaded in this run."""
        saved = {
            name: msgspec.msgpack.decode(data, type=Snapshot).sequence
            for name, data in self._store.state.items(_NAMESPACE)
        }
        listeners = [engine.name for engine in engines if type(engine).recover is not Engine.recover]
        return min((*saved.values(), *(saved.get(name, 0) for name in listeners)), default=0)
