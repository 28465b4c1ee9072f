"""A flash-crash score: how close price, volume, volatility and liquidity are together to what a crash looks like.

Each component is a ratio to its alarm value, cut to [0, 1]; the score is their weighted mean. The alarm values are
those of the configuration: by default a volume five deviations above its mean, a fall of 10% from the window's high,
volatility at three times its usual, and liquidity 80% below its usual, with weights 0.30, 0.25, 0.25 and 0.20.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Alarm = Annotated[float, Meta(gt=0, le=1e6)]
Weight = Annotated[float, Meta(ge=0.001, le=1)]


class CrashScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alarm values (component = 1) and weights of the four components."""

    volume_deviations: Annotated[Alarm, Meta(description="Deviations of volume above its mean.")] = 5.0
    price_fall: Annotated[Alarm, Meta(description="Fall from the window's high, as a fraction.")] = 0.10
    volatility_ratio: Annotated[float, Meta(gt=1, le=1e6, description="Volatility over its usual.")] = 3.0
    liquidity_loss: Annotated[Alarm, Meta(description="Share of the usual liquidity that is gone.")] = 0.80
    weights: Annotated[
        tuple[Weight, Weight, Weight, Weight], Meta(description="Weights of the four, in this order.")
    ] = (0.30, 0.25, 0.25, 0.20)


class CrashInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen now against what is usual; None where it is not known."""

    volume_deviations: float | None = None
    """(volume of the last interval - usual) / usual deviation."""
    price_fall: float | None = None
    """1 - price / highest price of the window."""
    volatility_ratio: float | None = None
    """Volatility of the last intervals / usual."""
    liquidity_loss: float | None = None
    """1 - depth at the best quotes / usual."""


class CrashScore(msgspec.Struct, frozen=True, kw_only=True):
    """The score in [0, 1] and its components; `weight_known` is the share of the weights whose inputs were known."""

    score: float
    components: dict[str, float | None]
    weight_known: float


def crash_score(inputs: CrashInputs, scale: CrashScale) -> CrashScore | None:
    """Weighted mean of the known components; None where less than half of the weights is known, or the price is not.

    A volatility ratio of 1 or less and a volume, price or depth no worse than usual count as 0.

    >>> crash_score(CrashInputs(volume_deviations=5.0, price_fall=0.05, volatility_ratio=1.0), CrashScale()).score
    0.53125
    """
    ratio = inputs.volatility_ratio
    excess = None if ratio is None else (ratio - 1.0) / (scale.volatility_ratio - 1.0)
    components = {
        "volume": _cut(inputs.volume_deviations, scale.volume_deviations),
        "price": _cut(inputs.price_fall, scale.price_fall),
        "volatility": _cut(excess, 1.0),
        "liquidity": _cut(inputs.liquidity_loss, scale.liquidity_loss),
    }
    known = [
        (value, weight) for value, weight in zip(components.values(), scale.weights, strict=True) if value is not None
    ]
    weight = sum(weight for _, weight in known)
    share = weight / sum(scale.weights)
    if components["price"] is None or share < 0.5:
        return None
    score = sum(value * weight for value, weight in known) / weight
    return CrashScore(score=min(1.0, score), components=components, weight_known=min(1.0, share))


def _cut(value: float | None, alarm: float) -> float | None:
    return None if value is None else min(1.0, max(0.0, value / alarm))
