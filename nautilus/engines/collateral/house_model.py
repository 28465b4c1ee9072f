"""The house margin model: class rates, add-ons for volatility and size, and offsets between long and short.

For each position, with notional = |quantity * price * multiplier|:

    initial = notional * (rate + 0.01 * duration_years of a bond)
              * (1 + multiplier of the class * max(0, volatility - 30%)) * (1 + 10% if notional > 10 million)

The maintenance rates of the table take the same factors. Within a class, long and short offset each other: the benefit
is `offset share` * 2 * min(long initial, short initial), so that a class all on one side gets nothing and a perfectly
balanced one gets the whole share. The offset never exceeds half of the gross initial margin. Requirement = net initial
margin plus variation owed; utilisation = requirement / collateral.
"""

from collections.abc import Sequence

import msgspec

from nautilus.engines.collateral.margin_position import Margin, MarginPosition, PositionMargin, utilization_of
from nautilus.model.enums import AssetClass

VOLATILITY_THRESHOLD = 0.30
CONCENTRATION_THRESHOLD = 10_000_000.0
CONCENTRATION_SHARE = 0.10
DURATION_SHARE = 0.01
LARGEST_OFFSET = 0.50


class ClassRates(msgspec.Struct, frozen=True):
    """One row of the table: rates of notional, what volatility above 30% multiplies, and the offset's share."""

    initial: float
    maintenance: float
    volatility_multiplier: float
    offset: float


_EQUITY = ClassRates(0.25, 0.15, 1.5, 0.20)
_DERIVATIVE = ClassRates(0.15, 0.10, 0.0, 0.10)
HOUSE_RATES: dict[AssetClass, ClassRates] = {
    AssetClass.EQUITY: _EQUITY,
    AssetClass.ETF: _EQUITY,
    AssetClass.BOND: ClassRates(0.05, 0.03, 0.0, 0.15),
    AssetClass.FX: ClassRates(0.02, 0.015, 2.0, 0.30),
    AssetClass.FUTURE: _DERIVATIVE,
    AssetClass.OPTION: _DERIVATIVE,
    AssetClass.COMMODITY: ClassRates(0.30, 0.20, 2.5, 0.05),
    AssetClass.CRYPTO: ClassRates(0.50, 0.35, 3.0, 0.0),
}
"""The reference table. ETFs are charged as equities, futures and options as derivatives."""


def house_margin(positions: Sequence[MarginPosition], collateral: float, variation: float = 0.0) -> Margin:
    """House margin of an account whose equity (marks included) is `collateral`; money in one currency.

    `variation` is what is owed on open positions and not yet taken off `collateral`; a gain lowers nothing.

    >>> from nautilus.model.enums import AssetClass
    >>> stock = MarginPosition(instrument_id="X.XNYS", asset_class=AssetClass.EQUITY, quantity=1000, price=100.0)
    >>> margin = house_margin([stock], 50_000.0)
    >>> margin.initial, margin.maintenance, margin.utilization, margin.excess
    (25000.0, 15000.0, 0.5, 25000.0)
    """
    parts = tuple(_one(position) for position in positions)
    gross = sum(part.initial for part in parts)
    offset = min(_offset(positions, parts), LARGEST_OFFSET * gross)
    initial = gross - offset
    kept = initial / gross if gross > 0.0 else 1.0
    requirement = initial + max(variation, 0.0)
    return Margin(
        model="house",
        gross_initial=gross,
        offset=offset,
        initial=initial,
        maintenance=kept * sum(part.maintenance for part in parts),
        variation=variation,
        requirement=requirement,
        collateral=collateral,
        utilization=utilization_of(requirement, collateral),
        excess=collateral - requirement,
        buying_power=max(collateral - requirement, 0.0) / _EQUITY.initial,
        positions=parts,
        notes=_notes(positions),
    )


def _one(position: MarginPosition) -> PositionMargin:
    rates = HOUSE_RATES[position.asset_class]
    notional = position.notional
    duration = DURATION_SHARE * position.duration_years if position.asset_class is AssetClass.BOND else 0.0
    above = max(0.0, (position.volatility or 0.0) - VOLATILITY_THRESHOLD)
    volatile = 1.0 + rates.volatility_multiplier * above
    large = 1.0 + (CONCENTRATION_SHARE if notional > CONCENTRATION_THRESHOLD else 0.0)
    base = notional * (rates.initial + duration)
    return PositionMargin(
        instrument_id=position.instrument_id,
        market_value=position.market_value,
        initial=base * volatile * large,
        maintenance=notional * (rates.maintenance + duration) * volatile * large,
        volatility_add_on=base * (volatile - 1.0),
        concentration_add_on=base * volatile * (large - 1.0),
    )


def _offset(positions: Sequence[MarginPosition], parts: Sequence[PositionMargin]) -> float:
    sides: dict[ClassRates, tuple[float, float]] = {}
    for position, part in zip(positions, parts, strict=True):
        rates = HOUSE_RATES[position.asset_class]
        long, short = sides.get(rates, (0.0, 0.0))
        if position.market_value >= 0.0:
            sides[rates] = (long + part.initial, short)
        else:
            sides[rates] = (long, short + part.initial)
    return sum(rates.offset * 2.0 * min(long, short) for rates, (long, short) in sides.items())


def _notes(positions: Sequence[MarginPosition]) -> tuple[str, ...]:
    unknown = sorted(
        item.instrument_id
        for item in positions
        if item.volatility is None and HOUSE_RATES[item.asset_class].volatility_multiplier > 0.0
    )
    return (f"no volatility known of {', '.join(unknown[:20])}: no add-on for it",) if unknown else ()
