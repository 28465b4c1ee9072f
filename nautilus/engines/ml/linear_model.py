"""Ridge regression on standardised features, in closed form."""

from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Floats = NDArray[np.float64]


class LinearModel(msgspec.Struct, frozen=True):
    """A fitted ridge regression: value = intercept + coefficients . features, with the features as they come."""

    intercept: float
    coefficients: tuple[float, ...]

    @classmethod
    def fit(cls, features: Floats, labels: Floats, penalty: float = 1.0) -> Self:
        """Least squares with `penalty` times the squared coefficients of the standardised features.

        `features` [rows, columns], `labels` [rows], finite. A constant column gets coefficient 0. The intercept is not
        penalised. Raises Invalid. Source: Hoerl and Kennard (1970).

        >>> model = LinearModel.fit(np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0]), penalty=0.0)
        >>> round(model.intercept, 9), round(model.coefficients[0], 9)
        (1.0, 2.0)
        """
        if not (np.isfinite(features).all() and np.isfinite(labels).all()):
            raise Invalid("features", "must be finite; drop rows with missing values first")
        if penalty < 0:
            raise Invalid("penalty", "must not be negative")
        centre, scale = features.mean(axis=0), features.std(axis=0)
        varies = scale > 1e-12 * np.maximum(1.0, np.abs(centre))
        standard = (features[:, varies] - centre[varies]) / scale[varies]
        mean = float(labels.mean())
        gram = standard.T @ standard + penalty * np.eye(standard.shape[1])
        solution = np.linalg.lstsq(gram, standard.T @ (labels - mean), rcond=None)[0]
        coefficients = np.zeros(features.shape[1])
        coefficients[varies] = solution / scale[varies]
        return cls(float(mean - coefficients @ centre), tuple(coefficients.tolist()))

    def predict(self, features: Floats) -> Floats:
        """Values [rows] for `features` [rows, columns]; NaN where a feature is."""
        return np.asarray(features @ np.array(self.coefficients) + self.intercept)

    def importance(self, features: Floats) -> Floats:
        """Size of each coefficient in standard deviations of its feature, [columns]."""
        return np.asarray(np.abs(self.coefficients) * np.nanstd(features, axis=0))

    def weights(self) -> bytes:
        """The model as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_weights(cls, weights: bytes) -> Self:
        """The model that `weights` came from."""
        return msgspec.json.decode(weights, type=cls)
