"""Feature sets: which features, with which parameters and inputs, under a name and a version that never changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.engines.features.feature import COLUMNS, BoundFeature
from nautilus.engines.features.liquidity import DEPTH
from nautilus.engines.features.registry import feature
from nautilus.errors import Invalid, NotFound

LIVE_INPUTS: Mapping[str, tuple[str, ...]] = {
    **{kind: tuple(f"{kind}.{column}" for column in columns) for kind, columns in COLUMNS.items()},
    "depth": DEPTH,
}
"""What a running node can feed, by kind: a row has these columns in this order."""
WARM_UP_LIMIT = 200_000
"""Most rows that the features of one set may need before they have values, all together: what bounds their memory."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_\-]{0,47}$", description="lower case, digits, - and _")]


class FeatureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature of a set. `inputs` replaces the feature's own, as "kind.column", all of one kind of data."""

    name: Annotated[str, Meta(min_length=1, max_length=48)]
    parameters: Annotated[dict[str, Annotated[float, Meta(ge=-1e9, le=1e9)]], Meta(max_length=16)] = {}
    output: Annotated[str, Meta(max_length=32)] = ""
    inputs: Annotated[tuple[Annotated[str, Meta(max_length=48)], ...], Meta(max_length=32)] = ()


class FeatureSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Features under a name and a version. A version is never changed; a change is a new version."""

    name: Name
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    features: Annotated[tuple[FeatureSpec, ...], Meta(min_length=1, max_length=256)]

    @property
    def key(self) -> str:
        """ "name@version", what a FeatureVector calls its set."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class SetMember:
    """One feature of a set, ready: its label, its kind of data and where its inputs stand in a row of that kind."""

    label: str
    kind: str
    indices: tuple[int, ...]
    bound: BoundFeature

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs as "kind.column"."""
        return tuple(LIVE_INPUTS[self.kind][index] for index in self.indices)


def _member(position: int, spec: FeatureSpec) -> SetMember:
    field = f"features[{position}]"
    try:
        bound = feature(spec.name).bind(spec.output, **spec.parameters)
    except NotFound as error:
        raise Invalid(f"{field}.name", str(error)) from error
    except Invalid as error:
        raise Invalid(f"{field}.{error.field}", error.reason) from error
    inputs = spec.inputs or bound.feature.inputs
    kind = inputs[0].partition(".")[0]
    live = LIVE_INPUTS.get(kind, ())
    if len(inputs) != len(bound.feature.inputs) or any(name not in live for name in inputs):
        wanted = ", ".join(bound.feature.inputs)
        raise Invalid(f"{field}.inputs", f"must be {len(bound.feature.inputs)} live columns of one kind, as {wanted}")
    label = bound.label if not spec.inputs else f"{bound.label}[{','.join(inputs)}]"
    return SetMember(label, kind, tuple(live.index(name) for name in inputs), bound)


def members(feature_set: FeatureSet) -> tuple[SetMember, ...]:
    """The set's features, ready; raises Invalid naming the entry that is unknown, out of range, not live or double."""
    ready = tuple(_member(position, spec) for position, spec in enumerate(feature_set.features))
    labels = [member.label for member in ready]
    for position, label in enumerate(labels):
        if label in labels[:position]:
            raise Invalid(f"features[{position}]", f"{label} is in the set already")
    if (total := sum(member.bound.warm_up for member in ready)) > WARM_UP_LIMIT:
        raise Invalid("features", f"need {total} rows of warm-up together, more than {WARM_UP_LIMIT}")
    return ready


def default_set() -> FeatureSet:
    """Twenty-four features of quotes, trades and bars that a node publishes where nothing else is asked for."""
    mid = ("quotes.mid",)
    return FeatureSet(
        "default",
        1,
        (
            FeatureSpec("relative_spread"),
            FeatureSpec("microprice_deviation"),
            FeatureSpec("queue_imbalance"),
            FeatureSpec("order_flow_imbalance_ratio", {"window": 100}),
            FeatureSpec("realised_volatility", {"window": 200}, inputs=mid),
            FeatureSpec("trade_imbalance", {"window": 100}),
            FeatureSpec("vwap_deviation", {"window": 200}),
            FeatureSpec("trade_sign_entropy", {"window": 100}),
            FeatureSpec("realised_volatility", {"window": 30}),
            FeatureSpec("bipower_variation", {"window": 30}),
            FeatureSpec("jump_statistic", {"window": 60}),
            FeatureSpec("parkinson_volatility", {"window": 20}),
            FeatureSpec("yang_zhang_volatility", {"window": 20}),
            FeatureSpec("autocorrelation", {"window": 60, "lag": 1}),
            FeatureSpec("variance_ratio", {"window": 60, "periods": 5}),
            FeatureSpec("kyle_lambda", {"window": 60}),
            FeatureSpec("RSI", {"timeperiod": 14}),
            FeatureSpec("MACD", output="macdhist"),
            FeatureSpec("NATR", {"timeperiod": 14}),
            FeatureSpec("ADX", {"timeperiod": 14}),
            FeatureSpec("ROC", {"timeperiod": 10}),
            FeatureSpec("MFI", {"timeperiod": 14}),
            FeatureSpec("LINEARREG_SLOPE", {"timeperiod": 14}),
            FeatureSpec("bollinger_position", {"timeperiod": 20}),
        ),
    )
