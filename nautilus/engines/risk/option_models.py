"""What the risk engine is asked and answers about options: prices, Greeks, implied volatilities, simulations."""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from nautilus.accel.kernels.option_simulation import Barrier, Payoff, SimulatedPrice
from nautilus.accel.kernels.options import OptionValues
from nautilus.accel.routed import Backend, Computed
from nautilus.errors import Invalid

MAX_OPTIONS = 10_000
MAX_GRID_CELLS = 10_000
MAX_DRAWS = 20_000_000
"""Most normals of one simulation: half a second of one core."""

type OptionKind = Literal["call", "put"]
type Money = Annotated[float, Meta(gt=0, le=1e12)]
type YearlyRate = Annotated[float, Meta(ge=-1, le=1, description="Yearly, continuously compounded; 0.05 is 5%.")]
type Volatility = Annotated[float, Meta(ge=0, le=10, description="Yearly; 0.2 is 20%.")]
type Years = Annotated[float, Meta(ge=0, le=50)]
type PayoffName = Literal["european", "arithmetic_asian", "geometric_asian"]
type BarrierName = Literal["none", "up_and_out", "up_and_in", "down_and_out", "down_and_in"]

_EXACT = Meta(description="Compute in float64 even where a GPU would be faster in float32.")
_RELATIVE_ERROR = Meta(
    description="How far values may lie from the float64 formula: prices relative to the greater of spot and strike, "
    "deltas to 1, other values to those of an option at the money. 0 where the formula itself was computed."
)


class OptionTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A European option and the market it is priced in. Money is in one currency, whichever."""

    kind: OptionKind
    spot: Money
    strike: Money
    expiry_years: Years
    volatility: Volatility
    rate: YearlyRate = 0.0
    dividend_yield: YearlyRate = 0.0


class QuotedOption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A European option with its price, of which the volatility is asked."""

    kind: OptionKind
    price: Annotated[float, Meta(ge=0, le=1e12)]
    spot: Money
    strike: Money
    expiry_years: Years
    rate: YearlyRate = 0.0
    dividend_yield: YearlyRate = 0.0


class PriceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options to price by Black-Scholes-Merton."""

    options: Annotated[list[OptionTerms], Meta(min_length=1, max_length=MAX_OPTIONS)]
    exact: Annotated[bool, _EXACT] = False

    def columns(self) -> tuple[Any, ...]:
        """The arguments of the kernel `black_scholes`."""
        options = self.options
        names = ("spot", "strike", "rate", "dividend_yield", "volatility", "expiry_years")
        return *(_column(options, name) for name in names), _calls(options)


class GridRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One European option in every scenario of spots by volatilities; at most 10,000 scenarios."""

    kind: OptionKind
    strike: Money
    expiry_years: Years
    spots: Annotated[list[Money], Meta(min_length=1, max_length=1_000)]
    volatilities: Annotated[list[Volatility], Meta(min_length=1, max_length=1_000)]
    rate: YearlyRate = 0.0
    dividend_yield: YearlyRate = 0.0
    exact: Annotated[bool, _EXACT] = False

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the kernel `option_grid`; raises Invalid for too many scenarios."""
        cells = len(self.spots) * len(self.volatilities)
        if cells > MAX_GRID_CELLS:
            raise Invalid("body.spots", f"times volatilities must be at most {MAX_GRID_CELLS} scenarios, not {cells}")
        return (
            np.array(self.spots, dtype=np.float64),
            np.array(self.volatilities, dtype=np.float64),
            self.strike,
            self.rate,
            self.dividend_yield,
            self.expiry_years,
            self.kind == "call",
        )


class ImpliedVolatilityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options with prices, of which the volatilities are asked."""

    options: Annotated[list[QuotedOption], Meta(min_length=1, max_length=MAX_OPTIONS)]

    def columns(self) -> tuple[Any, ...]:
        """The arguments of the kernel `implied_volatility`."""
        options = self.options
        names = ("price", "spot", "strike", "rate", "dividend_yield", "expiry_years")
        return *(_column(options, name) for name in names), _calls(options)


