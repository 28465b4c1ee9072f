"""VPIN over a moving window of buckets, and its empirical distribution."""

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.errors import Invalid

Floats = NDArray[np.float64]


def _rolling_vpin_reference(imbalance: Floats, volume: Floats, window: int, minimum: int) -> Floats:
    vpin = np.full(imbalance.size, np.nan)
    for i in range(minimum - 1, imbalance.size):
        start = max(0, i + 1 - window)
        vpin[i] = imbalance[start : i + 1].sum() / volume[start : i + 1].sum()
    return vpin


@kernel(reference=_rolling_vpin_reference, example=lambda: (np.array([1.0, 2.0]), np.array([4.0, 4.0]), 2, 1))
def rolling_vpin(imbalance: Floats, volume: Floats, window: int, minimum: int) -> Floats:
    """VPIN after each bucket: sum |buy - sell| / sum volume over the last `window` buckets, [buckets].

    NaN until `minimum` buckets are there. Sums are kept by adding the new and taking off the old, and made afresh every
    `window` buckets, so that rounding does not build up. Easley, Lopez de Prado and O'Hara (2012), equation (7).

    >>> rolling_vpin(np.array([1.0, 3.0, 0.0]), np.full(3, 4.0), 2, 2)
    array([  nan, 0.5  , 0.375])
    """
    vpin = np.full(imbalance.size, np.nan)
    unbalanced = 0.0
    total = 0.0
    for i in range(imbalance.size):
        unbalanced += imbalance[i]
        total += volume[i]
        if i >= window:
            unbalanced -= imbalance[i - window]
            total -= volume[i - window]
            if (i + 1) % window == 0:
                unbalanced = 0.0
                total = 0.0
                for j in range(i + 1 - window, i + 1):
                    unbalanced += imbalance[j]
                    total += volume[j]
        if i + 1 >= minimum:
            vpin[i] = max(0.0, unbalanced) / total
    return vpin


class RollingVpin:
    """VPIN bucket by bucket: the same numbers as `rolling_vpin`, to the last bit.

    >>> rolling = RollingVpin(window=2, minimum=2)
    >>> [rolling.add(imbalance, 4.0) for imbalance in (1.0, 3.0, 0.0)]
    [None, 0.5, 0.375]
    """

    __slots__ = ("_buckets", "_total", "_unbalanced", "count", "minimum", "window")

    def __init__(self, window: int, minimum: int) -> None:
        if not 1 <= minimum <= window:
            raise Invalid("minimum", f"must lie in [1, {window}], not {minimum}")
        self.window = window
        self.minimum = minimum
        self.count = 0
        self._buckets: deque[tuple[float, float]] = deque(maxlen=window)
        self._unbalanced = 0.0
        self._total = 0.0

    def add(self, imbalance: float, volume: float) -> float | None:
        """VPIN after one more bucket; None before `minimum` buckets."""
        buckets = self._buckets
        self._unbalanced += imbalance
        self._total += volume
        full = len(buckets) == self.window
        if full:
            self._unbalanced -= buckets[0][0]
            self._total -= buckets[0][1]
        buckets.append((imbalance, volume))
        self.count += 1
        if full and self.count % self.window == 0:
            self._make_afresh()
        return self.value

    @property
    def value(self) -> float | None:
        """VPIN now; None before `minimum` buckets."""
        return max(0.0, self._unbalanced) / self._total if self.count >= self.minimum else None

    def _make_afresh(self) -> None:
        unbalanced = total = 0.0
        for imbalance, volume in self._buckets:
            unbalanced += imbalance
            total += volume
        self._unbalanced, self._total = unbalanced, total

    def state(self) -> tuple[int, float, float, list[tuple[float, float]]]:
        """All that `restored` needs."""
        return self.count, self._unbalanced, self._total, list(self._buckets)

    @classmethod
    def restored(
        cls, window: int, minimum: int, state: tuple[int, float, float, list[tuple[float, float]]]
    ) -> "RollingVpin":
        """As it was when `state` was taken; a shorter window keeps the newest buckets."""
        rolling = cls(window, minimum)
        count, unbalanced, total, buckets = state
        rolling._buckets.extend(buckets)
        if len(buckets) == min(count, window):
            rolling.count, rolling._unbalanced, rolling._total = count, unbalanced, total
        else:
            rolling.count = len(rolling._buckets)
            rolling._make_afresh()
        return rolling


class EmpiricalDistribution:
    """The last `capacity` values in order of size: where does a new one stand among them?

    >>> distribution = EmpiricalDistribution(capacity=3)
    >>> [distribution.add(value) for value in (0.2, 0.4, 0.3, 0.1)]
    [1.0, 1.0, 0.6666666666666666, 0.3333333333333333]
    """

    __slots__ = ("_by_age", "_by_size", "capacity")

    def __init__(self, capacity: int, values: Iterable[float] = ()) -> None:
        self.capacity = capacity
        self._by_age: deque[float] = deque(values, maxlen=capacity)
        self._by_size: list[float] = sorted(self._by_age)

    def __len__(self) -> int:
        return len(self._by_size)

    def add(self, value: float) -> float:
        """Take in a value and return the share of the kept values, itself included, that are not above it."""
        if len(self._by_age) == self.capacity:
            oldest = self._by_age[0]
            del self._by_size[bisect_right(self._by_size, oldest) - 1]
        self._by_age.append(value)
        insort(self._by_size, value)
        return self.rank(value)

    def rank(self, value: float) -> float:
        """Share of the kept values that are not above `value`."""
        return bisect_right(self._by_size, value) / len(self._by_size)

    def quantile(self, probability: float) -> float:
        """Smallest kept value whose rank is at least `probability`."""
        position = max(0, -int(-probability * len(self._by_size) // 1) - 1)
        return self._by_size[min(position, len(self._by_size) - 1)]

    def values(self) -> list[float]:
        """The kept values, oldest first."""
        return list(self._by_age)


def empirical_cdf(values: Floats, capacity: int) -> Floats:
    """Rank of each value among the last `capacity` up to and including itself, in (0, 1]; NaN stays NaN, [values]."""
    distribution = EmpiricalDistribution(capacity)
    return np.array([np.nan if np.isnan(value) else distribution.add(value) for value in values.tolist()])
