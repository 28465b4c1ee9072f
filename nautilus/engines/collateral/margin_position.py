"""What a margin model is given and what it answers: positions in, requirement by position and in all out."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.model.enums import AssetClass


class MarginPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One position, priced. Money is in one currency for all positions.

    `price` is that of one unit; what the position is worth in all is `market_value` = quantity * price * multiplier,
    negative for a short position. `volatility` is annual (0.3 is 30%), None where it is not known; a volatility that
    is not known adds nothing and is named in the answer. `duration_years` serves bonds.
    """

    instrument_id: Annotated[str, Meta(min_length=1, max_length=64)]
    asset_class: AssetClass
    quantity: Annotated[float, Meta(ge=-1e12, le=1e12)]
    price: Annotated[float, Meta(ge=0, le=1e9)]
    multiplier: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    volatility: Annotated[float, Meta(ge=0, le=100)] | None = None
    duration_years: Annotated[float, Meta(ge=0, le=100)] = 0.0

    @property
    def market_value(self) -> float:
        """What the whole position is worth, negative when short."""
        return self.quantity * self.price * self.multiplier

    @property
    def notional(self) -> float:
        """Absolute market value."""
        return abs(self.market_value)


class PositionMargin(msgspec.Struct, frozen=True, kw_only=True):
    """Margin of one position on its own, before offsets; the add-ons are parts of `initial`."""

    instrument_id: str
    market_value: float
    initial: float
    maintenance: float
    volatility_add_on: float = 0.0
    concentration_add_on: float = 0.0


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """Margin of an account under one model.

    `initial` = gross_initial - offset. `requirement` is what collateral must cover at all times: the house model asks
    for initial plus variation, Reg T for maintenance plus variation. `utilization` = requirement / collateral (None
    where nothing covers a requirement), `excess` = collateral - requirement. `notes` say what was assumed.
    """

    model: str
    gross_initial: float
    offset: float
    initial: float
    maintenance: float
    variation: float
    requirement: float
    collateral: float
    utilization: float | None
    excess: float
    buying_power: float
    positions: tuple[PositionMargin, ...]
    notes: tuple[str, ...] = ()


def utilization_of(requirement: float, collateral: float) -> float | None:
    """Requirement over collateral; 0 without a requirement, None where nothing covers one.

    >>> utilization_of(80.0, 100.0), utilization_of(0.0, 0.0), utilization_of(1.0, 0.0)
    (0.8, 0.0, None)
    """
    if requirement <= 0.0:
        return 0.0
    return requirement / collateral if collateral > 0.0 else None