class SimulationRequest(OptionTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An option whose payoff depends on the path, to be priced by simulation in `pairs` of mirrored paths.

    The price is looked at after each of the `steps`, equal parts of the time to expiry. A continuous barrier is watched
    between them too. Pairs times steps are at most 20 million.
    """

    payoff: PayoffName = "european"
    barrier: BarrierName = "none"
    barrier_level: Annotated[Money | None, Meta(description="Price of the barrier; no rebate is paid.")] = None
    continuous: bool = True
    steps: Annotated[int, Meta(ge=1, le=10_000)] = 50
    pairs: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 0
    exact: Annotated[bool, _EXACT] = False

    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the kernel `option_by_simulation`; raises Invalid for what does not go together."""
        draws = self.pairs * self.steps
        if draws > MAX_DRAWS:
            raise Invalid("body.pairs", f"times steps must be at most {MAX_DRAWS} draws, not {draws}")
        if (self.barrier == "none") != (self.barrier_level is None):
            raise Invalid("body.barrier_level", "must be given for a barrier, and for nothing else")
        return (
            self.seed,
            self.pairs,
            self.steps,
            self.spot,
            self.strike,
            self.rate,
            self.dividend_yield,
            self.volatility,
            self.expiry_years,
            self.kind == "call",
            int(Payoff[self.payoff.upper()]),
            int(Barrier[self.barrier.upper()]),
            self.barrier_level or 0.0,
            self.continuous,
        )


class PricedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and Greeks in the order of the request. Vega and rho are for 1.00, theta for a year that passes.

    Without volatility or time values are limits; null stands for an infinite one, such as the gamma of an option that
    expires on its strike.
    """

    price: list[float | None]
    delta: list[float | None]
    gamma: list[float | None]
    vega: list[float | None]
    theta: list[float | None]
    rho: list[float | None]
    backend: Backend
    relative_error: Annotated[float, _RELATIVE_ERROR]

    @classmethod
    def of(cls, computed: Computed[OptionValues]) -> "PricedOptions":
        """The answer that a computation of vectors gives."""
        columns = {name: _listed(values) for name, values in computed.value._asdict().items()}
        return cls(**columns, backend=computed.backend, relative_error=computed.relative_error)


class PricedGrid(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and Greeks of each scenario: a row for each spot, in it a value for each volatility. Units and nulls are
    those of a single price.
    """

    price: list[list[float | None]]
    delta: list[list[float | None]]
    gamma: list[list[float | None]]
    vega: list[list[float | None]]
    theta: list[list[float | None]]
    rho: list[list[float | None]]
    backend: Backend
    relative_error: Annotated[float, _RELATIVE_ERROR]

    @classmethod
    def of(cls, computed: Computed[OptionValues]) -> "PricedGrid":
        """The answer that a computation of matrices gives."""
        tables = {name: [_listed(row) for row in values] for name, values in computed.value._asdict().items()}
        return cls(**tables, backend=computed.backend, relative_error=computed.relative_error)


class ImpliedVolatilities(msgspec.Struct, frozen=True, kw_only=True):
    """Yearly volatilities in the order of the request; null where no volatility gives the price."""

    volatility: list[float | None]
    backend: Backend

    @classmethod
    def of(cls, computed: Computed[NDArray[np.float64]]) -> "ImpliedVolatilities":
        """The answer that a computation gives."""
        return cls(volatility=_listed(computed.value), backend=computed.backend)


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated price and its standard error. The same seed gives the same price on the same backend."""

    price: float
    standard_error: float
    paths: int
    seed: int
    backend: Backend
    relative_error: Annotated[
        float, Meta(description="What rounding may add, relative to the greater of spot and strike.")
    ]

    @classmethod
    def of(cls, computed: Computed[SimulatedPrice], request: SimulationRequest) -> "Simulation":
        """The answer that a computation gives."""
        return cls(
            price=computed.value.price,
            standard_error=computed.value.standard_error,
            paths=2 * request.pairs,
            seed=request.seed,
            backend=computed.backend,
            relative_error=computed.relative_error,
        )


def _column(options: list[Any], name: str) -> NDArray[np.float64]:
    return np.fromiter((getattr(option, name) for option in options), np.float64, len(options))


def _calls(options: list[Any]) -> NDArray[np.bool_]:
    return np.fromiter((option.kind == "call" for option in options), np.bool_, len(options))


def _listed(values: NDArray[Any]) -> list[float | None]:
    """The numbers as a list, None for those that are not finite."""
    found: list[float | None] = values.tolist()
    if np.isfinite(values).all():
        return found
    return [value if finite else None for value, finite in zip(found, np.isfinite(values).tolist(), strict=True)]
