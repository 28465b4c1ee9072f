"""Exact money: a decimal amount of one currency."""

from decimal import Decimal

import msgspec

from nautilus.errors import Invalid


class Money(msgspec.Struct, frozen=True, order=False):
    """An exact amount of one currency.

    >>> str(Money(Decimal("10.50"), "USD") + Money(Decimal("0.25"), "USD"))
    '10.75 USD'
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise Invalid("amount", "must be a finite decimal number")

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise Invalid("currency", f"cannot combine {self.currency} with {other.currency}")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
