"""What a unit of each currency is worth in the base currency: configured, and corrected by quotes of currency pairs."""

from collections.abc import Callable, Mapping

from nautilus.model.enums import AssetClass
from nautilus.model.instruments import InstrumentRegistry


class CurrencyRates:
    """Rates by currency. A pair is an FX instrument whose symbol is two codes: EUR/USD, EUR-USD or EURUSD."""

    def __init__(self, base: str, configured: Mapping[str, float], instruments: InstrumentRegistry) -> None:
        self._base = base
        self._instruments = instruments
        self._rates = {**configured, base: 1.0}

    def get(self, currency: str) -> float | None:
        """The rate, None where none is known."""
        return self._rates.get(currency)

    def update(self, mark_of: Callable[[str], float | None]) -> None:
        """Take the rates from the marks (in ticks) of the currency pairs that have the base currency on one side."""
        for instrument in self._instruments:
            if instrument.asset_class is not AssetClass.FX:
                continue
            pair = instrument.symbol.replace("/", "").replace("-", "")
            mark = mark_of(instrument.id)
            if len(pair) != 6 or not mark or mark <= 0.0:
                continue
            price = instrument.price(mark)
            if pair[3:] == self._base:
                self._rates[pair[:3]] = price
            elif pair[:3] == self._base:
                self._rates[pair[3:]] = 1.0 / price
