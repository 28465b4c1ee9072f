"""As-of joins: beside each row of one kind, the row of another that prevailed at its time.

A trade with the quote that stood before it, a fill with the news that followed: rows meet by time, not by equality.
Of several rows of one time the last written prevails backward, the first forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nautilus.errors import Invalid
from nautilus.store.columns import TIME
from nautilus.store.parts import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from nautilus.store.base import Catalog

type Strategy = Literal["backward", "forward"]

SUFFIX = "_right"
EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1


def as_of(
    left: pl.LazyFrame,
    right: pl.LazyFrame,
    by: str | Sequence[str] | None = None,
    tolerance_ns: int | None = None,
    strategy: Strategy = "backward",
    *,
    allow_exact_matches: bool = True,
) -> pl.LazyFrame:
    """Each row of `left` with the one of `right` that is the nearest in time before it ("backward") or after it.

    Both are ordered by `ts_event` (ns UTC); rows meet only where the columns `by` are equal, and no further apart than
    `tolerance_ns`. A row of the same time counts unless `allow_exact_matches` is off. Columns of `right` follow those
    of `left`, with "_right" after a name that both have: its time is `ts_event_right`, null where no row was found.

    Raises Invalid, naming the column, where one is missing; collecting raises a Polars error where a side without
    `by` is not in order.

    >>> import polars as pl
    >>> trades = pl.LazyFrame({"ts_event": [10, 20], "price": [7, 8]})
    >>> quotes = pl.LazyFrame({"ts_event": [9, 12, 20], "bid": [1, 2, 3]})
    >>> as_of(trades, quotes, allow_exact_matches=False).collect().rows()
    [(10, 7, 9, 1), (20, 8, 12, 2)]
    """
    import polars as pl

    keys = [] if by is None else [by] if isinstance(by, str) else list(by)
    if strategy not in ("backward", "forward"):
        raise Invalid("strategy", f'must be "backward" or "forward", not {strategy!r}')
    if tolerance_ns is not None and tolerance_ns < 0:
        raise Invalid("tolerance_ns", f"must not be negative, is {tolerance_ns}")
    for side, lazy in (("left", left), ("right", right)):
        columns = lazy.collect_schema()
        for name in (TIME, *keys):
            if name not in columns:
                raise Invalid(f"{side}.{name}", f"is missing; there are {', '.join(columns)}")
    return left.join_asof(
        right.with_columns(pl.col(TIME).alias(f"{TIME}{SUFFIX}")) if keys else right,
        left_on=TIME,
        right_on=TIME,
        by=keys or None,
        strategy=strategy,
        suffix=SUFFIX,
        tolerance=tolerance_ns,
        coalesce=bool(keys),
        allow_exact_matches=allow_exact_matches,
        check_sortedness=not keys,
    )


def read_as_of(
    catalog: Catalog,
    left_kind: str,
    right_kind: str,
    instrument_id: str,
    start_ns: int | None = None,
    end_ns: int | None = None,
    *,
    tolerance_ns: int | None = None,
    strategy: Strategy = "backward",
    allow_exact_matches: bool = True,
) -> pl.LazyFrame:
    """Rows of `left_kind` with start_ns <= ts_event < end_ns, each with the row of `right_kind` that prevailed then.

    The row that prevails at the start may be days older (or, forward, younger than the end): it is looked for as far
    as the data go, or `tolerance_ns`. Blocks: call and collect off the loop. Raises NotFound where there is nothing of
    a kind, CorruptFile and Invalid.
    """
    import polars as pl

    left = catalog.read(left_kind, instrument_id, start_ns, end_ns)
    within = [catalog.read(right_kind, instrument_id, start_ns, end_ns)]
    if strategy == "backward" and start_ns is not None:
        within.insert(0, _last_before(catalog, right_kind, instrument_id, start_ns, tolerance_ns))
    elif strategy == "forward" and end_ns is not None:
        within.append(_first_from(catalog, right_kind, instrument_id, end_ns, tolerance_ns))
    right = pl.concat(within, how="diagonal_relaxed")
    return as_of(left, right, None, tolerance_ns, strategy, allow_exact_matches=allow_exact_matches)


def _last_before(
    catalog: Catalog, kind: str, instrument_id: str, time_ns: int, tolerance_ns: int | None
) -> pl.LazyFrame:
    """The newest row before a time. Looks at a day, then at two before it, then four, so that old data stay unread."""
    oldest_ns = EARLIEST_NS if tolerance_ns is None else time_ns - tolerance_ns
    end_ns, width_ns = time_ns, DAY_NS
    while True:
        start_ns = max(end_ns - width_ns, oldest_ns)
        found = catalog.read(kind, instrument_id, start_ns, end_ns).tail(1).collect()
        if found.height or start_ns <= oldest_ns:
            return found.lazy()
        end_ns, width_ns = start_ns, width_ns * 2


def _first_from(
    catalog: Catalog, kind: str, instrument_id: str, time_ns: int, tolerance_ns: int | None
) -> pl.LazyFrame:
    """The oldest row from a time on, looked for as `_last_before` does."""
    newest_ns = LATEST_NS if tolerance_ns is None else time_ns + tolerance_ns
    start_ns, width_ns = time_ns, DAY_NS
    while True:
        end_ns = min(start_ns + width_ns, newest_ns)
        found = catalog.read(kind, instrument_id, start_ns, end_ns).head(1).collect()
        if found.height or end_ns >= newest_ns:
            return found.lazy()
        start_ns, width_ns = end_ns, width_ns * 2
