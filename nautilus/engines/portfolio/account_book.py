"""The books of one account: fills, deposits and marks in; lots, double-entry postings, profit and NAV out, exactly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from nautilus.engines.portfolio.exact_money import ZERO, amount_of, exact
from nautilus.engines.portfolio.holding import Holding, Valuation
from nautilus.engines.portfolio.ledger import Entry, Ledger, LedgerAccount, Posting
from nautilus.engines.portfolio.lots import ClosedLot, LotMethod
from nautilus.errors import Conflict, Invalid, NotReady
from nautilus.model import AccountState, Instrument, OrderFilled, Position

MAXIMUM_QUANTITY = 10**15
MAXIMUM_HOLDINGS = 100_000
REMEMBERED_REFERENCES = 10_000


class FillResult(msgspec.Struct, frozen=True):
    """What one fill did: the lots it closed, its entry in the ledger and the position after it."""

    closed: tuple[ClosedLot, ...]
    entry: Entry
    position: Position


class CurrencyTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an account that is in one currency.

    nav = cash + market_value = capital + exchanged + realized_pnl + unrealized_pnl - fees; `realized_pnl` includes
    income such as dividends, `exchanged` is what currency exchanges brought in less what they took out.
    """

    cash: Decimal
    market_value: Decimal
    capital: Decimal
    exchanged: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    gross_exposure: Decimal
    net_exposure: Decimal
    nav: Decimal


