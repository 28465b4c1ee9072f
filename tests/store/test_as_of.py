"""As-of joins: what prevailed at each moment, as a slow loop finds it."""

import asyncio
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.errors import Invalid, NotFound
from nautilus.store.as_of import Strategy, as_of, read_as_of
from nautilus.store.memory_catalog import MemoryCatalog
from tests.store.contract import DAY_NS

type Row = tuple[int, int]

ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=12)


def table(rows: list[Row], value: str) -> pl.LazyFrame:
    """Rows of (time, venue) in order of time, each with its number."""
    ordered = sorted(rows, key=lambda row: row[0])
    return pl.LazyFrame(
        {
            "ts_event": [time for time, _ in ordered],
            "venue": [venue for _, venue in ordered],
            value: list(range(len(ordered))),
        },
        schema={"ts_event": pl.Int64, "venue": pl.Int64, value: pl.Int64},
    )


def slow(
    left: list[Row], right: list[Row], by: bool, tolerance: int | None, strategy: Strategy, exact: bool
) -> list[tuple[int, int, int | None]]:
    """(time, number of the left row, number of the right row) by looking at every pair."""
    found = []
    ordered = list(enumerate(sorted(right, key=lambda row: row[0])))
    for number, (time, venue) in enumerate(sorted(left, key=lambda row: row[0])):
        best: int | None = None
        best_time = 0
        for other, (other_time, other_venue) in ordered:
            apart = time - other_time if strategy == "backward" else other_time - time
            fits = apart >= (0 if exact else 1) and (tolerance is None or apart <= tolerance)
            if not fits or (by and venue != other_venue):
                continue
            if best is None or (other_time >= best_time if strategy == "backward" else other_time < best_time):
                best, best_time = other, other_time
        found.append((time, number, best))
    return found


@settings(max_examples=300)
@given(
    ROWS,
    ROWS,
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.sampled_from(["backward", "forward"]),
    st.booleans(),
)
def test_it_finds_what_a_slow_loop_finds(
    left: list[Row], right: list[Row], by: bool, tolerance: int | None, strategy: Strategy, exact: bool
) -> None:
    joined = as_of(
        table(left, "trade"),
        table(right, "quote"),
        "venue" if by else None,
        tolerance,
        strategy,
        allow_exact_matches=exact,
    ).collect()
    assert joined.select("ts_event", "trade", "quote").rows() == slow(left, right, by, tolerance, strategy, exact)
    times = [None if number is None else sorted(time for time, _ in right)[number] for number in joined["quote"]]
    assert joined["ts_event_right"].to_list() == times


def test_a_side_that_is_not_in_order_is_refused_when_collected() -> None:
    backwards = pl.LazyFrame({"ts_event": [2, 1]})
    with pytest.raises(pl.exceptions.InvalidOperationError, match="not sorted"):
        as_of(backwards, table([(1, 1)], "quote")).collect()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda one: as_of(one, one.drop("ts_event")), "right.ts_event"),
        (lambda one: as_of(one.drop("venue"), one, "venue"), "left.venue"),
        (lambda one: as_of(one, one, strategy="nearest"), "strategy"),
        (lambda one: as_of(one, one, tolerance_ns=-1), "tolerance_ns"),
    ],
)
def test_what_cannot_be_joined_is_named(call: Callable[[pl.LazyFrame], object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        call(table([(1, 1)], "x"))
    assert caught.value.field == field


def columns(times: list[int]) -> dict[str, np.ndarray]:
    return {"ts_event": np.array(times, dtype=np.int64), "value": np.array(times, dtype=np.int64)}


async def joined(catalog: MemoryCatalog, *between: int | None, **options: object) -> list[int | None]:
    frame = await asyncio.to_thread(
        lambda: read_as_of(catalog, "trade", "quote", "A.X", *between, **options).collect()  # type: ignore[arg-type]
    )
    return frame["value_right"].to_list()


async def test_the_row_that_prevails_at_the_start_may_be_weeks_old() -> None:
    catalog = MemoryCatalog()
    week = 7 * DAY_NS
    await catalog.write("trade", "A.X", columns([5 * week, 5 * week + 9]))
    await catalog.write("quote", "A.X", columns([3, week, 5 * week + 4, 9 * week]))
    assert await joined(catalog) == [week, 5 * week + 4]
    assert await joined(catalog, 5 * week, 5 * week + 10) == [week, 5 * week + 4]
    assert await joined(catalog, 5 * week, None, tolerance_ns=5) == [None, 5 * week + 4]
    assert await joined(catalog, 5 * week + 1, 5 * week + 10, strategy="forward") == [9 * week]
    assert await joined(catalog, None, 5 * week + 1, strategy="forward") == [5 * week + 4]
    assert await joined(catalog, None, 5 * week + 1, strategy="forward", tolerance_ns=3) == [None]
    assert await joined(catalog, 0, 5) == []


async def test_the_first_rows_have_nothing_before_them() -> None:
    catalog = MemoryCatalog()
    await catalog.write("trade", "A.X", columns([1, 4]))
    await catalog.write("quote", "A.X", columns([4]))
    assert await joined(catalog, 0) == [None, 4]
    assert await joined(catalog, 0, None, allow_exact_matches=False) == [None, None]


async def test_a_kind_that_was_never_written_is_not_found() -> None:
    catalog = MemoryCatalog()
    await catalog.write("trade", "A.X", columns([1]))
    with pytest.raises(NotFound, match="quote"):
        await joined(catalog)
