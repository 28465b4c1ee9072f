"""The stored feature sets: by name and version, kept in the store, one of them in use."""

import msgspec

from nautilus.engines.features.feature_set import FeatureSet, default_set, members
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.store.base import State

NAMESPACE = "features.sets"
ACTIVE = "features.active"
SETS_LIMIT = 1_000


class SetLibrary:
    """Feature sets that outlive the process. The built-in default is always there."""

    def __init__(self, state: State) -> None:
        self._state = state
        built_in = default_set()
        self._sets: dict[tuple[str, int], FeatureSet] = {(built_in.name, built_in.version): built_in}
        for _, data in state.items(NAMESPACE):
            stored = msgspec.json.decode(data, type=FeatureSet)
            self._sets.setdefault((stored.name, stored.version), stored)

    def all(self) -> list[FeatureSet]:
        """Every set, by name and version."""
        return [self._sets[key] for key in sorted(self._sets)]

    def versions(self, name: str) -> list[FeatureSet]:
        """Every version of one set, oldest first; raises NotFound."""
        found = [feature_set for feature_set in self.all() if feature_set.name == name]
        if not found:
            raise NotFound("feature set", name)
        return found

    def get(self, name: str, version: int) -> FeatureSet:
        """One version; raises NotFound."""
        try:
            return self._sets[name, version]
        except KeyError:
            raise NotFound("feature set", f"{name}@{version}") from None

    def put(self, feature_set: FeatureSet) -> FeatureSet:
        """Store a version; the same again changes nothing. Raises Conflict for a changed one, Invalid for a bad one."""
        if feature_set.name == "active":
            raise Invalid("name", "must not be 'active', which stands for the set in use")
        known = self._sets.get((feature_set.name, feature_set.version))
        if known == feature_set:
            return known
        if known is not None:
            raise Conflict(f"{feature_set.key} exists and a version never changes: take the next version")
        if len(self._sets) >= SETS_LIMIT:
            raise Conflict(f"there are {SETS_LIMIT} feature sets already")
        members(feature_set)
        self._sets[feature_set.name, feature_set.version] = feature_set
        self._state.put(NAMESPACE, f"{feature_set.name}@{feature_set.version:07d}", msgspec.json.encode(feature_set))
        return feature_set

    def active(self) -> FeatureSet:
        """The set in use: the one chosen last, or the built-in default."""
        data = self._state.get(ACTIVE, "set")
        if data is None:
            return default_set()
        name, version = msgspec.json.decode(data, type=tuple[str, int])
        return self._sets.get((name, version)) or default_set()

    def choose(self, feature_set: FeatureSet) -> None:
        """Remember the set in use."""
        chosen = msgspec.json.encode((feature_set.name, feature_set.version))
        self._state.put(ACTIVE, "set", chosen)
