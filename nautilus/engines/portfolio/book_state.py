"""An account's books as one value that can be saved, and the books made again from it."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal

import msgspec

from nautilus.engines.portfolio.account_book import AccountBook
from nautilus.engines.portfolio.exact_money import ZERO, exact
from nautilus.engines.portfolio.holding import Holding
from nautilus.engines.portfolio.ledger import Entry, LedgerAccount
from nautilus.engines.portfolio.lots import LotMethod, OpenLot
from nautilus.model import Instrument


class HoldingState(msgspec.Struct, frozen=True):
    """One position as saved."""

    instrument: Instrument
    lots: list[OpenLot]
    mark_half_ticks: int | None
    realized_pnl: Decimal
    fees: Decimal
    ts_event: int


class BookState(msgspec.Struct, frozen=True):
    """The books of one account as saved."""

    account_id: str
    currency: str
    method: LotMethod
    sequence: int
    balances: dict[str, dict[LedgerAccount, Decimal]]
    entries: list[Entry]
    holdings: list[HoldingState]
    references: list[str]
    ts_event: int


SAVED_ENTRIES = 1_000
"""Newest entries of the ledger that are saved with its balances."""


def saved(book: AccountBook) -> BookState:
    """The books as one value; `rebuilt(saved(book))` has the same lots, balances, marks and memory of references."""
    return BookState(
        account_id=book.account_id,
        currency=book.currency,
        method=book.method,
        sequence=book.ledger.sequence,
        balances=book.ledger.balances,
        entries=list(book.ledger.entries)[-SAVED_ENTRIES:],
        holdings=[
            HoldingState(
                holding.instrument,
                list(holding.lots),
                holding.mark_half_ticks,
                holding.realized_pnl,
                holding.fees,
                holding.ts_event,
            )
            for holding in book.holdings.values()
        ],
        references=list(book.references),
        ts_event=book.ts_event,
    )


def rebuilt(state: BookState, ledger_capacity: int = 10_000) -> AccountBook:
    """The books made again from a saved state."""
    book = AccountBook(state.account_id, state.currency, state.method, ledger_capacity)
    book.ledger.sequence = state.sequence
    book.ledger.balances = {
        currency: dict.fromkeys(LedgerAccount, ZERO) | accounts for currency, accounts in state.balances.items()
    }
    book.ledger.entries.extend(state.entries)
    book.references = OrderedDict.fromkeys(state.references)
    book.ts_event = state.ts_event
    for item in state.holdings:
        holding = Holding(item.instrument, state.method)
        with exact():
            holding.lots.restore(item.lots)
        holding.mark_half_ticks, holding.ts_event = item.mark_half_ticks, item.ts_event
        holding.realized_pnl, holding.fees = item.realized_pnl, item.fees
        book.restore_holding(holding)
    return book
