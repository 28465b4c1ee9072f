"""Training data: rows of features, the label of each and the time until which the label reaches."""

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.ml.history import Rows
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

    def taken(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "Dataset":
        """Some of the rows, by number or by a mask."""
        return Dataset(self.names, self.features[rows], self.labels[rows], self.starts[rows], self.ends[rows])

    def complete(self) -> "Dataset":
        """The rows without a missing feature."""
        return self.taken(np.isfinite(self.features).all(axis=1))


def check_enough(histories: Sequence[Rows], horizon: int, minimum_rows: int) -> None:
    """Raise NotReady, with the numbers, where there are fewer than `minimum_rows` labelled rows. Cheap."""
    count = sum(rows.labelled_count(horizon) for rows in _of_one_set(histories, horizon))
    if count < minimum_rows:
        raise NotReady(f"{count} labelled rows so far, {minimum_rows} are needed")


def dataset_from_histories(histories: Sequence[Rows], horizon: int) -> Dataset:
    """One dataset of several instruments' rows, in order of time. Raises NotReady where no row has a label."""
    usable = _of_one_set(histories, horizon)
    parts = [rows.labelled(horizon) for rows in usable]
    features, labels, starts, ends = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(starts, kind="stable")
    return Dataset(usable[0].names, features[order], labels[order], starts[order], ends[order])


def dataset_from_rows(
    names: Sequence[str], rows: Sequence[Sequence[float | None]], prices: Sequence[float], horizon: int
) -> Dataset:
    """A dataset from one instrument's rows, as a user sends them; times are row numbers."""
    features = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    values = np.column_stack([np.array(prices, dtype=np.float64), features])
    return dataset_from_histories([Rows(tuple(names), [(0, np.arange(len(rows)), values)])], horizon)


def _of_one_set(histories: Sequence[Rows], horizon: int) -> list[Rows]:
    usable = [rows for rows in histories if rows.labelled_count(horizon)]
    if not usable:
        raise NotReady(f"no instrument has more than {horizon} feature vectors yet")
    return [rows for rows in usable if rows.names == usable[0].names]
