"""What fills an order, at what price, by which rule; every time in force and instruction."""

from collections.abc import Callable
from typing import Any

import pytest

from nautilus.engines.strategy.matching import (
    LIMIT_TAKES,
    MARKET_TAKES,
    QUOTE_CROSSES,
    STOP_TAKES,
    TRADE_AT_LIMIT,
    TRADE_THROUGH,
)
from nautilus.engines.strategy.queue_position import ProbabilisticQueue
from nautilus.model import ModifyOrder, OrderStatus, Side, TimeInForce
from nautilus.testing import START_NS

DAY_NS = 86_400_000_000_000

# -- taking ----------------------------------------------------------------------------------------------------------


def test_a_market_order_takes_the_quoted_lots_and_waits_for_more(floor: Any) -> None:
    order = floor.buy(150)
    assert floor.fills() == [(100, 10_001, MARKET_TAKES)]
    floor.quote(10_000, 10_001)
    assert len(floor.fills()) == 1, "the same lots cannot be taken twice"
    floor.quote(10_001, 10_002)
    assert floor.fills()[1:] == [(50, 10_002, MARKET_TAKES)]
    assert order.average_price_ticks == pytest.approx((100 * 10_001 + 50 * 10_002) / 150)


def test_a_market_order_walks_the_levels_of_the_book(floor: Any) -> None:
    for price, lots in ((10_001, 100), (10_002, 30), (10_004, 500)):
        floor.level(Side.SELL, price, lots)
    floor.buy(200)
    assert floor.fills() == [(100, 10_001, MARKET_TAKES), (30, 10_002, MARKET_TAKES), (70, 10_004, MARKET_TAKES)]
    floor.buy(500)
    assert floor.fills()[3:] == [(430, 10_004, MARKET_TAKES)]


def test_depth_that_disagrees_with_the_quote_is_not_used(floor: Any) -> None:
    floor.level(Side.SELL, 10_003, 500)
    floor.buy(150)
    assert floor.fills() == [(100, 10_001, MARKET_TAKES)]


def test_a_market_order_without_a_market_is_rejected(make_floor: Callable[..., Any]) -> None:
    floor = make_floor()
    assert floor.buy(1).status is OrderStatus.REJECTED
    floor.quote(10_000, 10_001, ask_lots=0)
    order = floor.buy(1)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "there is no market to trade with")


def test_a_marketable_limit_takes_up_to_its_price_and_rests(floor: Any) -> None:
    for price, lots in ((10_001, 100), (10_002, 30)):
        floor.level(Side.SELL, price, lots)
    order = floor.buy(200, 10_001)
    assert floor.fills() == [(100, 10_001, LIMIT_TAKES)]
    assert order.status is OrderStatus.PARTIALLY_FILLED
    floor.trade(10_000, 40, Side.SELL)
    assert floor.fills()[1:] == [(40, 10_001, TRADE_THROUGH)]


def test_a_fill_carries_the_market_that_made_it_and_an_exact_fee(floor: Any) -> None:
    floor.buy(10)
    fill = floor.fill_events.messages[0]
    assert (fill.bid_ticks, fill.ask_ticks, fill.liquidity, fill.rule) == (10_000, 10_001, "taker", MARKET_TAKES)
    assert float(fill.fee) == pytest.approx(10 * 100.01 * 0.3e-4, rel=1e-12)
    assert (fill.trade_id, fill.venue_order_id) == ("SIM-T1", "SIM-1")


# -- resting ---------------------------------------------------------------------------------------------------------


def test_an_order_at_the_touch_waits_behind_what_is_displayed(floor: Any) -> None:
    order = floor.buy(30, 10_000)
    floor.trade(10_000, 60, Side.SELL)
    assert floor.fills() == []
    floor.trade(10_000, 50, Side.SELL)
    assert floor.fills() == [(10, 10_000, TRADE_AT_LIMIT)]
    floor.trade(10_000, 15, Side.SELL)
    floor.trade(10_000, 15, Side.SELL)
    assert [fill[0] for fill in floor.fills()] == [10, 15, 5]
    assert order.status is OrderStatus.FILLED
    assert {fill.liquidity for fill in floor.fill_events.messages} == {"maker"}


