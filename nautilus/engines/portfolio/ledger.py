"""A double-entry ledger: every event posts amounts that sum to zero in each currency, or it is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

import msgspec

from nautilus.engines.portfolio.exact_money import ZERO, exact


class LedgerAccount(StrEnum):
    """The accounts of the books. Debits are positive: assets and expenses; capital, gains and income are credits."""

    CASH = "cash"
    SECURITIES = "securities"
    FEES = "fees"
    REALIZED_PNL = "realized_pnl"
    INCOME = "income"
    CAPITAL = "capital"
    EXCHANGE = "exchange"


class Posting(msgspec.Struct, frozen=True):
    """An amount debited (positive) or credited (negative) to one account in one currency."""

    account: LedgerAccount
    currency: str
    amount: Decimal


class Entry(msgspec.Struct, frozen=True):
    """One event in the books: its postings sum to zero in each currency. `reference` is a trade or deposit id."""

    sequence: int
    kind: str
    reference: str
    ts_event: int
    postings: tuple[Posting, ...]


class UnbalancedEntry(ValueError):
    """The postings of an entry do not sum to zero."""


class Ledger:
    """Balances by account and currency, and the newest entries.

    >>> ledger = Ledger(capacity=100)
    >>> postings = (Posting(LedgerAccount.CASH, "USD", Decimal(5)), Posting(LedgerAccount.CAPITAL, "USD", Decimal(-5)))
    >>> ledger.post("deposit", "d-1", 0, postings).sequence
    1
    >>> ledger.balance(LedgerAccount.CASH, "USD")
    Decimal('5')
    """

    __slots__ = ("balances", "entries", "sequence")

    def __init__(self, capacity: int = 10_000) -> None:
        self.balances: dict[str, dict[LedgerAccount, Decimal]] = {}
        self.entries: deque[Entry] = deque(maxlen=capacity)
        self.sequence = 0

    def post(self, kind: str, reference: str, ts_event: int, postings: Iterable[Posting]) -> Entry:
        """Book one event. Zero amounts are left out. Raises UnbalancedEntry and changes nothing unless it balances."""
        kept = tuple(posting for posting in postings if posting.amount)
        with exact():
            totals: dict[str, Decimal] = {}
            for posting in kept:
                totals[posting.currency] = totals.get(posting.currency, ZERO) + posting.amount
            if any(totals.values()):
                raise UnbalancedEntry(f"{kind} {reference}: postings sum to {totals}")
            for posting in kept:
                accounts = self.balances.setdefault(posting.currency, dict.fromkeys(LedgerAccount, ZERO))
                accounts[posting.account] += posting.amount
        self.sequence += 1
        entry = Entry(self.sequence, kind, reference, ts_event, kept)
        self.entries.append(entry)
        return entry

    def balance(self, account: LedgerAccount, currency: str) -> Decimal:
        """The balance of one account in one currency (debit positive)."""
        return self.balances.get(currency, {}).get(account, ZERO)

    def imbalance(self) -> dict[str, Decimal]:
        """What the accounts of each currency sum to: zero, or the books are wrong."""
        with exact():
            return {currency: sum(accounts.values(), ZERO) for currency, accounts in self.balances.items()}
