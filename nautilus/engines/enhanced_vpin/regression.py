"""Simple linear regression of price response on order flow: of arrays, and over a moving window in constant time."""

import math
from collections import deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Floats = NDArray[np.float64]


class Regression(msgspec.Struct, frozen=True):
    """y = intercept + slope x + e by least squares, with the slope's standard error (homoskedastic) and R squared.

    `standard_error` and `t_statistic` are None where the fit is perfect or there are no degrees of freedom.
    """

    slope: float
    intercept: float
    standard_error: float | None
    t_statistic: float | None
    r_squared: float
    observations: int


def regress(x: Floats, y: Floats) -> Regression | None:
    """Regression of `y` on `x`, both [observations]; None where x does not vary or there are fewer than 3.

    >>> regress(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])).slope
    2.0
    """
    if x.shape != y.shape or x.ndim != 1:
        raise Invalid("y", f"must be one-dimensional with the shape {x.shape} of x")
    n = x.size
    if n < 3:
        return None
    dx, dy = x - x.mean(), y - y.mean()
    return _from_centred(n, float(x.mean()), float(y.mean()), float(dx @ dx), float(dx @ dy), float(dy @ dy))


def _from_centred(n: int, mean_x: float, mean_y: float, sxx: float, sxy: float, syy: float) -> Regression | None:
    if not sxx > 0.0 or not math.isfinite(sxx + abs(sxy) + syy):
        return None
    slope = sxy / sxx
    residual = max(0.0, syy - slope * sxy)
    error = math.sqrt(residual / (n - 2) / sxx) if n > 2 else 0.0
    return Regression(
        slope=slope,
        intercept=mean_y - slope * mean_x,
        standard_error=error or None,
        t_statistic=slope / error if error else None,
        r_squared=min(1.0, slope * sxy / syy) if syy > 0.0 else 0.0,
        observations=n,
    )


class RollingRegression:
    """Regression over the last `window` pairs. Sums of whole numbers stay exact; others are made afresh each window.

    >>> rolling = RollingRegression(window=3)
    >>> for x, y in ((9, 9), (0, 1), (1, 3), (2, 5)):
    ...     rolling.add(x, y)
    >>> rolling.estimate(minimum=3).slope
    2.0
    """

    __slots__ = ("_added", "_pairs", "_sx", "_sxx", "_sxy", "_sy", "_syy", "window")

    def __init__(self, window: int) -> None:
        if window < 3:
            raise Invalid("window", f"must be at least 3, not {window}")
        self.window = window
        self._pairs: deque[tuple[float, float]] = deque(maxlen=window)
        self._added = 0
        self._sx: float = 0
        self._sy: float = 0
        self._sxx: float = 0
        self._sxy: float = 0
        self._syy: float = 0

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, x: float, y: float) -> None:
        """Take in a pair; the oldest goes when the window is full."""
        pairs = self._pairs
        if len(pairs) == self.window:
            a, b = pairs[0]
            self._sx -= a
            self._sy -= b
            self._sxx -= a * a
            self._sxy -= a * b
            self._syy -= b * b
        pairs.append((x, y))
        self._added += 1
        if self._added % self.window:
            self._sx += x
            self._sy += y
            self._sxx += x * x
            self._sxy += x * y
            self._syy += y * y
        else:
            self._sx = sum(a for a, _ in pairs)
            self._sy = sum(b for _, b in pairs)
            self._sxx = sum(a * a for a, _ in pairs)
            self._sxy = sum(a * b for a, b in pairs)
            self._syy = sum(b * b for _, b in pairs)

    def estimate(self, minimum: int = 3) -> Regression | None:
        """The regression now; None with fewer than `minimum` pairs or where x does not vary."""
        n = len(self._pairs)
        if n < max(3, minimum):
            return None
        centred_xx = (n * self._sxx - self._sx * self._sx) / n
        if centred_xx <= 1e-12 * self._sxx:
            return None
        centred_xy = (n * self._sxy - self._sx * self._sy) / n
        centred_yy = max(0.0, (n * self._syy - self._sy * self._sy) / n)
        return _from_centred(n, self._sx / n, self._sy / n, centred_xx, centred_xy, centred_yy)

    def pairs(self) -> list[tuple[float, float]]:
        """The pairs in the window, oldest first."""
        return list(self._pairs)
