"""Feature sets: what they may hold, and what is refused by name."""

import msgspec
import pytest

from nautilus.engines.features.feature_set import FeatureSet, FeatureSpec, default_set, members
from nautilus.errors import Invalid


def make_set(*specs):
    return FeatureSet("mine", 1, specs)


def test_the_default_set_is_ready_and_mixes_quotes_trades_and_bars():
    ready = members(default_set())
    assert len(ready) == 24
    assert {member.kind for member in ready} == {"quotes", "trades", "bars"}
    assert len({member.label for member in ready}) == 24


def test_a_set_survives_json():
    encoded = msgspec.json.encode(default_set())
    assert msgspec.json.decode(encoded, type=FeatureSet) == default_set()


def test_inputs_can_be_replaced_by_others_of_one_kind():
    (member,) = members(make_set(FeatureSpec("SMA", {"timeperiod": 5}, inputs=("quotes.mid",))))
    assert (member.label, member.kind, member.inputs) == ("SMA(5)[quotes.mid]", "quotes", ("quotes.mid",))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (FeatureSpec("nothing"), "features[0].name"),
        (FeatureSpec("RSI", {"timeperiod": 0.5}), "features[0].parameters.timeperiod"),
        (FeatureSpec("MACD", output="none"), "features[0].output"),
        (FeatureSpec("SMA", inputs=("bars.nothing",)), "features[0].inputs"),
        (FeatureSpec("SMA", inputs=("bars.close", "bars.open")), "features[0].inputs"),
        (FeatureSpec("correlation", inputs=("bars.close", "quotes.mid")), "features[0].inputs"),
        (FeatureSpec("beta"), "features[0].inputs"),
        (FeatureSpec("MAVP"), "features[0].inputs"),
    ],
)
def test_a_spec_that_cannot_be_fed_is_refused_by_name(spec, field):
    with pytest.raises(Invalid) as caught:
        members(make_set(spec))
    assert caught.value.field == field


def test_the_same_feature_twice_is_refused():
    with pytest.raises(Invalid, match="already"):
        members(make_set(FeatureSpec("RSI"), FeatureSpec("RSI", {"timeperiod": 14})))


def test_sets_that_would_fill_the_memory_are_refused():
    specs = [FeatureSpec("realised_variance", {"window": 90_000 + i}) for i in range(3)]
    with pytest.raises(Invalid, match="warm-up"):
        members(make_set(*specs))
