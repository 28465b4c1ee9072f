"""The fake gateway against the real client: orders, executions, positions and accounts."""

import math

from ib_async import IB, ExecutionFilter, LimitOrder, MarketOrder, StopOrder

from tests.fakes.ibkr_client import AAPL, NOON, connect, errors_of, eventually
from tests.fakes.ibkr_gateway import Gateway, PlaceOrder


async def test_an_order_is_accepted_filled_in_parts_and_its_commission_reported(gateway: Gateway, ib: IB) -> None:
    trade = ib.placeOrder(AAPL, LimitOrder("BUY", 100, 99.5, tif="GTC", orderRef="mine", outsideRth=True))
    (placed,) = await gateway.requested(PlaceOrder)
    assert (placed.action, placed.quantity, placed.order_type, placed.limit_price) == ("BUY", 100, "LMT", 99.5)
    assert (placed.time_in_force, placed.reference, placed.outside_regular_hours) == ("GTC", "mine", True)
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    number = trade.order.orderId
    execution = gateway.fill(number, 40, 99.4, time=NOON, commission=0.35)
    await eventually(lambda: trade.fills and trade.fills[0].commissionReport.execId)
    assert (trade.orderStatus.filled, trade.orderStatus.remaining, trade.orderStatus.status) == (40, 60, "Submitted")
    fill = trade.fills[0]
    assert (fill.execution.execId, fill.execution.shares, fill.execution.price) == (execution.execution_id, 40, 99.4)
    assert (fill.execution.side, fill.execution.time, fill.execution.permId) == ("BOT", NOON, trade.order.permId)
    assert (fill.commissionReport.commission, fill.commissionReport.currency) == (0.35, "USD")
    gateway.fill(number)
    await eventually(trade.isDone)
    assert trade.orderStatus.status == "Filled"
    assert math.isclose(trade.orderStatus.avgFillPrice, (40 * 99.4 + 60 * 99.5) / 100)
    (position,) = await ib.reqPositionsAsync()
    assert (position.account, position.contract.conId, position.position) == ("DU1234567", 265598, 100)
    assert math.isclose(position.avgCost, 99.46)


async def test_executions_can_be_asked_for_and_filtered(gateway: Gateway, ib: IB) -> None:
    for side in ("BUY", "SELL"):
        trade = ib.placeOrder(AAPL, MarketOrder(side, 10))
        await eventually(lambda trade=trade: trade.orderStatus.status == "Submitted")
        gateway.fill(trade.order.orderId, price=100.0 if side == "BUY" else 103.0, time=NOON)
    everything = await ib.reqExecutionsAsync()
    assert [fill.execution.side for fill in everything] == ["BOT", "SLD"]
    assert await ib.reqExecutionsAsync(ExecutionFilter(side="SELL")) == everything[1:]
    assert await ib.reqExecutionsAsync(ExecutionFilter(time="20260106-17:00:01")) == []
    assert [fill.commissionReport.realizedPNL for fill in ib.fills()] == [0.0, 30.0]
    assert await ib.reqPositionsAsync() == []


async def test_an_order_is_modified_and_cancelled(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    trade = ib.placeOrder(AAPL, LimitOrder("SELL", 10, 120.0))
    await eventually(lambda: trade.orderStatus.status == "Submitted")
    trade.order.lmtPrice = 121.0
    ib.placeOrder(AAPL, trade.order)
    await gateway.requested(PlaceOrder, 2)
    assert gateway.order(trade.order.orderId).request.limit_price == 121.0
    ib.cancelOrder(trade.order)
    await eventually(lambda: trade.orderStatus.status == "Cancelled" and errors)
    assert (errors[0][0], errors[0][1]) == (trade.order.orderId, 202)
    assert await ib.reqOpenOrdersAsync() == []


async def test_an_order_is_rejected_and_one_is_cancelled_by_the_exchange(gateway: Gateway, ib: IB) -> None:
    first, second = (ib.placeOrder(AAPL, StopOrder("SELL", 10, price)) for price in (90.0, 91.0))
    await eventually(lambda: second.orderStatus.status == "Submitted")
    assert gateway.order(first.order.orderId).request.stop_price == 90.0
    gateway.reject(first.order.orderId, 201, "Order rejected - reason:NO MARGIN")
    gateway.cancel_order(second.order.orderId, "HALTED")
    await eventually(lambda: first.isDone() and second.isDone())
    await eventually(lambda: "HALTED" in second.log[-1].message or len(second.log) > 2)
    assert first.orderStatus.status == "Inactive"


async def test_open_orders_survive_their_connection(gateway: Gateway) -> None:
    first = await connect(gateway, 7)
    placed = first.placeOrder(AAPL, LimitOrder("BUY", 100, 99.5, tif="GTC", orderRef="mine"))
    await eventually(lambda: placed.orderStatus.status == "Submitted")
    gateway.cut()
    await gateway.disconnected()
    gateway.fill(placed.order.orderId, 25, time=NOON)
    second = await connect(gateway, 7)
    (trade,) = second.openTrades()
    assert (trade.order.orderId, trade.order.orderRef, trade.order.tif) == (placed.order.orderId, "mine", "GTC")
    assert (trade.order.totalQuantity, trade.order.lmtPrice, trade.order.account) == (100, 99.5, "DU1234567")
    assert (trade.orderStatus.filled, trade.remaining()) == (25, 75)
    assert [fill.execution.shares for fill in second.fills()] == [25]
    assert second.positions()[0].position == 25
    assert second.client.getReqId() > placed.order.orderId
    other = await connect(gateway, 8)
    assert other.openTrades() == []
    assert len(await other.reqAllOpenOrdersAsync()) == 1
    second.disconnect()
    other.disconnect()


async def test_a_wrong_cancel_is_an_error(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    ib.client.cancelOrder(999)
    await eventually(lambda: errors)
    assert errors[0][:2] == (999, 10147)


async def test_values_of_the_account_arrive_and_change(gateway: Gateway, ib: IB) -> None:
    values = {(value.tag, value.currency): value.value for value in await ib.accountSummaryAsync()}
    assert values["NetLiquidation", "USD"] == "100000.00"
    gateway.set_account_value("NetLiquidation", "99876.54")

    def now() -> set[str]:
        known = [*ib.accountValues(), *ib.wrapper.acctSummary.values()]
        return {value.value for value in known if value.tag == "NetLiquidation"}

    await eventually(lambda: now() == {"99876.54"})


async def test_a_position_changed_from_outside_is_pushed(gateway: Gateway, ib: IB) -> None:
    gateway.set_position("ESM6", -3, 345012.5)
    await eventually(lambda: ib.positions() and ib.portfolio())
    (position,) = ib.positions()
    assert (position.contract.localSymbol, position.position, position.avgCost) == ("ESM6", -3, 345012.5)
    assert ib.portfolio()[0].position == -3
