"""The portfolio engine: every fill into the books of its account, every quote into its marks, positions and NAV out."""

from decimal import Decimal

import msgspec

from nautilus.clock import TimeEvent
from nautilus.engines.base import Engine
from nautilus.engines.operation import Operation
from nautilus.engines.portfolio.account_book import AccountBook
from nautilus.engines.portfolio.books import Books, BooksState
from nautilus.engines.portfolio.exact_money import amount_of
from nautilus.engines.portfolio.models import AccountView, DepositRequest, NetAssetValue, PortfolioConfig
from nautilus.engines.portfolio.risk_budgeting import cyclical_descent
from nautilus.engines.portfolio.routes import portfolio_routes
from nautilus.errors import Conflict, NotReady
from nautilus.model import AccountState, Deposit, Instrument, OrderFilled, Quote, Trade, topics
from nautilus.model.enums import EngineType
from nautilus.model.messages import PortfolioUpdate, PositionChange


class PortfolioEngine(Engine[PortfolioConfig]):
    """Keeps exact books of every account. Fills and deposits come back from the journal after a restart."""

    name = "portfolio"
    prefix = "/portfolio"
    engine_type = EngineType.PORTFOLIO
    config_type = PortfolioConfig
    depends_on = ("marketdata",)
    kernels = (cyclical_descent,)
    stale_after_seconds = None

    async def setup(self) -> None:
        """Listen to fills, quotes, trades and new instruments."""
        amount_of("initial_cash", self.config.initial_cash)
        self.books = Books(self.config.currency, self.config.lot_method, self.config.ledger_entries)
        for instrument in self.instruments:
            self.books.arrived(instrument)
        self._quoted: set[str] = set()
        self._due = False
        self._unpublished: dict[str, AccountBook] = {}
        self.subscribe(topics.ALL_FILLS, self.on_fill)
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        self.subscribe(topics.ALL_INSTRUMENTS, self.on_instrument)

    async def activate(self) -> None:
        """Open the configured accounts that are not open, pay in their first cash, tell where all stand."""
        for account_id in self.config.accounts:
            book = self.books.open(account_id)
            if not book.ledger.sequence and self.config.initial_cash:
                self._pay(book, self.config.initial_cash, book.currency, f"initial-{account_id}", "initial cash")
        await self.store.journal.flush()
        for book in self.books.accounts.values():
            self._publish_account(book)

    def routes(self) -> list[Operation]:
        """HTTP operations below /portfolio."""
        return portfolio_routes(self)

    def degraded(self) -> list[str]:
        """Fills that are not in the books, and accounts whose NAV is not known."""
        reasons = [f"fill {reference} was refused: {reason}" for reference, reason in self.books.refused.items()]
        if self.books.waiting:
            unknown = ", ".join(sorted({fill.instrument_id for fill in self.books.waiting}))
            reasons.append(f"{len(self.books.waiting)} fills wait for unknown instruments: {unknown}")
        return reasons + list(self.net_asset_value().missing.values())

    # -- recovery ------------------------------------------------------------------------------------------------

    def recover(self, record: msgspec.Struct) -> None:
        """Book a fill or deposit of the journal."""
        if isinstance(record, OrderFilled):
            self.books.fill(self.instruments.get(record.instrument_id), record)
        elif isinstance(record, Deposit):
            self.books.deposit(record)

    def snapshot(self) -> bytes:
        """Every account's books."""
        self.settle()
        return msgspec.msgpack.encode(self.books.saved())

    def restore(self, data: bytes) -> None:
        """Take the books back."""
        self.books.restore(msgspec.msgpack.decode(data, type=BooksState))

    # -- what happens --------------------------------------------------------------------------------------------

    def on_fill(self, fill: OrderFilled) -> None:
        """Book a fill, then tell the position and the account."""
        position = self.books.fill(self.instruments.get(fill.instrument_id), fill)
        if position is not None:
            topic = topics.position(position.account_id, position.instrument_id)
            self.publish(topic, PositionChange(ts_event=fill.ts_event, position=position))
            self._publish_account(self.books[position.account_id])

    def on_quote(self, quote: Quote) -> None:
        """Mark at the mid of a two-sided quote."""
        if quote.bid_ticks > 0 and quote.ask_ticks > 0:
            self._quoted.add(quote.instrument_id)
            self._mark(quote.instrument_id, quote.bid_ticks + quote.ask_ticks, quote.ts_event)

    def on_trade(self, trade: Trade) -> None:
        """Mark at the last trade what has no quote."""
        if trade.instrument_id not in self._quoted and trade.price_ticks > 0:
            self._mark(trade.instrument_id, 2 * trade.price_ticks, trade.ts_event)

    def on_instrument(self, instrument: Instrument) -> None:
        """Book the fills that waited for this instrument."""
        for fill in self.books.arrived(instrument):
            self.on_fill(fill)

    def _mark(self, instrument_id: str, half_ticks: int, ts_event: int) -> None:
        if self.books.mark(instrument_id, half_ticks, ts_event) and not self._due:
            self._due = True
            self.alert(self.clock.timestamp_ns() + self.config.update_ms * 1_000_000, self._on_due)

    def _on_due(self, _: TimeEvent) -> None:
        """New marks have waited long enough."""
        self._due = False
        self.settle()
        for book in list(self._unpublished.values()):
            self._publish_account(book)

    def settle(self) -> None:
        """Work the new marks into the books; whoever asks first, the accounts that changed are published when due."""
        self._unpublished |= {book.account_id: book for book in self.books.settle()}

    def _publish_account(self, book: AccountBook) -> None:
        self._unpublished.pop(book.account_id, None)
        try:
            account = self.books.state(book)
        except NotReady:
            return  # `degraded` says which rate is missing
        self.publish(topics.portfolio(book.account_id), PortfolioUpdate(ts_event=account.ts_event, account=account))

    # -- questions and deposits ----------------------------------------------------------------------------------

    def account(self, account_id: str) -> AccountView:
        """One account now; raises NotFound."""
        book = self.books[account_id]
        self.settle()
        state, reason = self._state(book)
        return AccountView(
            account_id=account_id,
            currency=book.currency,
            lot_method=book.method,
            positions=sum(bool(holding.lots.quantity_lots) for holding in book.holdings.values()),
            state=state,
            reason=reason,
            currencies=book.totals(),
        )

    def net_asset_value(self) -> NetAssetValue:
        """NAV of every account, and their sum by base currency."""
        self.settle()
        states: list[AccountState] = []
        totals: dict[str, Decimal] = {}
        missing: dict[str, str] = {}
        for book in self.books.accounts.values():
            state, reason = self._state(book)
            if state is None:
                missing[book.account_id] = reason or ""
            else:
                states.append(state)
                totals[book.currency] = totals.get(book.currency, Decimal(0)) + state.equity
        return NetAssetValue(accounts=states, totals=totals, missing=missing)

    async def pay(self, account_id: str, request: DepositRequest) -> AccountView:
        """Pay money in or out: checked, journaled, booked, durable before the answer. A known id is booked once."""
        book = self.books[account_id]
        currency = request.currency or book.currency
        reference = request.deposit_id or f"deposit-{self.store.journal.last_sequence + 1}"
        if reference in book.references:
            self._same_deposit(book, reference, request.amount, currency)
            return self.account(account_id)
        self.books.check_currency(book, currency)
        book.check_deposit(request.amount, currency)
        self._pay(book, request.amount, currency, reference, request.reason)
        await self.store.journal.flush()
        self._publish_account(book)
        return self.account(account_id)

    def _pay(self, book: AccountBook, amount: Decimal, currency: str, reference: str, reason: str) -> None:
        deposit = Deposit(
            deposit_id=reference,
            account_id=book.account_id,
            amount=amount,
            currency=currency,
            ts_event=self.clock.timestamp_ns(),
            reason=reason,
        )
        self.store.journal.append(deposit)
        self.books.deposit(deposit)

    def _same_deposit(self, book: AccountBook, reference: str, amount: Decimal, currency: str) -> None:
        for entry in reversed(book.ledger.entries):
            if entry.reference == reference:
                first = entry.postings[0]
                if entry.kind in {"deposit", "withdrawal"} and (first.amount, first.currency) == (amount, currency):
                    return
                break
        raise Conflict(f"{reference} is another event of account {book.account_id}")

    def _state(self, book: AccountBook) -> tuple[AccountState | None, str | None]:
        try:
            return self.books.state(book), None
        except NotReady as error:
            return None, str(error)
