"""The one storage interface: a journal, a state table and a catalog, whatever keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from nautilus.errors import StoreError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


class RecoveryReport(Struct, frozen=True, kw_only=True):
    """What opening a journal found, to be logged by whoever opened it.

    `cut_bytes` counts the bytes of a torn last write that were removed; `cut_file` and `cut_offset` say where.
    """

    segments: int = 0
    last_sequence: int = 0
    size_bytes: int = 0
    cut_bytes: int = 0
    cut_file: str = ""
    cut_offset: int = 0


class CatalogEntry(Struct, frozen=True, kw_only=True):
    """What the catalog holds of one kind and instrument; times are nanoseconds UTC, first and last row inclusive.

    `corrupt` names files that could not be read and are not counted.
    """

    kind: str
    instrument_id: str
    rows: int
    start_ns: int
    end_ns: int
    bytes: int
    files: int
    corrupt: tuple[str, ...] = ()


type Entries = list[CatalogEntry]


class Journal(Protocol):
    """An append-only log of typed records; record `n` is the n-th ever appended, starting at 1."""

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest record, 0 when there is none."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments together."""

    def append(self, record: Struct) -> int:
        """Write one record and return its sequence number. It survives the death of the process from here on."""

    def when_durable(
        self, sequence: int, callback: Callable[[], None], failed: Callable[[StoreError], None] | None = None
    ) -> None:
        """Call `callback` once record `sequence` survives a power cut; `failed(error)` if it never will."""

    async def flush(self) -> None:
        """Return once every record appended so far is durable; raises StoreError if that failed."""

    def replay(self, after: int = 0) -> Iterator[tuple[int, Struct]]:
        """Every record with a sequence greater than `after`, oldest first."""

    def prune(self, through: int) -> int:
        """Forget records that a snapshot holds: what no record after sequence `through` shares a segment with.

        Returns the bytes freed. Touches the disk: call it off the loop. `replay` from before it is a StoreError then.
        """


class State(Protocol):
    """Small current values by namespace and key: configuration, keys, snapshots, job results."""

    def get(self, namespace: str, key: str) -> bytes | None:
        """The value put last, or None."""

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Set a value; visible at once, written soon after."""

    def delete(self, namespace: str, key: str) -> None:
        """Remove a value; no error if there is none."""

    def keys(self, namespace: str) -> list[str]:
        """Keys of a namespace, sorted."""

    def items(self, namespace: str) -> list[tuple[str, bytes]]:
        """Keys and values of a namespace, sorted by key."""

    async def flush(self) -> None:
        """Return once everything put so far is committed; raises StoreError if that failed."""


class Catalog(Protocol):
    """Columns of market data by kind and instrument, in the order of their `ts_event`."""

    async def write(self, kind: str, instrument_id: str, columns: Mapping[str, NDArray[Any]]) -> None:
        """Append rows. `columns` are 1-D, of one length, and hold `ts_event` as int64 nanoseconds UTC."""

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event. Touches the disk: call and collect off the loop.

        Raises NotFound when nothing of that kind was ever written for the instrument, and CorruptFile naming
        the file when one does not hold what was written.
        """

    def list(self) -> Entries:
        """What is there, by kind and instrument. Touches the disk: call it off the loop."""

    async def prune(self, before_ns: int, kind: str | None = None) -> int:
        """Remove the days (UTC) that ended by `before_ns`, of one kind or of all; returns how many rows went.

        A day goes whole or stays whole. Frames made before and not yet collected may fail. Raises StoreError.
        """


class Store(Protocol):
    """Everything that outlives the process."""

    @property
    def journal(self) -> Journal:
        """Events that must not be lost."""

    @property
    def state(self) -> State:
        """Current values."""

    @property
    def catalog(self) -> Catalog:
        """Market data."""

    async def open(self, token: int | None = None) -> RecoveryReport:
        """Lock, recover and start; what was found is for the caller to log.

        `token` is the fencing token of who holds the lease of what is kept here; a store that machines share refuses
        every writer with a lower one.
        """

    async def close(self) -> None:
        """Write out what is pending and let go; a second call does nothing."""

    def problems(self) -> list[str]:
        """Reasons why the store is not healthy; empty when it is."""
