"""The gap report: silences, empty days, doubles and disorder, as a slow loop over all rows finds them."""

import asyncio
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.errors import Invalid, NotFound
from nautilus.store.gaps import Gap, find_gaps, gap_report
from nautilus.store.memory_catalog import MemoryCatalog
from tests.store.contract import DAY_NS


def batch(times: list[int], seen: list[int] | None = None, values: list[int] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts_event": times,
            "ts_init": times if seen is None else seen,
            "value": list(range(len(times))) if values is None else values,
        },
        schema={"ts_event": pl.Int64, "ts_init": pl.Int64, "value": pl.Int64},
    )


def test_silences_longer_than_the_threshold_are_found_between_rows_and_at_the_ends() -> None:
    report = find_gaps([batch([5, 8]), batch([20])], 0, 30, 5)
    assert report.gaps == [Gap(8, 20), Gap(20, 30)]
    assert (report.rows, report.gap_count, report.longest_ns) == (3, 2, 12)
    assert find_gaps([batch([6])], 0, 7, 5).gaps == [Gap(0, 6)]
    assert find_gaps([], 0, 7, 5).gaps == [Gap(0, 7)]


def test_a_gap_never_reaches_over_a_close() -> None:
    report = find_gaps([batch([1, 9, 15, 21, 29, 35])], 0, 40, 5, [(0, 10), (20, 30)])
    assert report.gaps == [Gap(1, 9), Gap(21, 29)]
    assert report.outside_sessions == 2
    assert (report.days[0].open_ns, report.days[0].silent_ns, report.days[0].coverage) == (20, 16, 0.2)


def test_days_with_a_session_and_no_row_are_named() -> None:
    report = find_gaps(
        [batch([1]), batch([2 * DAY_NS + 1])], 0, 4 * DAY_NS, DAY_NS // 2, [(0, DAY_NS), (DAY_NS, 9 * DAY_NS)]
    )
    assert report.days_without_data == [DAY_NS, 3 * DAY_NS]
    assert [day.rows for day in report.days] == [1, 0, 1, 0]
    weekdays = find_gaps([batch([1])], 0, 4 * DAY_NS, DAY_NS // 2, [(0, 5)])
    assert weekdays.days_without_data == []


def test_rows_that_came_twice_are_counted_also_over_the_edge_of_a_batch() -> None:
    batches = [batch([1, 1, 2], values=[7, 7, 8]), batch([2, 2, 3], seen=[9, 9, 9], values=[9, 8, 8])]
    assert find_gaps(batches, 0, 9, 5).duplicates == 2


def test_rows_seen_before_the_row_they_follow_are_counted() -> None:
    batches = [batch([1, 2], seen=[5, 4]), batch([3, 4], seen=[3, 9])]
    assert find_gaps(batches, 0, 9, 5).out_of_order == 2


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 59), max_size=40).map(sorted),
    st.integers(1, 10),
    st.lists(st.integers(0, 60), max_size=8, unique=True).map(sorted),
    st.integers(1, 7),
    st.booleans(),
)
def test_it_finds_what_a_slow_loop_finds(
    times: list[int], threshold: int, edges: list[int], batch_rows: int, with_sessions: bool
) -> None:
    pairs = list(zip(edges[0::2], edges[1::2], strict=False))
    sessions = pairs if with_sessions else None
    expected = []
    for open_ns, close_ns in pairs if with_sessions else [(0, 60)]:
        points = [open_ns, *[time for time in times if open_ns <= time < close_ns], close_ns]
        expected += [Gap(a, b) for a, b in pairwise(points) if b - a > threshold]
    frame = batch(times, values=[0] * len(times))
    batches = [frame[start : start + batch_rows] for start in range(0, frame.height, batch_rows)]
    report = find_gaps(batches, 0, 60, threshold, sessions)
    assert report.gaps == expected
    assert report.duplicates == len(times) - len(set(times))
    outside = [time for time in times if with_sessions and not any(a <= time < b for a, b in pairs)]
    assert report.outside_sessions == len(outside)
    assert sum(day.rows for day in report.days) == report.rows == len(times)
    assert sum(day.silent_ns for day in report.days) == sum(gap.length_ns for gap in expected)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((5, 5, 1, None), "end_ns"),
        ((0, 5, 0, None), "threshold_ns"),
        ((0, 5, 1, [(3, 2)]), "sessions"),
        ((0, 5, 1, [(0, 3), (2, 4)]), "sessions"),
    ],
)
def test_what_cannot_be_asked_is_named(
    arguments: tuple[int, int, int, list[tuple[int, int]] | None], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        find_gaps([], *arguments)
    assert caught.value.field == field


def test_rows_out_of_order_or_out_of_range_are_refused() -> None:
    for rows in ([2, 1], [99], [-1]):
        with pytest.raises(Invalid, match="ts_event"):
            find_gaps([batch(rows)], 0, 10, 5)


async def test_a_catalog_is_read_piece_by_piece() -> None:
    catalog = MemoryCatalog()
    times = np.array([0, 40 * DAY_NS, 80 * DAY_NS])
    await catalog.write("trade", "A.X", {"ts_event": times, "ts_init": times})
    seen: list[tuple[int, int]] = []
    report = await asyncio.to_thread(
        gap_report, catalog, "trade", "A.X", 0, 81 * DAY_NS, 2 * DAY_NS, None, lambda *one: seen.append(one)
    )
    assert report.gaps == [Gap(0, 40 * DAY_NS), Gap(40 * DAY_NS, 80 * DAY_NS)]
    assert len(report.days_without_data) == 78
    assert seen[-1] == (81 * DAY_NS, 81 * DAY_NS)
    with pytest.raises(NotFound):
        await asyncio.to_thread(gap_report, catalog, "quote", "A.X", 0, 1, 1)
