"""Configuration, requests and answers of the ml engine."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.ml.network_settings import NetworkSettings
from nautilus.model.instruments import InstrumentId
from nautilus.model.orders import Identifier

Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Row = Annotated[list[Number | None], Meta(min_length=1, max_length=500)]


class MlConfig(EngineConfig, frozen=True, kw_only=True):
    """Configuration of the ml engine."""

    history: Annotated[
        int, Meta(ge=100, le=1_000_000, description="Feature vectors kept for training, for each instrument.")
    ] = 20_000
    minimum_rows: Annotated[
        int, Meta(ge=20, le=1_000_000, description="Labelled rows below which training is refused.")
    ] = 200
    kept_bytes: Annotated[
        int,
        Meta(ge=0, le=512 * 1024 * 1024, description="Feature vectors kept over a restart, in bytes; 0 keeps none."),
    ] = 32 * 1024 * 1024


class TrainingData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of one instrument to train on instead of the live stream: features, names and the price at each row."""

    names: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(min_length=1, max_length=500)]
    rows: Annotated[list[Row], Meta(min_length=20, max_length=100_000)]
    prices: Annotated[list[Annotated[float, Meta(gt=0, le=1e12)]], Meta(min_length=20, max_length=100_000)]


class TrainRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to train. `horizon_bars` counts feature vectors; `embargo_seconds` follows each test period.

    `penalty` is for "linear", `rounds`, `num_leaves` and `learning_rate` for "lightgbm", `network` for "mlp". The
    target "up_probability", of a positive return, is for "mlp" alone.
    """

    name: Identifier
    kind: Literal["linear", "lightgbm", "mlp"] = "linear"
    target: Literal["log_return", "up_probability"] = "log_return"
    horizon_bars: Annotated[int, Meta(ge=1, le=1000)] = 5
    folds: Annotated[int, Meta(ge=2, le=20)] = 5
    embargo_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    penalty: Annotated[float, Meta(ge=0, le=1e9)] = 1.0
    rounds: Annotated[int, Meta(ge=1, le=2000)] = 100
    num_leaves: Annotated[int, Meta(ge=2, le=255)] = 15
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 0.05
    network: NetworkSettings = NetworkSettings()
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 1
    instruments: Annotated[list[InstrumentId], Meta(max_length=1000)] | None = None
    data: TrainingData | None = None


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of features in the order of the model's `features`; null is missing."""

    rows: Annotated[list[Row], Meta(min_length=1, max_length=10_000)]


class PredictResult(msgspec.Struct, frozen=True, kw_only=True):
    """A value for each row; null where the model cannot say because a feature is missing."""

    name: str
    version: int
    target: str
    horizon_bars: int
    values: list[float | None]


class PromoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version that shall predict."""

    version: Annotated[int, Meta(ge=1, le=10**9)]


class LiveScore(msgspec.Struct, frozen=True, kw_only=True):
    """How the live predictions of a model have fared once their horizon had passed."""

    name: str
    version: int
    predictions: int
    scores: dict[str, float | None]
