"""Time bars: live ones, and over any gap the historical ones, each exactly once and in order."""

from __future__ import annotations

import msgspec

from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.ibkr.settings import NANOSECONDS
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.errors import Invalid
from nautilus.model import Bar

DAY_SECONDS = 86_400
BAR_SIZES = {
    5: "5 secs",
    10: "10 secs",
    15: "15 secs",
    30: "30 secs",
    60: "1 min",
    120: "2 mins",
    180: "3 mins",
    300: "5 mins",
    600: "10 mins",
    900: "15 mins",
    1200: "20 mins",
    1800: "30 mins",
    3600: "1 hour",
    7200: "2 hours",
    10_800: "3 hours",
    14_400: "4 hours",
    28_800: "8 hours",
}
"""IBKR's names of the bar sizes that can be kept up to date, by seconds. A day is none: its ends are the exchange's."""
LONGEST_SPANS = ((5, 3600), (30, 14_400), (60, 28_800), (120, DAY_SECONDS), (28_801, 2 * DAY_SECONDS))
"""Bars shorter than so many seconds may be asked for over so many seconds, in IBKR's table of durations."""


class HistoryRequest(msgspec.Struct, frozen=True):
    """What to ask for: `seconds` back from `end_ns`, or from now and then kept up to date where that is None."""

    end_ns: int | None
    seconds: int

    @property
    def duration(self) -> str:
        """The duration as IBKR writes it: seconds up to a day, whole days above."""
        if self.seconds <= DAY_SECONDS:
            return f"{self.seconds} S"
        return f"{-(-self.seconds // DAY_SECONDS)} D"


class BarRow(msgspec.Struct, frozen=True, gc=False):
    """One bar as it came, in the source's floating point."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int


def step_seconds(spec: str) -> int:
    """Seconds of a spec such as "60s"; raises Invalid where IBKR has no such bar."""
    seconds = int(spec[:-1]) if spec.endswith("s") and spec[:-1].isdigit() else 0
    if seconds not in BAR_SIZES:
        raise Invalid("spec", f"must be one of {', '.join(f'{size}s' for size in BAR_SIZES)}, not {spec!r}")
    return seconds


class BarStream(Stream):
    """Bars of one size. `cursor_ns` is the end of the last one that was handed on: everything before is done.

    After an outage the gap is asked for piece by piece, oldest first, each as long as IBKR allows; the last piece stays
    open and brings the live bars. A bar is complete when a later one comes, or its interval has been over for a while.
    """

    __slots__ = (
        "_batch",
        "_close_ns",
        "_largest_ns",
        "_pending",
        "_request",
        "_span_seconds",
        "_was_renewed",
        "backfilled",
        "cursor_ns",
        "history_seconds",
        "late",
        "lost_seconds",
        "spec",
        "step_ns",
    )

    def __init__(
        self,
        instrument_id: str,
        grid: Grid,
        emit: Emit,
        spec: str,
        *,
        history_seconds: int = 1800,
        largest_backfill_seconds: int = 5 * DAY_SECONDS,
        close_ns: int = 2 * NANOSECONDS,
    ) -> None:
        super().__init__(instrument_id, grid, emit)
        self.spec = spec
        step = step_seconds(spec)
        self.step_ns = step * NANOSECONDS
        self.history_seconds = max(history_seconds, step)
        self.cursor_ns = 0
        self.late = 0
        """Changes of bars that had been handed on already."""
        self.backfilled = 0
        """Bars that history has brought after an interruption."""
        self.lost_seconds = 0
        """What of gaps was longer ago than is asked for."""
        self._span_seconds = next(span for shorter, span in LONGEST_SPANS if step <= shorter)
        self._largest_ns = largest_backfill_seconds * NANOSECONDS
        self._close_ns = close_ns
        self._pending: BarRow | None = None
        self._batch: list[BarRow] = []
        self._request: HistoryRequest | None = None
        self._was_renewed = False

    @property
    def is_live(self) -> bool:
        """Whether the open request has been sent."""
        return self._request is not None and self._request.end_ns is None

    def begin(self, now_ns: int) -> None:
        """A new request goes out: the bar in progress is void, the history will bring it whole."""
        self._pending = None
        self._batch = []
        self._request = None
        self._was_renewed = self.cursor_ns > 0

    def next_request(self, now_ns: int) -> HistoryRequest:
        """What is to be asked for next."""
        if not self.cursor_ns:
            return HistoryRequest(None, min(self.history_seconds, self._span_seconds))
        oldest_ns = (now_ns - self._largest_ns) // self.step_ns * self.step_ns
        if self.cursor_ns < oldest_ns:
            self.lost_seconds += (oldest_ns - self.cursor_ns) // NANOSECONDS
            self.cursor_ns = oldest_ns
        step = self.step_ns // NANOSECONDS
        missing = max(0, now_ns - self.cursor_ns) // self.step_ns * step + 2 * step
        if missing <= self._span_seconds:
            return HistoryRequest(None, missing)
        return HistoryRequest(self.cursor_ns + self._span_seconds * NANOSECONDS, self._span_seconds)

    def sent(self, request: HistoryRequest) -> None:
        """A request has gone out."""
        self._batch = []
        self._request = request

    def history(self, row: BarRow) -> None:
        """One bar of the answer."""
        self._batch.append(row)

    def history_end(self, ts_init: int) -> bool:
        """The answer is complete. Returns whether everything up to now has been asked for."""
        rows, self._batch = sorted(self._batch, key=lambda row: row.start_ns), []
        request = self._request
        for row in rows:
            if row.start_ns + self.step_ns > ts_init:
                self._pending = row
                break  # the bar in progress; what claims to be later cannot be
            if row.start_ns >= self.cursor_ns:
                self.backfilled += self._was_renewed
                self._hand_on(row, ts_init)
        if request is None or request.end_ns is None:
            return True
        self.cursor_ns = max(self.cursor_ns, request.end_ns // self.step_ns * self.step_ns)
        return False

    def update(self, row: BarRow, ts_init: int) -> None:
        """A live bar has changed, or a new one has begun."""
        pending = self._pending
        if row.start_ns < self.cursor_ns or (pending is not None and row.start_ns < pending.start_ns):
            self.late += 1
            return
        if pending is not None and row.start_ns > pending.start_ns:
            self._hand_on(pending, ts_init)
        self._pending = row

    def close_due(self, now_ns: int) -> None:
        """Hand on the bar whose interval has been over for a while."""
        pending = self._pending
        if pending is not None and now_ns >= pending.start_ns + self.step_ns + self._close_ns:
            self._pending = None
            self._hand_on(pending, now_ns)

    def _hand_on(self, row: BarRow, ts_init: int) -> None:
        end_ns = row.start_ns + self.step_ns
        self.cursor_ns = max(self.cursor_ns, end_ns)
        grid = self.grid
        prices = [grid.ticks(price) for price in (row.open, row.high, row.low, row.close)]
        opened, high, low, close = prices
        volume = grid.lots(max(row.volume, 0.0))  # -1 says that there is none
        if opened is None or high is None or low is None or close is None or volume is None:
            self.refused += 1
            return
        bar = Bar(
            self.instrument_id,
            self.spec,
            opened,
            high,
            low,
            close,
            volume,
            0,
            max(row.count, 0),
            row.start_ns,
            end_ns,
            ts_init,
        )
        self.hand_on(bar)
