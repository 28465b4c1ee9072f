"""Accounts: money held, and the journal's record of money moved in or out."""

from decimal import Decimal

import msgspec


class Deposit(msgspec.Struct, frozen=True, kw_only=True, tag="deposit"):
    """Money paid into (positive) or out of (negative) an account."""

    deposit_id: str
    account_id: str
    amount: Decimal
    currency: str
    ts_event: int
    reason: str = ""


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """An account at one moment, in its base currency.

    equity (NAV) = cash + market_value = deposits + realized_pnl + unrealized_pnl - fees.
    """

    account_id: str
    currency: str
    cash: Decimal
    deposits: Decimal
    market_value: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    equity: Decimal
    gross_exposure: Decimal
    net_exposure: Decimal
    ts_event: int
