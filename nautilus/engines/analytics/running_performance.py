"""Performance statistics kept up to date return by return, each in constant time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, isnan, sqrt

from nautilus.engines.analytics.moments import TRADING_DAYS
from nautilus.errors import Invalid


class RunningPerformance:
    """The statistics of `performance` that need no sorting, after each return.

    Moments are updated as in Welford (1962) and Pébay (2008), so that they do not lose digits as sums of powers do.
    Equal to the batch functions within 1e-9 relative over 100,000 returns, and within 1e-7 over a few returns whose
    deviation is above 1e-5; of returns that hardly vary, ratios to their deviation agree to fewer digits. A NaN
    return counts as a period without return, as in the batch. Statistics that are not defined are None.

    >>> running = RunningPerformance()
    >>> for one in (0.01, -0.02, 0.03):
    ...     running.update(one)
    >>> round(running.statistics()["max_drawdown"], 6)
    -0.02
    """

    __slots__ = (
        "_active_mean",
        "_active_square",
        "_benchmark_mean",
        "_benchmark_square",
        "_co_moment",
        "_downside",
        "_fourth",
        "_gains",
        "_growth",
        "_highest",
        "_losses",
        "_lowest",
        "_mean",
        "_own_mean",
        "_pairs",
        "_peak",
        "_second",
        "_third",
        "_underwater_square",
        "_wins",
        "_wins_and_losses",
        "count",
        "max_drawdown",
        "periods",
        "periods_per_year",
    )

    def __init__(self, periods_per_year: float = TRADING_DAYS) -> None:
        self.periods_per_year = periods_per_year
        self.periods = self.count = self._pairs = self._wins = self._wins_and_losses = 0
        self._mean = self._second = self._third = self._fourth = 0.0
        self._downside = self._gains = self._losses = self._underwater_square = 0.0
        self._growth = self._peak = 1.0
        self._highest, self._lowest = -inf, inf
        self.max_drawdown = 0.0
        self._own_mean = self._benchmark_mean = self._benchmark_square = self._co_moment = 0.0
        self._active_mean = self._active_square = 0.0

    def update(self, one: float, benchmark: float | None = None) -> None:
        """Take in the return of one period, and the benchmark's. Raises Invalid for an infinite one."""
        if one in {inf, -inf} or benchmark in {inf, -inf}:
            raise Invalid("returns", "must not be infinite")
        self.periods += 1
        if not isnan(one):
            self._growth *= 1.0 + one
            self._moments(one)
            if benchmark is not None and not isnan(benchmark):
                self._pair(one, benchmark)
        self._peak = max(self._peak, self._growth)
        below = (self._growth - self._peak) / self._peak
        self._underwater_square += below * below
        self.max_drawdown = min(self.max_drawdown, below)

    def saved(self) -> dict[str, float]:
        """Its whole state, for `restored`."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def restored(cls, state: Mapping[str, float]) -> RunningPerformance:
        """One that goes on where the saved one stood."""
        running = cls()
        for name in cls.__slots__:
            setattr(running, name, state[name])
        return running

    def _moments(self, one: float) -> None:
        before = self.count
        self.count = count = before + 1
        step = one - self._mean
        part = step / count
        product = step * part * before
        self._mean += part
        self._fourth += (
            product * part * part * (count * count - 3 * count + 3)
            + 6 * part * part * self._second
            - 4 * part * self._third
        )
        self._third += product * part * (count - 2) - 3 * part * self._second
        self._second += product
        self._highest, self._lowest = max(self._highest, one), min(self._lowest, one)
        if one < 0.0:
            self._downside += one * one
            self._losses -= one
            self._wins_and_losses += 1
        elif one > 0.0:
            self._gains += one
            self._wins += 1
            self._wins_and_losses += 1

    def _pair(self, one: float, benchmark: float) -> None:
        self._pairs += 1
        step, own_step = benchmark - self._benchmark_mean, one - self._own_mean
        self._benchmark_mean += step / self._pairs
        self._own_mean += own_step / self._pairs
        self._co_moment += step * (one - self._own_mean)
        self._benchmark_square += step * (benchmark - self._benchmark_mean)
        active = one - benchmark
        active_step = active - self._active_mean
        self._active_mean += active_step / self._pairs
        self._active_square += active_step * (active - self._active_mean)

    def statistics(self) -> dict[str, float | None]:
        """Statistics by name as in `performance`, for a risk-free and required return of zero."""
        year = self.periods_per_year
        deviation = sqrt(self._second / (self.count - 1)) if self.count > 1 else None
        if deviation is not None and self._highest == self._lowest:
            deviation = 0.0
        downside = sqrt(self._downside / self.count * year) if self.count else None
        annual = self._annual_return()
        found = {
            "total_return": self._growth - 1.0 if self.periods else None,
            "annual_return": annual,
            "annual_volatility": None if deviation is None else deviation * sqrt(year),
            "sharpe_ratio": _over(self._mean * sqrt(year), deviation),
            "sortino_ratio": _over(self._mean * year, downside) if self.periods > 1 else None,
            "calmar_ratio": _over(annual, -self.max_drawdown),
            "omega_ratio": _over(self._gains, self._losses) if self.periods > 1 else None,
            "gain_to_pain": _over(self._gains - self._losses, self._losses),
            "win_rate": _over(self._wins, self._wins_and_losses),
            "downside_risk": downside,
            "max_drawdown": self.max_drawdown if self.periods else None,
            "ulcer_index": sqrt(self._underwater_square / self.periods) if self.periods else None,
            **self._shape(),
        }
        return found | self._against_benchmark() if self._pairs else found

    def _annual_return(self) -> float | None:
        if not self.periods or self._growth < 0.0:
            return None
        try:
            return _finite(self._growth ** (self.periods_per_year / self.periods) - 1.0)
        except OverflowError:
            return None

    def _shape(self) -> dict[str, float | None]:
        if self.count < self.periods or not self.count or self._highest == self._lowest:
            return {"skew": None, "kurtosis": None}
        variance = self._second / self.count
        return {
            "skew": _over(self._third / self.count, variance**1.5),
            "kurtosis": _over(self._fourth / self.count - 3.0 * variance**2, variance**2),
        }

    def _against_benchmark(self) -> dict[str, float | None]:
        pairs, year = self._pairs, self.periods_per_year
        varies = self._benchmark_square / pairs >= 1e-30
        slope = self._co_moment / self._benchmark_square if varies else None
        unexplained = None if slope is None else self._own_mean - slope * self._benchmark_mean
        error = sqrt(self._active_square / (pairs - 1)) if pairs > 1 else None
        try:
            alpha = None if unexplained is None else _finite((1.0 + unexplained) ** year - 1.0)
        except OverflowError:
            alpha = None
        return {
            "alpha": alpha,
            "beta": slope,
            "excess_sharpe": _over(self._active_mean, error),
            "tracking_error": None if error is None else error * sqrt(year),
        }


def _over(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return _finite(numerator / denominator)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
