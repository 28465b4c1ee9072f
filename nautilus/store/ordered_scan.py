"""Files that overlap in time, as one lazy frame in order of time that never holds all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from nautilus.store.columns import TIME
from nautilus.store.parts import Part

if TYPE_CHECKING:
    import polars as pl

SORTED_ROWS = 65_536
"""Up to so many rows that overlap are sorted at once; more are merged, which takes no memory to speak of."""


def clusters(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts that overlap in time, together; the clusters follow one another in time, each in the order of its writes.

    Rows of one time stay in the order in which they were written, so that a part which starts where an earlier
    written one ends does not overlap it, and one written before does.
    """
    found: list[list[Part]] = []
    end_ns = newest = 0
    for part in sorted(parts, key=lambda part: (part.start_ns, part.first)):
        if found and (part.start_ns < end_ns or (part.start_ns == end_ns and part.first < newest)):
            found[-1].append(part)
            end_ns, newest = max(end_ns, part.end_ns), max(newest, part.first)
        else:
            found.append([part])
            end_ns, newest = part.end_ns, part.first
    for cluster in found:
        cluster.sort(key=lambda part: part.first)
    return found


def ordered_scan(parts: Sequence[Part], schemas: Sequence[pl.Schema]) -> pl.LazyFrame:
    """All rows of some parts (`schemas` are their columns, one each) by ts_event, rows of one time as written.

    A column that a part has not is null in its rows; differing types become one that holds both.
    """
    columns = dict(zip(parts, schemas, strict=True))
    scans: list[pl.LazyFrame] = []
    for alone, run in groupby(clusters(parts), key=lambda cluster: len(cluster) == 1):
        if alone:
            scans.extend(_scans([cluster[0] for cluster in run], columns))
        else:
            scans.extend(_interleaved(cluster, columns) for cluster in run)
    return _together(scans)


def _scans(parts: Sequence[Part], columns: dict[Part, pl.Schema]) -> list[pl.LazyFrame]:
    """One scan for each run of parts with the same columns."""
    import polars as pl

    return [
        pl.scan_parquet([part.path for part in run], glob=False)
        for _, run in groupby(parts, key=lambda part: columns[part])
    ]


def _interleaved(cluster: Sequence[Part], columns: dict[Part, pl.Schema]) -> pl.LazyFrame:
    """Overlapping parts by time: merged as they stream, or sorted where they are small or their columns differ."""
    import polars as pl

    scans = _scans(cluster, columns)
    if len(scans) > 1 or sum(part.rows for part in cluster) <= SORTED_ROWS:
        return _together(scans).sort(TIME, maintain_order=True)
    merged = [pl.scan_parquet(part.path, glob=False) for part in cluster]
    while len(merged) > 1:
        pairs = zip_longest(merged[::2], merged[1::2])
        merged = [a if b is None else a.merge_sorted(b, TIME, maintain_order=True) for a, b in pairs]
    return merged[0]


def _together(scans: list[pl.LazyFrame]) -> pl.LazyFrame:
    import polars as pl

    return scans[0] if len(scans) == 1 else pl.concat(scans, how="diagonal_relaxed")
