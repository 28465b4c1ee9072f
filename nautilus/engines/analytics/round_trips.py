"""Round trips: fills matched first in, first out into closed trades, with how far each went for and against."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from nautilus.model import Instrument, Side

MAXIMUM_LEGS = 10_000


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """Lots bought and sold again (`side` BUY) or sold short and bought back (SELL). Money in `currency`.

    `net_pnl` = `gross_pnl` - `fees`, the fees of both fills in proportion. `favorable_excursion` and
    `adverse_excursion` are the best and the worst gross profit at the marks and fills in between, at least and at most
    zero.
    """

    instrument_id: str
    side: Side
    quantity_lots: int
    entry_ticks: int
    exit_ticks: int
    ts_entry: int
    ts_exit: int
    gross_pnl: Decimal
    fees: Decimal
    net_pnl: Decimal
    favorable_excursion: Decimal
    adverse_excursion: Decimal
    currency: str


class OpenLeg(msgspec.Struct):
    """Lots of one fill; `low` and `high` are the extremes since, in half ticks, of the newest leg kept current."""

    quantity: int
    ticks: int
    fee: Decimal
    ts: int
    low: int
    high: int


class RoundTripMatcher:
    """Matches the fills of one account; a fill through zero closes and opens. A mark costs constant time.

    At most 10,000 open legs are kept for an instrument; `dropped` counts the oldest legs given up beyond it.

    >>> stock = Instrument(id="A.X", asset_class="equity", tick_size=Decimal("0.01"))
    >>> matcher = RoundTripMatcher()
    >>> matcher.fill(stock, Side.BUY, 10, 1000, Decimal(1), 0)
    []
    >>> matcher.mark("A.X", 2 * 990)
    >>> (trip,) = matcher.fill(stock, Side.SELL, 10, 1050, Decimal(1), 60)
    >>> str(trip.net_pnl), str(trip.adverse_excursion)
    ('3.00', '-1.00')
    """

    __slots__ = ("_legs", "dropped")

    def __init__(self, legs: Mapping[str, Iterable[OpenLeg]] | None = None, dropped: int = 0) -> None:
        self._legs = {instrument_id: deque(items) for instrument_id, items in (legs or {}).items()}
        self.dropped = dropped

    @property
    def legs(self) -> dict[str, list[OpenLeg]]:
        """The open legs by instrument, oldest first: what a new matcher is given to go on from here."""
        return {instrument_id: list(legs) for instrument_id, legs in self._legs.items()}

    def holds(self, instrument_id: str) -> bool:
        """Whether there are open legs of this instrument."""
        return instrument_id in self._legs

    def mark(self, instrument_id: str, half_ticks: int) -> None:
        """Note a price, in half ticks (bid + ask is the mid)."""
        legs = self._legs.get(instrument_id)
        if legs:
            _widen(legs[-1], half_ticks)

    def fill(
        self, instrument: Instrument, side: Side, quantity_lots: int, price_ticks: int, fee: Decimal, ts_event: int
    ) -> list[RoundTrip]:
        """Take in a fill of `quantity_lots` > 0; returns the round trips that it completes."""
        legs = self._legs.setdefault(instrument.id, deque())
        remaining, fee_left = quantity_lots * int(side), fee
        trips: list[RoundTrip] = []
        if legs:
            _widen(legs[-1], 2 * price_ticks)
            _nest(legs)
        while remaining and legs and (legs[0].quantity > 0) != (remaining > 0):
            part = min(abs(remaining), abs(legs[0].quantity))
            exit_fee = fee_left * part / abs(remaining)
            fee_left -= exit_fee
            trips.append(_close(instrument, legs, part, price_ticks, exit_fee, ts_event))
            remaining -= part * int(side)
        if remaining:
            legs.append(OpenLeg(remaining, price_ticks, fee_left, ts_event, 2 * price_ticks, 2 * price_ticks))
            if len(legs) > MAXIMUM_LEGS:
                self._give_up_oldest(legs)
        elif not legs:
            del self._legs[instrument.id]
        return trips

    def _give_up_oldest(self, legs: deque[OpenLeg]) -> None:
        legs.popleft()
        self.dropped += 1


def _widen(leg: OpenLeg, half_ticks: int) -> None:
    leg.low = min(leg.low, half_ticks)
    leg.high = max(leg.high, half_ticks)


def _nest(legs: deque[OpenLeg]) -> None:
    """Make the range of each leg contain those of the later ones, as it did before the newest was widened."""
    later = legs[-1]
    for leg in itertools.islice(reversed(legs), 1, None):
        if leg.low <= later.low and leg.high >= later.high:
            return
        leg.low, leg.high = min(leg.low, later.low), max(leg.high, later.high)
        later = leg


def _close(
    instrument: Instrument, legs: deque[OpenLeg], part: int, exit_ticks: int, exit_fee: Decimal, ts_exit: int
) -> RoundTrip:
    leg = legs[0]
    long = leg.quantity > 0
    signed = part if long else -part
    best, worst = (leg.high, leg.low) if long else (leg.low, leg.high)
    entry_fee = leg.fee * part / abs(leg.quantity)
    gross = instrument.exact_value(exit_ticks - leg.ticks, signed)
    trip = RoundTrip(
        instrument_id=instrument.id,
        side=Side.BUY if long else Side.SELL,
        quantity_lots=part,
        entry_ticks=leg.ticks,
        exit_ticks=exit_ticks,
        ts_entry=leg.ts,
        ts_exit=ts_exit,
        gross_pnl=gross,
        fees=entry_fee + exit_fee,
        net_pnl=gross - entry_fee - exit_fee,
        favorable_excursion=instrument.exact_value(best - 2 * leg.ticks, signed) / 2,
        adverse_excursion=instrument.exact_value(worst - 2 * leg.ticks, signed) / 2,
        currency=instrument.currency,
    )
    leg.quantity -= signed
    leg.fee -= entry_fee
    if not leg.quantity:
        legs.popleft()
    return trip
