"""Purged k-fold: no training row whose label reaches into the test period, and none right after it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Integers = NDArray[np.int64]


def purged_folds(starts: Integers, ends: Integers, folds: int, embargo: int = 0) -> Iterator[tuple[Integers, Integers]]:
    """Training and test rows of each of `folds` contiguous test periods.

    `starts` and `ends` [rows] are the times at which each row's features are known and its label is decided (any unit,
    `starts` ascending, ends not before starts). A training row is dropped when its span overlaps that of the test rows,
    or when it starts within `embargo` after it. Raises Invalid.
    Source: Lopez de Prado, Advances in Financial Machine Learning (2018), section 7.4.

    >>> [(train.tolist(), test.tolist()) for train, test in purged_folds(np.arange(6), np.arange(6) + 1, 3)]
    [([3, 4, 5], [0, 1]), ([0, 5], [2, 3]), ([0, 1, 2], [4, 5])]
    """
    rows = len(starts)
    if not 2 <= folds <= rows:
        raise Invalid("folds", f"must be from 2 to the number of rows ({rows})")
    if np.any(np.diff(starts) < 0) or np.any(ends < starts):
        raise Invalid("starts", "must be ascending, and no label may end before it starts")
    numbers = np.arange(rows)
    for test in np.array_split(numbers, folds):
        first, last = starts[test[0]], ends[test].max()
        overlaps = (starts <= last + embargo) & (ends >= first)
        yield numbers[~overlaps], test
