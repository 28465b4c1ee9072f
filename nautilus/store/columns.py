"""What columns a catalog takes, and how they are cut: into days when written, by time when read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid
from nautilus.store.parts import DAY_NS, encode_name

if TYPE_CHECKING:
    import polars as pl

type Columns = Mapping[str, NDArray[Any]]

TIME = "ts_event"
DTYPES = frozenset(
    f"{kind}{bits}"
    for kind, sizes in (("int", (8, 16, 32, 64)), ("uint", (8, 16, 32, 64)), ("float", (32, 64)))
    for bits in sizes
) | {"bool"}


def checked_rows(kind: str, instrument_id: str, columns: Columns) -> int:
    """Number of rows of columns that can be kept; raises Invalid, naming the column, for those that cannot."""
    encode_name(kind)
    encode_name(instrument_id)
    time = columns.get(TIME)
    if time is None or time.dtype != np.int64:
        raise Invalid(f"columns.{TIME}", "must be there, as int64 nanoseconds UTC")
    for name, column in columns.items():
        if column.ndim != 1 or len(column) != len(time):
            raise Invalid(f"columns.{name}", f"must be one-dimensional with {len(time)} rows")
        if column.dtype.name not in DTYPES:
            raise Invalid(f"columns.{name}", f"must hold one of {', '.join(sorted(DTYPES))}, not {column.dtype.name}")
    return len(time)


def by_day(columns: Columns) -> Iterator[tuple[str, Columns]]:
    """Rows by UTC day ("2024-01-31"), each day in order of time; rows of one time stay as they were."""
    time = columns[TIME]
    if np.any(time[1:] < time[:-1]):
        order = np.argsort(time, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        time = columns[TIME]
    start = 0
    while start < len(time):
        day = int(time[start]) // DAY_NS
        following = (day + 1) * DAY_NS
        stop = len(time) if time[-1] < following else int(np.searchsorted(time, following))
        yield str(np.datetime64(day, "D")), {name: column[start:stop] for name, column in columns.items()}
        start = stop


def between(lazy: pl.LazyFrame, start_ns: int | None, end_ns: int | None) -> pl.LazyFrame:
    """Rows with start_ns <= ts_event < end_ns; None leaves a side open."""
    import polars as pl

    if start_ns is not None:
        lazy = lazy.filter(pl.col(TIME) >= start_ns)
    if end_ns is not None:
        lazy = lazy.filter(pl.col(TIME) < end_ns)
    return lazy
