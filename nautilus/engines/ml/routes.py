"""HTTP operations of the ml engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.ml.models import LiveScore, PredictRequest, PredictResult, PromoteRequest, TrainRequest
from nautilus.engines.ml.registry import ModelVersion
from nautilus.engines.operation import Operation, get, post
from nautilus.jobs import Job
from nautilus.model.messages import Prediction

if TYPE_CHECKING:
    from nautilus.engines.ml.engine import MlEngine


def ml_routes(engine: "MlEngine") -> list[Operation]:
    """The operations below /ml."""

    async def train(body: TrainRequest) -> Job:
        """Train a model as a job.

        On the node's own feature vectors, or on the rows in `data`. The job's result is the registered version.
        """
        return engine.start_training(body)

    async def training_rows() -> dict[str, int]:
        """Feature vectors kept for training, by instrument."""
        return engine.training_rows()

    async def models() -> list[ModelVersion]:
        """Every version of every model."""
        return engine.registry.versions()

    async def champions() -> list[ModelVersion]:
        """The versions that predict, one for each name."""
        return engine.registry.champions()

    async def live_scores() -> list[LiveScore]:
        """How the live predictions have fared."""
        return engine.live_scores()

    async def versions(name: str) -> list[ModelVersion]:
        """The versions of one model, oldest first."""
        return engine.registry.versions(name)

    async def version(name: str, number: Annotated[int, Meta(ge=1, le=10**9)]) -> ModelVersion:
        """One version of a model."""
        return engine.registry.version(name, number)

    async def promote(name: str, body: PromoteRequest) -> ModelVersion:
        """Make a version the one that predicts; an older one to roll back."""
        return await engine.promote(name, body.version)

    async def predict(name: str, body: PredictRequest) -> PredictResult:
        """Predict with the champion; 409 before training."""
        return await engine.predict(name, body)

    async def predictions(instrument_id: str) -> list[Prediction]:
        """The latest prediction of each model for an instrument; 409 before training."""
        return engine.latest(instrument_id)

    return [
        post("/train", train, status=202),
        get("/training-rows", training_rows),
        get("/models", models),
        get("/champions", champions),
        get("/live-scores", live_scores),
        get("/models/{name}", versions),
        get("/models/{name}/versions/{number}", version),
        post("/models/{name}/promote", promote),
        post("/models/{name}/predict", predict, scope="read"),
        get("/predictions/{instrument_id}", predictions),
    ]
