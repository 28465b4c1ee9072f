"""Hawkes parameters from events: maximum likelihood by expectation and maximisation, and the events of a LOBSTER day.

Method (Veen and Schoenberg 2008; Lewis and Mohler 2011). The rates of decay are given; with them the log-likelihood is
concave in the rest, and each step assigns every event to the baseline or to what excites it at that moment, in
proportion to intensity, then counts. The likelihood never falls. Steps end when an event gains less than `tolerance`.
"""

from __future__ import annotations

from math import exp, log

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from nautilus.accel.kernel import kernel
from nautilus.engines.marketdata.hawkes import Floats, HawkesProcess, Integers, checked_events
from nautilus.engines.marketdata.lobster import LobsterDay
from nautilus.engines.marketdata.lobster_book import DELETION, EXECUTION, HIDDEN_EXECUTION, PARTIAL_CANCEL, SUBMISSION
from nautilus.errors import Invalid, NotReady

FLOW_TYPES = ("limit_buy", "limit_sell", "cancel_buy", "cancel_sell", "market_buy", "market_sell")
"""Types of order flow, by number. A cancellation has the side of the order that it cancels."""
MIRROR = (1, 0, 3, 2, 5, 4)
"""The type on the other side of the market."""


class HawkesFit(msgspec.Struct, frozen=True):
    """An estimate: the process, its log-likelihood, that of a Poisson process of the same rates, and steps taken."""

    process: HawkesProcess
    log_likelihood: float
    poisson_log_likelihood: float
    steps: int


def fit_hawkes(
    time: ArrayLike,
    kind: ArrayLike,
    types: int,
    decay: ArrayLike,
    end: float,
    *,
    tolerance: float = 1e-6,
    max_steps: int = 500,
) -> HawkesFit:
    """Estimate baseline and excitation for given rates of decay, from events in (0, `end`] seconds.

    Raises Invalid for events that cannot be, NotReady where a type has no event or the estimate is not stationary.
    """
    times, kinds = checked_events(time, kind, types)
    rates = np.array(decay, np.float64)
    if rates.ndim != 1 or not rates.size or not np.all(np.isfinite(rates)) or np.any(rates <= 0):
        raise Invalid("decay", "must be positive numbers")
    if not np.isfinite(end) or (times.size and times[-1] > end):
        raise Invalid("end", "must not be before the last event")
    counts = np.bincount(kinds, minlength=types)
    if np.any(counts == 0):
        raise NotReady(f"no event of type {int(np.argmin(counts))}")
    baseline: Floats = np.array(0.5 * counts / end, np.float64)
    excitation: Floats = np.ones((types, types, 1)) * rates * (0.5 / types / len(rates))
    exposure = np.array(
        [[float((1 - np.exp(-rate * (end - times[kinds == j]))).sum()) / rate for rate in rates] for j in range(types)]
    )
    before, steps = -np.inf, 0
    while steps < max_steps:
        likelihood = climb(baseline, excitation, rates, times, kinds, exposure, end)
        steps += 1
        if likelihood - before < tolerance * len(times):
            break
        before = likelihood
    process = _process(baseline, excitation, rates)
    poisson = float((counts * np.log(counts / end)).sum() - counts.sum())
    return HawkesFit(process, likelihood, poisson, steps)


def _process(baseline: Floats, excitation: Floats, decay: Floats) -> HawkesProcess:
    try:
        return HawkesProcess(baseline, excitation, decay)
    except Invalid as error:
        raise NotReady(f"the estimate cannot be used: {error}") from error


def mirrored(process: HawkesProcess) -> HawkesProcess:
    """The process with buying and selling alike: parameters of FLOW_TYPES, each averaged with its mirror's."""
    other = list(MIRROR)
    return HawkesProcess(
        (process.baseline + process.baseline[other]) / 2,
        (process.excitation + process.excitation[other][:, other]) / 2,
        process.decay,
    )


