"""HTTP operations of the enhanced_vpin engine."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.enhanced_vpin.compute import compute_pin, compute_spreads
from nautilus.engines.enhanced_vpin.improved_vpin import ImprovedVpin
from nautilus.engines.enhanced_vpin.models import (
    BarsRequest,
    CrashState,
    LambdaState,
    OrderFlowState,
    PinRequest,
    PinState,
    SpreadEstimates,
    SpreadState,
)
from nautilus.engines.enhanced_vpin.pin import PinEstimate
from nautilus.engines.operation import Operation, get, post
from nautilus.model.messages import MicrostructureAssessment

if TYPE_CHECKING:
    from nautilus.engines.enhanced_vpin.engine import EnhancedVpinEngine

Limit = Annotated[int, Meta(ge=1, le=10_000)]
Name = Annotated[str, Meta(max_length=64)]


def enhanced_vpin_routes(engine: "EnhancedVpinEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def active() -> list[MicrostructureAssessment]:
        """The newest assessment of every instrument."""
        return engine.active()

    async def crashes() -> list[CrashState]:
        """Flash-crash scores of all instruments with their components, highest first."""
        return engine.crashes()

    async def pin_of(body: PinRequest) -> PinEstimate:
        """Probability of informed trading from daily numbers of buys and sells."""
        return await engine.accel.run(compute_pin, body)

    async def spreads_of(body: BarsRequest) -> SpreadEstimates:
        """The bid-ask spread estimated from bars alone."""
        return await engine.accel.run(compute_spreads, body)

    async def current(instrument_id: Name) -> MicrostructureAssessment:
        """The newest assessment of one instrument: metrics, recommendation and evidence."""
        return engine.live(instrument_id).latest()

    async def history(instrument_id: Name, limit: Limit = 100) -> list[MicrostructureAssessment]:
        """The last assessments of one instrument, oldest first."""
        kept = engine.live(instrument_id).history
        return list(islice(kept, max(0, len(kept) - limit), None))

    async def lambdas(instrument_id: Name) -> LambdaState:
        """Price impact of one instrument: Kyle's and Hasbrouck's lambda, Amihud's ratio."""
        return engine.live(instrument_id).lambdas()

    async def spreads(instrument_id: Name) -> SpreadState:
        """Quoted, effective and realised spreads of one instrument, and those estimated from its bars."""
        return engine.live(instrument_id).spreads()

    async def order_flow(instrument_id: Name) -> OrderFlowState:
        """Order-flow imbalance of one instrument and the price's response to it."""
        return engine.live(instrument_id).order_flow()

    async def pin(instrument_id: Name) -> PinState:
        """Probability of informed trading of one instrument."""
        return engine.live(instrument_id).pin_state()

    async def ivpin(instrument_id: Name) -> ImprovedVpin:
        """Improved VPIN of one instrument: information structure fitted to its buckets and their durations."""
        return engine.live(instrument_id).ivpin_state()

    async def crash(instrument_id: Name) -> CrashState:
        """Flash-crash score of one instrument with its components."""
        return engine.live(instrument_id).crash_state()

    return [
        get("/active", active),
        get("/flash-crash", crashes),
        post("/pin", pin_of, scope="read"),
        post("/spreads", spreads_of, scope="read"),
        get("/{instrument_id}", current),
        get("/{instrument_id}/history", history),
        get("/{instrument_id}/kyles-lambda", lambdas),
        get("/{instrument_id}/spreads", spreads),
        get("/{instrument_id}/order-flow", order_flow),
        get("/{instrument_id}/pin", pin),
        get("/{instrument_id}/improved-vpin", ivpin),
        get("/{instrument_id}/flash-crash", crash),
    ]
