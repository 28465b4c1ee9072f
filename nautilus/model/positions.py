"""Positions and the lots they are made of."""

from decimal import Decimal

import msgspec


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a position bought (positive) or sold short (negative) at one price."""

    quantity_lots: int
    price_ticks: int
    ts_event: int
    trade_id: str


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds of one instrument. Money in the instrument's currency.

    `cost` is what the open lots were bought for (negative for a short position), `market_value` what they are worth at
    `mark_ticks`; both are None while there is no price.
    """

    account_id: str
    instrument_id: str
    quantity_lots: int
    average_price_ticks: float | None
    cost: Decimal
    realized_pnl: Decimal
    fees: Decimal
    mark_ticks: float | None
    market_value: Decimal | None
    unrealized_pnl: Decimal | None
    currency: str
    ts_event: int
