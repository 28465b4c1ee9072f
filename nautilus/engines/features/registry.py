"""The registry: every feature by name."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from nautilus.engines.features import composite, dependence, liquidity, order_flow, range_volatility, realised
from nautilus.engines.features.feature import BoundFeature, Feature
from nautilus.engines.features.talib_functions import talib_features
from nautilus.errors import NotFound

OWN_FEATURES: tuple[Feature, ...] = (
    *liquidity.FEATURES,
    *order_flow.FEATURES,
    *realised.FEATURES,
    *range_volatility.FEATURES,
    *dependence.FEATURES,
    *composite.FEATURES,
)
"""The features that are not TA-Lib's: known without importing it."""


@cache
def registry() -> Mapping[str, Feature]:
    """Every feature by name: ours in lower case, TA-Lib's in capitals. The first call imports TA-Lib."""
    return MappingProxyType({feature.name: feature for feature in (*OWN_FEATURES, *talib_features())})


def feature(name: str) -> Feature:
    """The feature of that name; raises NotFound. TA-Lib is imported only for a name that is not ours."""
    for own in OWN_FEATURES:
        if own.name == name:
            return own
    try:
        return registry()[name]
    except KeyError:
        raise NotFound("feature", name) from None


def bind(name: str, output: str = "", **parameters: float) -> BoundFeature:
    """A feature by name with its parameters fixed; raises NotFound, Invalid.

    >>> import numpy as np
    >>> bind("microprice").batch(*(np.array([x]) for x in (99.0, 101.0, 30.0, 10.0))).tolist()
    [100.5]
    >>> stream = bind("queue_imbalance").stream()
    >>> stream.update(30.0, 10.0)
    0.5
    """
    return feature(name).bind(output, **parameters)
