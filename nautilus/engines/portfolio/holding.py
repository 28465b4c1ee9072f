"""One position of an account: its lots, its mark, and what it adds to the account's sums."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nautilus.engines.portfolio.exact_money import ZERO, exact
from nautilus.engines.portfolio.lots import LotMethod, OpenLots
from nautilus.model import AssetClass, Instrument, Position

MARGINED = frozenset({AssetClass.FUTURE})
"""Asset classes whose notional is not paid: only realised profit and fees reach cash, and market value is profit."""


class Valuation(msgspec.Struct, frozen=True):
    """What a position, or all positions of one currency, are worth at their marks.

    `market_value` counts margined positions at their profit; the exposures count every position at its notional.
    """

    market_value: Decimal = ZERO
    unrealized_pnl: Decimal = ZERO
    gross_exposure: Decimal = ZERO
    net_exposure: Decimal = ZERO

    def replaced(self, old: Valuation, new: Valuation) -> Valuation:
        """This sum with `new` in the place of `old`; call under `exact()`."""
        return Valuation(
            self.market_value - old.market_value + new.market_value,
            self.unrealized_pnl - old.unrealized_pnl + new.unrealized_pnl,
            self.gross_exposure - old.gross_exposure + new.gross_exposure,
            self.net_exposure - old.net_exposure + new.net_exposure,
        )


class Holding:
    """One position. Marks are in half ticks, so that the mid of a quote (bid + ask) is exact.

    Before the first quote the mark is the price of the first fill.
    """

    __slots__ = ("fees", "instrument", "lots", "mark_half_ticks", "realized_pnl", "ts_event", "valuation")

    def __init__(self, instrument: Instrument, method: LotMethod) -> None:
        self.instrument = instrument
        self.lots = OpenLots(method)
        self.mark_half_ticks: int | None = None
        self.realized_pnl = ZERO
        self.fees = ZERO
        self.valuation = Valuation()
        self.ts_event = 0

    @property
    def margined(self) -> bool:
        """Whether the notional is not paid when the position is opened."""
        return self.instrument.asset_class in MARGINED

    def value(self) -> Valuation:
        """The position's worth at its mark, exactly."""
        quantity = self.lots.quantity_lots
        if not quantity or self.mark_half_ticks is None:
            return Valuation()
        with exact():
            notional = self.instrument.exact_value(self.mark_half_ticks, quantity) / 2
            unrealized = notional - self.lots.cost
        return Valuation(unrealized if self.margined else notional, unrealized, abs(notional), notional)

    def position(self, account_id: str) -> Position:
        """The position as others see it; its market value is the notional, also of a margined position."""
        quantity, worth = self.lots.quantity_lots, self.valuation
        unit = self.instrument.value(1.0, 1.0)
        return Position(
            account_id=account_id,
            instrument_id=self.instrument.id,
            quantity_lots=quantity,
            average_price_ticks=float(self.lots.cost) / (quantity * unit) if quantity else None,
            cost=self.lots.cost,
            realized_pnl=self.realized_pnl,
            fees=self.fees,
            mark_ticks=None if self.mark_half_ticks is None else self.mark_half_ticks / 2,
            market_value=worth.net_exposure,
            unrealized_pnl=worth.unrealized_pnl,
            currency=self.instrument.currency,
            ts_event=self.ts_event,
        )
