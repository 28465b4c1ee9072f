"""The strategies that come with Nautilus, on a floor of their own."""

from typing import Any

import pytest
import structlog

from nautilus.engines.strategy.desk import Desk
from nautilus.engines.strategy.strategies.ema_cross import EmaCross, EmaCrossConfig
from nautilus.engines.strategy.strategies.vpin_market_maker import VpinMarketMaker, VpinMarketMakerConfig
from nautilus.engines.strategy.strategy import Strategy
from nautilus.errors import Conflict, Invalid
from nautilus.model import Bar, OrderStatus, Side
from nautilus.model.messages import ToxicityAlert, VpinCalculation
from nautilus.testing import Capture, make_quote
from tests.engines.strategy.floor import Floor

SECOND = 1_000_000_000


def connect(strategy: Strategy[Any], floor: Floor) -> None:
    desk = Desk(
        "s",
        "main",
        orders=floor.manager,
        clock=floor.clock,
        instruments=floor.instruments,
        publish=floor.bus.publish,
        log=structlog.get_logger(),
    )
    desk.may_trade = True
    strategy.bind(desk)
    strategy.on_start()


def show(strategy: Strategy[Any], floor: Floor, bid: int, ask: int) -> None:
    """The venue sees a quote first, then the strategy; a second passes."""
    floor.quote(bid, ask, 1_000, 1_000)
    strategy.on_quote(make_quote("TEST.SIM", bid, ask, 1_000, 1_000, floor.clock.timestamp_ns()))
    floor.advance(SECOND)


# -- ema cross ---------------------------------------------------------------------------------------------------------


def ema_cross(**changes: Any) -> EmaCross:
    return EmaCross(
        EmaCrossConfig(**{"instrument_ids": ("TEST.SIM",), "fast": 2, "slow": 4, "trade_lots": 10, **changes})
    )


def test_ema_cross_turns_with_the_averages(floor: Floor) -> None:
    strategy = ema_cross()
    connect(strategy, floor)
    signals: Capture[Any] = Capture(floor.bus, "signal.>")
    held = []
    for bid in (100, 100, 100, 99, 98, 97, 103, 109, 110, 104, 98, 95):
        show(strategy, floor, 10_000 + bid, 10_001 + bid)
        held.append(strategy.position("TEST.SIM"))
    assert held == [0, 0, 0, 0, 0, 0, 10, 10, 10, 10, -10, -10]
    assert [signal.side for signal in signals.messages] == [Side.BUY, Side.SELL]


def test_ema_cross_equals_the_textbook_recursion(floor: Floor) -> None:
    strategy = ema_cross(fast=3, slow=10)
    connect(strategy, floor)
    fast = slow = 0.0
    for number, close in enumerate((100, 102, 101, 105, 103, 108)):
        strategy.on_bar(Bar("TEST.SIM", "1s", close, close, close, close, 1, 1, 1, 0, 1, 1))
        fast = close if not number else 0.5 * close + 0.5 * fast
        slow = close if not number else 2 / 11 * close + 9 / 11 * slow
    assert strategy.save()["TEST.SIM"][:3] == [pytest.approx(fast), pytest.approx(slow), 6]


def test_equal_averages_change_nothing(floor: Floor) -> None:
    strategy = ema_cross()
    connect(strategy, floor)
    for _ in range(20):
        show(strategy, floor, 10_000, 10_001)
    assert not floor.events.messages


def test_ema_cross_long_only_goes_flat(floor: Floor) -> None:
    strategy = ema_cross(long_only=True)
    connect(strategy, floor)
    for bid in (100, 100, 100, 99, 98, 103, 109, 104, 98, 95):
        show(strategy, floor, 10_000 + bid, 10_001 + bid)
    assert strategy.position("TEST.SIM") == 0
    assert len(floor.fill_events) == 2


def test_ema_cross_goes_on_where_it_was_saved(floor: Floor) -> None:
    one, other = ema_cross(), ema_cross()
    connect(one, floor)
    for bid in (100, 100, 99, 97):
        show(one, floor, 10_000 + bid, 10_001 + bid)
    other.load(one.save())
    assert other.save() == one.save()


def test_the_fast_average_must_be_the_faster_one() -> None:
    with pytest.raises(Invalid, match="less than slow"):
        ema_cross(fast=5, slow=5)


def test_a_strategy_that_is_not_deployed_says_so() -> None:
    with pytest.raises(Conflict, match="not deployed"):
        ema_cross().buy("TEST.SIM", 1)


# -- market maker ------------------------------------------------------------------------------------------------------


