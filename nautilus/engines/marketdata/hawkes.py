"""Hawkes processes: streams of events in which each event makes further ones likelier for a while.

Events are of types 0 to D - 1. The intensity of type i at time t, in events per second, is
    lambda_i(t) = mu_i + sum over past events (t_k, j) of sum over p of a_ijp exp(-b_p (t - t_k))
with exponential kernels that share P rates of decay b_p. The number of events of type i that one event of type j causes
directly is N_ij = sum_p a_ijp / b_p. The process is stationary when the spectral radius of N, the branching ratio, is
below 1; its mean rates are then (I - N)^-1 mu.

Simulation is exact: thinning (Ogata 1981). Between events the intensity only falls, so that its value now bounds it.
Goodness of fit: by the theorem of random time change (Ogata 1988) the integral of lambda_i from one event of type i to
the next is a standard exponential number, independent of the others, if the process is what it is taken for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.accel.kernel import jit, kernel
from nautilus.errors import Invalid

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class HawkesProcess:
    """Parameters: `baseline` [types] per second, `excitation` [types, types, decays] (a_ijp), `decay` [decays] (b_p).

    Raises Invalid where a number is negative or not finite, a decay not positive, or the process is not stationary.

    >>> process = HawkesProcess([1.0], [[[2.0]]], [4.0])
    >>> process.branching_ratio, process.mean_rates.tolist()
    (0.5, [2.0])
    """

    baseline: Floats
    excitation: Floats
    decay: Floats

    def __init__(self, baseline: ArrayLike, excitation: ArrayLike, decay: ArrayLike) -> None:
        for name, given in (("baseline", baseline), ("excitation", excitation), ("decay", decay)):
            array = np.array(given, np.float64)
            if not np.all(np.isfinite(array)) or np.any(array < 0):
                raise Invalid(name, "must be finite and not negative")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        types, decays = self.baseline.size, self.decay.size
        if self.baseline.shape != (types,) or self.decay.shape != (decays,) or not types or not np.all(self.decay > 0):
            raise Invalid("decay", "must be positive, and baseline and decay have one dimension")
        if self.excitation.shape != (types, types, decays):
            raise Invalid("excitation", f"must have shape {(types, types, decays)}, not {self.excitation.shape}")
        if self.branching_ratio >= 1:
            raise Invalid("excitation", f"has a branching ratio of {self.branching_ratio:.4g}, must be below 1")

    @property
    def branching(self) -> Floats:
        """Events of each type (rows) that one event of each type (columns) causes directly, on average."""
        found: Floats = (self.excitation / self.decay).sum(axis=2)
        return found

    @property
    def branching_ratio(self) -> float:
        """Spectral radius of `branching`: the share of events that others caused, where there is one type."""
        return float(np.abs(np.linalg.eigvals(self.branching)).max())

    @property
    def mean_rates(self) -> Floats:
        """Mean events per second by type, in the long run."""
        found: Floats = np.linalg.solve(np.eye(self.baseline.size) - self.branching, self.baseline)
        return found

    def simulate(self, events: int, seed: int) -> tuple[Floats, Integers]:
        """The first `events` events after an empty past: times in seconds from 0, and types. Seeded, exact."""
        if events < 0:
            raise Invalid("events", "must not be negative")
        if not self.baseline.any():
            raise Invalid("baseline", "must be positive somewhere, or nothing ever happens")
        time, kind = np.empty(events), np.empty(events, np.int64)
        draws = np.random.Generator(np.random.PCG64(seed))
        simulate_hawkes(self.baseline.copy(), self.excitation.copy(), self.decay.copy(), draws, time, kind)
        return time, kind

    def residuals(self, time: ArrayLike, kind: ArrayLike) -> list[Floats]:
        """By type, the integrated intensity between its events: standard exponential if the process is this one.

        `time` [events] in seconds from 0, ascending; `kind` [events]. The first of each type is counted from 0.
        """
        times, kinds = checked_events(time, kind, self.baseline.size)
        out = np.empty(len(times))
        rescale_times(self.baseline.copy(), self.excitation.copy(), self.decay.copy(), times, kinds, out)
        return [out[kinds == number] for number in range(self.baseline.size)]


def checked_events(time: ArrayLike, kind: ArrayLike, types: int) -> tuple[Floats, Integers]:
    """Times and types as arrays; raises Invalid where times are not finite or run backwards, or a type is unknown."""
    times, kinds = np.array(time, np.float64), np.array(kind, np.int64)
    if times.ndim != 1 or times.shape != kinds.shape:
        raise Invalid("kind", "must be as many as there are times")
    if not np.all(np.isfinite(times)) or np.any(np.diff(times) < 0) or (times.size and times[0] < 0):
        raise Invalid("time", "must be finite, not negative, and not run backwards")
    if np.any((kinds < 0) | (kinds >= types)):
        raise Invalid("kind", f"must be in 0..{types - 1}")
    return times, kinds


@jit
def simulate_hawkes(
    baseline: Floats, excitation: Floats, decay: Floats, draws: np.random.Generator, time: Floats, kind: Integers
) -> int:
    """Fill `time` and `kind` [events] by thinning; returns the number of candidates that were drawn."""
    types, decays = len(baseline), len(decay)
    excited, total_baseline = np.zeros((types, decays)), baseline.sum()
    at, found, candidates = 0.0, 0, 0
    while found < len(time):
        bound = total_baseline + excited.sum()
        wait = -log(1.0 - draws.random()) / bound
        at += wait
        candidates += 1
        level = draws.random() * bound
        for p in range(decays):
            factor = exp(-decay[p] * wait)
            for i in range(types):
                excited[i, p] *= factor
        if level >= total_baseline + excited.sum():
            continue
        chosen = 0
        while chosen < types - 1:
            rate = baseline[chosen] + excited[chosen].sum()
            if level < rate:
                break
            level -= rate
            chosen += 1
        time[found], kind[found] = at, chosen
        found += 1
        for i in range(types):
            for p in range(decays):
                excited[i, p] += excitation[i, chosen, p]
    return candidates


def _rescale_reference(
    baseline: Floats, excitation: Floats, decay: Floats, time: Floats, kind: Integers, out: Floats
) -> None:
    def integral(i: int, until: float, rows: int) -> float:
        total = float(baseline[i]) * until
        for row in range(rows):
            for p in range(len(decay)):
                share = float(excitation[i, kind[row], p] / decay[p])
                total += share * (1.0 - exp(-float(decay[p]) * (until - float(time[row]))))
        return total

    last: dict[int, float] = {}
    for row in range(len(time)):
        i = int(kind[row])
        value = integral(i, float(time[row]), row)
        out[row] = value - last.get(i, 0.0)
        last[i] = value


def _rescale_example() -> tuple[object, ...]:
    excitation, decay = np.array([[[1.0, 0.1], [0.5, 0.1]], [[0.2, 0.1], [2.0, 0.0]]]), np.array([9.0, 1.0])
    time, kind = np.array([0.1, 0.4, 0.4, 1.5, 1.6]), np.array([0, 1, 0, 0, 1], np.int64)
    return np.array([1.0, 0.5]), excitation, decay, time, kind, np.zeros(5)


@kernel(reference=_rescale_reference, example=_rescale_example)
def rescale_times(
    baseline: Floats, excitation: Floats, decay: Floats, time: Floats, kind: Integers, out: Floats
) -> None:
    """Fill `out` [events] with the integral of its own type's intensity since the event of that type before it."""
    types, decays = len(baseline), len(decay)
    excited, since = np.zeros((types, decays)), np.zeros(types)
    before = 0.0
    for row in range(len(time)):
        wait = time[row] - before
        before = time[row]
        for i in range(types):
            since[i] += baseline[i] * wait
        for p in range(decays):
            factor = exp(-decay[p] * wait)
            for i in range(types):
                since[i] += excited[i, p] * (1.0 - factor) / decay[p]
                excited[i, p] *= factor
        out[row] = since[kind[row]]
        since[kind[row]] = 0.0
        for i in range(types):
            for p in range(decays):
                excited[i, p] += excitation[i, kind[row], p]
