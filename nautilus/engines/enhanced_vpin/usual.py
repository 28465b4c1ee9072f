"""What is usual for an instrument: a recursive mean and deviation against which the newest value is held."""

import math


class Usual:
    """Mean and standard deviation with weight 1 / min(values so far, span): all values at first, recent ones later.

    >>> usual = Usual(span=100, minimum=2)
    >>> for value in (1.0, 3.0):
    ...     usual.add(value)
    >>> usual.ratio(6.0), usual.deviations(4.0)
    (3.0, 2.0)
    """

    __slots__ = ("_count", "_mean", "_variance", "minimum", "span")

    def __init__(self, span: int, minimum: int) -> None:
        self.span = span
        self.minimum = minimum
        self._count = 0
        self._mean = 0.0
        self._variance = 0.0

    def add(self, value: float) -> None:
        """Take in one more value."""
        self._count += 1
        weight = 1.0 / min(self._count, self.span)
        offset = value - self._mean
        self._mean += weight * offset
        self._variance = (1.0 - weight) * (self._variance + weight * offset * offset)

    @property
    def mean(self) -> float | None:
        """The usual value; None before `minimum` values."""
        return self._mean if self._count >= self.minimum else None

    def ratio(self, value: float) -> float | None:
        """`value` over the usual one; None where that is not known or not positive."""
        return value / self._mean if self._count >= self.minimum and self._mean > 0.0 else None

    def deviations(self, value: float) -> float | None:
        """Standard deviations by which `value` is above the usual one; None where they are not known or zero."""
        if self._count < self.minimum or self._variance <= 0.0:
            return None
        return (value - self._mean) / math.sqrt(self._variance)
