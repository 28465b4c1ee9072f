"""Models trained here on the node's own feature vectors; the champions' predictions go out on the bus."""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus import __version__
from nautilus.engines.base import Engine
from nautilus.engines.ml.computation import run_on
from nautilus.engines.ml.dataset import Dataset, check_enough, dataset_from_histories, dataset_from_rows
from nautilus.engines.ml.histories import Histories, KeptBlock
from nautilus.engines.ml.history import Rows
from nautilus.engines.ml.labels import triple_barrier
from nautilus.engines.ml.live_tally import LiveTally
from nautilus.engines.ml.models import (
    LiveScore,
    MlConfig,
    PredictRequest,
    PredictResult,
    TrainingData,
    TrainRequest,
)
from nautilus.engines.ml.neural_network import NeuralNetwork
from nautilus.engines.ml.registry import ModelRegistry, ModelVersion
from nautilus.engines.ml.routes import ml_routes
from nautilus.engines.ml.scores import direction_scores, scores
from nautilus.engines.ml.training import Recipe, training
from nautilus.errors import Invalid, NotReady
from nautilus.jobs import Job, Progress
from nautilus.model import EngineType, Quote, topics
from nautilus.model.messages import FeatureVector, Prediction

if TYPE_CHECKING:
    from nautilus.engines.operation import Operation

