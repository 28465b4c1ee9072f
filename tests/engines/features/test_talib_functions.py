"""TA-Lib's functions keep their numbers, whatever their parameters; a stream opens as early as it can."""

import math

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.features.registry import bind, registry
from nautilus.errors import Invalid

TALIB = sorted(name for name in talib.get_functions())


def test_every_function_is_reachable_by_name():
    assert {name for name, known in registry().items() if known.group.startswith("talib")} == set(TALIB)


def test_batch_is_talibs_own_with_nan_for_the_rows_it_looks_back(inputs):
    for name in TALIB:
        for position, output in enumerate(registry()[name].outputs):
            bound = bind(name, output)
            arrays = [inputs[column] for column in bound.feature.inputs]
            result = getattr(talib, name)(*arrays)
            chosen = result[position] if isinstance(result, tuple) else result
            got = bound.batch(*arrays)
            assert np.array_equal(got[bound.warm_up :], chosen[bound.warm_up :].astype(float), equal_nan=True), name


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_batch_equals_streaming_with_any_parameters_that_talib_takes(inputs, data):
    name = data.draw(st.sampled_from(TALIB))
    known = registry()[name]
    parameters = {}
    for parameter in known.parameters:
        if isinstance(parameter.default, int):
            parameters[parameter.name] = data.draw(st.integers(0, min(40, int(parameter.maximum))))
        else:
            parameters[parameter.name] = data.draw(st.floats(-2.0, 5.0))
    try:
        bound = known.bind(data.draw(st.sampled_from(known.outputs)), **parameters)
    except Invalid:
        return
    arrays = [inputs[column] for column in known.inputs]
    batch, stream = bound.batch(*arrays), bound.stream()
    streamed = np.array([stream.update(*row) for row in zip(*(a.tolist() for a in arrays), strict=True)])
    assert np.array_equal(batch, streamed, equal_nan=True), bound.label


def test_a_stream_waits_for_rows_without_nan_as_the_batch_does(inputs):
    close = inputs["bars.close"].copy()
    close[:7] = math.nan
    stream = bind("RSI", timeperiod=14).stream()
    streamed = np.array([stream.update(x) for x in close.tolist()])
    batch = bind("RSI", timeperiod=14).batch(close)
    assert np.array_equal(batch, streamed, equal_nan=True)
    assert np.isnan(batch[:21]).all()
    assert np.isfinite(batch[21:]).all()


@pytest.mark.parametrize(
    ("name", "parameters"), [("RSI", {"timeperiod": 1}), ("MA", {"matype": 14}), ("SMA", {"x": 1})]
)
def test_parameters_that_talib_refuses_are_invalid(name, parameters):
    with pytest.raises(Invalid):
        bind(name, **parameters)
