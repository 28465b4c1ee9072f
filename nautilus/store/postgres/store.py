"""The store with PostgreSQL behind it: a journal that is written here and shipped, state and catalog on the server."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from nautilus.errors import Invalid, StoreError
from nautilus.store.base import RecoveryReport
from nautilus.store.errors import DiskRefused
from nautilus.store.journal import SEGMENT_BYTES
from nautilus.store.lock import DirectoryLock
from nautilus.store.postgres.catalog import PostgresCatalog
from nautilus.store.postgres.catalog_reader import CatalogReader
from nautilus.store.postgres.catalog_writer import CatalogWriter
from nautilus.store.postgres.connections import CLOSING_PATIENCE_S, Connection, Connections
from nautilus.store.postgres.errors import Diverged, describe
from nautilus.store.postgres.journal import PostgresJournal
from nautilus.store.postgres.loop_thread import LoopThread
from nautilus.store.postgres.migrations import migrate
from nautilus.store.postgres.owner import Owner, claim
from nautilus.store.postgres.reconcile import reconcile
from nautilus.store.postgres.segment_tail import SegmentTail
from nautilus.store.postgres.settings import PostgresSettings
from nautilus.store.postgres.shipping import Mark, Shipper
from nautilus.store.postgres.state import PostgresState, StateWriter
from nautilus.store.segments import DirectorySegments

OLDEST_SERVER = 14
MARK_FILE = "postgres.json"


class PostgresStore:
    """Journal, state and catalog in a schema of a database, which one process owns; the journal also in `directory`.

    `record_types` and `sync` are those of EmbeddedStore; `sync` is about the local segments. All talk with the server
    is on a thread of its own. A store is opened once; make a new one to open it again.
    """

    def __init__(
        self,
        settings: PostgresSettings,
        directory: Path,
        *,
        record_types: Sequence[type[Struct]] = (),
        sync: Literal["group", "none"] = "group",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.settings = settings
        self.directory = directory
        self._segments = DirectorySegments(directory / "journal")
        self.journal = PostgresJournal(
            self._segments,
            record_types,
            group_commit=sync == "group",
            acknowledge=settings.acknowledge,
            patience_s=settings.patience_s,
            segment_bytes=segment_bytes,
        )
        self.state = PostgresState(settings.patience_s)
        self.catalog = PostgresCatalog()
        self._connections = Connections(settings)
        self._thread = LoopThread("nautilus-postgres")
        self._lock = DirectoryLock()
        self._shipper: Shipper | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._owner: Owner | None = None
        self._used = False
        self._set_aside = ""

    @property
    def token(self) -> int:
        """The fencing token under which this store writes; 0 before it is open."""
        return 0 if self._owner is None else self._owner.token

    async def open(self, token: int | None = None) -> RecoveryReport:
        """Recover the local journal, become the owner of the schema, bring both journals together and load the state.

        `token` is the fencing token of a lease: higher than the stored one takes the schema over from whoever has it;
        None takes the next one where no other owner is alive.
        A journal that went apart from the server's while nothing of it was acknowledged, as that of an owner who was
        taken over from, is set aside. Raises StoreInUse when another process has the directory, DatabaseInUse when one
        has the schema, Diverged where the journals hold different records that may have been acknowledged, Invalid for
        settings that cannot be used, and StoreError for the rest.
        """
        if self._used:
            raise StoreError("a store is opened once; make a new one")
        self._used = True
        try:
            report = await asyncio.to_thread(self._prepare)
            await self._thread.run(self._connect(token, asyncio.get_running_loop().call_soon_threadsafe))
            self._begin()
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError):
                raise DiskRefused(str(self.directory), error, "cannot be used") from error
            raise
        return msgspec.structs.replace(
            report, last_sequence=self.journal.last_sequence, size_bytes=self.journal.size_bytes
        )

    async def close(self) -> None:
        """Write out what is pending, for a few seconds where the server is away, and let go.

        A second call does nothing. Every part is closed even if one fails; the first failure is raised. Journal records
        that could not be shipped stay in the directory and are shipped at the next start.
        """
        self._used = True
        async with AsyncExitStack() as parts:
            parts.callback(self._lock.release)
            parts.push_async_callback(self._disconnect)
            parts.push_async_callback(self.journal.stop)
            parts.push_async_callback(self.state.stop)
            parts.push_async_callback(self.catalog.stop)

    def problems(self) -> list[str]:
        """Reasons why the store is not healthy; empty when it is."""
        aside = [self._set_aside] if self._set_aside else []
        return [*aside, *self.journal.problems(), *self.state.problems(), *self.catalog.problems()]

    def _prepare(self) -> RecoveryReport:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock.acquire(self.directory)
        self._connections.prepare()
        report = self.journal.recover()
        self._thread.start()
        return report

    async def _connect(self, token: int | None, post: Callable[..., Any]) -> None:
        """On the thread: everything that needs the server."""
        connection = await self._first_connection()
        mark_path = self.directory / MARK_FILE
        mark = await asyncio.to_thread(Mark.read, mark_path)
        try:
            async with self._connections.watched(connection) as watchdog:
                await migrate(connection, self.settings.schema)
                self._owner = owner = await claim(connection, self.settings.schema, token)
                await self.state.load(connection, watchdog)
                try:
                    shipped = await reconcile(connection, watchdog, owner, self.journal, self._segments, mark)
                except Diverged as error:
                    if token is None or mark is None or {mark.acknowledge, self.settings.acknowledge} != {"server"}:
                        raise
                    # whoever was taken over from wrote on for a moment, and nobody was told that any of it was durable
                    self._set_aside = await asyncio.to_thread(self._put_journal_aside, owner.token, error)
                    watchdog.reset()
                    shipped = await reconcile(connection, watchdog, owner, self.journal, self._segments, None)
        except OSError as error:
            raise StoreError(f"{self._connections.address} went away: {describe(error)}") from error
        except Exception as error:
            raise self._explained(error) from error

        def failed(error: StoreError) -> None:
            post(self.journal.fail, error)
            post(self.state.fail, error)

        self._shipper = Shipper(
            self._connections,
            self.settings.schema,
            SegmentTail(self._segments, shipped),
            owner,
            connection,
            shipped=shipped,
            mark_path=mark_path,
            acknowledge=self.settings.acknowledge,
            on_shipped=partial(post, self.journal.server_has),
            on_failed=failed,
        )
        writer = StateWriter(
            self.state,
            self._connections,
            owner,
            self._shipper,
            last_sequence=lambda: self.journal.last_sequence,
            on_committed=partial(post, self.state.server_has),
            on_failed=failed,
        )
        self.state.write_behind(self._thread, writer)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._shipper.run()), loop.create_task(writer.run())]
        for task in self._tasks:
            task.add_done_callback(lambda ended: _tell_failure(ended, failed))
        self.catalog.start(
            self._thread, CatalogWriter(self._connections, self.settings, owner), CatalogReader(self._connections)
        )

    def _put_journal_aside(self, token: int, why: Diverged) -> str:
        """Keep the local journal beside, and begin it anew: the server's is the one that was acknowledged."""
        beside = self.directory / f"journal-before-{token}"
        shutil.copytree(self.directory / "journal", beside)
        self.journal.restart_at(1)
        return f"records that were never acknowledged have been set aside in {beside} ({why})"

    async def _first_connection(self) -> Connection:
        import asyncpg

        try:
            connection = await self._connections.dial()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise self._explained(error) from error
        version = connection.get_server_version()
        if version.major < OLDEST_SERVER:
            connection.terminate()
            raise StoreError(f"{self._connections.address} is version {version.major}; {OLDEST_SERVER} is the oldest")
        return connection

    def _explained(self, error: Exception) -> Exception:
        """The error as it helps who reads it."""
        import asyncpg

        if isinstance(error, StoreError | Invalid):
            return error
        where = self._connections.address
        if isinstance(error, asyncpg.InvalidCatalogNameError):
            return StoreError(f"{where}: there is no such database; create it (createdb), Nautilus makes the tables")
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
            return StoreError(f"{where} refused the user or the password of store.postgres: {describe(error)}")
        if isinstance(error, OSError):
            return StoreError(
                f"{where} cannot be reached: {describe(error)}; is it running, and is store.postgres.dsn right?"
            )
        return StoreError(f"{where} refused: {describe(error)}")

    def _begin(self) -> None:
        assert self._shipper is not None
        self.journal.start()
        self.journal.ship(self._thread, self._shipper)

    async def _disconnect(self) -> None:
        try:
            if self._shipper is not None:
                shipper, self._shipper = self._shipper, None
                await self._thread.run(self._let_go(shipper))
        finally:
            await self._thread.stop()

    async def _let_go(self, shipper: Shipper) -> None:
        import asyncpg

        shipping, writing = self._tasks
        writing.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_PATIENCE_S):
                await shipper.pruned()
        shipper.end()
        await asyncio.wait(self._tasks, timeout=0 if shipper.problem else CLOSING_PATIENCE_S)
        shipping.cancel()
        await asyncio.wait(self._tasks)
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # a server that is away lets us go
            await shipper.close()
            await self._connections.close()


def _tell_failure(ended: asyncio.Task[None], failed: Callable[[StoreError], None]) -> None:
    """A task that ended by an error nobody thought of must not look as if all were well."""
    error = None if ended.cancelled() else ended.exception()
    if error is not None:
        failed(StoreError(f"writing to PostgreSQL has ended: {describe(error)}"))
