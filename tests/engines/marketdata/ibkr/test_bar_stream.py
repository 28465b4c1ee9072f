"""Bars: history and live, each once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.ibkr.bar_stream import BarRow, BarStream, HistoryRequest
from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.testing import make_instrument

MINUTE = 60_000_000_000


def make(spec: str = "60s", **options):
    bars = []
    stream = BarStream("TEST.SIM", Grid(make_instrument()), lambda bar: not bars.append(bar), spec, **options)
    return stream, bars


def row(minute: int, close: float = 100.0) -> BarRow:
    return BarRow(minute * MINUTE, 100.0, max(100.0, close), min(100.0, close), close, 10.0, 3)


@given(st.integers(1, 9000), st.integers(0, 59))
def test_over_any_gap_every_bar_comes_once_and_in_order(gap, seconds):
    """Asking piece by piece until live, each minute of the gap is handed on exactly once."""
    stream, bars = make(largest_backfill_seconds=10 * 86_400)
    stream.cursor_ns = 10_000 * MINUTE
    now = (10_000 + gap) * MINUTE + seconds * 10**9
    stream.begin(now)
    for _ in range(1000):
        request = stream.next_request(now)
        stream.sent(request)
        end = request.end_ns or now
        first = -(-(end - request.seconds * 10**9) // MINUTE)
        for minute in range(first, -(-end // MINUTE)):
            stream.history(row(minute))
        if stream.history_end(now):
            break
    assert [bar.ts_open // MINUTE for bar in bars] == list(range(10_000, 10_000 + gap))
    assert stream.backfilled == gap
    assert stream.is_live


def test_a_live_bar_is_handed_on_when_its_successor_begins_or_its_time_is_over():
    """A change of a bar that was handed on is late and counted."""
    stream, bars = make()
    stream.sent(HistoryRequest(None, 1800))
    stream.history_end(5 * MINUTE)
    stream.update(row(5), 5 * MINUTE + 1)
    stream.update(row(5, 101.0), 5 * MINUTE + 2)
    stream.update(row(6), 6 * MINUTE + 1)
    assert [(bar.ts_open, bar.close_ticks) for bar in bars] == [(5 * MINUTE, 10_100)]
    stream.close_due(7 * MINUTE + 10**9)
    assert len(bars) == 1
    stream.close_due(7 * MINUTE + 2 * 10**9)
    assert (bars[1].ts_open, bars[1].ts_event) == (6 * MINUTE, 7 * MINUTE)
    stream.update(row(6), 7 * MINUTE + 3)
    assert (len(bars), stream.late) == (2, 1)


def test_the_bar_that_an_outage_cut_short_is_not_handed_on_as_it_was():
    """What was in progress is void: history brings the whole bar."""
    stream, bars = make()
    stream.cursor_ns = 5 * MINUTE
    stream.update(row(5, 100.5), 5 * MINUTE + 1)
    stream.begin(9 * MINUTE)
    stream.sent(stream.next_request(9 * MINUTE))
    for minute in range(3, 10):
        stream.history(row(minute, 103.0))
    assert stream.history_end(9 * MINUTE)
    assert [(bar.ts_open // MINUTE, bar.close_ticks) for bar in bars] == [(n, 10_300) for n in range(5, 9)]


def test_what_lies_longer_back_than_is_asked_for_is_counted_as_lost():
    """The largest backfill bounds the requests; the rest of the gap is said, not forgotten."""
    stream, _ = make(largest_backfill_seconds=3600)
    stream.cursor_ns = 100 * MINUTE
    assert stream.next_request(1000 * MINUTE).end_ns is None
    assert stream.lost_seconds == (1000 - 100 - 60) * 60


def test_prices_off_the_grid_make_no_bar():
    """They are refused and counted, and the bar is not asked for again."""
    stream, bars = make()
    stream.sent(HistoryRequest(None, 1800))
    stream.history(BarRow(0, 100.001, 101.0, 99.0, 100.0, 5.0, 1))
    stream.history_end(10 * MINUTE)
    assert (bars, stream.refused, stream.grid.off_grid, stream.cursor_ns) == ([], 1, 1, MINUTE)
