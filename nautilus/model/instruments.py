"""Instruments: what is traded, on which exact grid of prices and sizes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.errors import Invalid, NotFound
from nautilus.model.enums import AssetClass

LARGEST_EXPONENT = 12
"""Prices and sizes from a trillion on are refused: nothing trades there, and exact arithmetic stays quick."""

InstrumentId = Annotated[str, Meta(pattern=r"^[A-Z0-9_\-/]{1,24}\.[A-Z0-9]{1,12}$", examples=["AAPL.XNAS"])]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable instrument. Prices are whole numbers of `tick_size`, sizes whole numbers of `lot_size`.

    >>> goog = Instrument(id="GOOG.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01"))
    >>> goog.ticks("587.88"), goog.price(58788), goog.venue
    (58788, 587.88, 'XNAS')
    """

    id: InstrumentId
    asset_class: AssetClass
    tick_size: Decimal
    lot_size: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    description: str = ""
    sector: str = ""
    shares_outstanding: int | None = None

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "multiplier"):
            value = getattr(self, name)
            if not value.is_finite() or value <= 0:
                raise Invalid(name, f"must be a positive decimal number, not {value}")

    @property
    def symbol(self) -> str:
        """The part before the venue."""
        return self.id.rpartition(".")[0]

    @property
    def venue(self) -> str:
        """The part after the last dot."""
        return self.id.rpartition(".")[2]

    def price(self, ticks: float) -> float:
        """The price of a (possibly fractional) number of ticks, correctly rounded for whole ticks."""
        numerator, denominator = self.tick_size.as_integer_ratio()
        return ticks * numerator / denominator

    def size(self, lots: float) -> float:
        """The size of a (possibly fractional) number of lots, in units."""
        numerator, denominator = self.lot_size.as_integer_ratio()
        return lots * numerator / denominator

    def exact_price(self, ticks: int) -> Decimal:
        """The price of a number of ticks as an exact decimal."""
        return self.tick_size * ticks

    def exact_value(self, ticks: int, lots: int) -> Decimal:
        """What `lots` are worth at `ticks`, in the instrument's currency, exactly; signed like `lots`."""
        return self.tick_size * ticks * (self.lot_size * lots) * self.multiplier

    def value(self, ticks: float, lots: float) -> float:
        """What `lots` are worth at `ticks`, in the instrument's currency, as a float."""
        return float(self.tick_size * self.lot_size * self.multiplier) * ticks * lots

    def ticks(self, price: Decimal | float | str) -> int:
        """The number of ticks of a price; raises Invalid where the price is not on the grid."""
        return _whole("price", price, self.tick_size)

    def lots(self, size: Decimal | float | str) -> int:
        """The number of lots of a size; raises Invalid where the size is not on the grid."""
        return _whole("size", size, self.lot_size)


def _whole(field: str, value: Decimal | float | str, step: Decimal) -> int:
    try:
        exact = Decimal(str(value))
        if exact.is_finite() and exact.adjusted() > LARGEST_EXPONENT:
            raise Invalid(field, f"must be below 1e{LARGEST_EXPONENT + 1}")
        # the quotient would be rounded to 28 digits, and below the step underflow to zero; the rest is exact
        whole, rest = divmod(exact, step) if abs(exact) >= step else (Decimal(0), exact)
    except (ArithmeticError, ValueError) as error:
        raise Invalid(field, f"must be a finite number, not {value!r}") from error
    if rest:
        raise Invalid(field, f"must be a multiple of {step}, not {value}")
    return int(whole)


class InstrumentRegistry:
    """The instruments a node knows, by id."""

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}

    def add(self, instrument: Instrument) -> None:
        """Make an instrument known; a second definition of one id replaces the first."""
        self._instruments[instrument.id] = instrument

    def get(self, instrument_id: str) -> Instrument | None:
        """The instrument, or None."""
        return self._instruments.get(instrument_id)

    def __getitem__(self, instrument_id: str) -> Instrument:
        try:
            return self._instruments[instrument_id]
        except KeyError:
            raise NotFound("instrument", instrument_id) from None

    def __contains__(self, instrument_id: object) -> bool:
        return instrument_id in self._instruments

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._instruments.values())

    def __len__(self) -> int:
        return len(self._instruments)
