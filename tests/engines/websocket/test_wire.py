"""Messages leave with prices a person reads, exactly those of the instrument's grid."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.websocket.wire import human
from nautilus.model import Instrument, InstrumentRegistry, Side
from nautilus.model.enums import OrderType
from nautilus.model.market import Bar, BookDelta, BookDepth
from nautilus.model.messages import PositionChange, VpinCalculation
from nautilus.model.orders import OrderFilled, OrderInitialized, SubmitOrder
from nautilus.model.positions import Position
from nautilus.testing import make_instrument, make_quote, make_trade


@pytest.fixture
def known() -> InstrumentRegistry:
    registry = InstrumentRegistry()
    registry.add(make_instrument(lot_size=Decimal("0.1")))
    return registry


def test_a_quote_has_ticks_and_prices(known: InstrumentRegistry) -> None:
    plain = human(make_quote(bid_ticks=58788, ask_ticks=58790, bid_lots=15), known)
    assert (plain["bid_ticks"], plain["bid"], plain["ask"], plain["bid_size"]) == (58788, 587.88, 587.9, 1.5)


def test_a_depth_has_both_for_each_level(known: InstrumentRegistry) -> None:
    plain = human(BookDepth("TEST.SIM", ((100, 5),), ((101, 7),), 1, 2), known)
    assert plain["bids"] == [(100, 5, 1.0, 0.5)]
    assert plain["asks"] == [(101, 7, 1.01, 0.7)]


def test_a_bar_reads_open_high_low_close_and_volume(known: InstrumentRegistry) -> None:
    plain = human(Bar("TEST.SIM", "60s", 100, 110, 90, 105, 50, 20, 3, 1, 2, 2), known)
    assert [plain[name] for name in ("open", "high", "low", "close", "volume", "buy_volume")] == [
        1.0, 1.1, 0.9, 1.05, 5.0, 2.0,
    ]  # fmt: skip


def test_prices_are_added_inside_too_and_unset_ones_stay_unset(known: InstrumentRegistry) -> None:
    order = SubmitOrder(
        client_order_id="a",
        strategy_id="s",
        account_id="x",
        instrument_id="TEST.SIM",
        side=Side.BUY,
        order_type=OrderType.STOP,
        quantity_lots=10,
        trigger_ticks=123,
    )
    event = OrderInitialized(
        client_order_id="a",
        strategy_id="s",
        account_id="x",
        instrument_id="TEST.SIM",
        ts_event=1,
        ts_init=1,
        order=order,
    )
    inner = human(event, known)["order"]
    assert (inner["price_ticks"], inner["price"]) == (None, None)
    assert (inner["trigger_price"], inner["quantity"]) == (1.23, 1.0)


def test_money_stays_exact_text(known: InstrumentRegistry) -> None:
    position = Position(
        account_id="x",
        instrument_id="TEST.SIM",
        quantity_lots=-10,
        average_price_ticks=100.5,
        cost=Decimal("-100.10"),
        realized_pnl=Decimal(0),
        fees=Decimal("0.1"),
        mark_ticks=None,
        market_value=None,
        unrealized_pnl=None,
        currency="USD",
        ts_event=1,
    )
    inner = human(PositionChange(ts_event=1, position=position), known)["position"]
    assert (inner["cost"], inner["quantity"], inner["average_price"], inner["mark_price"]) == (
        "-100.10", -1.0, 1.005, None,
    )  # fmt: skip


def test_an_unknown_instrument_leaves_ticks_alone() -> None:
    empty = InstrumentRegistry()
    for message in (make_quote(), make_trade(), BookDelta("TEST.SIM", Side.BUY, 1, 2, True, 0, 0)):
        assert human(message, empty) == msgspec.to_builtins(message)
    assert human(BookDepth("TEST.SIM", ((1, 2),), (), 0, 0), empty)["bids"] == [(1, 2)]


def test_lots_of_other_names_get_a_name_too(known: InstrumentRegistry) -> None:
    vpin = VpinCalculation(
        ts_event=1,
        instrument_id="TEST.SIM",
        vpin=0.5,
        cdf=None,
        level="low",
        classification="bulk",
        bucket_index=1,
        bucket_lots=100,
        buy_lots=60,
        sell_lots=40,
    )
    plain = human(vpin, known)
    assert (plain["bucket_quantity"], plain["buy_volume"], plain["sell_volume"]) == (10.0, 6.0, 4.0)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["0.01", "0.25", "0.0001", "1", "5"]))
def test_the_short_ways_agree_with_the_general_one(ticks: int, tick_size: str) -> None:
    registry = InstrumentRegistry()
    instrument: Instrument = make_instrument(tick_size=Decimal(tick_size))
    registry.add(instrument)
    fill = OrderFilled(
        client_order_id="a", strategy_id="s", account_id="x", instrument_id="TEST.SIM", ts_event=1, ts_init=1,
        venue_order_id="v", trade_id="t", side=Side.BUY, quantity_lots=1, price_ticks=ticks, fee="0", currency="USD",
        liquidity="taker", rule="cross", bid_ticks=ticks, ask_ticks=ticks,
    )  # fmt: skip
    general = human(fill, registry)
    assert human(make_quote(bid_ticks=ticks, ask_ticks=ticks), registry)["bid"] == general["bid"]
    assert human(make_trade(price_ticks=ticks), registry)["price"] == general["price"]
    assert Decimal(repr(general["price"])) == instrument.exact_price(ticks)
