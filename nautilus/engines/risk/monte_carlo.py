"""Simulated returns: a normal or Student t copula joins normal or historical marginals; reproducible by its seed."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from nautilus.accel.kernels.student_distribution import student_distribution
from nautilus.engines.risk.covariance import correlation, sample_covariance
from nautilus.engines.risk.return_sample import Matrix, Vector, checked_panel
from nautilus.errors import Invalid

MAX_DRAWS = 20_000_000
"""Most random numbers (paths times instruments) of one call: 160 MB of float64."""

type Copula = Literal["normal", "student"]
type Margins = Literal["normal", "historical"]


def simulated_returns(
    returns: ArrayLike,
    *,
    paths: int,
    seed: int,
    copula: Copula = "normal",
    margins: Margins = "normal",
    degrees: float = 5.0,
) -> Matrix:
    """Draw `paths` joint returns like those of a (observations, instruments) panel: (paths, instruments).

    The copula has the panel's correlation; "student" with `degrees` > 2 lets extremes come together. Normal margins
    have the panel's deviations and zero mean; historical ones are the empirical distributions, interpolated between
    observations. Every second half of the paths mirrors the first (antithetic). Raises Invalid for too many draws.
    Source: McNeil, Frey and Embrechts 2015, algorithms 7.10 and 7.11.
    """
    panel = checked_panel(returns)
    size = panel.shape[1]
    if not 2 <= paths <= MAX_DRAWS // size:
        raise Invalid("paths", f"must lie between 2 and {MAX_DRAWS // size}, not {paths}")
    covariance = sample_covariance(panel)
    generator = np.random.default_rng(seed)
    draws = generator.standard_normal(((paths + 1) // 2, size)) @ _root(correlation(covariance)).T
    if copula == "student":
        _check_degrees(degrees)
        draws /= np.sqrt(generator.chisquare(degrees, draws.shape[0]) / degrees)[:, None]
    draws = np.concatenate([draws, -draws])[:paths]
    if copula == "normal" and margins == "normal":
        scaled: Matrix = draws * np.sqrt(np.diag(covariance))
        return scaled
    return _with_margins(_uniform(draws, copula, degrees), panel, covariance, margins)


def _uniform(draws: Matrix, copula: Copula, degrees: float) -> Matrix:
    if copula == "student":
        return student_distribution(draws.ravel(), degrees).reshape(draws.shape)
    from scipy.special import ndtr

    uniform: Matrix = ndtr(draws)
    return uniform


def _with_margins(uniform: Matrix, panel: Matrix, covariance: Matrix, margins: Margins) -> Matrix:
    if margins == "normal":
        from scipy.special import ndtri

        tiny = np.finfo(np.float64).tiny
        normal: Matrix = ndtri(np.clip(uniform, tiny, 1.0 - 2.0**-53)) * np.sqrt(np.diag(covariance))
        return normal
    levels = (np.arange(panel.shape[0]) + 0.5) / panel.shape[0]
    ordered = np.sort(panel, axis=0)
    columns: list[Vector] = [np.interp(uniform[:, index], levels, ordered[:, index]) for index in range(panel.shape[1])]
    return np.column_stack(columns)


def _check_degrees(degrees: float) -> None:
    if not degrees > 2.0 or not math.isfinite(degrees):
        raise Invalid("degrees", f"must be finite and above 2, not {degrees}")


def _root(matrix: Matrix) -> Matrix:
    """A matrix R with R R' = matrix, also where it is singular."""
    values, vectors = np.linalg.eigh(matrix)
    root: Matrix = vectors * np.sqrt(np.clip(values, 0.0, None))
    return root
