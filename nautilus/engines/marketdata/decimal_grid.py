"""Decimal texts of exchanges ("61737.63000000") to whole steps of a grid: exact, and quick enough for every level."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from nautilus.errors import Invalid

_MOST_DIGITS: Final = 18


class DecimalGrid:
    """Whole multiples of one step.

    >>> DecimalGrid(Decimal("0.01")).steps("61737.63000000"), DecimalGrid(Decimal("0.5")).steps("3.5")
    (6173763, 7)
    """

    __slots__ = ("_places", "_unit", "step")

    def __init__(self, step: Decimal) -> None:
        if not step.is_finite() or step <= 0:
            raise Invalid("step", f"must be a positive decimal number, not {step}")
        self.step = step
        exponent = step.as_tuple().exponent
        assert isinstance(exponent, int)
        self._places = max(-exponent, 0)
        self._unit = int(step.scaleb(self._places))

    def steps(self, text: str, field: str = "value") -> int:
        """The number of steps; raises Invalid, naming `field`, for what is no plain decimal or off the grid."""
        whole, _, fraction = text.partition(".")
        places = self._places
        kept, cut = fraction[:places], fraction[places:]
        digits = whole + kept
        is_number = digits.isascii() and digits.removeprefix("-").isdigit() and len(digits) <= _MOST_DIGITS
        if not is_number or cut.strip("0"):
            raise Invalid(field, f"must be a plain multiple of {self.step}, not {text[:40]!r}")
        units = int(digits + "0" * (places - len(kept)))
        if self._unit == 1:
            return units
        steps, rest = divmod(units, self._unit)
        if rest:
            raise Invalid(field, f"must be a multiple of {self.step}, not {text[:40]!r}")
        return steps
