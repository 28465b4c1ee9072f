"""The latent values behind a simulated market: random walks with a common factor, and private news for a while."""

from __future__ import annotations

from collections import deque
from math import cos, exp, log, sqrt, tau

import msgspec
import numpy as np

from nautilus.errors import Invalid

NANOSECONDS = 1_000_000_000
TRADING_SECONDS_A_YEAR = 252 * 23_400


class Uniforms:
    """Numbers in (0, 1] from one seed, drawn in blocks, and what is made of them by inversion.

    >>> draws = Uniforms(np.random.SeedSequence(7))
    >>> 0 < draws.uniform() <= 1, draws.exponential(2.0) >= 0, draws.geometric(1.0) >= 0
    (True, True, True)
    """

    __slots__ = ("_generator", "_waiting")

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._waiting: deque[float] = deque()

    def uniform(self) -> float:
        """A number in (0, 1]."""
        if not self._waiting:
            self._waiting.extend((1.0 - self._generator.random(4096)).tolist())
        return self._waiting.popleft()

    def exponential(self, mean: float) -> float:
        """An exponential waiting time of this mean."""
        return -mean * log(self.uniform())

    def geometric(self, mean: float) -> int:
        """A whole number >= 0 of this mean (> 0), geometrically distributed."""
        return int(log(self.uniform()) / log(mean / (1.0 + mean)))

    def normal(self) -> float:
        """A standard normal number (Box and Muller 1958)."""
        return sqrt(-2.0 * log(self.uniform())) * cos(tau * self.uniform())


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which some traders knew the value: `log_news` is what they knew and the market did not."""

    instrument_id: str
    start_ns: int
    end_ns: int
    log_news: float
    informed_orders: int = 0
    noise_orders: int = 0
    informed_lots: int = 0
    noise_lots: int = 0


class NewsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Laws of the latent values. Volatilities are annual and of log value; news sizes are in basis points."""

    annual_volatility: float = 0.4
    common_share: float = 0.6
    episode_seconds: float = 60.0
    informed_probability: float = 0.25
    smallest_news_bps: float = 15.0
    largest_news_bps: float = 40.0

    def __post_init__(self) -> None:
        if not 0 <= self.common_share <= 1:
            raise Invalid("common_share", "must be in 0..1")
        if not 0 <= self.informed_probability <= 1:
            raise Invalid("informed_probability", "must be in 0..1")


class Fundamental:
    """The value of one instrument: what everybody knows (`public`) and what the informed know (`value`)."""

    __slots__ = ("beta", "log_news", "log_public", "news_since_ns")

    def __init__(self, price: float, beta: float) -> None:
        self.log_public = log(price)
        self.log_news = 0.0
        self.news_since_ns = 0
        self.beta = beta

    @property
    def public(self) -> float:
        """The value that public information supports, in currency."""
        return exp(self.log_public)

    @property
    def value(self) -> float:
        """The true value, in currency; equal to `public` outside of episodes."""
        return exp(self.log_public + self.log_news)

    @property
    def is_informed(self) -> bool:
        """Whether some traders know more than the public does."""
        return self.log_news != 0.0


class Fundamentals:
    """Values of several instruments, moved on by steps: log value = beta * common walk + own walk + published news.

    Time is cut into periods of equal length. In each period an instrument has private news with a fixed probability,
    good and bad alike (the information structure of Easley, Kiefer, O'Hara and Paperman 1996); at its end the news is
    public.
    """

    def __init__(
        self,
        prices: tuple[float, ...],
        betas: tuple[float, ...],
        parameters: NewsParameters,
        seed: np.random.SeedSequence,
    ) -> None:
        walk, news = seed.spawn(2)
        self._walk, self._news = Uniforms(walk), Uniforms(news)
        self._parameters = parameters
        self._volatility = parameters.annual_volatility / sqrt(TRADING_SECONDS_A_YEAR)
        self.instruments = tuple(Fundamental(price, beta) for price, beta in zip(prices, betas, strict=True))

    def walk(self, seconds: float) -> None:
        """Move every public value on by `seconds`."""
        share = self._parameters.common_share
        scale = self._volatility * sqrt(seconds)
        common = sqrt(share) * scale * self._walk.normal()
        for fundamental in self.instruments:
            fundamental.log_public += fundamental.beta * common + sqrt(1 - share) * scale * self._walk.normal()

    def turn_period(self, now_ns: int) -> None:
        """Publish the news of the period that ends at `now_ns` and draw that of the next."""
        parameters = self._parameters
        for fundamental in self.instruments:
            fundamental.log_public += fundamental.log_news
            fundamental.log_news = 0.0
            informed = self._news.uniform() <= parameters.informed_probability
            sign = 1 if self._news.uniform() <= 0.5 else -1
            spread = parameters.largest_news_bps - parameters.smallest_news_bps
            size_bps = parameters.smallest_news_bps + spread * self._news.uniform()
            if informed:
                fundamental.log_news = sign * size_bps / 10_000
                fundamental.news_since_ns = now_ns
