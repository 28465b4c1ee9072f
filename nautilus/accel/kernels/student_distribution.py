"""Student's t distribution function of many values: what joins simulated returns in the tails.

The library's function takes a fifth of a microsecond a value, most of the time of a Monte Carlo value at risk. The
compiled form takes it at nodes only and interpolates by cubics that have the right density at both ends, in the
variable u = x / sqrt(degrees + x^2), in which the function is smooth; far tails are left to the library. In float64
alone: float32 has no digits for the tails.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]

NODES = 2048
LEAST_DEGREES, MOST_DEGREES = 2.0, 60.0
"""With fewer the function is not smooth at its ends, with more it falls too fast; the library then does all."""

FAR, RARE = 0.95, 1e-7
"""Beyond this u (a value in a thousand, for 5 degrees) or where the tail is thinner than this, the library does it."""


def _example(size: int) -> tuple[Any, ...]:
    return np.random.default_rng(30).standard_t(5.0, size), 5.0


@routed(
    example=_example,
    size=lambda values, degrees: values.size,
    sizes=(10_000, 100_000, 1_000_000),
    work=lambda values, degrees: Work(flops=30.0 * values.size, bytes=16.0 * values.size),
    relative_error=1e-12,
)
def student_distribution(values: Floats, degrees: float) -> Floats:
    """Probability that a Student t variable of so many `degrees` of freedom (above 0) is at most each value.

    NaN gives NaN for itself alone. The compiled form errs by less than 1e-12, and by less than 1e-8 of a small result.

    >>> student_distribution([-2.015, 0.0, 2.015], 5.0).round(4).tolist()
    [0.05, 0.5, 0.95]
    """
    from scipy.special import stdtr

    probabilities: Floats = stdtr(degrees, values)
    return probabilities


@student_distribution.numba_around
def _(values: Floats, degrees: float) -> Floats:
    from scipy.special import stdtr

    if values.size <= NODES or not LEAST_DEGREES <= degrees <= MOST_DEGREES:
        return student_distribution.reference(values, degrees)
    nodes = np.arange(NODES + 1) / NODES
    inner = 1.0 - nodes * nodes
    with np.errstate(divide="ignore"):
        tails = stdtr(degrees, -nodes * np.sqrt(degrees / inner))
        slopes = -_density_factor(degrees) * inner ** (0.5 * degrees - 1.0)
    probabilities = np.empty(values.size)
    reach = min(FAR, np.count_nonzero(tails > RARE) / NODES)
    if _interpolate(values, degrees, tails, slopes / NODES, reach, probabilities):
        far = np.isnan(probabilities)
        probabilities[far] = stdtr(degrees, values[far])
    return probabilities


def _density_factor(degrees: float) -> float:
    return math.exp(math.lgamma(0.5 * (degrees + 1.0)) - math.lgamma(0.5 * degrees)) / math.sqrt(math.pi)


@jit
def _interpolate(
    values: Floats, degrees: float, tails: Floats, slopes: Floats, reach: float, probabilities: Floats
) -> int:
    """Fill in the probabilities, NaN where the library must; returns how many those are."""
    far = 0
    for index in range(values.size):
        value = values[index]
        u = abs(value) / math.sqrt(degrees + value * value)
        if not u < reach:
            probabilities[index] = math.nan
            far += 1
            continue
        position = u * NODES
        node = int(position)
        s = position - node
        start, end = tails[node], tails[node + 1]
        rise, left, right = end - start, slopes[node], slopes[node + 1]
        tail = start + s * (left + s * (3.0 * rise - 2.0 * left - right + s * (left + right - 2.0 * rise)))
        probabilities[index] = tail if value < 0.0 else 1.0 - tail
    return far
