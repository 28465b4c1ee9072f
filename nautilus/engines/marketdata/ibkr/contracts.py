"""Which IBKR contract an instrument is."""

from __future__ import annotations

import importlib
import logging
from decimal import Decimal
from typing import Any

import msgspec

from nautilus.errors import Invalid, Unavailable
from nautilus.model import AssetClass, Instrument

PRIMARY_EXCHANGES = {
    "XNAS": "NASDAQ",
    "XNYS": "NYSE",
    "ARCX": "ARCA",
    "XASE": "AMEX",
    "BATS": "BATS",
    "IEXG": "IEX",
    "XLON": "LSE",
    "XETR": "IBIS",
    "XTKS": "TSEJ",
    "XHKG": "SEHK",
    "XASX": "ASX",
}
"""IBKR's names of exchanges by market identifier code."""


class IbkrContract(msgspec.Struct, frozen=True, kw_only=True):
    """What IBKR calls an instrument. `con_id` alone is enough where it is known.

    `size_multiplier`: how many units IBKR counts as one (100 where it gives sizes in round lots).
    """

    symbol: str = ""
    security_type: str = "STK"
    exchange: str = "SMART"
    primary_exchange: str = ""
    currency: str = "USD"
    con_id: int = 0
    last_trade_date: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    smart_depth: bool = False
    size_multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not (self.symbol or self.con_id or self.local_symbol):
            raise Invalid("contract", "must have a con_id, a symbol or a local_symbol")
        if not self.size_multiplier.is_finite() or self.size_multiplier <= 0:
            raise Invalid("contract.size_multiplier", f"must be a positive number, not {self.size_multiplier}")


def contract_of(instrument: Instrument) -> IbkrContract:
    """The contract of an equity, ETF, currency pair or crypto pair by its id; raises Invalid for what needs more.

    >>> apple = Instrument(id="AAPL.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"))
    >>> contract_of(apple).primary_exchange, contract_of(apple).exchange
    ('NASDAQ', 'SMART')
    """
    kind = instrument.asset_class
    if kind in {AssetClass.EQUITY, AssetClass.ETF}:
        primary = PRIMARY_EXCHANGES.get(instrument.venue, "")
        return IbkrContract(symbol=instrument.symbol, primary_exchange=primary, currency=instrument.currency)
    if kind in {AssetClass.FX, AssetClass.CRYPTO}:
        base, _, quote = instrument.symbol.replace("/", "-").replace("_", "-").partition("-")
        if not quote and len(base) == 6:
            base, quote = base[:3], base[3:]
        is_fx = kind is AssetClass.FX
        return IbkrContract(
            symbol=base,
            security_type="CASH" if is_fx else "CRYPTO",
            exchange="IDEALPRO" if is_fx else "PAXOS",
            currency=quote or instrument.currency,
        )
    raise Invalid("contract", f"must be given for {instrument.id}: a {kind} has no contract by its id alone")


def require_ib_async() -> None:
    """Import ib_async, a second's work; raises Unavailable where it is not installed.

    What it logs by itself is dropped unless somebody listens: the feed says the same, once, in the node's own log.
    """
    try:
        importlib.import_module("ib_async")
    except ImportError as error:
        raise Unavailable(f"IBKR needs the package ib_async: {error}") from error
    logger = logging.getLogger("ib_async")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def wire_contract(contract: IbkrContract) -> Any:
    """The same as ib_async's Contract."""
    from ib_async.contract import Contract

    return Contract(
        secType=contract.security_type,
        conId=contract.con_id,
        symbol=contract.symbol,
        lastTradeDateOrContractMonth=contract.last_trade_date,
        strike=contract.strike,
        right=contract.right,
        multiplier=contract.multiplier,
        exchange=contract.exchange,
        primaryExchange=contract.primary_exchange,
        currency=contract.currency,
        localSymbol=contract.local_symbol,
        tradingClass=contract.trading_class,
    )