def flow_events(day: LobsterDay, start_ns: int, end_ns: int) -> tuple[Floats, Integers]:
    """Order flow of a LOBSTER day in [start_ns, end_ns): seconds since the start, and FLOW_TYPES.

    Executions with the same time and side are one market order; hidden ones count, crosses and halts do not.
    """
    inside = (day.ts_event >= start_ns) & (day.ts_event < end_ns)
    kind = day.kind
    is_market = (kind == EXECUTION) | (kind == HIDDEN_EXECUTION)
    is_cancel = (kind == PARTIAL_CANCEL) | (kind == DELETION)
    group = np.where(is_market, 4, np.where(is_cancel, 2, np.where(kind == SUBMISSION, 0, -1)))
    side = np.where(is_market, -day.resting_side, day.resting_side)
    types = np.where(group < 0, -1, group + (side < 0))
    (rows,) = np.nonzero(inside & (types >= 0))
    time, found = day.ts_event[rows], types[rows]
    again = np.zeros(len(rows), np.bool_)
    again[1:] = (found[1:] >= 4) & (found[1:] == found[:-1]) & (time[1:] == time[:-1])
    return (time[~again] - start_ns) / 1e9, found[~again].astype(np.int64)


def _climb_reference(
    baseline: Floats,
    excitation: Floats,
    decay: Floats,
    time: Floats,
    kind: Integers,
    exposure: Floats,
    end: float,
) -> float:
    types, decays = len(baseline), len(decay)
    likelihood = -float(baseline.sum()) * end - float((excitation * exposure).sum())
    causes, own = np.zeros(excitation.shape), np.zeros(types)
    for row in range(len(time)):
        i = int(kind[row])
        parts = np.zeros((types, decays))
        for before in range(row):
            j = int(kind[before])
            parts[j] += excitation[i, j] * np.exp(-decay * (time[row] - time[before]))
        total = float(baseline[i] + parts.sum())
        likelihood += log(total)
        own[i] += float(baseline[i]) / total
        causes[i] += parts / total
    baseline[:] = own / end
    excitation[:] = causes / exposure
    return likelihood


def _climb_example() -> tuple[object, ...]:
    time, kind = np.array([0.1, 0.4, 0.4, 1.5, 1.6]), np.array([0, 1, 0, 0, 1], np.int64)
    excitation = np.array([[[1.0, 0.1], [0.5, 0.1]], [[0.2, 0.1], [2.0, 0.0]]])
    return np.array([1.0, 0.5]), excitation, np.array([9.0, 1.0]), time, kind, np.ones((2, 2)), 2.0


@kernel(reference=_climb_reference, example=_climb_example)
def climb(
    baseline: Floats,
    excitation: Floats,
    decay: Floats,
    time: Floats,
    kind: Integers,
    exposure: Floats,
    end: float,
) -> float:
    """One step: `baseline` and `excitation` are replaced by better ones; returns the log-likelihood of the old.

    `exposure` [types, decays] is the integral of exp(-decay (t - t_k)) up to `end`, summed over the events of a type.
    """
    types, decays = len(baseline), len(decay)
    likelihood = -baseline.sum() * end
    for i in range(types):
        likelihood -= (excitation[i] * exposure).sum()
    causes, own = np.zeros((types, types, decays)), np.zeros(types)
    traces, before = np.zeros((types, decays)), 0.0
    for row in range(len(time)):
        i = kind[row]
        for p in range(decays):
            factor = exp(-decay[p] * (time[row] - before))
            for j in range(types):
                traces[j, p] *= factor
        before = time[row]
        total = baseline[i]
        for j in range(types):
            for p in range(decays):
                total += excitation[i, j, p] * traces[j, p]
        likelihood += log(total)
        own[i] += baseline[i] / total
        for j in range(types):
            for p in range(decays):
                causes[i, j, p] += excitation[i, j, p] * traces[j, p] / total
        for p in range(decays):
            traces[i, p] += 1.0
    for i in range(types):
        baseline[i] = own[i] / end
        for j in range(types):
            for p in range(decays):
                excitation[i, j, p] = causes[i, j, p] / exposure[j, p]
    return likelihood
