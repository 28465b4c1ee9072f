"""A dense network's parameters as one flat vector, and its values, loss and gradient in plain float64 NumPy.

The vector holds, layer by layer, the weights [inputs, outputs] row by row and then the biases [outputs]. Hidden layers
apply the activation, the last layer is linear.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Floats = NDArray[np.float64]
Layer = tuple[Floats, Floats]
Activation = Literal["relu", "gelu", "tanh"]
Loss = Literal["squared", "logistic"]


def parameter_count(widths: Sequence[int]) -> int:
    """Numbers in a network of these widths, from the inputs to the outputs; raises Invalid.

    >>> parameter_count((3, 4, 1))
    21
    """
    if len(widths) < 2 or min(widths) < 1:
        raise Invalid("widths", "must be two or more positive numbers")
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def weight_count(widths: Sequence[int]) -> int:
    """Weights without the biases: the multiply-adds of one row.

    >>> weight_count((3, 4, 1))
    16
    """
    return parameter_count(widths) - sum(widths[1:])


def layers_of(parameters: Floats, widths: Sequence[int]) -> list[Layer]:
    """Views of each layer's weights and biases in the flat vector; raises Invalid where the sizes do not agree."""
    if parameters.shape != (parameter_count(widths),):
        raise Invalid("parameters", f"must be {parameter_count(widths)} numbers, one for each weight and bias")
    found, start = [], 0
    for inputs, outputs in pairwise(widths):
        middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
        found.append((parameters[start:middle].reshape(inputs, outputs), parameters[middle:end]))
        start = end
    return found


def initial_parameters(widths: Sequence[int], activation: Activation, seed: int) -> Floats:
    """Weights to begin with, uniform with the variance that keeps signals as they are, and biases of zero.

    Sources: Glorot and Bengio (2010) for tanh, He et al. (2015) for relu and gelu.
    """
    source = np.random.default_rng(seed)
    parameters = np.zeros(parameter_count(widths))
    for weights, _ in layers_of(parameters, widths):
        inputs, outputs = weights.shape
        variance = 2.0 / (inputs + outputs) if activation == "tanh" else 2.0 / inputs
        bound = np.sqrt(3.0 * variance)
        weights[:] = source.uniform(-bound, bound, weights.shape)
    return parameters


def check_arguments(features: Floats, widths: Sequence[int], activation: str, loss: str = "squared") -> None:
    """Raise Invalid for features without widths[0] columns, or a name that is none."""
    if features.shape[-1] != widths[0]:
        raise Invalid("features", f"must have {widths[0]} columns, not {features.shape[-1]}")
    if activation not in get_args(Activation):
        raise Invalid("activation", f"must be one of {', '.join(get_args(Activation))}")
    if loss not in get_args(Loss):
        raise Invalid("loss", f"must be one of {', '.join(get_args(Loss))}")


def activate(activation: str) -> Callable[[Floats], Floats]:
    """The activation of a name as a function of an array."""
    if activation == "relu":
        return lambda values: np.maximum(values, 0.0)
    if activation == "tanh":
        return np.tanh
    return lambda values: values * _normal_cdf(values)


def _slope(activation: str, inputs: Floats, outputs: Floats) -> Floats:
    """The activation's derivative, where it made `outputs` of `inputs`."""
    if activation == "relu":
        return (inputs > 0.0).astype(np.float64)
    if activation == "tanh":
        return 1.0 - outputs * outputs
    density: Floats = np.exp(-0.5 * inputs * inputs) / np.sqrt(2.0 * np.pi)
    return _normal_cdf(inputs) + inputs * density


def _normal_cdf(values: Floats) -> Floats:
    from scipy.special import ndtr

    found: Floats = ndtr(values)
    return found


def values_of(layers: Sequence[Layer], activation: str, features: Floats) -> Floats:
    """The network's values [rows, outputs] for `features` [rows, inputs]."""
    act = activate(activation)
    hidden = features
    for weights, biases in layers[:-1]:
        hidden = act(hidden @ weights + biases)
    weights, biases = layers[-1]
    found: Floats = hidden @ weights + biases
    return found


def loss_of(loss: str, values: Floats, targets: Floats) -> float:
    """The loss of `values` against `targets`, both [rows, outputs]: summed over outputs, the mean over rows.

    "squared" is half the squared error; "logistic" the cross entropy of targets in [0, 1], values being log-odds.

    >>> loss_of("squared", np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    1.0
    """
    errors = 0.5 * (values - targets) ** 2 if loss == "squared" else np.logaddexp(0.0, values) - targets * values
    return float(errors.sum(axis=1).mean())


def gradient_of(layers: Sequence[Layer], activation: str, loss: str, features: Floats, targets: Floats) -> Floats:
    """Derivative of the loss by every parameter, flat like the parameters; by backpropagation.

    Source: Rumelhart, Hinton and Williams (1986).
    """
    from scipy.special import expit

    act = activate(activation)
    inputs, sums = [features], []
    for weights, biases in layers[:-1]:
        sums.append(inputs[-1] @ weights + biases)
        inputs.append(act(sums[-1]))
    weights, biases = layers[-1]
    values = inputs[-1] @ weights + biases
    error = ((values if loss == "squared" else expit(values)) - targets) / len(features)
    parts: list[Floats] = []
    for number in range(len(layers) - 1, -1, -1):
        parts += [error.sum(axis=0), (inputs[number].T @ error).ravel()]
        if number:
            error = (error @ layers[number][0].T) * _slope(activation, sums[number - 1], inputs[number])
    return np.concatenate(parts[::-1])