Floats = NDArray[np.float64]


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that fill no block yet, and of each champion its version and the pairs of its live predictions."""

    blocks: list[KeptBlock]
    tallies: list[tuple[str, int, bytes]]


class MlEngine(Engine[MlConfig]):
    """Training as jobs, a registry of versions, predictions on the bus. Before training it answers 409."""

    name = "ml"
    prefix = "/ml"
    engine_type = EngineType.ML
    config_type = MlConfig
    depends_on = ("marketdata", "features")
    kernels = (triple_barrier,)

    def __init__(self, config: MlConfig, context: Any) -> None:
        super().__init__(config, context)
        self.registry = ModelRegistry(self.store.state)
        self._mids: dict[str, float] = {}
        self._histories = Histories(self.store.state, context.source, config.history, config.kept_bytes)
        self._latest: dict[str, dict[str, Prediction]] = {}
        self._tallies: dict[tuple[str, int], LiveTally] = {}
        self._unreadable: dict[tuple[str, int], str] = {}

    async def setup(self) -> None:
        """Listen to quotes and feature vectors; take up what was trained and seen before."""
        self.registry.open()
        self._histories.open()
        for version in self.registry.champions():
            await self._load(version)
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_FEATURES, self.on_features)

    async def _load(self, version: ModelVersion) -> None:
        """Load a model on a thread before it must predict on the loop; one that cannot be is told, and left out."""
        try:
            await self.accel.run(self.registry.model, version)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other models predict
            self._unreadable[version.name, version.version] = f"{type(error).__name__}: {error}"
            self.log.error("ml.model_unreadable", model=version.name, version=version.version, error=str(error))

    def degraded(self) -> list[str]:
        """Champions that cannot be loaded, and rows that a restart would lose."""
        reasons = [
            f"model {version.name} {version.version} cannot be loaded: {self._unreadable[key]}"
            for version in self.registry.champions()
            if (key := (version.name, version.version)) in self._unreadable
        ]
        if self._histories.left_out:
            reasons.append(f"the latest rows of {self._histories.left_out} instruments had no room in the snapshot")
        return reasons

    async def promote(self, name: str, number: int) -> ModelVersion:
        """Load a version and let it predict; raises NotFound, or Invalid where it cannot be loaded."""
        await self.accel.run(self.registry.model, self.registry.version(name, number))
        self._unreadable.pop((name, number), None)
        return self.registry.promote(name, number)

    def snapshot(self) -> bytes:
        """The rows and live outcomes since the last full block, bounded in size; full blocks are in the store."""
        tallies = [
            (version.name, version.version, tally.outcomes().astype("<f8", copy=False).tobytes())
            for version in self.registry.champions()
            if (tally := self._tallies.get((version.name, version.version)))
        ]
        return msgspec.msgpack.encode(_Snapshot(blocks=self._histories.unfinished(), tallies=tallies))

    def restore(self, data: bytes) -> None:
        """Take back what `snapshot` gave; rows that come in from now on are labelled apart from those."""
        found = msgspec.msgpack.decode(data, type=_Snapshot)
        self._histories.take_back(found.blocks)
        for name, version, pairs in found.tallies:
            tally = self._tallies[name, version] = LiveTally()
            tally.take_back(np.frombuffer(pairs, "<f8").reshape(-1, 2))

    def routes(self) -> "list[Operation]":
        """HTTP operations."""
        return ml_routes(self)

    def on_quote(self, quote: Quote) -> None:
        """Remember the middle, in half ticks: returns do not care about the unit."""
        if quote.bid_lots and quote.ask_lots:
            self._mids[quote.instrument_id] = float(quote.bid_ticks + quote.ask_ticks)

    def on_features(self, vector: FeatureVector) -> None:
        """Keep the vector for training, and predict with every champion that was trained on such vectors."""
        price = self._mids.get(vector.instrument_id)
        if price is None or price <= 0:
            return
        values = np.array(vector.values, dtype=np.float64)  # None becomes NaN
        self._histories.append(vector.instrument_id, vector.names, vector.ts_event, price, values)
        for version in self.registry.champions():
            if version.features == vector.names and (version.name, version.version) not in self._unreadable:
                self._predict_live(version, vector, values, price)

    def _predict_live(self, version: ModelVersion, vector: FeatureVector, values: Floats, price: float) -> None:
        value = float(self.registry.model(version).predict(values[None, :])[0])
        if not np.isfinite(value):
            return
        prediction = Prediction(
            ts_event=vector.ts_event,
            instrument_id=vector.instrument_id,
            model=version.name,
            version=version.version,
            target=version.target,
            horizon_bars=version.horizon_bars,
            value=value,
            probability=value if version.target == "up_probability" else None,
        )
        self._latest.setdefault(vector.instrument_id, {})[version.name] = prediction
        tally = self._tallies.setdefault((version.name, version.version), LiveTally())
        tally.add(vector.instrument_id, value, price, version.horizon_bars)
        self.publish(topics.prediction(vector.instrument_id), prediction)

    # -- training ------------------------------------------------------------------------------------------------

    def start_training(self, request: TrainRequest) -> Job:
        """Check that there is enough to train on, and train as a job; raises Invalid or NotReady."""
        if request.target != "log_return" and request.kind != "mlp":
            raise Invalid("target", f'must be "log_return" for {request.kind}; only mlp predicts {request.target}')
        sent = request.data
        rows = self._rows(request) if sent is None else []
        if sent is not None:
            _check_sent(sent, request.horizon_bars)
        recipe = _recipe(request)

        async def work(progress: Progress) -> ModelVersion:
            if sent is not None:
                arguments = (sent.names, sent.rows, sent.prices, request.horizon_bars)
                data = await self.accel.run(dataset_from_rows, *arguments)
            else:
                data = await self.accel.run(dataset_from_histories, rows, request.horizon_bars)
            return await self._train(request, recipe, data, progress)

        return self.jobs.start("training", work)

    async def _train(self, request: TrainRequest, recipe: Recipe, data: Dataset, progress: Progress) -> ModelVersion:
        trained = await run_on(self.accel, training(recipe, data, progress.report))
        weights, data_sha256 = await self.accel.run(trained.model.weights), await self.accel.run(data.sha256)
        version = ModelVersion(
            name=request.name,
            version=self.registry.next_version(request.name),
            kind=request.kind,
            target=request.target,
            horizon_bars=request.horizon_bars,
            features=data.names,
            recipe=recipe,
            data_sha256=data_sha256,
            rows=trained.rows,
            scores=trained.scores,
            importance=trained.importance,
            code_version=__version__,
            ts_trained=self.clock.timestamp_ns(),
            source="request" if request.data else self.context.source.description,
            quality="none" if request.data else self.quality(),
            backend=trained.backend,
            epochs=trained.epochs,
        )
        self.registry.add(version, trained.model, weights)
        return version

    def _rows(self, request: TrainRequest) -> list[Rows]:
        wanted = request.instruments
        for instrument_id in wanted or ():
            self.instruments[instrument_id]
        rows = self._histories.rows(wanted)
        check_enough(rows, request.horizon_bars, self.config.minimum_rows)
        return rows

    # -- answers -------------------------------------------------------------------------------------------------

    async def predict(self, name: str, request: PredictRequest) -> PredictResult:
        """Predictions of the champion of a name, off the loop; raises NotReady or Invalid."""
        version = self.registry.champion(name)
        for number, row in enumerate(request.rows):
            if len(row) != len(version.features):
                raise Invalid(f"rows[{number}]", f"must have {len(version.features)} values: {version.features}")
        model = self.registry.model(version)
        features = await self.accel.run(_floats, request.rows)
        if isinstance(model, NeuralNetwork) and len(features) > 1:
            values = await run_on(self.accel, model.predicting(features))
        else:
            values = await self.accel.run(model.predict, features)
        return PredictResult(
            name=version.name,
            version=version.version,
            target=version.target,
            horizon_bars=version.horizon_bars,
            values=[value if np.isfinite(value) else None for value in values.tolist()],
        )

    def latest(self, instrument_id: str) -> list[Prediction]:
        """The latest prediction of each model for an instrument; raises NotFound or NotReady."""
        instrument = self.instruments[instrument_id]
        found = self._latest.get(instrument.id)
        if not found:
            reason = "no model has been trained yet" if not self.registry.champions() else "no prediction yet"
            raise NotReady(f"{reason} (training: POST /ml/train)")
        return list(found.values())

    def live_scores(self) -> list[LiveScore]:
        """How each champion's live predictions have fared."""
        found = []
        for version in self.registry.champions():
            tally = self._tallies.get((version.name, version.version))
            outcomes = tally.outcomes() if tally else np.empty((0, 2))
            score = scores if version.target == "log_return" else direction_scores
            found.append(
                LiveScore(
                    name=version.name,
                    version=version.version,
                    predictions=len(outcomes),
                    scores=score(outcomes[:, 0], outcomes[:, 1]) if len(outcomes) else {},
                )
            )
        return found

    def training_rows(self) -> dict[str, int]:
        """Feature vectors kept for training, by instrument."""
        return self._histories.counts()


def _floats(rows: list[list[float | None]]) -> Floats:
    return np.array(rows, dtype=np.float64)  # None becomes NaN


def _recipe(request: TrainRequest) -> Recipe:
    return Recipe(
        kind=request.kind,
        folds=request.folds,
        embargo=round(request.embargo_seconds * 1e9),
        penalty=request.penalty,
        rounds=request.rounds,
        seed=request.seed,
        parameters={"num_leaves": request.num_leaves, "learning_rate": request.learning_rate},
        target=request.target,
        network=request.network if request.kind == "mlp" else None,
    )


def _check_sent(sent: TrainingData, horizon: int) -> None:
    if len(sent.prices) != len(sent.rows):
        raise Invalid("data.prices", f"must be as many as the rows ({len(sent.rows)})")
    if any(len(row) != len(sent.names) for row in sent.rows):
        raise Invalid("data.rows", f"every row must have {len(sent.names)} values, one for each name")
    if len(set(sent.names)) < len(sent.names):
        raise Invalid("data.names", "must differ from one another")
    if len(sent.rows) <= horizon:
        raise NotReady(f"no label: {len(sent.rows)} rows are not more than {horizon}")