class AccountBook:
    """The books of one account. `ts_event` is the time of the newest event or mark.

    Every event posts a balanced entry; a refused event changes nothing; an event seen before is ignored.

    >>> book = AccountBook("main", "USD")
    >>> entry = book.deposit(Decimal(1000), "USD", 0, "d-1")
    >>> str(book.totals()["USD"].nav)
    '1000'
    """

    def __init__(
        self, account_id: str, currency: str, method: LotMethod = LotMethod.FIFO, ledger_capacity: int = 10_000
    ) -> None:
        self.account_id = account_id
        self.currency = currency
        self.method = method
        self.ledger = Ledger(ledger_capacity)
        self.holdings: dict[str, Holding] = {}
        self.valuations: dict[str, Valuation] = {}
        self.references: OrderedDict[str, None] = OrderedDict()
        self.ts_event = 0

    def deposit(self, amount: Decimal, currency: str, ts_event: int, reference: str) -> Entry | None:
        """Pay money in (positive) or out (negative); None where the reference is known.

        Raises Invalid for a zero or unbounded amount, Conflict where there is less cash than is to be paid out.
        """
        if reference in self.references:
            return None
        self.check_deposit(amount, currency)
        kind = "deposit" if amount > 0 else "withdrawal"
        return self._post(kind, reference, ts_event, _transfer(currency, LedgerAccount.CAPITAL, amount))

    def check_deposit(self, amount: Decimal, currency: str) -> None:
        """Raise what `deposit` would raise, and change nothing."""
        amount = amount_of("amount", amount)
        if not amount:
            raise Invalid("amount", "must not be zero")
        cash = self.ledger.balance(LedgerAccount.CASH, currency)
        if amount < 0 and cash < amount.copy_negate():
            raise Conflict(f"account {self.account_id} has {cash} {currency}: {-amount} cannot be paid out")

    def exchange(
        self, sold: Decimal, sold_currency: str, bought: Decimal, bought_currency: str, ts_event: int, reference: str
    ) -> Entry | None:
        """Exchange cash of one currency for another, both amounts positive; None where the reference is known."""
        sold, bought = amount_of("sold", sold), amount_of("bought", bought)
        if sold <= 0 or bought <= 0 or sold_currency == bought_currency:
            raise Invalid("sold", "an exchange is of two positive amounts in two currencies")
        if reference in self.references:
            return None
        given = _transfer(sold_currency, LedgerAccount.EXCHANGE, sold.copy_negate())
        taken = _transfer(bought_currency, LedgerAccount.EXCHANGE, bought)
        return self._post("exchange", reference, ts_event, given + taken)

    def dividend(self, instrument_id: str, per_unit: Decimal, ts_event: int, reference: str) -> Entry | None:
        """Pay a cash dividend on the units held (a short position pays it); None where known or nothing is held."""
        per_unit = amount_of("per_unit", per_unit)
        holding = self.holdings.get(instrument_id)
        if reference in self.references or holding is None or not holding.lots.quantity_lots:
            return None
        instrument = holding.instrument
        with exact():
            amount = per_unit * (instrument.lot_size * holding.lots.quantity_lots) * instrument.multiplier
        return self._post("dividend", reference, ts_event, _transfer(instrument.currency, LedgerAccount.INCOME, amount))

    def fill(self, instrument: Instrument, fill: OrderFilled) -> FillResult | None:
        """Book a fill; None where its trade is known. Raises Invalid, with nothing changed, for one that cannot be."""
        reference = f"{fill.client_order_id}:{fill.trade_id}"
        if reference in self.references:
            return None
        signed, fee = fill.quantity_lots * int(fill.side), amount_of("fee", fill.fee)
        if not 0 < fill.quantity_lots <= MAXIMUM_QUANTITY or not signed:
            raise Invalid("quantity_lots", f"must be 1 to {MAXIMUM_QUANTITY} lots, bought or sold")
        with exact():
            unit_value = instrument.exact_value(fill.price_ticks, 1)
            amount_of("price_ticks", unit_value * signed)
            holding = self._holding(instrument)
            before = holding.lots.cost
            closed = holding.lots.trade(signed, unit_value, fill.ts_event, fill.trade_id)
            realized = sum((lot.realized_pnl for lot in closed), ZERO)
            holding.realized_pnl += realized
            holding.fees += fee if fill.currency == instrument.currency else ZERO
            cost_added = ZERO if holding.margined else holding.lots.cost - before
        holding.ts_event = fill.ts_event
        if holding.mark_half_ticks is None:
            holding.mark_half_ticks = 2 * fill.price_ticks
        self._revalue(holding)
        postings = _fill_postings(instrument.currency, cost_added, realized) + _transfer(
            fill.currency, LedgerAccount.FEES, fee.copy_negate()
        )
        entry = self._post("fill", reference, fill.ts_event, postings)
        return FillResult(tuple(closed), entry, holding.position(self.account_id))

    def mark(self, instrument_id: str, mark_half_ticks: int, ts_event: int) -> bool:
        """Value a position at a price in half ticks (bid + ask is the mid); True where its value changed."""
        holding = self.holdings.get(instrument_id)
        if holding is None or holding.mark_half_ticks == mark_half_ticks:
            return False
        holding.mark_half_ticks = mark_half_ticks
        if not holding.lots.quantity_lots:
            return False
        self._revalue(holding)
        self.ts_event = max(self.ts_event, ts_event)
        return True

    def totals(self) -> dict[str, CurrencyTotals]:
        """Cash, value and profit by currency, exactly; O(currencies)."""
        currencies = {self.currency: None} | dict.fromkeys(self.ledger.balances) | dict.fromkeys(self.valuations)
        return {currency: self._totals(currency) for currency in currencies}

    def _totals(self, currency: str) -> CurrencyTotals:
        def balance(account: LedgerAccount) -> Decimal:
            return self.ledger.balance(account, currency)

        worth = self.valuations.get(currency, Valuation())
        with exact():
            cash = balance(LedgerAccount.CASH)
            return CurrencyTotals(
                cash=cash,
                market_value=worth.market_value,
                capital=-balance(LedgerAccount.CAPITAL),
                exchanged=-balance(LedgerAccount.EXCHANGE),
                realized_pnl=-balance(LedgerAccount.REALIZED_PNL) - balance(LedgerAccount.INCOME),
                unrealized_pnl=worth.unrealized_pnl,
                fees=balance(LedgerAccount.FEES),
                gross_exposure=worth.gross_exposure,
                net_exposure=worth.net_exposure,
                nav=cash + worth.market_value,
            )

    def state(self, rates: Mapping[str, Decimal] | None = None) -> AccountState:
        """The account in its base currency. `rates`: base units for one unit of each other currency held.

        Amounts of other currencies are translated at the present rates; what this makes of exchanged money counts as
        unrealised profit. Raises NotReady where a rate is needed and missing.
        """
        rates = {**(rates or {}), self.currency: Decimal(1)}
        sums = dict.fromkeys(CurrencyTotals.__struct_fields__, ZERO)
        with exact():
            for currency, totals in self.totals().items():
                amounts = {name: getattr(totals, name) for name in sums}
                if not any(amounts.values()):
                    continue
                if currency not in rates:
                    raise NotReady(
                        f"account {self.account_id} holds {currency} and there is no {self.currency} rate for it"
                    )
                for name, amount in amounts.items():
                    sums[name] += amount * rates[currency]
            return AccountState(
                account_id=self.account_id,
                currency=self.currency,
                cash=sums["cash"],
                deposits=sums["capital"],
                market_value=sums["market_value"],
                realized_pnl=sums["realized_pnl"],
                unrealized_pnl=sums["unrealized_pnl"] + sums["exchanged"],
                fees=sums["fees"],
                equity=sums["nav"],
                gross_exposure=sums["gross_exposure"],
                net_exposure=sums["net_exposure"],
                ts_event=self.ts_event,
            )

    def position(self, instrument_id: str) -> Position | None:
        """The position in one instrument, None where it was never traded."""
        holding = self.holdings.get(instrument_id)
        return holding.position(self.account_id) if holding else None

    def restore_holding(self, holding: Holding) -> None:
        """Take a position as saved, with its lots and mark; its instrument must not be held yet."""
        self.holdings[holding.instrument.id] = holding
        self._revalue(holding)

    def _holding(self, instrument: Instrument) -> Holding:
        holding = self.holdings.get(instrument.id)
        if holding is None:
            if len(self.holdings) >= MAXIMUM_HOLDINGS:
                raise Conflict(f"account {self.account_id} has traded {MAXIMUM_HOLDINGS} instruments already")
            holding = self.holdings[instrument.id] = Holding(instrument, self.method)
        return holding

    def _revalue(self, holding: Holding) -> None:
        currency, new = holding.instrument.currency, holding.value()
        with exact():
            self.valuations[currency] = self.valuations.get(currency, Valuation()).replaced(holding.valuation, new)
        holding.valuation = new

    def _post(self, kind: str, reference: str, ts_event: int, postings: tuple[Posting, ...]) -> Entry:
        entry = self.ledger.post(kind, reference, ts_event, postings)
        self.references[reference] = None
        if len(self.references) > REMEMBERED_REFERENCES:
            self.references.popitem(last=False)
        self.ts_event = max(self.ts_event, ts_event)
        return entry


def _transfer(currency: str, source: LedgerAccount, amount: Decimal) -> tuple[Posting, ...]:
    """Cash up by `amount`, from `source`."""
    return (
        Posting(LedgerAccount.CASH, currency, amount),
        Posting(source, currency, amount.copy_negate()),
    )


def _fill_postings(currency: str, cost_added: Decimal, realized: Decimal) -> tuple[Posting, ...]:
    """Securities up by the cost added, profit up by what was realised, and cash by the difference."""
    with exact():
        cash = realized - cost_added
    return (
        Posting(LedgerAccount.SECURITIES, currency, cost_added),
        Posting(LedgerAccount.REALIZED_PNL, currency, realized.copy_negate()),
        Posting(LedgerAccount.CASH, currency, cash),
    )
