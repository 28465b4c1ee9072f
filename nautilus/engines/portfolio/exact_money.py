"""Exact decimal arithmetic for the books: an operation that would have to round raises instead of rounding."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)

from nautilus.errors import Invalid

ZERO = Decimal(0)
DIGITS = 64
SHARE_QUANTUM = Decimal("1E-12")
"""What an average cost is rounded to when part of a position leaves; the remainder stays with what is left."""

MAXIMUM_AMOUNT = Decimal("1E+15")
"""No single deposit, fee or fill value is larger; with it no sum of the books can exceed the 64 digits."""


def exact() -> AbstractContextManager[Context]:
    """A decimal context of 64 digits in which rounding raises `decimal.Inexact`.

    >>> with exact():
    ...     Decimal("0.1") * 3
    Decimal('0.3')
    """
    return localcontext(
        Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
    )


def share(amount: Decimal, part: int, whole: int) -> Decimal:
    """`amount * part / whole`: exact where that is a finite decimal, else rounded half even to 1e-12.

    >>> share(Decimal("100.00"), 1, 4), share(Decimal(100), 1, 3)
    (Decimal('25.00'), Decimal('33.333333333333'))
    """
    with localcontext(Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])) as now:
        quotient = amount * part / whole
        if not now.flags[Inexact]:
            return quotient
        now.flags[Clamped] = False
        return quotient.quantize(SHARE_QUANTUM)


def amount_of(field: str, value: Decimal | str) -> Decimal:
    """A finite decimal of at most 1e15 in size and 24 places; raises Invalid naming `field` otherwise.

    >>> amount_of("fee", "0.35")
    Decimal('0.35')
    """
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise Invalid(field, f"must be a decimal number, not {value!r}") from error
    if not amount.is_finite() or amount.copy_abs() > MAXIMUM_AMOUNT:
        raise Invalid(field, f"must be a finite number of at most {MAXIMUM_AMOUNT:f}")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -24:
        raise Invalid(field, "must have at most 24 decimal places")
    return amount
