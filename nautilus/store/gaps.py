"""What is missing in recorded data: silences, empty days, rows that came twice or out of order, coverage by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from nautilus.errors import Invalid
from nautilus.store.columns import TIME
from nautilus.store.parts import DAY_NS

if TYPE_CHECKING:
    import polars as pl

    from nautilus.store.base import Catalog

type Integers = NDArray[np.int64]
type Session = tuple[int, int]
type Progress = Callable[[int, int], None]

SEEN = "ts_init"
BATCH_ROWS = 262_144
READ_NS = 32 * DAY_NS
"""How much is asked of the catalog at once, so that files merged away while a long report runs do not matter."""
GAPS_MAX = 10_000


class Gap(Struct, frozen=True):
    """A silence: no row after `start_ns` and before `end_ns`; each end is a row, or the edge of a session."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it lasted."""
        return self.end_ns - self.start_ns


class DayCoverage(Struct, kw_only=True):
    """One UTC day. `open_ns` is how long its sessions last within the report, `silent_ns` how much of that is gaps."""

    start_ns: int
    rows: int = 0
    open_ns: int = 0
    silent_ns: int = 0

    @property
    def coverage(self) -> float:
        """Share of the day's sessions that is in no gap, 0 to 1; 1 for a day without sessions."""
        return (self.open_ns - self.silent_ns) / self.open_ns if self.open_ns else 1.0


class GapReport(Struct, kw_only=True):
    """What is missing between `start_ns` and `end_ns`. Times are ns UTC.

    `gaps` are the first ten thousand silences longer than `threshold_ns` within the sessions, of `gap_count` in all;
    `days_without_data` are the starts of days that have a session and no row; `duplicates` are rows that equal an
    earlier one of the same time in everything but `ts_init`; `out_of_order` are rows, in order of ts_event, that were
    seen before the row they follow; `outside_sessions` are rows while all sessions were closed.
    """

    start_ns: int
    end_ns: int
    threshold_ns: int
    rows: int = 0
    gap_count: int = 0
    longest_ns: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    outside_sessions: int = 0
    gaps: list[Gap] = []
    days: list[DayCoverage] = []
    days_without_data: list[int] = []


def gap_report(
    catalog: Catalog,
    kind: str,
    instrument_id: str,
    start_ns: int,
    end_ns: int,
    threshold_ns: int,
    sessions: Sequence[Session] | None = None,
    progress: Progress | None = None,
) -> GapReport:
    """The report for what a catalog holds. Blocks: call it off the loop. `progress` gets ns done and ns in all.

    Raises NotFound where there is nothing of the kind, and Invalid as `find_gaps` does.
    """

    def batches() -> Iterator[pl.DataFrame]:
        for begin_ns in range(start_ns, end_ns, READ_NS):
            lazy = catalog.read(kind, instrument_id, begin_ns, min(begin_ns + READ_NS, end_ns))
            yield from lazy.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming")
            if progress is not None:
                progress(min(begin_ns + READ_NS, end_ns) - start_ns, end_ns - start_ns)

    return find_gaps(batches(), start_ns, end_ns, threshold_ns, sessions)


def find_gaps(
    batches: Iterable[pl.DataFrame],
    start_ns: int,
    end_ns: int,
    threshold_ns: int,
    sessions: Sequence[Session] | None = None,
) -> GapReport:
    """What is missing in rows that come in batches, in order of `ts_event`, with start_ns <= ts_event < end_ns.

    `sessions` are (open_ns, close_ns), ascending and apart; without them the whole range is one. A gap never reaches
    over a close: what is missing at the end of a session and at the start of the next are two. Holds one batch at a
    time, and the rows of one moment. Raises Invalid for a range, a threshold or sessions that cannot be.
    """
    search = _Search(start_ns, end_ns, threshold_ns, sessions)
    for batch in batches:
        if batch.height:
            search.take(batch)
    return search.finish()


