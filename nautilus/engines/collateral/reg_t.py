"""Regulation T and FINRA rule 4210: margin of stocks held long on credit or sold short.

Initial margin is half of the value of long and of short positions (12 CFR 220.12; for a short sale beside its
proceeds). Maintenance is FINRA 4210(c): a quarter of the value of longs; of shorts the larger of 30% and 5 dollars a
share, and for a stock below 5 dollars the larger of all of its value and 2.50 dollars a share. Initial margin is never
below maintenance. There are no offsets between positions.
"""

from collections.abc import Sequence

from nautilus.engines.collateral.margin_position import Margin, MarginPosition, PositionMargin, utilization_of
from nautilus.errors import Invalid
from nautilus.model.enums import AssetClass

INITIAL_RATE = 0.50
LONG_MAINTENANCE_RATE = 0.25
SHORT_MAINTENANCE_RATE = 0.30
LOW_PRICE = 5.00
MARGINABLE = frozenset({AssetClass.EQUITY, AssetClass.ETF})


def reg_t_margin(positions: Sequence[MarginPosition], collateral: float, variation: float = 0.0) -> Margin:
    """Reg T margin of an account whose equity (marks included) is `collateral`, money in dollars.

    `variation` is what is owed and not yet taken off `collateral`. What is neither stock nor ETF has no loan value
    here: it is charged in full and named in the notes. Buying power is the excess over initial margin, doubled.

    >>> from nautilus.model.enums import AssetClass
    >>> stock = MarginPosition(instrument_id="X.XNYS", asset_class=AssetClass.EQUITY, quantity=1000, price=50.0)
    >>> margin = reg_t_margin([stock], 25_000.0)
    >>> margin.initial, margin.maintenance, margin.excess, margin.buying_power
    (25000.0, 12500.0, 12500.0, 0.0)
    """
    parts = tuple(_one(position) for position in positions)
    initial = sum(part.initial for part in parts)
    maintenance = sum(part.maintenance for part in parts)
    requirement = maintenance + max(variation, 0.0)
    foreign = sorted({item.instrument_id for item in positions if item.asset_class not in MARGINABLE})
    return Margin(
        model="reg_t",
        gross_initial=initial,
        offset=0.0,
        initial=initial,
        maintenance=maintenance,
        variation=variation,
        requirement=requirement,
        collateral=collateral,
        utilization=utilization_of(requirement, collateral),
        excess=collateral - requirement,
        buying_power=max(collateral - max(variation, 0.0) - initial, 0.0) / INITIAL_RATE,
        positions=parts,
        notes=tuple(f"{name} is no stock: charged in full" for name in foreign),
    )


def short_maintenance(price: float, shares: float) -> float:
    """Maintenance of a short stock position of `shares` (positive) at `price` dollars.

    >>> [short_maintenance(price, 100) for price in (100.0, 10.0, 4.0, 1.0)]
    [3000.0, 500.0, 400.0, 250.0]
    """
    if price >= LOW_PRICE:
        return max(LOW_PRICE * shares, SHORT_MAINTENANCE_RATE * price * shares)
    return max(2.50 * shares, price * shares)


def call_price(quantity: float, price: float, equity: float) -> float | None:
    """The price at which a single stock position, all else cash or loan, falls to its maintenance margin.

    For a long position loan / (0.75 shares), for a short one credit / (1.3 shares), where the percentage rule holds
    at that price. None where no positive price brings the call. Raises Invalid without a position.

    >>> round(call_price(1000, 50.0, 25_000.0), 2), round(call_price(-1000, 100.0, 50_000.0), 2)
    (33.33, 115.38)
    """
    if quantity == 0.0:
        raise Invalid("quantity", "must not be zero")
    cash = equity - quantity * price
    rate = LONG_MAINTENANCE_RATE if quantity > 0.0 else SHORT_MAINTENANCE_RATE
    called = -cash / (quantity - rate * abs(quantity))
    return called if called > 0.0 else None


def _one(position: MarginPosition) -> PositionMargin:
    value = position.market_value
    if position.asset_class not in MARGINABLE:
        initial = maintenance = position.notional
    elif value >= 0.0:
        initial, maintenance = INITIAL_RATE * value, LONG_MAINTENANCE_RATE * value
    else:
        maintenance = short_maintenance(position.price, -position.quantity * position.multiplier)
        initial = max(-INITIAL_RATE * value, maintenance)
    return PositionMargin(
        instrument_id=position.instrument_id, market_value=value, initial=initial, maintenance=maintenance
    )
