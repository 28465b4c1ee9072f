"""What makes an order well formed, before anyone asks whether it is wise."""

import msgspec

from nautilus.errors import Conflict, Invalid
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.orders import ModifyOrder, Order, SubmitOrder

LOTS_MAX = 10**12
TICKS_MAX = 10**15
_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TRIGGERED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def check_order(order: SubmitOrder) -> None:
    """Raise Invalid, naming the field, where an order contradicts itself.

    >>> order = SubmitOrder(client_order_id="a-1", strategy_id="a", account_id="sim", instrument_id="AAPL.XNAS",
    ...     side=Side.BUY, order_type=OrderType.LIMIT, quantity_lots=0, price_ticks=100)
    >>> check_order(order)
    Traceback (most recent call last):
    nautilus.errors.Invalid: quantity_lots: must be from 1 to 1000000000000, not 0
    """
    if order.side is Side.NONE:
        raise Invalid("side", "must be BUY or SELL")
    _check_lots(order.quantity_lots)
    _check_price("price_ticks", order.price_ticks, order.order_type in _LIMITED, order.order_type)
    _check_price("trigger_ticks", order.trigger_ticks, order.order_type in _TRIGGERED, order.order_type)
    if order.post_only and (order.order_type not in _LIMITED or order.time_in_force in _AT_ONCE):
        raise Invalid("post_only", "is for limit and stop-limit orders that may rest")
    if (order.time_in_force is TimeInForce.GTD) != (order.expire_ns is not None):
        raise Invalid("expire_ns", "goes with time in force gtd, and only with it")


def check_modification(order: Order, change: ModifyOrder) -> None:
    """Raise Invalid where a change does not fit the order, Conflict where too much of it is filled."""
    kind = order.request.order_type
    if change.quantity_lots is None and change.price_ticks is None and change.trigger_ticks is None:
        raise Invalid("quantity_lots", "or a price must be given: there is nothing to change")
    if change.quantity_lots is not None:
        _check_lots(change.quantity_lots)
        if change.quantity_lots <= order.filled_lots:
            raise Conflict(f"{order.filled_lots} lots are filled already")
    if change.price_ticks is not None:
        _check_price("price_ticks", change.price_ticks, kind in _LIMITED, kind)
    if change.trigger_ticks is not None:
        _check_price("trigger_ticks", change.trigger_ticks, order.trigger_ticks is not None, kind)


def same_order(one: SubmitOrder, other: SubmitOrder) -> bool:
    """Whether two requests ask for the same; when they were made does not matter."""
    return msgspec.structs.replace(one, ts_init=0) == msgspec.structs.replace(other, ts_init=0)


def _check_lots(lots: int) -> None:
    if not 1 <= lots <= LOTS_MAX:
        raise Invalid("quantity_lots", f"must be from 1 to {LOTS_MAX}, not {lots}")


def _check_price(field: str, ticks: int | None, wanted: bool, order_type: OrderType) -> None:
    if (ticks is not None) != wanted:
        raise Invalid(field, f"must {'be' if wanted else 'not be'} given for an order of type {order_type}")
    if ticks is not None and abs(ticks) > TICKS_MAX:
        raise Invalid(field, f"must be within {TICKS_MAX} ticks of zero")