class _Search:
    """The report as it grows batch by batch."""

    def __init__(self, start_ns: int, end_ns: int, threshold_ns: int, sessions: Sequence[Session] | None) -> None:
        if end_ns <= start_ns:
            raise Invalid("end_ns", f"must be after start_ns {start_ns}, is {end_ns}")
        if threshold_ns <= 0:
            raise Invalid("threshold_ns", f"must be positive, is {threshold_ns}")
        self._sessions = _clipped([(start_ns, end_ns)] if sessions is None else sessions, start_ns, end_ns)
        self._current = 0
        self._last_ns = self._sessions[0][0] if self._sessions else end_ns
        self._latest_ns = start_ns
        self._seen = np.iinfo(np.int64).min
        self._held: pl.DataFrame | None = None
        self._days: dict[int, DayCoverage] = {}
        self.report = GapReport(start_ns=start_ns, end_ns=end_ns, threshold_ns=threshold_ns)
        for open_ns, close_ns in self._sessions:
            for day, length_ns in _by_day(open_ns, close_ns):
                self._day(day).open_ns += length_ns

    def take(self, batch: pl.DataFrame) -> None:
        """Take the next rows into account."""
        time: Integers = batch[TIME].to_numpy()
        if time[0] < self._latest_ns or time[-1] >= self.report.end_ns or np.any(time[1:] < time[:-1]):
            raise Invalid(TIME, "rows must come in order of time and within the range")
        self._latest_ns = int(time[-1])
        self.report.rows += len(time)
        days, counts = np.unique(time // DAY_NS, return_counts=True)
        for day, count in zip(days.tolist(), counts.tolist(), strict=True):
            self._day(day).rows += count
        if SEEN in batch.columns:
            seen: Integers = batch[SEEN].to_numpy()
            self.report.out_of_order += int(seen[0] < self._seen) + int(np.sum(seen[1:] < seen[:-1]))
            self._seen = int(seen[-1])
        self._count_duplicates(batch, time)
        self._walk(time)

    def finish(self) -> GapReport:
        """Close the sessions that are left and return the report."""
        while self._current < len(self._sessions):
            self._close_session()
        if self._held is not None:
            self.report.duplicates += _duplicates(self._held)
        self.report.days = [self._days[day] for day in sorted(self._days)]
        self.report.days_without_data = [day.start_ns for day in self.report.days if day.open_ns and not day.rows]
        return self.report

    def _walk(self, time: Integers) -> None:
        """Compare the times of a batch with the sessions they fall into."""
        position = 0
        while position < len(time):
            if self._current == len(self._sessions):
                self.report.outside_sessions += len(time) - position
                return
            open_ns, close_ns = self._sessions[self._current]
            begin = max(position, int(np.searchsorted(time, open_ns)))
            stop = int(np.searchsorted(time, close_ns))
            self.report.outside_sessions += begin - position
            if begin < stop:
                inside = np.concatenate([[self._last_ns], time[begin:stop]])
                for index in np.flatnonzero(np.diff(inside) > self.report.threshold_ns).tolist():
                    self._gap(int(inside[index]), int(inside[index + 1]))
                self._last_ns = int(time[stop - 1])
            position = max(stop, begin)
            if stop < len(time):
                self._close_session()

    def _close_session(self) -> None:
        close_ns = self._sessions[self._current][1]
        if close_ns - self._last_ns > self.report.threshold_ns:
            self._gap(self._last_ns, close_ns)
        self._current += 1
        if self._current < len(self._sessions):
            self._last_ns = self._sessions[self._current][0]

    def _gap(self, start_ns: int, end_ns: int) -> None:
        self.report.gap_count += 1
        self.report.longest_ns = max(self.report.longest_ns, end_ns - start_ns)
        if len(self.report.gaps) < GAPS_MAX:
            self.report.gaps.append(Gap(start_ns, end_ns))
        for day, length_ns in _by_day(start_ns, end_ns):
            self._day(day).silent_ns += length_ns

    def _count_duplicates(self, batch: pl.DataFrame, time: Integers) -> None:
        """Rows of the batch's last moment wait for the next batch, which may hold more of them."""
        import polars as pl

        if self._held is not None:
            batch = pl.concat([self._held, batch], how="diagonal_relaxed")
            time = batch[TIME].to_numpy()
        whole = int(np.searchsorted(time, time[-1]))
        self._held = batch[whole:]
        self.report.duplicates += _duplicates(batch[:whole])

    def _day(self, day: int) -> DayCoverage:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = DayCoverage(start_ns=day * DAY_NS)
        return found


def _duplicates(rows: pl.DataFrame) -> int:
    compared = [name for name in rows.columns if name != SEEN]
    return rows.height - rows.n_unique(subset=compared) if rows.height else 0


def _clipped(sessions: Iterable[Session], start_ns: int, end_ns: int) -> list[Session]:
    """The sessions within the range; raises Invalid where they are not ascending and apart."""
    listed = list(sessions)
    if any(close_ns <= open_ns for open_ns, close_ns in listed):
        raise Invalid("sessions", "must each close after they open")
    if any(following[0] < earlier[1] for earlier, following in pairwise(listed)):
        raise Invalid("sessions", "must be ascending and must not overlap")
    within = [(max(open_ns, start_ns), min(close_ns, end_ns)) for open_ns, close_ns in listed]
    return [(open_ns, close_ns) for open_ns, close_ns in within if open_ns < close_ns]


def _by_day(start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
    """Number of each UTC day from `start_ns` to `end_ns`, with the nanoseconds of it that lie between them."""
    while start_ns < end_ns:
        day = start_ns // DAY_NS
        stop_ns = min(end_ns, (day + 1) * DAY_NS)
        yield day, stop_ns - start_ns
        start_ns = stop_ns
