"""Current values by namespace and key: all of them in memory for reading, written behind to SQLite by one thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nautilus.errors import Invalid, StoreError
from nautilus.store.errors import CorruptFile, DiskRefused, database_refused

VALUE_MAX_BYTES = 64 * 1024 * 1024
TOTAL_MAX_BYTES = 1024 * 1024 * 1024
SCHEMA_VERSION = 1

type Cell = tuple[str, str]


class MemoryState:
    """The values in memory and nowhere else, for tests and backtests."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, bytes]] = {}
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all values together."""
        return self._size_bytes

    def open(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def get(self, namespace: str, key: str) -> bytes | None:
        """The value put last, or None."""
        values = self._namespaces.get(namespace)
        return None if values is None else values.get(key)

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Set a value; visible at once. Raises StoreError when it would pass the limits of a value or of them all."""
        _check_text(namespace, key)
        old = self.get(namespace, key)
        size_bytes = self._size_bytes + len(value) - len(old or b"")
        if len(value) > VALUE_MAX_BYTES or size_bytes > TOTAL_MAX_BYTES:
            raise StoreError(
                f"state {namespace}/{key} of {len(value)} bytes is over the limit of {VALUE_MAX_BYTES} for a value "
                f"or {TOTAL_MAX_BYTES} in all"
            )
        self._namespaces.setdefault(namespace, {})[key] = bytes(value)
        self._size_bytes = size_bytes

    def delete(self, namespace: str, key: str) -> None:
        """Remove a value; no error if there is none."""
        values = self._namespaces.get(namespace, {})
        self._size_bytes -= len(values.pop(key, b""))
        if not values:
            self._namespaces.pop(namespace, None)

    def keys(self, namespace: str) -> list[str]:
        """Keys of a namespace, sorted."""
        return sorted(self._namespaces.get(namespace, ()))

    def items(self, namespace: str) -> list[tuple[str, bytes]]:
        """Keys and values of a namespace, sorted by key."""
        return sorted(self._namespaces.get(namespace, {}).items())

    async def flush(self) -> None:
        """Nothing to wait for."""

    def problems(self) -> list[str]:
        """Nothing can go wrong here."""
        return []


class SqliteState(MemoryState):
    """The same, written behind: `put` returns at once and a thread commits what has come together since.

    Reading never touches the disk. Only the newest value of a key is written, so what waits is bounded by what is
    held. WAL with synchronous=NORMAL: a power cut may lose the last moments, never the file.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._pending: dict[Cell, bytes | None] = {}
        self._drain_queued = False
        self._problem = ""

    def open(self) -> None:
        """Open or create the file and read it all. Blocks."""
        try:
            connection = _connect(self._file)
            try:
                rows: Iterable[tuple[str, str, bytes]] = connection.execute("SELECT namespace, key, value FROM state")
                for namespace, key, value in rows:
                    super().put(namespace, key, value)
            except BaseException:
                connection.close()
                raise
        except sqlite3.OperationalError as error:
            raise database_refused(self._file, error, "cannot be opened") from error
        except sqlite3.DatabaseError as error:
            raise CorruptFile(self._file, str(error)) from error
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nautilus-state")

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Set a value; visible at once, committed soon after."""
        self._writable()
        super().put(namespace, key, value)
        self._queue((namespace, key), bytes(value))

    def delete(self, namespace: str, key: str) -> None:
        """Remove a value; no error if there is none."""
        self._writable()
        super().delete(namespace, key)
        self._queue((namespace, key), None)

    async def flush(self) -> None:
        """Return once everything put so far is committed; raises StoreError if that failed."""
        if self._thread is None:
            return
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drain)
        if self._problem:
            raise StoreError(self._problem)

    async def stop(self) -> None:
        """Commit what is pending and close the file; a second call does nothing."""
        thread, connection = self._thread, self._connection
        if thread is None or connection is None:
            return
        try:
            await self.flush()
        finally:
            self._thread = None
            await asyncio.to_thread(thread.shutdown)
            await asyncio.to_thread(connection.close)

    def problems(self) -> list[str]:
        """Why values are not being written; empty when they are."""
        return [self._problem] if self._problem else []

    def _writable(self) -> None:
        if self._thread is None:
            raise StoreError("the state is not open")

    def _queue(self, cell: Cell, value: bytes | None) -> None:
        with self._lock:
            self._pending[cell] = value
            if self._drain_queued:
                return
            self._drain_queued = True
        if self._thread is not None:
            self._thread.submit(self._drain)

    def _drain(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, {}
            self._drain_queued = False
        try:
            self._commit(batch)
        except sqlite3.Error as error:
            with self._lock:
                self._pending = batch | self._pending
            self._problem = str(database_refused(self._file, error, "could not be written"))
        else:
            self._problem = ""

    def _commit(self, batch: dict[Cell, bytes | None]) -> None:
        if not batch or self._connection is None:
            return
        with self._connection as transaction:
            transaction.executemany(
                "INSERT OR REPLACE INTO state (namespace, key, value) VALUES (?, ?, ?)",
                [(*cell, value) for cell, value in batch.items() if value is not None],
            )
            transaction.executemany(
                "DELETE FROM state WHERE namespace = ? AND key = ?",
                [cell for cell, value in batch.items() if value is None],
            )


def _check_text(namespace: str, key: str) -> None:
    try:
        (namespace + key).encode()
    except UnicodeEncodeError:
        raise Invalid("key", "must be valid Unicode text") from None


def _connect(file: Path) -> sqlite3.Connection:
    try:
        file.touch(mode=0o600)
    except OSError as error:
        raise DiskRefused(file, error, "cannot be opened") from error
    connection = sqlite3.connect(file, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, SCHEMA_VERSION}:
            raise StoreError(f"{file} has schema {version}, this version reads {SCHEMA_VERSION}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS state (namespace TEXT, key TEXT, value BLOB NOT NULL,"
            " PRIMARY KEY (namespace, key))"
        )
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection
