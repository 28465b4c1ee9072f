"""Margin of written options under FINRA 4210(f) and the CBOE margin manual (2000): naked, strangle, spreads.

Prices are for one unit of the underlying, requirements for `multiplier` units, in the same money.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from nautilus.errors import Invalid

type Right = Literal["call", "put"]


class OptionLeg(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` contracts (negative: written) of one option, traded at `premium`."""

    right: Right
    strike: float
    quantity: int
    premium: float


def written_option_requirement(
    right: Right,
    strike: float,
    premium: float,
    underlying: float,
    *,
    broad_index: bool = False,
    multiplier: float = 100.0,
) -> float:
    """Initial and maintenance margin of one uncovered written option, its own premium included.

    premium + max(share * underlying - out of the money amount, 10% * base), where share is 20% for stocks and 15% for
    broad indices, and base is the underlying's price for a call and the strike for a put. Raises Invalid for prices
    below zero.

    >>> round(written_option_requirement("put", 200.0, 1.20, 209.0), 2)
    3400.0
    """
    if min(strike, premium, underlying) < 0.0:
        raise Invalid("premium", "strike, premium and underlying must not be negative")
    share = 0.15 if broad_index else 0.20
    away = max(strike - underlying, 0.0) if right == "call" else max(underlying - strike, 0.0)
    floor = 0.10 * (underlying if right == "call" else strike)
    return multiplier * (premium + max(share * underlying - away, floor))


def written_strangle_requirement(
    call: tuple[float, float], put: tuple[float, float], underlying: float, *, broad_index: bool = False
) -> float:
    """Margin of a written call and put, each (strike, premium): the larger requirement plus the other's premium.

    Per 100 units. Source: CBOE margin manual, short put and short call.
    """
    requirement_call = written_option_requirement("call", *call, underlying, broad_index=broad_index)
    requirement_put = written_option_requirement("put", *put, underlying, broad_index=broad_index)
    if requirement_call >= requirement_put:
        return requirement_call + 100.0 * put[1]
    return requirement_put + 100.0 * call[1]


def cash_secured_put(strike: float, premium: float, multiplier: float = 100.0) -> float:
    """Cash that pays for the assignment of one written put, less the premium received.

    >>> round(cash_secured_put(572.0, 5.61), 2)
    56639.0
    """
    return multiplier * (strike - premium)


def spread_requirement(legs: Sequence[OptionLeg], multiplier: float = 100.0) -> float:
    """The largest loss at expiry of options on one underlying and one expiry, premiums included; never negative.

    The loss is piecewise linear, so it is largest at zero or at a strike. Raises Invalid where it has no bound, for
    more calls are written than bought. Source: FINRA 4210(f)(2)(H), spreads margined at maximum potential loss.
    """
    if not legs:
        raise Invalid("legs", "need at least one")
    if sum(leg.quantity for leg in legs if leg.right == "call") < 0:
        raise Invalid("legs", "more calls are written than bought: the loss has no bound")
    cost = sum(leg.quantity * leg.premium for leg in legs)
    points = [0.0, *(leg.strike for leg in legs)]
    return multiplier * max(0.0, *(cost - _payoff(legs, point) for point in points))


def _payoff(legs: Sequence[OptionLeg], underlying: float) -> float:
    return sum(
        leg.quantity * max(underlying - leg.strike if leg.right == "call" else leg.strike - underlying, 0.0)
        for leg in legs
    )