def test_a_trade_by_a_buyer_does_not_reach_a_bid(floor: Any) -> None:
    floor.buy(30, 10_000)
    floor.trade(10_000, 500, Side.BUY)
    assert floor.fills() == []


def test_a_shrinking_level_moves_an_order_forward(floor: Any) -> None:
    floor.buy(30, 10_000)
    floor.quote(10_000, 10_001, bid_lots=5)
    floor.quote(10_000, 10_001, bid_lots=400)
    floor.trade(10_000, 7, Side.SELL)
    assert floor.fills() == [(2, 10_000, TRADE_AT_LIMIT)]


def test_cancellations_can_move_an_order_forward_in_proportion(make_floor: Callable[..., Any]) -> None:
    floor = make_floor(queue=ProbabilisticQueue(1.0))
    floor.quote(10_000, 10_001, bid_lots=50)
    floor.buy(30, 10_000)
    floor.quote(10_000, 10_001, bid_lots=100)
    floor.quote(10_000, 10_001, bid_lots=80)
    floor.trade(10_000, 41, Side.SELL)
    assert floor.fills() == [(1, 10_000, TRADE_AT_LIMIT)], "50 in front of 100; of 20 cancelled 10 were in front"


def test_the_queue_follows_the_level_in_the_book(floor: Any) -> None:
    for price, lots in ((10_000, 100), (9_999, 70)):
        floor.level(Side.BUY, price, lots)
    floor.buy(30, 9_999)
    floor.level(Side.BUY, 9_999, 20)
    floor.level(Side.BUY, 10_000, 0)
    floor.quote(9_999, 10_001, bid_lots=20)
    floor.trade(9_999, 25, Side.SELL)
    assert floor.fills() == [(5, 9_999, TRADE_AT_LIMIT)]


def test_an_order_behind_the_quote_learns_its_place_when_the_market_comes(floor: Any) -> None:
    floor.buy(30, 9_998)
    floor.trade(9_998, 500, Side.SELL)
    assert floor.fills() == [], "nobody knows what was in front"
    floor.quote(9_998, 10_001, bid_lots=40)
    floor.trade(9_998, 45, Side.SELL)
    assert floor.fills() == [(5, 9_998, TRADE_AT_LIMIT)]


def test_an_order_that_improves_the_market_is_first(floor: Any) -> None:
    floor.quote(10_000, 10_003)
    floor.buy(30, 10_001)
    floor.trade(10_001, 4, Side.SELL)
    assert floor.fills() == [(4, 10_001, TRADE_AT_LIMIT)]


def test_a_trade_through_the_price_fills_up_to_its_size_in_price_time_order(floor: Any) -> None:
    far, near = floor.buy(30, 9_995), floor.buy(30, 9_996)
    late = floor.buy(30, 9_996)
    floor.trade(9_990, 70, Side.SELL)
    assert [(fill.client_order_id, fill.quantity_lots, fill.price_ticks) for fill in floor.fill_events.messages] == [
        (near.client_order_id, 30, 9_996),
        (late.client_order_id, 30, 9_996),
        (far.client_order_id, 10, 9_995),
    ]
    assert {fill[2] for fill in floor.fills()} == {TRADE_THROUGH}


def test_a_crossing_quote_fills_a_resting_order_at_its_own_price(floor: Any) -> None:
    floor.buy(30, 9_999)
    floor.quote(9_997, 9_998, ask_lots=20)
    assert floor.fills() == [(20, 9_999, QUOTE_CROSSES)]
    floor.quote(9_997, 9_998, ask_lots=20)
    assert len(floor.fills()) == 1, "what the quote shows meets us once"
    floor.quote(9_997, 9_999, ask_lots=50)
    assert floor.fills()[1:] == [(10, 9_999, QUOTE_CROSSES)]


def test_a_crossed_quote_proves_nothing(floor: Any) -> None:
    floor.buy(30, 9_999)
    floor.quote(9_999, 9_999)
    floor.quote(10_002, 9_999)
    assert floor.fills() == []


def test_sells_mirror_buys(floor: Any) -> None:
    floor.sell(30, 10_001)
    floor.trade(10_001, 105, Side.BUY)
    floor.trade(10_005, 5, Side.BUY)
    floor.quote(10_003, 10_004)
    assert floor.fills() == [(5, 10_001, TRADE_AT_LIMIT), (5, 10_001, TRADE_THROUGH), (20, 10_001, QUOTE_CROSSES)]


