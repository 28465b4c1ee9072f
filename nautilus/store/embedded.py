"""The default store: a directory of this machine, or memory, with nothing to install beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from msgspec import Struct

from nautilus.errors import StoreError
from nautilus.store.base import RecoveryReport
from nautilus.store.catalog import ParquetCatalog
from nautilus.store.errors import DiskRefused
from nautilus.store.journal import SEGMENT_BYTES, SegmentedJournal
from nautilus.store.lock import DirectoryLock
from nautilus.store.memory_catalog import MemoryCatalog
from nautilus.store.segments import DirectorySegments, MemorySegments
from nautilus.store.state import MemoryState, SqliteState


class EmbeddedStore:
    """Journal, state and catalog under one directory, which one process may have open; None keeps all in memory.

    `record_types` are the tagged Structs that the journal takes. With sync="group" a record is durable after the
    next group commit (at most every 5 ms while someone waits); with sync="none" once it is written, which a killed
    process survives and a power cut may not. A store is opened once; make a new one to open it again.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        record_types: Sequence[type[Struct]] = (),
        sync: Literal["group", "none"] = "group",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.directory = directory
        self.state: MemoryState
        self.catalog: ParquetCatalog | MemoryCatalog
        if directory is None:
            segments: DirectorySegments | MemorySegments = MemorySegments()
            self.state = MemoryState()
            self.catalog = MemoryCatalog()
        else:
            segments = DirectorySegments(directory / "journal")
            self.state = SqliteState(directory / "state.sqlite")
            self.catalog = ParquetCatalog(directory / "catalog")
        group_commit = sync == "group" and directory is not None
        self.journal = SegmentedJournal(segments, record_types, group_commit=group_commit, segment_bytes=segment_bytes)
        self._lock = DirectoryLock()
        self._used = False

    @classmethod
    def in_memory(cls, *, record_types: Sequence[type[Struct]] = (), segment_bytes: int = SEGMENT_BYTES) -> Self:
        """A store that is gone with the process; `journal.bytes()` gives the exact bytes of its journal."""
        return cls(None, record_types=record_types, sync="none", segment_bytes=segment_bytes)

    async def open(self, token: int | None = None) -> RecoveryReport:
        """Lock the directory, recover the journal and start the threads; what was found is for the caller to log.

        The lock keeps every other process out, so that a fencing `token` is not needed here.
        Raises StoreInUse when another process has the directory, CorruptFile for damage that must not be hidden.
        """
        if self._used:
            raise StoreError("a store is opened once; make a new one")
        self._used = True
        try:
            report = await asyncio.to_thread(self._open)
            self.journal.start()
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError):
                raise DiskRefused(str(self.directory), error, "cannot be used") from error
            raise
        return report

    async def close(self) -> None:
        """Write out what is pending and let go; a second call does nothing.

        Every part is closed even if one fails; the first failure is raised.
        """
        self._used = True
        try:
            await self.catalog.stop()
        finally:
            try:
                await self.state.stop()
            finally:
                try:
                    await self.journal.stop()
                finally:
                    self._lock.release()

    def problems(self) -> list[str]:
        """Reasons why the store is not healthy; empty when it is."""
        return [*self.journal.problems(), *self.state.problems(), *self.catalog.problems()]

    def _open(self) -> RecoveryReport:
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(self.directory)
        self.state.open()
        self.catalog.open()
        return self.journal.recover()
