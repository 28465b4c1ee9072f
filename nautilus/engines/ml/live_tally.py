"""How live predictions fare: each waits until its horizon has passed, then it is a pair with what happened."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LATEST = 5000


class LiveTally:
    """Live predictions of one model version: those that wait for their outcome, and the latest pairs."""

    __slots__ = ("_count", "_pairs", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[float, float]]] = {}
        self._pairs = np.empty((0, 2))
        self._count = 0

    def add(self, instrument_id: str, value: float, price: float, horizon: int) -> None:
        """Note a prediction, and the outcome of the one made `horizon` predictions of the instrument earlier."""
        waiting = self._waiting.setdefault(instrument_id, deque())
        waiting.append((value, price))
        if len(waiting) > horizon:
            earlier, base = waiting.popleft()
            self._note(earlier, float(np.log(price / base)))

    def outcomes(self) -> Floats:
        """The latest predictions and what happened, [pairs, 2], oldest first."""
        if self._count <= LATEST:
            return self._pairs[: self._count].copy()
        return np.roll(self._pairs, -(self._count % LATEST), axis=0)

    def take_back(self, pairs: Floats) -> None:
        """Begin with the pairs of an earlier run; predictions that waited when it ended have no outcome."""
        self._pairs = np.array(pairs[-LATEST:])
        self._count = len(self._pairs)

    def _note(self, value: float, outcome: float) -> None:
        if self._count == len(self._pairs) < LATEST:
            grown = np.empty((min(LATEST, max(64, 2 * self._count)), 2))
            grown[: self._count] = self._pairs
            self._pairs = grown
        self._pairs[self._count % LATEST] = value, outcome
        self._count += 1
