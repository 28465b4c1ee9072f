"""Every feature of the registry: batch equals streaming, nothing looks ahead, everything is described."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.features.registry import OWN_FEATURES, bind, feature, registry
from nautilus.errors import Invalid, NotFound

OWN = [known.name for known in OWN_FEATURES]


def small(known):
    """Parameters that let a feature warm up within the test's rows."""
    if known.group.startswith("talib"):
        return {}
    return {p.name: max(p.minimum, min(p.default, 20)) for p in known.parameters}


def columns(known, inputs):
    return [inputs[name] for name in known.inputs]


def streamed(bound, arrays):
    stream = bound.stream()
    return np.array([stream.update(*row) for row in zip(*(a.tolist() for a in arrays), strict=True)])


def assert_same_bits(batch, stream, label):
    assert np.array_equal(np.isnan(batch), np.isnan(stream)), label
    defined = ~np.isnan(batch)
    assert batch[defined].tobytes() == stream[defined].tobytes(), label


def every_output(names):
    for name in names:
        known = feature(name)
        for output in known.outputs:
            yield known.bind(output, **small(known))


@pytest.mark.parametrize("name", OWN)
def test_batch_equals_streaming_to_the_last_bit(name, inputs):
    for bound in every_output([name]):
        arrays = columns(bound.feature, inputs)
        batch = bound.batch(*arrays)
        assert_same_bits(batch, streamed(bound, arrays), bound.label)
        assert np.isnan(batch[: bound.warm_up]).all()
        assert np.isfinite(batch[bound.warm_up :]).any(), "the test says nothing if there is never a value"


def test_batch_equals_streaming_to_the_last_bit_for_all_of_talib(inputs):
    names = [name for name in registry() if name not in OWN]
    assert len(names) == 201
    for bound in every_output(names):
        arrays = columns(bound.feature, inputs)
        batch = bound.batch(*arrays)
        assert_same_bits(batch, streamed(bound, arrays), bound.label)
        assert np.isnan(batch[: bound.warm_up]).all(), bound.label


def test_no_past_value_changes_when_the_future_is_cut_off(inputs):
    for bound in every_output(registry()):
        arrays = columns(bound.feature, inputs)
        whole = bound.batch(*arrays)
        for rows in (1, 150, 399):
            assert_same_bits(bound.batch(*(a[:rows].copy() for a in arrays)), whole[:rows], bound.label)


@pytest.mark.parametrize("name", OWN)
def test_a_missing_value_spoils_no_more_than_its_window(name, inputs):
    for bound in every_output([name]):
        arrays = [column.copy() for column in columns(bound.feature, inputs)]
        arrays[0][50] = np.nan
        batch = bound.batch(*arrays)
        if bound.feature.group != "composite":  # what is made of TA-Lib's recursions keeps its NaN
            assert_same_bits(batch, streamed(bound, arrays), bound.label)
            assert np.isfinite(batch[60 + 2 * bound.warm_up :]).any()


@pytest.mark.parametrize("name", OWN)
def test_prices_of_zero_and_below_raise_nothing(name, inputs):
    for bound in every_output([name]):
        for value in (0.0, -1.0, 1e15):
            arrays = [np.full(80, value) for _ in bound.feature.inputs]
            assert_same_bits(bound.batch(*arrays), streamed(bound, arrays), bound.label)


rough = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e300, 1e-300, 100.0, 100.01]))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_batch_equals_streaming_on_any_numbers(data):
    known = data.draw(st.sampled_from([known for known in OWN_FEATURES if known.group != "composite"]))
    limits = {"window": 5, "limit": 5}
    bound = known.bind(**{p.name: max(p.minimum, min(p.default, limits.get(p.name, 3))) for p in known.parameters})
    rows = data.draw(st.integers(0, 25))
    arrays = [np.array(data.draw(st.lists(rough, min_size=rows, max_size=rows)), dtype=float) for _ in known.inputs]
    assert_same_bits(bound.batch(*arrays), streamed(bound, arrays), bound.label)


def test_empty_columns_give_an_empty_column():
    for known in OWN_FEATURES:
        assert known.bind().batch(*[np.empty(0)] * len(known.inputs)).shape == (0,)


def test_every_feature_is_described():
    for known in registry().values():
        assert known.description, known.name
        assert known.unit, known.name
        assert known.reference, known.name
        assert known.inputs, known.name
        assert known.outputs, known.name
        for parameter in known.parameters:
            assert parameter.minimum <= parameter.default <= parameter.maximum, (known.name, parameter)


def test_own_features_are_found_by_name_and_unknown_ones_are_not():
    assert feature("microprice").name == "microprice"
    with pytest.raises(NotFound):
        feature("no_such_feature")


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("order_flow_imbalance", {"window": 0}, "parameters.window"),
        ("order_flow_imbalance", {"window": 2.5}, "parameters.window"),
        ("order_flow_imbalance", {"window": float("nan")}, "parameters.window"),
        ("order_flow_imbalance", {"width": 10}, "parameters.width"),
        ("order_flow_imbalance", {"output": "other"}, "output"),
        ("variance_ratio", {"window": 5, "periods": 5}, "parameters.periods"),
        ("realised_kernel", {"window": 5, "bandwidth": 5}, "parameters.bandwidth"),
        ("seasonal_ratio", {"period": 20_000, "cycles": 2}, "parameters.cycles"),
        ("RSI", {"timeperiod": 1}, "parameters"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_name(name, arguments, field):
    with pytest.raises(Invalid) as caught:
        bind(name, **arguments)
    assert caught.value.field == field


def test_a_label_says_everything():
    assert bind("MACD", "macdhist").label == "MACD.macdhist(12,26,9)"
    assert bind("order_flow_imbalance", window=50).label == "order_flow_imbalance(50)"
    assert bind("mid_price").label == "mid_price"


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(Invalid):
        bind("mid_price").batch(np.ones(3))
    with pytest.raises(Invalid):
        bind("mid_price").batch(np.ones(3), np.ones(4))
