"""Training a network: the number of epochs from a purged validation period, then one fit of that length on all rows."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernels.dense_layers import Loss, initial_parameters, loss_of, weight_count
from nautilus.accel.kernels.dense_network import dense_training, dense_values
from nautilus.engines.ml.computation import Computation, Steps
from nautilus.engines.ml.dataset import Dataset
from nautilus.engines.ml.network_settings import NetworkSettings
from nautilus.engines.ml.neural_network import NeuralNetwork
from nautilus.engines.ml.purged_validation import purged_folds
from nautilus.engines.ml.standardised_inputs import StandardisedInputs
from nautilus.errors import NotReady

Floats = NDArray[np.float64]
Report = Callable[[float, str], None]

VALIDATION_PERIODS = 5
"""The latest of so many periods of equal length ends the training."""
CALL_WORK = 500_000_000
"""Multiply-adds of one call of the kernel, about: some tenths of a second on a CPU, after which a job can end."""


class FittedNetwork:
    """A network, how many epochs it was trained for, and the backends that computed it."""

    def __init__(self, network: NeuralNetwork, epochs: int, backends: set[str]) -> None:
        self.network = network
        self.epochs = epochs
        self.backends = backends


class _Fit:
    """Parameters on their way: features and labels standardised by the rows they are trained on."""

    def __init__(self, settings: NetworkSettings, loss: Loss, seed: int, features: Floats, labels: Floats) -> None:
        self.settings = settings
        self.loss: Loss = loss
        self.inputs = StandardisedInputs.fit(features)
        self.rows = self.inputs.transform(features)
        spread = float(labels.std())
        self.target = (float(labels.mean()), spread or 1.0) if loss == "squared" else (0.0, 1.0)
        self.wanted = self.targets(labels)
        self.widths = (self.inputs.width, *settings.hidden, 1)
        start = initial_parameters(self.widths, settings.activation, seed)
        self.state = (start, np.zeros_like(start), np.zeros_like(start))
        self.backends: set[str] = set()
        self._steps_done = 0
        self._source = np.random.default_rng([seed, 1])

    def targets(self, labels: Floats) -> Floats:
        """Labels [rows] as the network is to meet them, [rows, 1]."""
        if self.loss == "logistic":
            return (0.5 + 0.5 * np.sign(labels))[:, None]
        centre, scale = self.target
        found: Floats = ((labels - centre) / scale)[:, None]
        return found

    def epoch(self) -> Steps[None]:
        """One pass over the rows in an order of its own; what does not fill a mini-batch is left for another epoch."""
        settings = self.settings
        for order in self._orders():
            outcome = yield Computation(
                dense_training,
                (
                    *self.state,
                    self._steps_done,
                    self.widths,
                    settings.activation,
                    self.loss,
                    self.rows[order],
                    self.wanted[order],
                    settings.learning_rate,
                    settings.weight_decay,
                ),
                settings.exact,
            )
            moved, first, second = (np.asarray(part, dtype=np.float64) for part in outcome.value)
            self.state = moved, first, second
            self.backends.add(outcome.backend)
            self._steps_done += len(order)

    def _orders(self) -> Iterator[NDArray[np.int64]]:
        """Row numbers [steps, batch] of one epoch, as many steps at a time as one call shall take."""
        batch = min(self.settings.batch, len(self.rows))
        steps = len(self.rows) // batch
        order = self._source.permutation(len(self.rows))[: steps * batch].reshape(steps, batch)
        together = max(1, CALL_WORK // (batch * weight_count(self.widths)))
        for first in range(0, steps, together):
            yield order[first : first + together]

    def loss_on(self, rows: Floats, wanted: Floats) -> Steps[float]:
        """The loss on rows that are not trained on."""
        arguments = (self.state[0], self.widths, self.settings.activation, rows)
        outcome = yield Computation(dense_values, arguments, self.settings.exact)
        return loss_of(self.loss, np.asarray(outcome.value, dtype=np.float64), wanted)

    def network(self) -> NeuralNetwork:
        """The network as it stands."""
        return NeuralNetwork(self.inputs, self.widths, self.settings.activation, self.loss, self.state[0], self.target)


def fit_network(
    settings: NetworkSettings, loss: Loss, seed: int, data: Dataset, embargo: int, report: Report
) -> Steps[FittedNetwork]:
    """A network fitted to all rows of `data`, for as many epochs as were best for its latest, purged period.

    The same data, settings and seed give the same bits on the same backend. `report` gets the fraction done. Raises
    NotReady where purging leaves nothing to train on.
    """
    epochs, backends = yield from _best_epochs(settings, loss, seed, data, embargo, report)
    fit = _Fit(settings, loss, seed, data.features, data.labels)
    for number in range(epochs):
        report(0.5 + 0.5 * number / epochs, f"epoch {number + 1} of {epochs} on all rows")
        yield from fit.epoch()
    return FittedNetwork(fit.network(), epochs, backends | fit.backends)


def _best_epochs(
    settings: NetworkSettings, loss: Loss, seed: int, data: Dataset, embargo: int, report: Report
) -> Steps[tuple[int, set[str]]]:
    """Epochs after which the loss on the latest period was least, and the backends that found it."""
    folds = list(purged_folds(data.starts, data.ends, min(VALIDATION_PERIODS, len(data.labels)), embargo))
    training, latest = folds[-1]
    if len(training) < 2:
        raise NotReady("purging leaves no rows before the validation period: a shorter horizon or more data")
    fit = _Fit(settings, loss, seed, data.features[training], data.labels[training])
    inputs = fit.inputs.transform(data.features[latest])
    answerable = np.isfinite(inputs).all(axis=1)
    if not answerable.any():
        raise NotReady("every row of the validation period misses a feature that training rows have")
    rows, wanted = inputs[answerable], fit.targets(data.labels[latest][answerable])
    best, least = 1, np.inf
    for number in range(1, settings.epochs + 1):
        report(0.5 * (number - 1) / settings.epochs, f"epoch {number} of at most {settings.epochs}")
        yield from fit.epoch()
        found = yield from fit.loss_on(rows, wanted)
        if found < least:
            best, least = number, found
        elif not found < np.inf or number - best >= settings.patience:
            break
    if not least < np.inf:
        raise NotReady("training diverged: a smaller learning rate")
    return best, fit.backends
