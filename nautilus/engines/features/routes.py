"""HTTP operations of the features engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.features.compute import compute
from nautilus.engines.features.feature_set import FeatureSet
from nautilus.engines.features.models import ComputeRequest, ComputeResult, FeatureEntry, SetReference, VectorHistory
from nautilus.engines.operation import Operation, get, post, put
from nautilus.errors import NotFound
from nautilus.model.messages import FeatureVector

if TYPE_CHECKING:
    from nautilus.engines.features.engine import FeaturesEngine


def features_routes(engine: "FeaturesEngine") -> list[Operation]:
    """The operations, static paths first."""

    async def entries(group: Annotated[str, Meta(max_length=64)] = "") -> list[FeatureEntry]:
        """Every feature that can be computed, or those of one group."""
        return [entry for entry in engine.entries.values() if group in ("", entry.group)]

    async def entry(name: Annotated[str, Meta(max_length=64)]) -> FeatureEntry:
        """One feature: its parameters, inputs, unit, reference and warm-up."""
        try:
            return engine.entries[name]
        except KeyError:
            raise NotFound("feature", name) from None

    async def sets() -> list[FeatureSet]:
        """Every stored feature set."""
        return engine.library.all()

    async def active() -> FeatureSet:
        """The feature set in use."""
        return engine.active

    async def activate(body: SetReference) -> FeatureSet:
        """Use another stored feature set; every instrument warms up anew."""
        return engine.use_set(body.name, body.version)

    async def versions(name: Annotated[str, Meta(max_length=64)]) -> list[FeatureSet]:
        """Every version of one feature set, oldest first."""
        return engine.library.versions(name)

    async def version(
        name: Annotated[str, Meta(max_length=64)], version: Annotated[int, Meta(ge=1, le=1_000_000)]
    ) -> FeatureSet:
        """One version of one feature set."""
        return engine.library.get(name, version)

    async def store(body: FeatureSet) -> FeatureSet:
        """Store a version of a feature set; a stored version never changes."""
        return engine.library.put(body)

    async def calculate(body: ComputeRequest) -> ComputeResult:
        """One feature over the columns given."""
        return await engine.accel.run(compute, body)

    async def latest(instrument_id: Annotated[str, Meta(max_length=64)]) -> FeatureVector:
        """Latest feature vector of one instrument."""
        return engine.latest(instrument_id)

    async def history(
        instrument_id: Annotated[str, Meta(max_length=64)],
        limit: Annotated[int, Meta(ge=1, le=10_000)] = 100,
    ) -> VectorHistory:
        """Last feature vectors of one instrument, oldest first."""
        return engine.history(instrument_id, limit)

    return [
        get("/registry", entries),
        get("/registry/{name}", entry),
        get("/sets", sets),
        put("/sets", store),
        get("/sets/active", active),
        put("/sets/active", activate),
        get("/sets/{name}", versions),
        get("/sets/{name}/{version}", version),
        post("/compute", calculate, scope="read"),
        get("/{instrument_id}", latest),
        get("/{instrument_id}/history", history),
    ]
