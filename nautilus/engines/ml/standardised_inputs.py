"""Features as a network takes them: each on the scale of its standard deviation, missing ones told apart."""

from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.int64]

FARTHEST = 10.0
"""Standard deviations beyond which an input counts as no farther: what no training row showed is not extrapolated."""


class StandardisedInputs(msgspec.Struct, frozen=True):
    """Centre and 1 / scale of each feature [columns] in the training rows; one that did not vary has 0 and is left out.

    `indicated` are the numbers of the features that were missing in some training row: such a one, missing, stands at
    its mean, and an input of its own says so. A feature that was never missing in training must be there.
    """

    centre: Floats
    inverse_scale: Floats
    indicated: Integers

    @classmethod
    def fit(cls, features: Floats) -> Self:
        """Centre and scale of `features` [rows, columns], each over the rows that have it; not finite is missing."""
        present = np.isfinite(features)
        count = np.maximum(present.sum(axis=0), 1)
        centre = np.where(present, features, 0.0).sum(axis=0) / count
        distance = np.where(present, features - centre, 0.0)
        scale = np.sqrt((distance**2).sum(axis=0) / count)
        varies = scale > 1e-12 * np.maximum(1.0, np.abs(centre))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=varies)
        return cls(centre, inverse, np.flatnonzero(~present.all(axis=0)))

    @property
    def width(self) -> int:
        """Inputs of the network: a column for each feature and for each indicator."""
        return len(self.centre) + len(self.indicated)

    def transform(self, features: Floats) -> Floats:
        """Inputs [rows, width] for `features` [rows, columns]; NaN where a feature is missing that must be there."""
        present = np.isfinite(features)
        with np.errstate(over="ignore", invalid="ignore"):
            inputs = (features - self.centre) * self.inverse_scale
        np.minimum(np.maximum(inputs, -FARTHEST, out=inputs), FARTHEST, out=inputs)
        if present.all():
            missing = np.zeros((len(features), len(self.indicated)))
        else:
            inputs[~present] = np.nan
            missing = np.isnan(inputs[:, self.indicated])
            inputs[:, self.indicated] = np.where(missing, 0.0, inputs[:, self.indicated])
        return np.concatenate([inputs, missing], axis=1) if len(self.indicated) else inputs
