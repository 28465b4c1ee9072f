"""HTTP operations of the risk engine about options. Requests are turned into arrays, and back, off the loop."""

from typing import TYPE_CHECKING

from nautilus.accel.kernels.implied_volatility import implied_volatility
from nautilus.accel.kernels.option_simulation import option_by_simulation
from nautilus.accel.kernels.options import black_scholes, option_grid
from nautilus.engines.operation import Operation, post
from nautilus.engines.risk.option_models import (
    GridRequest,
    ImpliedVolatilities,
    ImpliedVolatilityRequest,
    PricedGrid,
    PricedOptions,
    PriceRequest,
    Simulation,
    SimulationRequest,
)

if TYPE_CHECKING:
    from nautilus.engines.risk.engine import RiskEngine


def option_routes(engine: "RiskEngine") -> list[Operation]:
    """The operations below /risk/options."""
    accel = engine.accel

    async def price(body: PriceRequest) -> PricedOptions:
        """Price options by Black-Scholes-Merton, with their Greeks."""
        compute = accel.compute_exactly if body.exact else accel.compute
        computed = await compute(black_scholes, *await accel.run(body.columns))
        return await accel.run(PricedOptions.of, computed)

    async def grid(body: GridRequest) -> PricedGrid:
        """Price one option, with its Greeks, in every scenario of spots by volatilities."""
        compute = accel.compute_exactly if body.exact else accel.compute
        computed = await compute(option_grid, *body.arguments())
        return await accel.run(PricedGrid.of, computed)

    async def implied(body: ImpliedVolatilityRequest) -> ImpliedVolatilities:
        """Find the volatilities that prices of options imply."""
        computed = await accel.compute(implied_volatility, *await accel.run(body.columns))
        return await accel.run(ImpliedVolatilities.of, computed)

    async def monte_carlo(body: SimulationRequest) -> Simulation:
        """Price a European, Asian or barrier option by simulation, with the standard error."""
        compute = accel.compute_exactly if body.exact else accel.compute
        return Simulation.of(await compute(option_by_simulation, *body.arguments()), body)

    return [
        post("/options/price", price, scope="read"),
        post("/options/grid", grid, scope="read"),
        post("/options/implied-volatility", implied, scope="read"),
        post("/options/monte-carlo", monte_carlo, scope="read"),
    ]
