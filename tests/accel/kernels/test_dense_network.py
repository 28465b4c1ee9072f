"""Dense networks: the gradient is the derivative, MLX takes the same steps, and what there is to learn is learnt."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.accel.kernels.dense_layers import (
    gradient_of,
    initial_parameters,
    layers_of,
    loss_of,
    parameter_count,
    values_of,
)
from nautilus.accel.kernels.dense_network import _mlx_step, dense_training, dense_values
from nautilus.checks import check_routed_kernel
from nautilus.errors import Invalid

ACTIVATIONS = ("relu", "gelu", "tanh")
LOSSES = ("squared", "logistic")
WIDTHS = (3, 5, 4, 2)


def problem(loss: str, rows: int = 8, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    features = source.normal(size=(rows, WIDTHS[0]))
    targets = source.normal(size=(rows, WIDTHS[-1])) if loss == "squared" else source.uniform(size=(rows, WIDTHS[-1]))
    parameters = initial_parameters(WIDTHS, "relu", seed) + 0.1 * source.normal(size=parameter_count(WIDTHS))
    return parameters, features, targets


def steps(start: np.ndarray, rows: np.ndarray, wanted: np.ndarray, count: int, **changes):
    """Arguments for `count` steps on the same rows."""
    arguments = {
        "parameters": start,
        "first_moments": np.zeros_like(start),
        "second_moments": np.zeros_like(start),
        "steps_done": 0,
        "widths": WIDTHS,
        "activation": "relu",
        "loss": "squared",
        "features": np.repeat(rows[None], count, axis=0),
        "targets": np.repeat(wanted[None], count, axis=0),
        "learning_rate": 0.01,
        "weight_decay": 0.1,
    }
    return {**arguments, **changes}


@pytest.mark.parametrize("kernel", [dense_values, dense_training], ids=lambda kernel: kernel.name)
def test_every_backend_agrees_with_the_reference(kernel) -> None:
    check_routed_kernel(kernel)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_is_the_derivative_of_the_loss(activation: str, loss: str) -> None:
    parameters, features, targets = problem(loss)

    def loss_at(point: np.ndarray) -> float:
        return loss_of(loss, values_of(layers_of(point, WIDTHS), activation, features), targets)

    found = gradient_of(layers_of(parameters, WIDTHS), activation, loss, features, targets)
    width = 1e-6
    moves = width * np.eye(len(parameters))
    expected = [(loss_at(parameters + move) - loss_at(parameters - move)) / (2 * width) for move in moves]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlx_takes_the_same_steps_with_its_own_gradient(activation: str, loss: str) -> None:
    arguments = steps(*problem(loss), 50, activation=activation, loss=loss)
    prepared = dense_training.prepare(**arguments)
    expected, found = dense_training.run("numpy", prepared), dense_training.run("mlx", prepared)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other).max() <= dense_training.float32_error * np.abs(other).max()
    values = (expected[0], WIDTHS, activation, arguments["features"][0])
    np.testing.assert_allclose(
        dense_values.run("mlx", dense_values.prepare(*values)),
        dense_values.run("numpy", dense_values.prepare(*values)),
        atol=dense_values.float32_error,
    )


@pytest.mark.skipif(shutil.which("c++") is None, reason="MLX compiles for the CPU with the system's compiler")
def test_the_step_that_is_compiled_on_gpus_equals_the_one_that_is_not() -> None:
    import mlx.core as mx

    parameters, features, targets = problem("squared")
    state = [[mx.array(part) for layer in layers_of(parameters, WIDTHS) for part in layer] for _ in range(3)]
    given = (state, mx.array(features), mx.array(targets), mx.array(0.01), mx.array(0.99))
    results = [_mlx_step(mx, "gelu", "squared", shape)(*given) for shape in (None, (*WIDTHS, 8))]
    for one, other in zip(*([part for group in result for part in group] for result in results), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-5, atol=1e-6)


def test_steps_in_two_calls_are_the_steps_in_one_to_the_bit() -> None:
    parameters, features, targets = problem("squared")
    together = dense_training(**steps(parameters, features, targets, 7))
    first = dense_training(**steps(parameters, features, targets, 3))
    moments = {"first_moments": first[1], "second_moments": first[2], "steps_done": 3}
    second = dense_training(**steps(first[0], features, targets, 4, **moments))
    assert all(np.array_equal(one, other) for one, other in zip(second, together, strict=True))


def test_a_network_learns_what_no_line_can() -> None:
    source = np.random.default_rng(2)
    features = source.uniform(-1, 1, (512, 2))
    targets = np.sign(features[:, :1] * features[:, 1:])
    widths = (2, 16, 1)
    start = initial_parameters(widths, "tanh", 1)
    orders = np.array([source.permutation(512)[:64] for _ in range(1500)])
    moved, _, _ = dense_training(
        start, 0 * start, 0 * start, 0, widths, "tanh", "logistic",
        features[orders], 0.5 + 0.5 * targets[orders], 0.01, 0.0,
    )  # fmt: skip
    fresh = source.uniform(-1, 1, (1000, 2))
    found = dense_values(moved, widths, "tanh", fresh)
    assert np.mean(np.sign(found[:, 0]) == np.sign(fresh[:, 0] * fresh[:, 1])) > 0.95


def test_weight_decay_shrinks_weights_and_leaves_biases() -> None:
    parameters = np.ones(parameter_count(WIDTHS))
    nothing = np.zeros((4, WIDTHS[0]))
    layers = layers_of(parameters, WIDTHS)
    targets = values_of(layers, "relu", nothing)  # no error, so no gradient
    moved, _, _ = dense_training(**steps(parameters, nothing, targets, 1, learning_rate=0.1, weight_decay=0.5))
    for weights, biases in layers_of(moved, WIDTHS):
        np.testing.assert_allclose(weights, 0.95)
        np.testing.assert_allclose(biases, 1.0)


@settings(max_examples=30)
@given(arrays.arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)), st.sampled_from(ACTIVATIONS))
def test_rows_do_not_know_of_each_other(features: np.ndarray, activation: str) -> None:
    parameters = initial_parameters(WIDTHS, "relu", 4)
    together = dense_values(parameters, WIDTHS, activation, features)
    alone = [dense_values(parameters, WIDTHS, activation, row[None])[0] for row in features]
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"widths": (3,)}, "widths"),
        ({"widths": (3, 0, 2)}, "widths"),
        ({"widths": (3, 5, 2)}, "parameters"),
        ({"activation": "sine"}, "activation"),
        ({"loss": "absolute"}, "loss"),
        ({"features": np.zeros((1, 8, 4))}, "features"),
        ({"features": np.zeros((1, 0, 3)), "targets": np.zeros((1, 0, 2))}, "features"),
        ({"targets": np.zeros((1, 8, 1))}, "targets"),
        ({"first_moments": np.zeros(3)}, "parameters"),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_arguments_that_do_not_fit_are_named(backend, changes: dict, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        dense_training.run(backend, dense_training.prepare(**steps(*problem("squared"), 1, **changes)))
    assert caught.value.field == field
