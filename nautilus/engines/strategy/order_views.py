"""Orders and fills as the outside sees and says them: decimals of the instrument instead of ticks and lots."""

from decimal import Decimal
from typing import Literal

from nautilus.engines.strategy.models import FillView, ModifyOrderRequest, OrderView, PlaceOrderRequest
from nautilus.errors import Invalid
from nautilus.model.enums import Side
from nautilus.model.instruments import Instrument
from nautilus.model.orders import ModifyOrder, Order, OrderFilled, SubmitOrder

MAGNITUDE_MAX = 15
"""Powers of ten that a price or quantity may have."""


def to_ticks(instrument: Instrument, field: str, price: Decimal | None) -> int | None:
    """The ticks of a price; raises Invalid, naming the field, where it is not on the grid."""
    if price is None:
        return None
    _check(field, price)
    try:
        return instrument.ticks(price)
    except Invalid as error:
        raise Invalid(field, error.reason) from None


def to_lots(instrument: Instrument, field: str, quantity: Decimal) -> int:
    """The lots of a quantity; raises Invalid, naming the field, where it is not a whole number of them."""
    _check(field, quantity)
    try:
        return instrument.lots(quantity)
    except Invalid as error:
        raise Invalid(field, error.reason) from None


def to_order(
    request: PlaceOrderRequest, instrument: Instrument, client_order_id: str, account_id: str, now_ns: int
) -> SubmitOrder:
    """The order that a request describes."""
    return SubmitOrder(
        client_order_id=client_order_id,
        strategy_id=request.strategy_id,
        account_id=account_id,
        instrument_id=instrument.id,
        side=Side.BUY if request.side == "buy" else Side.SELL,
        order_type=request.order_type,
        quantity_lots=to_lots(instrument, "quantity", request.quantity),
        price_ticks=to_ticks(instrument, "price", request.price),
        trigger_ticks=to_ticks(instrument, "trigger_price", request.trigger_price),
        time_in_force=request.time_in_force,
        expire_ns=request.expire_ns,
        post_only=request.post_only,
        reduce_only=request.reduce_only,
        ts_init=now_ns,
    )


def to_modification(client_order_id: str, request: ModifyOrderRequest, instrument: Instrument) -> ModifyOrder:
    """The change that a request describes."""
    return ModifyOrder(
        client_order_id=client_order_id,
        quantity_lots=None if request.quantity is None else to_lots(instrument, "quantity", request.quantity),
        price_ticks=to_ticks(instrument, "price", request.price),
        trigger_ticks=to_ticks(instrument, "trigger_price", request.trigger_price),
    )


def order_view(order: Order, instrument: Instrument | None) -> OrderView:
    """An order for the outside."""
    request = order.request
    average = order.average_price_ticks
    return OrderView(
        client_order_id=request.client_order_id,
        venue_order_id=order.venue_order_id,
        strategy_id=request.strategy_id,
        account_id=request.account_id,
        instrument_id=request.instrument_id,
        side=_side(request.side),
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        status=order.status,
        quantity_lots=order.quantity_lots,
        filled_lots=order.filled_lots,
        price_ticks=order.price_ticks,
        trigger_ticks=order.trigger_ticks,
        quantity=_quantity(instrument, order.quantity_lots),
        filled=_quantity(instrument, order.filled_lots),
        price=_price(instrument, order.price_ticks),
        trigger_price=_price(instrument, order.trigger_ticks),
        average_price=None if average is None or instrument is None else instrument.price(average),
        post_only=request.post_only,
        reduce_only=request.reduce_only,
        expire_ns=request.expire_ns,
        reason=order.reason,
        ts_init=request.ts_init,
        ts_last=order.ts_last,
    )


def fill_view(fill: OrderFilled, instrument: Instrument | None) -> FillView:
    """A fill for the outside."""
    return FillView(
        trade_id=fill.trade_id,
        client_order_id=fill.client_order_id,
        venue_order_id=fill.venue_order_id,
        strategy_id=fill.strategy_id,
        account_id=fill.account_id,
        instrument_id=fill.instrument_id,
        side=_side(fill.side),
        quantity_lots=fill.quantity_lots,
        price_ticks=fill.price_ticks,
        quantity=_quantity(instrument, fill.quantity_lots),
        price=_price(instrument, fill.price_ticks),
        fee=fill.fee,
        currency=fill.currency,
        liquidity=fill.liquidity,
        rule=fill.rule,
        bid_ticks=fill.bid_ticks,
        ask_ticks=fill.ask_ticks,
        ts_event=fill.ts_event,
        ts_init=fill.ts_init,
    )


def _side(side: Side) -> Literal["buy", "sell"]:
    return "buy" if side is Side.BUY else "sell"


def _price(instrument: Instrument | None, ticks: int | None) -> Decimal | None:
    return None if instrument is None or ticks is None else instrument.exact_price(ticks)


def _quantity(instrument: Instrument | None, lots: int) -> Decimal | None:
    return None if instrument is None else instrument.lot_size * lots


def _check(field: str, value: Decimal) -> None:
    if not value.is_finite() or abs(value.adjusted()) > MAGNITUDE_MAX:
        raise Invalid(field, f"must be a number of at most {MAGNITUDE_MAX} digits before and after the point")
