"""From IBKR's floating point prices and sizes to whole ticks and lots; what is on no grid is refused."""

from __future__ import annotations

from decimal import Decimal

from nautilus.errors import Invalid
from nautilus.model import Instrument


class Grid:
    """One instrument's grid, and what was off it.

    >>> grid = Grid(Instrument(id="X.Y", asset_class="equity", tick_size=Decimal("0.01")))
    >>> grid.ticks(100.01), grid.ticks(100.011), grid.lots(300.0), grid.off_grid
    (10001, None, 300, 1)
    """

    __slots__ = ("_instrument", "_multiplier", "off_grid")

    def __init__(self, instrument: Instrument, size_multiplier: Decimal = Decimal(1)) -> None:
        self._instrument = instrument
        self._multiplier = size_multiplier
        self.off_grid = 0
        """Prices and sizes refused, not-a-number and infinity among them."""

    def ticks(self, price: float) -> int | None:
        """Whole ticks of a price, or None where there are none."""
        try:
            return self._instrument.ticks(price)
        except Invalid:
            self.off_grid += 1
            return None

    def lots(self, size: float) -> int | None:
        """Whole lots of a size, or None where there are none."""
        try:
            if self._multiplier == 1:
                return self._instrument.lots(size)
            return self._instrument.lots(Decimal(str(size)) * self._multiplier)
        except (Invalid, ArithmeticError):
            self.off_grid += 1
            return None
