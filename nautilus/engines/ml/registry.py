"""The registry: every version of every model with all that made it; one of them, the champion, predicts."""

from typing import TYPE_CHECKING

import msgspec

from nautilus.engines.ml.training import Model, ModelKind, Recipe, load
from nautilus.errors import NotFound, NotReady

if TYPE_CHECKING:
    from nautilus.store.base import State

LOADED = 16
_VERSIONS, _WEIGHTS, _CHAMPIONS = "ml-versions", "ml-weights", "ml-champions"


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One trained version. `scores` are from purged folds; `target` is what it predicts, `horizon_bars` ahead.

    `backend` is what trained it ("numpy", "mlx", several joined by "+", "lightgbm"); `epochs` is for networks.
    """

    name: str
    version: int
    kind: ModelKind
    target: str
    horizon_bars: int
    features: tuple[str, ...]
    recipe: Recipe
    data_sha256: str
    rows: int
    scores: dict[str, float | None]
    importance: dict[str, float]
    code_version: str
    ts_trained: int
    source: str
    quality: str
    backend: str = "numpy"
    epochs: int | None = None


class ModelRegistry:
    """Versions by name and number, kept in the store's state; loaded models are kept in memory."""

    def __init__(self, state: "State") -> None:
        self._state = state
        self._versions: dict[str, dict[int, ModelVersion]] = {}
        self._champions: dict[str, int] = {}
        self._models: dict[tuple[str, int], Model] = {}

    def open(self) -> None:
        """Read what earlier runs registered."""
        for _, data in self._state.items(_VERSIONS):
            version = msgspec.json.decode(data, type=ModelVersion)
            self._versions.setdefault(version.name, {})[version.version] = version
        self._champions = {name: int(data) for name, data in self._state.items(_CHAMPIONS)}

    def add(self, version: ModelVersion, model: Model, weights: bytes) -> None:
        """Register a version with its model and that model's weights; the first of a name becomes its champion."""
        key = _key(version.name, version.version)
        self._state.put(_WEIGHTS, key, weights)
        self._state.put(_VERSIONS, key, msgspec.json.encode(version))
        self._versions.setdefault(version.name, {})[version.version] = version
        self._loaded(version, model)
        if version.name not in self._champions:
            self.promote(version.name, version.version)

    def next_version(self, name: str) -> int:
        """The number that the next version of a name gets."""
        return max(self._versions.get(name, {}), default=0) + 1

    def promote(self, name: str, version: int) -> ModelVersion:
        """Make a version the champion; raises NotFound."""
        found = self.version(name, version)
        self._champions[name] = version
        self._state.put(_CHAMPIONS, name, str(version).encode())
        return found

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """Every version, or those of one name, oldest first; raises NotFound for a name without any."""
        if name is not None and name not in self._versions:
            raise NotFound("model", name)
        names = [name] if name is not None else sorted(self._versions)
        return [version for one in names for _, version in sorted(self._versions[one].items())]

    def version(self, name: str, version: int) -> ModelVersion:
        """One version; raises NotFound."""
        try:
            return self._versions[name][version]
        except KeyError:
            raise NotFound("model version", f"{name} {version}") from None

    def champion(self, name: str) -> ModelVersion:
        """The version that predicts; raises NotReady where none was ever trained."""
        if name not in self._champions:
            raise NotReady(f"no model {name!r} has been trained yet")
        return self.version(name, self._champions[name])

    def champions(self) -> list[ModelVersion]:
        """The champion of each name."""
        return [self.version(name, version) for name, version in sorted(self._champions.items())]

    def model(self, version: ModelVersion) -> Model:
        """The model itself, loaded from the store where it must be: some milliseconds. Raises NotFound or Invalid."""
        key = (version.name, version.version)
        if key not in self._models:
            weights = self._state.get(_WEIGHTS, _key(*key))
            if weights is None:
                raise NotFound("weights of", f"{version.name} {version.version}")
            self._loaded(version, load(version.kind, weights))
        return self._models[key]

    def _loaded(self, version: ModelVersion, model: Model) -> None:
        """Keep a model in memory, and at most LOADED that do not predict."""
        self._models[version.name, version.version] = model
        idle = [key for key in self._models if self._champions.get(key[0]) != key[1]]
        for key in idle[:-LOADED]:
            del self._models[key]


def _key(name: str, version: int) -> str:
    return f"{name}/{version:06d}"
