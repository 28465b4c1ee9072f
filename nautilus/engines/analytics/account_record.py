"""What analytics remembers of one account: sampled NAV and its statistics, round trips, execution costs."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import msgspec

from nautilus.engines.analytics.execution_quality import ExecutionTally
from nautilus.engines.analytics.round_trips import OpenLeg, RoundTrip, RoundTripMatcher
from nautilus.engines.analytics.running_performance import RunningPerformance
from nautilus.model import AccountState, Instrument, OrderFilled

SAVED = 5_000
"""Newest samples and round trips that survive a restart; sums and statistics survive whole."""


class Sample(msgspec.Struct, frozen=True):
    """NAV at one moment and the return since the sample before, deposits and withdrawals left out.

    Money paid in or out counts as if it came at the end of the interval: return = (nav - flow) / nav before - 1. None
    for the first sample, and where the NAV before was not positive.
    """

    ts_event: int
    equity: float
    period_return: float | None


class RecordState(msgspec.Struct, frozen=True):
    """A record as saved."""

    account_id: str
    samples: list[Sample]
    last_equity: Decimal | None
    last_deposits: Decimal
    running: dict[str, float]
    trips: list[RoundTrip]
    trips_closed: int
    legs: dict[str, list[OpenLeg]]
    legs_dropped: int
    execution: ExecutionTally
    by_instrument: dict[str, ExecutionTally]


class AccountRecord:
    """The record of one account. Samples and round trips are kept up to the given numbers, sums for ever."""

    def __init__(self, account_id: str, periods_per_year: float, samples: int, trips: int) -> None:
        self.account_id = account_id
        self.state: AccountState | None = None
        self.running = RunningPerformance(periods_per_year)
        self.samples: deque[Sample] = deque(maxlen=samples)
        self.matcher = RoundTripMatcher()
        self.trips: deque[RoundTrip] = deque(maxlen=trips)
        self.trips_closed = 0
        self.execution = ExecutionTally()
        self.by_instrument: dict[str, ExecutionTally] = {}
        self._last_equity: Decimal | None = None
        self._last_deposits = Decimal(0)

    def sample(self, ts_event: int) -> Sample | None:
        """Take the NAV as it stands; None before the account was first heard of."""
        if self.state is None:
            return None
        equity, deposits = self.state.equity, self.state.deposits
        change: float | None = None
        if self._last_equity is not None and self._last_equity > 0:
            flow = deposits - self._last_deposits
            change = float((equity - flow) / self._last_equity) - 1.0
            self.running.update(change)
        self._last_equity, self._last_deposits = equity, deposits
        taken = Sample(ts_event, float(equity), change)
        self.samples.append(taken)
        return taken

    def fill(self, instrument: Instrument, fill: OrderFilled, arrival_half_ticks: int | None) -> list[RoundTrip]:
        """Take in a fill, with the mid when its order was submitted; returns the round trips it completes."""
        fee = Decimal(fill.fee)
        trips = self.matcher.fill(instrument, fill.side, fill.quantity_lots, fill.price_ticks, fee, fill.ts_event)
        self.trips.extend(trips)
        self.trips_closed += len(trips)
        market = None
        if fill.bid_ticks is not None and fill.ask_ticks is not None:
            market = (fill.bid_ticks + fill.ask_ticks) / 2
        for tally in (self.execution, self.by_instrument.setdefault(instrument.id, ExecutionTally())):
            tally.add(
                fill.side,
                fill.quantity_lots,
                fill.price_ticks,
                abs(instrument.value(fill.price_ticks, fill.quantity_lots)),
                float(fee),
                arrival_ticks=None if arrival_half_ticks is None else arrival_half_ticks / 2,
                market_ticks=market,
                maker=fill.liquidity == "maker",
            )
        return trips

    def saved(self) -> RecordState:
        """Everything, for `restore`."""
        return RecordState(
            account_id=self.account_id,
            samples=list(self.samples)[-SAVED:],
            last_equity=self._last_equity,
            last_deposits=self._last_deposits,
            running=self.running.saved(),
            trips=list(self.trips)[-SAVED:],
            trips_closed=self.trips_closed,
            legs=self.matcher.legs,
            legs_dropped=self.matcher.dropped,
            execution=self.execution,
            by_instrument=self.by_instrument,
        )

    def restore(self, state: RecordState) -> None:
        """Go on where the saved one stood; statistics start anew where the sampling interval was changed."""
        running = RunningPerformance.restored(state.running)
        if running.periods_per_year == self.running.periods_per_year:
            self.running = running
            self.samples.extend(state.samples)
            self._last_equity, self._last_deposits = state.last_equity, state.last_deposits
        self.trips.extend(state.trips)
        self.trips_closed = state.trips_closed
        self.matcher = RoundTripMatcher(state.legs, state.legs_dropped)
        self.execution, self.by_instrument = state.execution, state.by_instrument
