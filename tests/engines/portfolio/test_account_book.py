"""The books of an account balance after every event."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.portfolio.account_book import AccountBook
from nautilus.engines.portfolio.book_state import BookState, rebuilt, saved
from nautilus.engines.portfolio.ledger import Ledger, LedgerAccount, Posting, UnbalancedEntry
from nautilus.engines.portfolio.lots import LotMethod
from nautilus.errors import Conflict, Invalid, NotReady
from nautilus.model import AssetClass, Instrument, OrderFilled, Side

STOCK = Instrument(id="AAPL.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"))
EURO = Instrument(id="SAP.XETR", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.002"), currency="EUR")
FUTURE = Instrument(id="ESZ5.XCME", asset_class=AssetClass.FUTURE, tick_size=Decimal("0.25"), multiplier=Decimal(50))
COIN = Instrument(id="BTC-USD.GDAX", asset_class=AssetClass.CRYPTO, tick_size=Decimal("1E-8"), lot_size=Decimal("1E-8"))


def fill(instrument, quantity, ticks, trade_id="t", fee="0", ts=1, currency=None):
    return OrderFilled(
        client_order_id="o",
        strategy_id="s",
        account_id="main",
        instrument_id=instrument.id,
        ts_event=ts,
        ts_init=ts,
        venue_order_id="v",
        trade_id=trade_id,
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity_lots=abs(quantity),
        price_ticks=ticks,
        fee=fee,
        currency=currency or instrument.currency,
        liquidity="taker",
        rule="test",
    )


def balanced(book):
    """The three identities that must hold after every event, exactly."""
    assert not any(book.ledger.imbalance().values())
    for currency, totals in book.totals().items():
        held = [item for item in book.holdings.values() if item.instrument.currency == currency]
        assert totals.nav == totals.cash + totals.market_value
        right = totals.capital + totals.exchanged + totals.realized_pnl + totals.unrealized_pnl - totals.fees
        assert totals.nav == right
        paid = sum(item.lots.cost for item in held if not item.margined)
        assert book.ledger.balance(LedgerAccount.SECURITIES, currency) == paid
        assert totals.market_value == sum(item.value().market_value for item in held)
    return True


events = st.one_of(
    st.tuples(
        st.just("fill"),
        st.sampled_from([STOCK, EURO, FUTURE, COIN]),
        st.integers(-1000, 1000).filter(bool),
        st.integers(1, 10**7),
        st.decimals(-5, 5, places=7),
    ),
    st.tuples(st.just("deposit"), st.decimals(1, 10**9, places=6), st.sampled_from(["USD", "EUR"])),
    st.tuples(st.just("mark"), st.sampled_from([STOCK, EURO, FUTURE, COIN]), st.integers(1, 10**7)),
    st.tuples(st.just("exchange"), st.decimals(1, 1000, places=2), st.decimals(1, 1000, places=4)),
    st.tuples(st.just("dividend"), st.sampled_from([STOCK, EURO]), st.decimals(0, 3, places=5)),
)


def run(book, sequence):
    for index, event in enumerate(sequence):
        match event:
            case ("fill", instrument, quantity, ticks, fee):
                book.fill(instrument, fill(instrument, quantity, ticks, str(index), str(fee), index))
            case ("deposit", amount, currency):
                book.deposit(amount, currency, index, f"d-{index}")
            case ("mark", instrument, half_ticks):
                book.mark(instrument.id, half_ticks, index)
            case ("exchange", sold, bought):
                book.exchange(sold, "USD", bought, "EUR", index, f"x-{index}")
            case ("dividend", instrument, per_unit):
                book.dividend(instrument.id, per_unit, index, f"i-{index}")
        balanced(book)


@settings(max_examples=60)
@given(st.sampled_from(LotMethod), st.lists(events, max_size=30))
def test_the_books_balance_after_every_event(method, sequence):
    book = AccountBook("main", "USD", method)
    run(book, sequence)
    state = book.state({"EUR": Decimal("1.0833")})
    assert state.equity == state.cash + state.market_value
    assert state.equity == state.deposits + state.realized_pnl + state.unrealized_pnl - state.fees


@settings(max_examples=30)
@given(st.sampled_from(LotMethod), st.lists(events, max_size=20), st.lists(events, max_size=10))
def test_saved_books_go_on_as_if_never_interrupted(method, before, after):
    book = AccountBook("main", "USD", method)
    run(book, before)
    again = rebuilt(msgspec.msgpack.decode(msgspec.msgpack.encode(saved(book)), type=BookState))
    for each in (book, again):
        for index, event in enumerate(after, start=1000):
            if event[0] == "fill":
                _, instrument, quantity, ticks, fee = event
                each.fill(instrument, fill(instrument, quantity, ticks, str(index), str(fee), index))
            elif event[0] == "mark":
                each.mark(event[1].id, event[2], index)
    assert saved(again) == saved(book)
    assert again.totals() == book.totals()


def test_long_short_and_a_flip_by_hand():
    book = AccountBook("main", "USD")
    book.deposit(Decimal(10_000), "USD", 0, "d")
    book.fill(STOCK, fill(STOCK, 100, 1000, "1", "1.00"))
    result = book.fill(STOCK, fill(STOCK, -150, 1100, "2", "1.50"))
    assert [str(lot.realized_pnl) for lot in result.closed] == ["100.00"]
    assert result.position.quantity_lots == -50
    assert result.position.average_price_ticks == 1100
    book.mark(STOCK.id, 2 * 1090, 5)
    totals = book.totals()["USD"]
    assert totals.cash == Decimal("10647.50")
    assert totals.market_value == Decimal("-545.00")
    assert totals.unrealized_pnl == Decimal("5.00")
    assert totals.fees == Decimal("2.50")
    assert totals.nav == Decimal("10102.50")
    assert totals.gross_exposure == 545
    assert totals.net_exposure == -545


def test_a_future_moves_cash_only_by_profit_and_fees():
    book = AccountBook("main", "USD")
    book.deposit(Decimal(100_000), "USD", 0, "d")
    book.fill(FUTURE, fill(FUTURE, 2, 20_000, "1", "4.50"))
    book.mark(FUTURE.id, 2 * 20_010, 2)
    totals = book.totals()["USD"]
    assert totals.cash == Decimal("99995.50")
    assert totals.market_value == Decimal(250)
    assert totals.gross_exposure == Decimal(500250)
    book.fill(FUTURE, fill(FUTURE, -2, 20_020, "2", "4.50", 3))
    assert book.totals()["USD"].cash == Decimal("100491.00")
    assert book.totals()["USD"].market_value == 0


def test_a_known_trade_changes_nothing():
    book = AccountBook("main", "USD")
    assert book.fill(STOCK, fill(STOCK, 1, 100)) is not None
    before = saved(book)
    assert book.fill(STOCK, fill(STOCK, 1, 100)) is None
    assert book.deposit(Decimal(1), "USD", 0, "d") is not None
    assert book.deposit(Decimal(1), "USD", 0, "d") is None
    assert saved(book).holdings == before.holdings


@pytest.mark.parametrize(
    "bad",
    [
        {"quantity_lots": 0},
        {"quantity_lots": 10**16},
        {"side": Side.NONE},
        {"fee": "NaN"},
        {"fee": "much"},
        {"fee": "1E-30"},
        {"price_ticks": 10**20},
    ],
)
def test_a_refused_fill_changes_nothing(bad):
    book = AccountBook("main", "USD")
    book.fill(STOCK, fill(STOCK, 1, 100, "1"))
    before = msgspec.msgpack.encode(saved(book))
    with pytest.raises(Invalid):
        book.fill(STOCK, msgspec.structs.replace(fill(STOCK, 1, 100, "2"), **bad))
    assert msgspec.msgpack.encode(saved(book)) == before


def test_money_that_is_not_there_is_not_paid_out():
    book = AccountBook("main", "USD")
    book.deposit(Decimal(100), "USD", 0, "d")
    with pytest.raises(Conflict, match="cannot be paid out"):
        book.deposit(Decimal("-100.01"), "USD", 1, "w")
    assert book.deposit(Decimal(-100), "USD", 1, "w") is not None
    with pytest.raises(Invalid):
        book.deposit(Decimal(0), "USD", 1, "z")
    with pytest.raises(Invalid):
        book.deposit(Decimal("Infinity"), "USD", 1, "z")


def test_a_missing_exchange_rate_is_said_not_guessed():
    book = AccountBook("main", "USD")
    book.fill(EURO, fill(EURO, 1, 100))
    with pytest.raises(NotReady, match="EUR"):
        book.state()
    assert book.state({"EUR": Decimal("1.1")}).equity == 0


def test_a_short_position_pays_the_dividend():
    book = AccountBook("main", "USD")
    book.fill(STOCK, fill(STOCK, -10, 100))
    book.dividend(STOCK.id, Decimal("0.25"), 2, "q1")
    assert book.totals()["USD"].realized_pnl == Decimal("-2.5")
    assert book.dividend("NONE.XNAS", Decimal(1), 2, "q2") is None


def test_an_unbalanced_entry_is_refused():
    ledger = Ledger()
    with pytest.raises(UnbalancedEntry):
        ledger.post("wrong", "x", 0, (Posting(LedgerAccount.CASH, "USD", Decimal(1)),))
    with pytest.raises(UnbalancedEntry):
        ledger.post(
            "mixed",
            "x",
            0,
            (Posting(LedgerAccount.CASH, "USD", Decimal(1)), Posting(LedgerAccount.CAPITAL, "EUR", Decimal(-1))),
        )
    assert not ledger.balances
    assert ledger.sequence == 0


def test_histories_are_bounded(monkeypatch):
    monkeypatch.setattr("nautilus.engines.portfolio.account_book.REMEMBERED_REFERENCES", 5)
    book = AccountBook("main", "USD", ledger_capacity=3)
    for index in range(20):
        book.deposit(Decimal(1), "USD", index, str(index))
    assert len(book.ledger.entries) == 3
    assert len(book.references) == 5
    assert book.ledger.entries[-1].sequence == 20
