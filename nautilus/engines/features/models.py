"""The features engine's configuration, and what its HTTP operations take and give."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.features.feature import Feature
from nautilus.engines.features.feature_set import Name

ROWS_LIMIT = 20_000
"""Most rows that one request may compute."""


class FeaturesConfig(EngineConfig, frozen=True, kw_only=True):
    """The features engine's section of the configuration."""

    bar_spec: Annotated[
        str, Meta(pattern=r"^[1-9][0-9]{0,8}[stv]$", description="Bars at whose close a vector is published.")
    ] = "1s"
    history: Annotated[int, Meta(ge=1, le=100_000, description="Vectors kept for each instrument.")] = 1_000


class ParameterEntry(msgspec.Struct, frozen=True):
    """A parameter of a feature; `integer` says whether it must be whole."""

    name: str
    default: float
    minimum: float
    maximum: float
    integer: bool
    description: str


class FeatureEntry(msgspec.Struct, frozen=True):
    """A feature of the registry. `warm_up` is the number of leading rows without a value, with default parameters."""

    name: str
    group: str
    description: str
    unit: str
    reference: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[ParameterEntry, ...]
    warm_up: int

    @classmethod
    def of(cls, feature: Feature) -> "FeatureEntry":
        """The entry of a feature."""
        parameters = tuple(
            ParameterEntry(
                parameter.name,
                parameter.default,
                parameter.minimum,
                parameter.maximum,
                isinstance(parameter.default, int),
                parameter.description,
            )
            for parameter in feature.parameters
        )
        return cls(
            feature.name,
            feature.group,
            feature.description,
            feature.unit,
            feature.reference,
            feature.inputs,
            feature.outputs,
            parameters,
            feature.bind().warm_up,
        )


class SetReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature set that is stored."""

    name: Name
    version: Annotated[int, Meta(ge=1, le=1_000_000)]


Number = Annotated[float, Meta(ge=-1e15, le=1e15)]
Column = Annotated[list[Number], Meta(min_length=1, max_length=ROWS_LIMIT)]


class ComputeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature to compute over columns of equal length, by the names of its inputs ("bars.close" or "close")."""

    feature: Annotated[str, Meta(min_length=1, max_length=48, examples=["RSI"])]
    columns: Annotated[dict[str, Column], Meta(min_length=1, max_length=32, examples=[{"close": [100.0, 101.0]}])]
    parameters: Annotated[dict[str, Number], Meta(max_length=16, examples=[{}])] = {}
    output: Annotated[str, Meta(max_length=32)] = ""


class ComputeResult(msgspec.Struct, frozen=True):
    """The feature at every row; null while it warms up and where it is not defined."""

    feature: str
    unit: str
    warm_up: int
    values: list[float | None]


class VectorHistory(msgspec.Struct, frozen=True):
    """The last vectors of one instrument, oldest first: `values[i]` were known at `ts_event[i]`."""

    instrument_id: str
    feature_set: str
    names: tuple[str, ...]
    ts_event: list[int]
    values: list[tuple[float | None, ...]]