# -- time in force and instructions ------------------------------------------------------------------------------------


def test_immediate_or_cancel_takes_what_is_there(floor: Any) -> None:
    order = floor.buy(150, 10_001, time_in_force=TimeInForce.IOC)
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 100)
    assert floor.venue.working == 0


def test_immediate_or_cancel_without_a_match_is_cancelled_unfilled(floor: Any) -> None:
    order = floor.buy(150, 10_000, time_in_force=TimeInForce.IOC)
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 0)


def test_fill_or_kill_is_all_or_nothing(floor: Any) -> None:
    killed = floor.buy(101, 10_001, time_in_force=TimeInForce.FOK)
    filled = floor.buy(100, 10_001, time_in_force=TimeInForce.FOK)
    assert (killed.status, killed.filled_lots) == (OrderStatus.CANCELED, 0)
    assert (filled.status, filled.filled_lots) == (OrderStatus.FILLED, 100)


def test_fill_or_kill_counts_what_earlier_orders_took(floor: Any) -> None:
    floor.buy(60)
    assert floor.buy(60, 10_001, time_in_force=TimeInForce.FOK).status is OrderStatus.CANCELED


def test_a_day_order_expires_at_the_end_of_the_day(make_floor: Callable[..., Any]) -> None:
    for day_end_ns in (0, 21 * 3_600_000_000_000, 23 * 3_600_000_000_000):
        floor = make_floor(day_end_ns=day_end_ns)
        floor.quote(10_000, 10_001)
        order = floor.buy(10, 9_990, time_in_force=TimeInForce.DAY)
        end = START_NS - (START_NS - day_end_ns) % DAY_NS + DAY_NS
        floor.advance(end - START_NS - 1)
        assert order.status is OrderStatus.ACCEPTED
        floor.advance(1)
        assert (order.status, order.ts_last) == (OrderStatus.EXPIRED, end)


def test_a_good_till_date_order_expires_then_and_not_after_it_is_closed(floor: Any) -> None:
    terms = {"time_in_force": TimeInForce.GTD, "expire_ns": START_NS + 1_000}
    order, other = floor.buy(10, 9_990, **terms), floor.buy(10, 9_990, **terms)
    floor.cancel(other)
    assert floor.clock.timer_count == 1
    floor.advance(1_000)
    assert (order.status, other.status) == (OrderStatus.EXPIRED, OrderStatus.CANCELED)
    late = floor.buy(10, 9_990, time_in_force=TimeInForce.GTD, expire_ns=START_NS + 1_000)
    assert (late.status, late.reason) == (OrderStatus.REJECTED, "the order has expired")


def test_a_good_till_cancelled_order_outlives_the_day(floor: Any) -> None:
    order = floor.buy(10, 9_990)
    floor.advance(3 * DAY_NS)
    assert order.status is OrderStatus.ACCEPTED


def test_post_only_is_rejected_where_it_would_take(floor: Any) -> None:
    taking, resting = floor.buy(10, 10_001, post_only=True), floor.buy(10, 10_000, post_only=True)
    assert (taking.status, resting.status) == (OrderStatus.REJECTED, OrderStatus.ACCEPTED)
    assert floor.fills() == []


def test_reduce_only_never_goes_through_zero(floor: Any) -> None:
    assert floor.sell(10, reduce_only=True).status is OrderStatus.REJECTED
    floor.buy(30)
    order = floor.sell(50, reduce_only=True)
    assert (order.status, order.filled_lots) == (OrderStatus.CANCELED, 30)
    assert floor.record.position("s", "main", "TEST.SIM") == 0


def test_resting_reduce_only_orders_end_with_the_position(floor: Any) -> None:
    floor.buy(30)
    first = floor.sell(20, 10_002, reduce_only=True)
    second = floor.sell(20, 10_002, reduce_only=True)
    third = floor.sell(20, 10_003, reduce_only=True)
    floor.quote(10_004, 10_005)
    assert [order.filled_lots for order in (first, second, third)] == [20, 10, 0]
    assert second.status is OrderStatus.CANCELED
    assert third.status is OrderStatus.CANCELED
    assert floor.record.positions() == {}


