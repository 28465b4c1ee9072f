"""How long an order takes to the venue, and the venue's answer back."""

import math
from random import Random
from typing import Protocol


class LatencyModel(Protocol):
    """Two delays in nanoseconds, drawn anew for each message. Messages never overtake one another on the way."""

    def entry_ns(self) -> int:
        """From our decision to the venue's matching."""

    def response_ns(self) -> int:
        """From the venue's matching to our knowledge of it."""


class ConstantLatency:
    """The same delay every time.

    >>> ConstantLatency(1_000_000, 500_000).entry_ns()
    1000000
    """

    def __init__(self, entry_ns: int, response_ns: int = 0) -> None:
        self._entry_ns = entry_ns
        self._response_ns = response_ns

    def entry_ns(self) -> int:
        """The constant."""
        return self._entry_ns

    def response_ns(self) -> int:
        """The constant."""
        return self._response_ns


class SampledLatency:
    """A floor plus a log-normal excess with the given median and shape; `seed` makes runs repeatable.

    The excess has median `median_ns` and its logarithm standard deviation `sigma`: most messages are near the median,
    a few are many times slower, as on a network. `response_share` scales both for the way back.

    >>> one, other = SampledLatency(7, 100_000, 400_000, 0.5), SampledLatency(7, 100_000, 400_000, 0.5)
    >>> [one.entry_ns() for _ in range(3)] == [other.entry_ns() for _ in range(3)]
    True
    """

    def __init__(self, seed: int, floor_ns: int, median_ns: int, sigma: float, response_share: float = 1.0) -> None:
        self._random = Random(seed)  # noqa: S311 - a model of delay, not a secret
        self._floor_ns = floor_ns
        self._mu = math.log(median_ns)
        self._sigma = sigma
        self._response_share = response_share

    def entry_ns(self) -> int:
        """One draw."""
        return self._floor_ns + round(self._random.lognormvariate(self._mu, self._sigma))

    def response_ns(self) -> int:
        """One draw, scaled."""
        return round(self._response_share * self.entry_ns())