def market_maker(**changes: Any) -> VpinMarketMaker:
    values = {"instrument_ids": ("TEST.SIM",), "order_lots": 100, "max_position_lots": 250, "arrival_decay": 0.25}
    return VpinMarketMaker(VpinMarketMakerConfig(**{**values, **changes}))


def vpin(value: float, cdf: float | None) -> VpinCalculation:
    return VpinCalculation(
        ts_event=0,
        instrument_id="TEST.SIM",
        vpin=value,
        cdf=cdf,
        level="normal",
        classification="true",
        bucket_index=1,
        bucket_lots=1,
        buy_lots=1.0,
        sell_lots=0.0,
    )


def quotes(floor: Floor) -> dict[Side, tuple[int | None, int]]:
    return {order.request.side: (order.price_ticks, order.remaining_lots) for order in floor.record.open_orders("s")}


def test_the_market_maker_quotes_around_the_mid_price(floor: Floor) -> None:
    strategy = market_maker()
    connect(strategy, floor)
    show(strategy, floor, 10_000, 10_010)
    assert quotes(floor) == {Side.BUY: (10_001, 100), Side.SELL: (10_009, 100)}
    show(strategy, floor, 10_002, 10_012)
    assert quotes(floor)[Side.BUY][0] > 10_001
    assert [order.status for order in floor.record.open_orders("s")] == [OrderStatus.ACCEPTED] * 2


def test_toxic_flow_widens_and_shrinks_the_quotes(floor: Floor) -> None:
    strategy = market_maker()
    connect(strategy, floor)
    calm = strategy.prices(0.0, 0.0, 10_005.0, 0.0)
    strategy.on_vpin(vpin(0.9, cdf=1.0))
    show(strategy, floor, 10_000, 10_010)
    (bid, bid_lots), (ask, ask_lots) = quotes(floor)[Side.BUY], quotes(floor)[Side.SELL]
    assert (bid_lots, ask_lots) == (20, 20)
    assert bid < calm[0]
    assert ask > calm[1]


def test_the_score_is_vpin_itself_while_there_is_no_percentile(floor: Floor) -> None:
    strategy = market_maker()
    connect(strategy, floor)
    strategy.on_vpin(vpin(0.5, cdf=None))
    show(strategy, floor, 10_000, 10_010)
    assert quotes(floor)[Side.BUY][1] == 60


def test_inventory_moves_both_quotes_against_it(floor: Floor) -> None:
    strategy = market_maker()
    flat, long, short = (strategy.prices(20.0, 0.0, 10_000.0, inventory) for inventory in (0.0, 1.0, -1.0))
    assert long[0] < flat[0] < short[0]
    assert long[1] < flat[1] < short[1]


def test_a_full_position_is_not_added_to(floor: Floor) -> None:
    strategy = market_maker(order_lots=100, max_position_lots=100)
    connect(strategy, floor)
    strategy.buy("TEST.SIM", 100)
    floor.advance(0)
    show(strategy, floor, 10_000, 10_010)
    assert set(quotes(floor)) == {Side.SELL}


def test_extreme_toxicity_pulls_the_quotes_until_it_is_over(floor: Floor) -> None:
    strategy = market_maker()
    connect(strategy, floor)
    show(strategy, floor, 10_000, 10_010)
    alert = ToxicityAlert(ts_event=0, instrument_id="TEST.SIM", level="extreme", active=True, vpin=0.9, cdf=1.0)
    strategy.on_toxicity(alert)
    floor.advance(0)
    show(strategy, floor, 10_000, 10_010)
    assert quotes(floor) == {}
    strategy.on_toxicity(
        ToxicityAlert(ts_event=0, instrument_id="TEST.SIM", level="high", active=True, vpin=0.7, cdf=0.8)
    )
    show(strategy, floor, 10_000, 10_010)
    assert len(quotes(floor)) == 2


def test_the_market_maker_takes_over_its_quotes_after_a_restart(floor: Floor) -> None:
    first = market_maker()
    connect(first, floor)
    show(first, floor, 10_000, 10_010)
    connect(market_maker(), floor)
    assert len(quotes(floor)) == 2
    again = market_maker()
    connect(again, floor)
    show(again, floor, 10_000, 10_010)
    assert len(floor.record.open_orders("s")) == 2


def test_quotes_are_not_changed_more_often_than_configured(floor: Floor) -> None:
    strategy = market_maker(requote_seconds=0.5)
    connect(strategy, floor)
    for step in range(10):
        floor.quote(10_000 + step, 10_010 + step, 1_000, 1_000)
        strategy.on_quote(
            make_quote("TEST.SIM", 10_000 + step, 10_010 + step, 1_000, 1_000, floor.clock.timestamp_ns())
        )
        floor.advance(SECOND // 10)
    assert len(floor.gate.commands) == 4
