"""Features of market data in batch and streaming form, equal to the last bit: registry, sets and matrices."""

from nautilus.engines.features.feature import BoundFeature, Feature, Parameter
from nautilus.engines.features.feature_matrix import as_of, feature_matrix
from nautilus.engines.features.feature_set import FeatureSet, FeatureSpec, default_set, members
from nautilus.engines.features.live_features import LiveFeatures
from nautilus.engines.features.registry import bind, feature, registry

__all__ = [
    "BoundFeature",
    "Feature",
    "FeatureSet",
    "FeatureSpec",
    "LiveFeatures",
    "Parameter",
    "as_of",
    "bind",
    "default_set",
    "feature",
    "feature_matrix",
    "members",
    "registry",
]
