"""The books of all accounts together, the marks they share, and the fills that wait for their instrument."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from nautilus.engines.portfolio.account_book import AccountBook
from nautilus.engines.portfolio.book_state import BookState, rebuilt, saved
from nautilus.engines.portfolio.exchange_rates import ExchangeRates, pair
from nautilus.engines.portfolio.lots import LotMethod
from nautilus.errors import Conflict, NautilusError, NotFound
from nautilus.model import AccountState, Deposit, Instrument, OrderFilled, Position

REMEMBERED_REFUSALS = 100


class BooksState(msgspec.Struct, frozen=True):
    """What survives a restart: the books, and fills whose instrument was not known yet."""

    accounts: list[BookState]
    waiting: list[OrderFilled]


class Books:
    """Accounts by id. Marks are noted in constant time and worked into the books by `settle`."""

    def __init__(self, currency: str, method: LotMethod, ledger_capacity: int) -> None:
        self.currency = currency
        self.method = method
        self.ledger_capacity = ledger_capacity
        self.accounts: dict[str, AccountBook] = {}
        self.rates = ExchangeRates()
        self.waiting: list[OrderFilled] = []
        self.refused: dict[str, str] = {}
        self._marks: dict[str, tuple[int, int]] = {}
        self._holders: dict[str, dict[str, AccountBook]] = {}
        self._pairs: dict[str, Instrument] = {}
        self._moved: dict[str, None] = {}

    def __getitem__(self, account_id: str) -> AccountBook:
        try:
            return self.accounts[account_id]
        except KeyError:
            raise NotFound("account", account_id) from None

    def open(self, account_id: str) -> AccountBook:
        """The account, opened if it is new."""
        book = self.accounts.get(account_id)
        if book is None:
            book = self.accounts[account_id] = AccountBook(account_id, self.currency, self.method, self.ledger_capacity)
        return book

    def fill(self, instrument: Instrument | None, fill: OrderFilled) -> Position | None:
        """Book a fill and return the position after it; None where it is known, waits, or was refused.

        An account that nobody opened is opened: what was traded is never lost. A fill that cannot be is remembered
        under `refused`.
        """
        if instrument is None:
            self.waiting.append(fill)
            return None
        book = self.open(fill.account_id)
        try:
            result = book.fill(instrument, fill)
        except NautilusError as error:
            if len(self.refused) < REMEMBERED_REFUSALS:
                self.refused[f"{fill.client_order_id}:{fill.trade_id}"] = str(error)
            return None
        if result is None:
            return None
        self._holders.setdefault(instrument.id, {})[book.account_id] = book
        if instrument.id in self._marks:
            book.mark(instrument.id, *self._marks[instrument.id])
        return book.position(instrument.id)

    def arrived(self, instrument: Instrument) -> list[OrderFilled]:
        """The fills that waited for this instrument, which wait no more."""
        if pair(instrument):
            self._pairs[instrument.id] = instrument
        ready = [fill for fill in self.waiting if fill.instrument_id == instrument.id]
        if ready:
            self.waiting = [fill for fill in self.waiting if fill.instrument_id != instrument.id]
        return ready

    def deposit(self, deposit: Deposit) -> bool:
        """Book a deposit; False where it is known."""
        entry = self.open(deposit.account_id).deposit(
            deposit.amount, deposit.currency, deposit.ts_event, deposit.deposit_id
        )
        return entry is not None

    def check_currency(self, book: AccountBook, currency: str) -> None:
        """Raise Conflict where money of this currency would leave the account without a NAV."""
        if currency != book.currency and not self.rates.to(book.currency, [currency]):
            raise Conflict(f"there is no {book.currency} rate for {currency}: no quotes of such a pair have come")

    def mark(self, instrument_id: str, half_ticks: int, ts_event: int) -> bool:
        """Note a price in half ticks; True where it bears on a position or an exchange rate."""
        self._marks[instrument_id] = (half_ticks, ts_event)
        if instrument_id not in self._holders and instrument_id not in self._pairs:
            return False
        self._moved[instrument_id] = None
        return True

    def settle(self) -> list[AccountBook]:
        """Work the noted prices into the books; returns the accounts whose value may have changed."""
        changed: dict[str, AccountBook] = {}
        for instrument_id in self._moved:
            half_ticks, ts_event = self._marks[instrument_id]
            if instrument_id in self._pairs:
                self.rates.update(self._pairs[instrument_id], half_ticks)
                changed |= {key: book for key, book in self.accounts.items() if len(book.totals()) > 1}
            for key, book in self._holders.get(instrument_id, {}).items():
                if book.mark(instrument_id, half_ticks, ts_event):
                    changed[key] = book
        self._moved.clear()
        return list(changed.values())

    def state(self, book: AccountBook) -> AccountState:
        """The account in its base currency at the present rates; raises NotReady where one is missing."""
        return book.state(self._rates(book))

    def _rates(self, book: AccountBook) -> dict[str, Decimal]:
        others = [currency for currency in book.totals() if currency != book.currency]
        return self.rates.to(book.currency, others) if others else {}

    def saved(self) -> BooksState:
        """Everything that cannot be worked out again from the market."""
        return BooksState([saved(book) for book in self.accounts.values()], list(self.waiting))

    def restore(self, state: BooksState) -> None:
        """Take back what `saved` gave."""
        for item in state.accounts:
            book = self.accounts[item.account_id] = rebuilt(item, self.ledger_capacity)
            for instrument_id in book.holdings:
                self._holders.setdefault(instrument_id, {})[book.account_id] = book
        self.waiting = list(state.waiting)
