"""Orders that contradict themselves, and the field that is to blame."""

from typing import Any

import pytest

from nautilus.engines.strategy.order_checks import check_order
from nautilus.errors import Invalid
from nautilus.model import OrderType, Side, SubmitOrder, TimeInForce

PRICES = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"price_ticks": 100},
    OrderType.STOP: {"trigger_ticks": 100},
    OrderType.STOP_LIMIT: {"price_ticks": 100, "trigger_ticks": 100},
}


def make_order(kind: OrderType = OrderType.LIMIT, **changes: Any) -> SubmitOrder:
    values = {
        "client_order_id": "a-1",
        "strategy_id": "a",
        "account_id": "main",
        "instrument_id": "TEST.SIM",
        "side": Side.BUY,
        "order_type": kind,
        "quantity_lots": 1,
        **PRICES[kind],
    }
    return SubmitOrder(**{**values, **changes})


@pytest.mark.parametrize("time_in_force", list(TimeInForce))
@pytest.mark.parametrize("kind", list(OrderType))
def test_every_type_goes_with_every_time_in_force(kind: OrderType, time_in_force: TimeInForce) -> None:
    expire = {"expire_ns": 1} if time_in_force is TimeInForce.GTD else {}
    check_order(make_order(kind, time_in_force=time_in_force, **expire))


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (OrderType.LIMIT, {"side": Side.NONE}, "side"),
        (OrderType.LIMIT, {"quantity_lots": 0}, "quantity_lots"),
        (OrderType.LIMIT, {"quantity_lots": -5}, "quantity_lots"),
        (OrderType.LIMIT, {"quantity_lots": 10**13}, "quantity_lots"),
        (OrderType.LIMIT, {"price_ticks": None}, "price_ticks"),
        (OrderType.LIMIT, {"price_ticks": 10**16}, "price_ticks"),
        (OrderType.LIMIT, {"trigger_ticks": 100}, "trigger_ticks"),
        (OrderType.MARKET, {"price_ticks": 100}, "price_ticks"),
        (OrderType.STOP, {"trigger_ticks": None}, "trigger_ticks"),
        (OrderType.STOP, {"price_ticks": 100}, "price_ticks"),
        (OrderType.STOP_LIMIT, {"price_ticks": None}, "price_ticks"),
        (OrderType.MARKET, {"post_only": True}, "post_only"),
        (OrderType.LIMIT, {"post_only": True, "time_in_force": TimeInForce.FOK}, "post_only"),
        (OrderType.LIMIT, {"time_in_force": TimeInForce.GTD}, "expire_ns"),
        (OrderType.LIMIT, {"expire_ns": 5}, "expire_ns"),
    ],
)
def test_a_contradiction_names_its_field(kind: OrderType, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_order(make_order(kind, **changes))
    assert caught.value.field == field
