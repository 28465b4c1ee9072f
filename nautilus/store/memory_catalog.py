"""Market data as columns in memory: the catalog of tests, backtests and replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nautilus.errors import NotFound
from nautilus.store.base import CatalogEntry
from nautilus.store.columns import TIME, Columns, between, checked_rows
from nautilus.store.parts import DAY_NS

if TYPE_CHECKING:
    import polars as pl

# `list` is a method below, so that annotations name these instead.
type Entries = list[CatalogEntry]
type Problems = list[str]


class MemoryCatalog:
    """The catalog in memory, for tests and backtests."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, str], list[pl.DataFrame]] = {}

    def open(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to finish."""

    async def write(self, kind: str, instrument_id: str, columns: Columns) -> None:
        """Append rows."""
        import polars as pl

        rows = checked_rows(kind, instrument_id, columns)
        if rows:
            frame = pl.DataFrame({name: np.array(column) for name, column in columns.items()})
            self._frames.setdefault((kind, instrument_id), []).append(frame)

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event; NotFound when there are none at any time."""
        import polars as pl

        frames = self._frames.get((kind, instrument_id))
        if frames is None:
            raise NotFound(f"{kind} data of", instrument_id)
        lazy = pl.concat([frame.lazy() for frame in frames], how="diagonal_relaxed")
        return between(lazy, start_ns, end_ns).sort(TIME, maintain_order=True)

    def list(self) -> Entries:
        """What is there, by kind and instrument."""
        return [
            CatalogEntry(
                kind=kind,
                instrument_id=instrument_id,
                rows=sum(frame.height for frame in frames),
                start_ns=min(int(frame[TIME].to_numpy().min()) for frame in frames),
                end_ns=max(int(frame[TIME].to_numpy().max()) for frame in frames),
                bytes=int(sum(frame.estimated_size() for frame in frames)),
                files=len(frames),
            )
            for (kind, instrument_id), frames in sorted(self._frames.items())
        ]

    async def prune(self, before_ns: int, kind: str | None = None) -> int:
        """Remove the days that ended by `before_ns`; returns how many rows went."""
        import polars as pl

        removed = 0
        first_kept_ns = before_ns // DAY_NS * DAY_NS
        for key, frames in list(self._frames.items()):
            if kind is not None and key[0] != kind:
                continue
            kept = [frame.filter(pl.col(TIME) >= first_kept_ns) for frame in frames]
            removed += sum(frame.height for frame in frames) - sum(frame.height for frame in kept)
            del self._frames[key]
            if left := [frame for frame in kept if frame.height]:
                self._frames[key] = left
        return removed

    def problems(self) -> Problems:
        """Nothing can go wrong here."""
        return []
