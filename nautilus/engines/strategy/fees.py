"""What a fill costs: exact decimals in the instrument's currency, negative for a rebate."""

from decimal import Decimal
from typing import Protocol

from nautilus.model.instruments import Instrument


class FeeModel(Protocol):
    """The fee of one fill."""

    def fee(self, instrument: Instrument, lots: int, price_ticks: int, *, maker: bool) -> Decimal:
        """Fee for `lots` (positive) at a price; `maker` where the order was resting."""


class BasisPointFee:
    """A share of the value traded, in basis points (hundredths of a percent).

    >>> from nautilus.model.enums import AssetClass
    >>> goog = Instrument(id="GOOG.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"))
    >>> BasisPointFee(maker=Decimal("-0.2"), taker=Decimal("0.5")).fee(goog, 100, 58_000, maker=False)
    Decimal('2.9000000')
    """

    def __init__(self, maker: Decimal, taker: Decimal) -> None:
        self._maker = maker / 10_000
        self._taker = taker / 10_000
        self._rates: dict[tuple[str, bool], Decimal] = {}

    def fee(self, instrument: Instrument, lots: int, price_ticks: int, *, maker: bool) -> Decimal:
        """Rate times value; the value of a negative price counts as positive."""
        key = (instrument.id, maker)
        rate = self._rates.get(key)
        if rate is None:
            share = self._maker if maker else self._taker
            rate = self._rates[key] = instrument.exact_value(1, 1) * share
        return rate * (lots * abs(price_ticks))


class PerShareFee:
    """An amount for each unit traded, not less than `minimum` for a fill.

    >>> from nautilus.model.enums import AssetClass
    >>> goog = Instrument(id="GOOG.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"))
    >>> PerShareFee(maker=Decimal("-0.002"), taker=Decimal("0.003")).fee(goog, 100, 58_000, maker=True)
    Decimal('-0.200')
    """

    def __init__(self, maker: Decimal, taker: Decimal, minimum: Decimal | None = None) -> None:
        self._maker = maker
        self._taker = taker
        self._minimum = minimum

    def fee(self, instrument: Instrument, lots: int, price_ticks: int, *, maker: bool) -> Decimal:
        """Rate times units."""
        amount = (self._maker if maker else self._taker) * (instrument.lot_size * lots)
        return amount if self._minimum is None else max(amount, self._minimum)
