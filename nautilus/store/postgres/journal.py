"""The journal with PostgreSQL behind it: written here first, then shipped; at the start the server's word counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from nautilus.errors import StoreError
from nautilus.store.framing import frame
from nautilus.store.journal import SEGMENT_BYTES, SegmentedJournal
from nautilus.store.postgres.connections import CLOSING_PATIENCE_S
from nautilus.store.postgres.loop_thread import LoopThread
from nautilus.store.postgres.progress import Progress
from nautilus.store.postgres.segment_tail import Raw
from nautilus.store.postgres.shipping import Shipper
from nautilus.store.segments import DirectorySegments


class PostgresJournal(SegmentedJournal):
    """`append` writes to the local segments, so that it takes microseconds and survives the process.

    With acknowledge="server" a record is durable once PostgreSQL has committed it, with "local" once it is on the
    local disk. While the server is away appends go on, and only those who wait for durability wait.
    """

    def __init__(
        self,
        segments: DirectorySegments,
        record_types: Sequence[type[Struct]],
        *,
        group_commit: bool,
        acknowledge: Literal["local", "server"],
        patience_s: float,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        super().__init__(segments, record_types, group_commit=group_commit, segment_bytes=segment_bytes)
        self._acknowledged_by_server = acknowledge == "server"
        self._patience_s = patience_s
        self._progress = Progress()
        self._thread: LoopThread | None = None
        self._shipper: Shipper | None = None
        self._told = True

    @property
    def shipped(self) -> int:
        """Sequence of the newest record that the server has."""
        return self._progress.reached

    def ship(self, thread: LoopThread, shipper: Shipper) -> None:
        """Hand over to the shipper, which runs on `thread`, what is there and what will be appended."""
        self._progress.reach(shipper.shipped)
        self._thread, self._shipper, self._told = thread, shipper, False
        self._tell()

    def server_has(self, sequence: int) -> None:
        """The server has committed everything up to `sequence`."""
        self._progress.reach(sequence)

    def fail(self, failure: StoreError) -> None:
        """Nothing will be shipped any more: those who wait are told, and appending is over."""
        self._progress.fail(failure)

    def append(self, record: Struct) -> int:
        """Write one record to the local segments and return its sequence; it is shipped right after.

        Raises as the embedded journal does, and Fenced once another owner has taken the store over.
        """
        if self._progress.failure is not None:
            raise self._progress.failure
        sequence = super().append(record)
        if not self._told:
            self._told = True
            asyncio.get_running_loop().call_soon(self._tell)
        return sequence

    def when_durable(
        self, sequence: int, callback: Callable[[], None], failed: Callable[[StoreError], None] | None = None
    ) -> None:
        """Call `callback` on the loop once record `sequence` is durable, or `failed` if it never will be."""
        if not self._acknowledged_by_server:
            super().when_durable(sequence, callback, failed)
            return
        if not 0 <= sequence <= self.last_sequence:
            raise ValueError(f"record {sequence} has not been written, the last one is {self.last_sequence}")
        self._progress.when(sequence, callback, failed)

    async def flush(self) -> None:
        """Return once every record appended so far is durable; raises StoreError if that failed or took too long."""
        await super().flush()
        if self._acknowledged_by_server:
            await self._shipped(self._patience_s)

    async def stop(self) -> None:
        """Give the server a few seconds for what waits, which stays here otherwise, and close the segment."""
        try:
            if self._shipper is not None and self._progress.failure is None and not self._shipper.problem:
                await self._shipped(CLOSING_PATIENCE_S)
        finally:
            self._told = True
            await super().stop()

    def prune(self, through: int) -> int:
        """Delete whole segments that hold no record after `through` and none that waits; the server follows. Blocks."""
        freed = super().prune(min(through, self._progress.reached))
        if self._thread is not None and self._shipper is not None:
            self._shipper.forget_through = self.first_sequence() - 1
            self._thread.post(self._shipper.wake)
        return freed

    def problems(self) -> list[str]:
        """Why the journal does not keep its promises; empty when it does."""
        found = super().problems()
        if self._progress.failure is not None:
            found.append(str(self._progress.failure))
        elif self._shipper is not None and self._shipper.problem:
            found.append(f"{self._shipper.problem}; {self._waiting()}")
        return found

    def first_sequence(self) -> int:
        """Sequence of the oldest record here, or of the first to come. Blocks."""
        numbers = self._segments.numbers()
        oldest = numbers[0]
        return self.last_sequence + 1 if oldest == self._number and not self._size else self._first_sequence(oldest)

    def add(self, records: Iterable[Raw]) -> None:
        """Append records that the server has and this machine has not. Blocks."""
        for sequence, payload in records:
            if sequence != self._last_sequence + 1:
                raise StoreError(f"journal record {self._last_sequence + 1} is missing on the server")
            self._write(frame(payload))
            self._last_sequence = sequence

    def restart_at(self, sequence: int) -> None:
        """Forget every record; the next one is `sequence`. Blocks."""
        if self._size:
            self._rotate()
        self._last_sequence = sequence - 1
        for number in self._segments.numbers():
            if number != self._number:
                self._segments.delete(number)
        self._older_bytes = self._pruned_bytes = 0

    async def _shipped(self, patience_s: float) -> None:
        await self._progress.wait(self.last_sequence, patience_s, self._waiting)

    def _waiting(self) -> str:
        return f"{self.last_sequence - self._progress.reached} journal records wait for PostgreSQL on this machine"

    def _tell(self) -> None:
        if self._thread is not None and self._shipper is not None:
            self._told = False
            self._shipper.target = self.last_sequence
            self._thread.post(self._shipper.wake)
