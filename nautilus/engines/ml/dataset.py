"""Training data from the live stream: for each instrument the latest feature vectors and the price at each."""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.ml.labels import fixed_horizon_returns
from nautilus.errors import NotReady

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Dataset(msgspec.Struct, frozen=True):
    """Rows in order of time: features [rows, columns] (NaN missing), labels [rows], spans of the labels (ns UTC)."""

    names: tuple[str, ...]
    features: Floats
    labels: Floats
    starts: Integers
    ends: Integers

    def sha256(self) -> str:
        """Hash of everything that a model is trained on."""
        digest = hashlib.sha256("\0".join(self.names).encode())
        for array in (self.features, self.labels, self.starts, self.ends):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def complete(self) -> "Dataset":
        """The rows without a missing feature."""
        kept = np.isfinite(self.features).all(axis=1)
        return Dataset(self.names, self.features[kept], self.labels[kept], self.starts[kept], self.ends[kept])


class History:
    """The latest `limit` rows of one instrument: time, price and values of one feature set."""

    __slots__ = ("names", "rows")

    def __init__(self, names: tuple[str, ...], limit: int) -> None:
        self.names = names
        self.rows: deque[tuple[int, float, tuple[float, ...]]] = deque(maxlen=limit)

    def labelled(self, horizon: int) -> tuple[Floats, Floats, Integers, Integers]:
        """Features, labels, starts and ends of the rows whose label is known."""
        rows = list(self.rows)
        times = np.array([row[0] for row in rows], dtype=np.int64)
        labels = fixed_horizon_returns(np.array([row[1] for row in rows]), horizon)
        features = np.array([row[2] for row in rows], dtype=np.float64).reshape(len(rows), len(self.names))
        return features[:-horizon], labels[:-horizon], times[:-horizon], times[horizon:]


def dataset_from_histories(histories: Iterable[History], horizon: int, minimum_rows: int) -> Dataset:
    """One dataset of several instruments' rows, in order of time. Raises NotReady below `minimum_rows`."""
    usable = [history for history in histories if len(history.rows) > horizon]
    if not usable:
        raise NotReady(f"no instrument has more than {horizon} feature vectors yet")
    names = usable[0].names
    parts = [history.labelled(horizon) for history in usable if history.names == names]
    features, labels, starts, ends = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(starts, kind="stable")
    found = Dataset(names, features[order], labels[order], starts[order], ends[order])
    if len(found.labels) < minimum_rows:
        raise NotReady(f"{len(found.labels)} labelled rows so far, {minimum_rows} are needed")
    return found


def dataset_from_rows(
    names: Sequence[str], rows: Sequence[Sequence[float | None]], prices: Sequence[float], horizon: int
) -> Dataset:
    """A dataset from one instrument's rows, as a user sends them; times are row numbers."""
    history = History(tuple(names), len(rows))
    for number, (row, price) in enumerate(zip(rows, prices, strict=True)):
        history.rows.append((number, price, tuple(np.nan if value is None else value for value in row)))
    return dataset_from_histories([history], horizon, 1)
