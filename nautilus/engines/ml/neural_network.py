"""A multilayer perceptron that carries its own standardisation; single rows run on NumPy, batches where it pays."""

from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernels.dense_layers import Activation, Layer, Loss, layers_of, values_of
from nautilus.accel.kernels.dense_network import dense_values
from nautilus.engines.ml.computation import Computation, Steps
from nautilus.engines.ml.standardised_inputs import StandardisedInputs
from nautilus.engines.ml.tensor_file import decode_tensors, encode_tensors
from nautilus.errors import Invalid

Floats = NDArray[np.float64]
FORMAT = "nautilus-dense-network-1"
IMPORTANCE_ROWS = 2000


class _Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What a weights file says beside its arrays."""

    format: str
    activation: Activation
    loss: Loss


class NeuralNetwork:
    """A fitted network: value = centre + scale * network(standardised features), or a probability for "logistic"."""

    def __init__(
        self,
        inputs: StandardisedInputs,
        widths: tuple[int, ...],
        activation: Activation,
        loss: Loss,
        parameters: Floats,
        target: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if widths[0] != inputs.width or widths[-1] != 1:
            raise Invalid("widths", f"must begin with {inputs.width} and end with 1, not {widths}")
        self.inputs = inputs
        self.widths = widths
        self.activation: Activation = activation
        self.loss: Loss = loss
        self.parameters = parameters
        self.target = target
        self._layers  # noqa: B018 - parameters of another size are refused here

    @cached_property
    def _layers(self) -> list[Layer]:
        return layers_of(self.parameters, self.widths)

    def predict(self, features: Floats) -> Floats:
        """Values [rows] for `features` [rows, columns], here and now; NaN where one is missing that must not be."""
        inputs = self.inputs.transform(features)
        return self._values(values_of(self._layers, self.activation, inputs))

    def predicting(self, features: Floats) -> Steps[Floats]:
        """The same in steps, for a batch: the kernel runs where measurements say that it is fastest."""
        inputs = self.inputs.transform(features)
        answerable = np.isfinite(inputs).all(axis=1)
        arguments = (self.parameters, self.widths, self.activation, np.where(answerable[:, None], inputs, 0.0))
        outcome = yield Computation(dense_values, arguments)
        found = np.where(answerable[:, None], np.asarray(outcome.value, dtype=np.float64), np.nan)
        return self._values(found)

    def _values(self, found: Floats) -> Floats:
        if self.loss == "logistic":
            from scipy.special import expit

            probabilities: Floats = expit(found[:, 0])
            return probabilities
        centre, scale = self.target
        return centre + scale * found[:, 0]

    def importance(self, features: Floats) -> Floats:
        """How far values move when a feature is put to its mean, root mean square over some rows, [columns]."""
        rows = self.inputs.transform(features[:: max(1, len(features) // IMPORTANCE_ROWS)])
        rows = rows[np.isfinite(rows).all(axis=1)]
        columns = len(self.inputs.centre)
        moved = np.zeros(columns)
        if not len(rows):
            return moved
        base = values_of(self._layers, self.activation, rows)
        for column in range(columns):
            changed = rows.copy()
            changed[:, column] = 0.0
            changed[:, columns:][:, self.inputs.indicated == column] = 0.0
            moved[column] = np.sqrt(np.mean((values_of(self._layers, self.activation, changed) - base) ** 2))
        return moved

    def weights(self) -> bytes:
        """The model as a safetensors file."""
        notes = _Notes(format=FORMAT, activation=self.activation, loss=self.loss)
        arrays: dict[str, NDArray[Any]] = {
            "inputs.centre": self.inputs.centre,
            "inputs.inverse_scale": self.inputs.inverse_scale,
            "inputs.indicated": self.inputs.indicated,
            "target": np.array(self.target),
        }
        for number, (weights, biases) in enumerate(self._layers):
            arrays[f"layers.{number}.weight"] = weights
            arrays[f"layers.{number}.bias"] = biases
        return encode_tensors(arrays, msgspec.to_builtins(notes))

    @classmethod
    def from_weights(cls, weights: bytes) -> Self:
        """The model that `weights` came from; raises Invalid where they are not of such a model."""
        arrays, said = decode_tensors(weights)
        try:
            notes = msgspec.convert(said, type=_Notes)
            centre, scale = arrays.pop("target").tolist()
            fields = {name: arrays.pop(f"inputs.{name}") for name in StandardisedInputs.__struct_fields__}
            inputs = StandardisedInputs(**fields)
            layers = [(arrays[f"layers.{n}.weight"], arrays[f"layers.{n}.bias"]) for n in range(len(arrays) // 2)]
        except (KeyError, ValueError, msgspec.ValidationError) as error:
            raise Invalid("weights", f"are not of a dense network: {error!r}") from None
        if notes.format != FORMAT or not layers:
            raise Invalid("weights", f"are of format {notes.format!r}; this version reads {FORMAT!r}")
        widths = (len(layers[0][0]), *(len(biases) for _, biases in layers))
        parameters = np.concatenate([part.ravel() for layer in layers for part in layer])
        return cls(inputs, widths, notes.activation, notes.loss, parameters, (centre, scale))