def test_reduce_only_looks_at_the_strategys_own_position(floor: Any) -> None:
    floor.buy(30, strategy_id="one")
    assert floor.sell(30, strategy_id="two", reduce_only=True).status is OrderStatus.REJECTED


# -- stops -----------------------------------------------------------------------------------------------------------


def test_a_stop_waits_for_its_trigger_and_takes(floor: Any) -> None:
    order = floor.sell(30, trigger_ticks=9_990)
    floor.quote(9_991, 9_992)
    assert order.trigger_ticks == 9_990
    floor.quote(9_989, 9_991)
    assert floor.fills() == [(30, 9_989, STOP_TAKES)]
    assert floor.kinds(order) == ["Initialized", "Submitted", "Accepted", "Modified", "Filled"]


def test_a_trade_at_the_trigger_triggers_too_unless_told_otherwise(make_floor: Callable[..., Any]) -> None:
    for stop_trigger, expected in (("either", 1), ("trade", 1), ("quote", 0)):
        floor = make_floor(stop_trigger=stop_trigger)
        floor.quote(10_000, 10_001)
        floor.sell(30, trigger_ticks=9_990)
        floor.trade(9_990, 1)
        assert len(floor.fills()) == expected
    floor = make_floor(stop_trigger="trade")
    floor.quote(10_000, 10_001)
    floor.sell(30, trigger_ticks=9_990)
    floor.quote(9_980, 9_981)
    assert floor.fills() == []


def test_a_stop_limit_rests_at_its_limit_once_triggered(floor: Any) -> None:
    order = floor.buy(30, 10_006, trigger_ticks=10_005)
    floor.quote(10_008, 10_009)
    assert (order.trigger_ticks, order.status) == (None, OrderStatus.ACCEPTED)
    floor.quote(10_004, 10_006)
    assert floor.fills() == [(30, 10_006, QUOTE_CROSSES)]


def test_a_stop_beyond_the_market_is_triggered_on_arrival(floor: Any) -> None:
    floor.buy(30, trigger_ticks=10_001)
    assert floor.fills() == [(30, 10_001, STOP_TAKES)]


# -- changes ---------------------------------------------------------------------------------------------------------


def change(floor: Any, order: Any, **values: int) -> None:
    floor.manager.modify(ModifyOrder(client_order_id=order.client_order_id, **values))
    floor.advance(0)


def test_less_quantity_keeps_the_place_more_loses_it(floor: Any) -> None:
    less, more = floor.buy(30, 10_000), floor.buy(30, 10_000)
    floor.trade(10_000, 90, Side.SELL)
    change(floor, less, quantity_lots=20)
    change(floor, more, quantity_lots=40)
    floor.trade(10_000, 40, Side.SELL)
    assert [(fill.client_order_id, fill.quantity_lots) for fill in floor.fill_events.messages] == [
        (less.client_order_id, 20),
    ], "10 were in front of the first; the second went behind the 100 that are displayed"


def test_another_price_may_trade_at_once(floor: Any) -> None:
    order = floor.buy(30, 9_990)
    change(floor, order, price_ticks=10_001)
    assert floor.fills() == [(30, 10_001, LIMIT_TAKES)]
    assert floor.kinds(order)[-2:] == ["Modified", "Filled"]


def test_a_stop_can_be_moved_before_it_is_triggered(floor: Any) -> None:
    order = floor.sell(30, trigger_ticks=9_990)
    change(floor, order, trigger_ticks=9_980)
    floor.quote(9_985, 9_986)
    assert floor.fills() == []
    floor.quote(9_980, 9_981)
    assert floor.fills() == [(30, 9_980, STOP_TAKES)]


def test_a_cancel_ends_any_kind_of_order(floor: Any) -> None:
    resting, stop, waiting = floor.buy(30, 9_990), floor.sell(30, trigger_ticks=9_980), floor.buy(500)
    for order in (resting, stop, waiting):
        floor.cancel(order)
        assert order.status is OrderStatus.CANCELED
    assert floor.venue.working == 0
    floor.quote(9_970, 9_971)
    assert len(floor.fills()) == 1
