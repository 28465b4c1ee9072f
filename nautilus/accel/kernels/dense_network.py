"""Two kernels for small dense networks: the values of a batch of rows, and steps of Adam over mini-batches.

A network is its `widths` (inputs, hidden layers, outputs), the activation of its hidden layers and one flat vector of
parameters, laid out as `dense_layers` says. The references are float64; on MLX the same steps, with the same batches
from the same weights, are float32 and the gradient is MLX's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nautilus.accel.arrays import to_device
from nautilus.accel.kernels.dense_layers import (
    Floats,
    check_arguments,
    gradient_of,
    initial_parameters,
    layers_of,
    parameter_count,
    values_of,
    weight_count,
)
from nautilus.accel.routed import Work, routed
from nautilus.errors import Invalid

type TrainingState = tuple[Floats, Floats, Floats]

BETA_ONE, BETA_TWO, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants, as its authors give them."""

_WIDTHS = (32, 64, 32, 1)
_ROW = weight_count(_WIDTHS)
_BATCH = 256


def _rows_of(size: int) -> Floats:
    return np.random.default_rng(30).normal(size=(-(-size // _ROW), _WIDTHS[0]))


def _values_example(size: int) -> tuple[Any, ...]:
    return initial_parameters(_WIDTHS, "relu", 1), _WIDTHS, "relu", _rows_of(size)


def _training_example(size: int) -> tuple[Any, ...]:
    start = initial_parameters(_WIDTHS, "relu", 1)
    batch = min(_BATCH, -(-size // _ROW))
    steps = -(-size // (_ROW * batch)) if batch else 0
    features = _rows_of(_ROW * steps * batch).reshape(steps, batch, _WIDTHS[0])
    targets = np.tanh(features[:, :, :1] + 0.5 * features[:, :, 1:2] * features[:, :, 2:3])
    still = np.zeros_like(start)
    return start, still, still, 0, _WIDTHS, "relu", "squared", features, targets, 1e-3, 1e-4


def _values_size(parameters: Floats, widths: Sequence[int], activation: str, features: Floats) -> int:
    return len(features) * weight_count(widths)


def _values_work(parameters: Floats, widths: Sequence[int], activation: str, features: Floats) -> Work:
    numbers = len(parameters) + features.size + len(features) * widths[-1]
    return Work(flops=2.0 * len(features) * weight_count(widths), bytes=8.0 * numbers)


def _training_size(*arguments: Any) -> int:
    widths, features = arguments[4], arguments[7]
    return int(features.shape[0] * features.shape[1]) * weight_count(widths)


def _training_work(*arguments: Any) -> Work:
    widths, features, targets = arguments[4], arguments[7], arguments[8]
    numbers = 6 * parameter_count(widths) * len(features) + features.size + targets.size
    return Work(flops=6.0 * _training_size(*arguments), bytes=8.0 * numbers)


# -- values ------------------------------------------------------------------------------------------------------


@routed(
    example=_values_example,
    size=_values_size,
    sizes=tuple(_ROW * rows for rows in (1, 16, 256, 4096, 65_536)),
    work=_values_work,
    float32_error=1e-5,
    largest=10**11,
)
def dense_values(parameters: Floats, widths: tuple[int, ...], activation: str, features: Floats) -> Floats:
    """Values [rows, widths[-1]] of the network for `features` [rows, widths[0]]; the last layer is linear.

    `activation` is "relu", "gelu" or "tanh". Raises Invalid where shapes or names do not fit.
    """
    check_arguments(features, widths, activation)
    return values_of(layers_of(parameters, widths), activation, features)


@dense_values.mlx
def _dense_values_mlx(mx: Any, parameters: Floats, widths: tuple[int, ...], activation: str, features: Floats) -> Any:
    check_arguments(features, widths, activation)
    weights = [to_device(mx, part) for layer in layers_of(parameters, widths) for part in layer]
    return _mlx_values(mx, activation, weights, to_device(mx, features))


def _mlx_values(mx: Any, activation: str, weights: Sequence[Any], features: Any) -> Any:
    hidden = features
    for place in range(0, len(weights), 2):
        hidden = hidden @ weights[place] + weights[place + 1]
        if place + 2 < len(weights):
            hidden = _mlx_activate(mx, activation, hidden)
    return hidden


def _mlx_activate(mx: Any, activation: str, values: Any) -> Any:
    if activation == "relu":
        return mx.maximum(values, 0.0)
    if activation == "tanh":
        return mx.tanh(values)
    return 0.5 * values * (1.0 + mx.erf(values / math.sqrt(2.0)))


# -- training ----------------------------------------------------------------------------------------------------


def _check_training(state: TrainingState, features: Floats, targets: Floats, widths: Sequence[int]) -> None:
    if any(len(part) != parameter_count(widths) for part in state):
        raise Invalid("parameters", f"and both moments must be {parameter_count(widths)} numbers each")
    if features.ndim != 3 or (len(features) and features.shape[1] == 0):
        raise Invalid("features", f"must be [steps, rows, {widths[0]}] with a row for each step")
    if targets.shape != (*features.shape[:2], widths[-1]):
        raise Invalid("targets", f"must be {[*features.shape[:2], widths[-1]]}")


def _step_length(step: int, learning_rate: float) -> float:
    return learning_rate * math.sqrt(1.0 - BETA_TWO**step) / (1.0 - BETA_ONE**step)


@routed(
    example=_training_example,
    size=_training_size,
    sizes=tuple(_ROW * _BATCH * steps for steps in (1, 8, 64)),
    work=_training_work,
    float32_error=1e-3,
    largest=10**11,
)
def dense_training(
    parameters: Floats,
    first_moments: Floats,
    second_moments: Floats,
    steps_done: int,
    widths: tuple[int, ...],
    activation: str,
    loss: str,
    features: Floats,
    targets: Floats,
    learning_rate: float,
    weight_decay: float,
) -> TrainingState:
    """Parameters and Adam's two moments after one step for each mini-batch, in order.

    Mini-batches are `features` [steps, rows, widths[0]] and `targets` [steps, rows, widths[-1]]; `loss` is "squared"
    (half the squared error) or "logistic" (targets in [0, 1], values are log-odds). Moments begin at zero,
    `steps_done` at 0. At each step weights, not biases, shrink by the share learning_rate * weight_decay. Raises
    Invalid where shapes or names do not fit.
    Sources: Kingma and Ba (2015), the efficient form of section 2; Loshchilov and Hutter (2019).
    """
    check_arguments(features, widths, activation, loss)
    _check_training((parameters, first_moments, second_moments), features, targets, widths)
    moved, first, second = parameters.copy(), first_moments.copy(), second_moments.copy()
    layers = layers_of(moved, widths)
    kept = 1.0 - learning_rate * weight_decay
    for step, (rows, wanted) in enumerate(zip(features, targets, strict=True), steps_done + 1):
        gradient = gradient_of(layers, activation, loss, rows, wanted)
        first *= BETA_ONE
        first += (1.0 - BETA_ONE) * gradient
        second *= BETA_TWO
        gradient *= gradient
        gradient *= 1.0 - BETA_TWO
        second += gradient
        if weight_decay:
            for weights, _ in layers:
                np.multiply(weights, kept, out=weights)
        scale = np.sqrt(second, out=gradient)
        scale += EPSILON
        np.divide(first, scale, out=scale)
        scale *= _step_length(step, learning_rate)
        moved -= scale
    return moved, first, second


@dense_training.mlx
def _dense_training_mlx(
    mx: Any,
    parameters: Floats,
    first_moments: Floats,
    second_moments: Floats,
    steps_done: int,
    widths: tuple[int, ...],
    activation: str,
    loss: str,
    features: Floats,
    targets: Floats,
    learning_rate: float,
    weight_decay: float,
) -> Any:
    check_arguments(features, widths, activation, loss)
    _check_training((parameters, first_moments, second_moments), features, targets, widths)
    parts = (parameters, first_moments, second_moments)
    state = [[to_device(mx, one) for layer in layers_of(part, widths) for one in layer] for part in parts]
    batches, wanted = to_device(mx, features), to_device(mx, targets)
    on_gpu = mx.default_device() != mx.cpu
    advance = _mlx_step(mx, activation, loss, (*widths, features.shape[1]) if on_gpu else None)
    kept = to_device(mx, 1.0 - learning_rate * weight_decay)
    for number in range(len(features)):
        length = to_device(mx, _step_length(steps_done + number + 1, learning_rate))
        state = advance(state, batches[number], wanted[number], length, kept)
        mx.async_eval(state)  # else the graph of all steps would be built before the first is computed
    return tuple(mx.concatenate([one.reshape(-1) for one in part]) for part in state)


@lru_cache(maxsize=16)
def _mlx_step(mx: Any, activation: str, loss: str, shape: tuple[int, ...] | None) -> Callable[..., Any]:
    """One step of Adam, compiled for a `shape` (widths and rows) where one is given, for a few shapes at a time.

    Compiling saves launches on a GPU. On a CPU it takes a second for each shape, and gains little.
    """

    def loss_of(weights: Sequence[Any], features: Any, targets: Any) -> Any:
        values = _mlx_values(mx, activation, weights, features)
        if loss == "squared":
            return 0.5 * mx.square(values - targets).sum(axis=1).mean()
        return (mx.logaddexp(values, 0.0) - targets * values).sum(axis=1).mean()

    gradient_of_weights = mx.grad(loss_of)

    def advance(state: Any, features: Any, targets: Any, length: Any, kept: Any) -> Any:
        moved: Any = ([], [], [])
        gradients = gradient_of_weights(state[0], features, targets)
        for old, first, second, gradient in zip(*state, gradients, strict=True):
            mean = BETA_ONE * first + (1.0 - BETA_ONE) * gradient
            square = BETA_TWO * second + (1.0 - BETA_TWO) * mx.square(gradient)
            shrunk = old * kept if old.ndim == 2 else old  # weights, not biases
            for part, value in zip(
                moved, (shrunk - length * mean / (mx.sqrt(square) + EPSILON), mean, square), strict=True
            ):
                part.append(value)
        return list(moved)

    return advance if shape is None else mx.compile(advance)
