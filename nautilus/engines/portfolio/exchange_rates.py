"""Rates between currencies from quotes of currency pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from decimal import Decimal

from nautilus.engines.portfolio.exact_money import exact, share
from nautilus.model import AssetClass, Instrument


def pair(instrument: Instrument) -> tuple[str, str] | None:
    """The two currencies of a pair such as EUR/USD, EUR-USD or EURUSD; None for what is no currency pair.

    >>> pair(Instrument(id="EUR/USD.IDEALPRO", asset_class=AssetClass.FX, tick_size=Decimal("0.00005")))
    ('EUR', 'USD')
    """
    if instrument.asset_class is not AssetClass.FX:
        return None
    letters = instrument.symbol.replace("/", "").replace("-", "")
    return (letters[:3], letters[3:]) if len(letters) == 6 and letters.isalpha() else None


class ExchangeRates:
    """Newest mid of each currency pair; a rate between two currencies is that of their pair, or its inverse.

    >>> rates = ExchangeRates()
    >>> euro = Instrument(id="EUR/USD.IDEALPRO", asset_class=AssetClass.FX, tick_size=Decimal("0.0001"))
    >>> rates.update(euro, 2 * 12_500)
    >>> rates.to("USD", ["EUR", "JPY"]), rates.to("EUR", ["USD"])
    ({'EUR': Decimal('1.25')}, {'USD': Decimal('0.8')})
    """

    def __init__(self) -> None:
        self._mids: dict[tuple[str, str], Decimal] = {}

    def update(self, instrument: Instrument, half_ticks: int) -> None:
        """Take the price of a currency pair, in half ticks; other instruments are ignored."""
        currencies = pair(instrument)
        if currencies is not None and half_ticks > 0:
            with exact():
                self._mids[currencies] = (instrument.exact_price(half_ticks) / 2).normalize()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The pairs with a price."""
        return iter(self._mids)

    def to(self, base: str, currencies: Iterable[str]) -> dict[str, Decimal]:
        """Units of `base` for one unit of each currency whose pair with it has a price; inverses to 1e-12."""
        found = {}
        for currency in currencies:
            with suppress(KeyError):
                found[currency] = self._mids[currency, base]
                continue
            with suppress(KeyError):
                found[currency] = _inverse(self._mids[base, currency])
        return found


def _inverse(rate: Decimal) -> Decimal:
    numerator, denominator = rate.as_integer_ratio()
    return share(Decimal(1), denominator, numerator)
