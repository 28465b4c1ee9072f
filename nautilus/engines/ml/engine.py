"""Models trained here on the node's own feature vectors; the champions' predictions go out on the bus."""

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from nautilus import __version__
from nautilus.engines.base import Engine
from nautilus.engines.ml.dataset import Dataset, History, dataset_from_histories, dataset_from_rows
from nautilus.engines.ml.labels import triple_barrier
from nautilus.engines.ml.models import LiveScore, MlConfig, PredictRequest, PredictResult, TrainRequest
from nautilus.engines.ml.registry import ModelRegistry, ModelVersion
from nautilus.engines.ml.routes import ml_routes
from nautilus.engines.ml.scores import scores
from nautilus.engines.ml.training import Recipe, train
from nautilus.errors import Invalid, NotReady
from nautilus.jobs import Job, Progress
from nautilus.model import EngineType, Quote, topics
from nautilus.model.messages import FeatureVector, Prediction

if TYPE_CHECKING:
    from nautilus.engines.operation import Operation

TARGET = "log_return"
LIVE_SCORED = 5000


class _Tally:
    """Live predictions of one model version: those that wait for their outcome, and the latest outcomes."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[tuple[float, float]]] = {}
        self.outcomes: deque[tuple[float, float]] = deque(maxlen=LIVE_SCORED)

    def add(self, instrument_id: str, value: float, price: float, horizon: int) -> None:
        waiting = self.waiting.setdefault(instrument_id, deque())
        waiting.append((value, price))
        if len(waiting) > horizon:
            earlier, base = waiting.popleft()
            self.outcomes.append((earlier, float(np.log(price / base))))


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
        self._histories: dict[str, History] = {}
        self._latest: dict[str, dict[str, Prediction]] = {}
        self._tallies: dict[tuple[str, int], _Tally] = {}

    async def setup(self) -> None:
        """Listen to quotes and feature vectors; take up what was trained before."""
        self.registry.open()
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_FEATURES, self.on_features)

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
        history = self._histories.get(vector.instrument_id)
        if history is None or history.names != vector.names:
            history = self._histories[vector.instrument_id] = History(vector.names, self.config.history)
        values = tuple(np.nan if value is None else value for value in vector.values)
        history.rows.append((vector.ts_event, price, values))
        for version in self.registry.champions():
            if version.features == vector.names:
                self._predict_live(version, vector, values, price)

    def _predict_live(
        self, version: ModelVersion, vector: FeatureVector, values: tuple[float, ...], price: float
    ) -> None:
        value = float(self.registry.model(version).predict(np.array([values]))[0])
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
        )
        self._latest.setdefault(vector.instrument_id, {})[version.name] = prediction
        tally = self._tallies.setdefault((version.name, version.version), _Tally())
        tally.add(vector.instrument_id, value, price, version.horizon_bars)
        self.publish(topics.prediction(vector.instrument_id), prediction)

    # -- training ------------------------------------------------------------------------------------------------

    def start_training(self, request: TrainRequest) -> Job:
        """Check that there is enough to train on, and train as a job; raises Invalid or NotReady."""
        data = self._dataset(request)
        recipe = Recipe(
            kind=request.kind,
            folds=request.folds,
            embargo=round(request.embargo_seconds * 1e9),
            penalty=request.penalty,
            rounds=request.rounds,
            seed=request.seed,
            parameters={"num_leaves": request.num_leaves, "learning_rate": request.learning_rate},
        )

        async def work(progress: Progress) -> ModelVersion:
            trained = await self.accel.run(train, recipe, data, progress.report)
            version = ModelVersion(
                name=request.name,
                version=self.registry.next_version(request.name),
                kind=request.kind,
                target=TARGET,
                horizon_bars=request.horizon_bars,
                features=data.names,
                recipe=recipe,
                data_sha256=data.sha256(),
                rows=trained.rows,
                scores=trained.scores,
                importance=trained.importance,
                code_version=__version__,
                ts_trained=self.clock.timestamp_ns(),
                source="request" if request.data else self.context.source.description,
                quality="none" if request.data else self.quality(),
            )
            self.registry.add(version, trained.model)
            return version

        return self.jobs.start("training", work)

    def _dataset(self, request: TrainRequest) -> Dataset:
        if request.data is not None:
            sent = request.data
            if len(sent.prices) != len(sent.rows):
                raise Invalid("data.prices", f"must be as many as the rows ({len(sent.rows)})")
            if any(len(row) != len(sent.names) for row in sent.rows):
                raise Invalid("data.rows", f"every row must have {len(sent.names)} values, one for each name")
            if len(set(sent.names)) < len(sent.names):
                raise Invalid("data.names", "must differ from one another")
            return dataset_from_rows(sent.names, sent.rows, sent.prices, request.horizon_bars)
        wanted = request.instruments
        for instrument_id in wanted or ():
            self.instruments[instrument_id]
        histories = [history for name, history in sorted(self._histories.items()) if wanted is None or name in wanted]
        return dataset_from_histories(histories, request.horizon_bars, self.config.minimum_rows)

    # -- answers -------------------------------------------------------------------------------------------------

    def predict(self, name: str, request: PredictRequest) -> PredictResult:
        """Predictions of the champion of a name; raises NotReady or Invalid."""
        version = self.registry.champion(name)
        for number, row in enumerate(request.rows):
            if len(row) != len(version.features):
                raise Invalid(f"rows[{number}]", f"must have {len(version.features)} values: {version.features}")
        features = np.array([[np.nan if value is None else value for value in row] for row in request.rows])
        values = self.registry.model(version).predict(features)
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
            outcomes = np.array(tally.outcomes).reshape(-1, 2) if tally else np.empty((0, 2))
            found.append(
                LiveScore(
                    name=version.name,
                    version=version.version,
                    predictions=len(outcomes),
                    scores=scores(outcomes[:, 0], outcomes[:, 1]) if len(outcomes) else {},
                )
            )
        return found

    def training_rows(self) -> dict[str, int]:
        """Feature vectors kept for training, by instrument."""
        return {name: len(history.rows) for name, history in sorted(self._histories.items())}
