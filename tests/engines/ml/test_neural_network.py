"""Networks as models: the weights file is the whole model, single rows are quick, missing values have a policy."""

from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest

from nautilus.engines.ml import NetworkSettings, NeuralNetwork, Recipe, dataset_from_rows, train
from nautilus.engines.ml.computation import Computation, Outcome, Steps, run_here
from nautilus.engines.ml.network_training import fit_network
from nautilus.engines.ml.training import load
from nautilus.errors import Invalid, NotReady
from tests.engines.ml.test_training import market

SMALL = NetworkSettings(hidden=(8,), epochs=20, batch=32, learning_rate=0.01, patience=3)


def ignore(fraction: float, message: str) -> None:
    """A report that nobody reads."""


def network_of(rows: int = 300, seed: int = 1, loss: str = "squared", holes: bool = False) -> NeuralNetwork:
    data = dataset_from_rows(["known", "useless"], *_sent(rows, holes), 1)
    return run_here(fit_network(SMALL, loss, seed, data, 0, ignore)).network  # type: ignore[arg-type]


def _sent(rows: int, holes: bool) -> tuple[list[list[float | None]], list[float]]:
    features, prices = market(rows)
    sent: list[list[float | None]] = [list(row) for row in features]
    if holes:
        for number in range(0, rows, 7):
            sent[number][1] = None
    return sent, prices


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_weights_file_is_the_whole_model(loss: str) -> None:
    network = network_of(loss=loss, holes=True)
    again = load("mlp", network.weights())
    features = np.random.default_rng(1).normal(size=(50, 2))
    assert np.array_equal(again.predict(features), network.predict(features))
    assert again.weights() == network.weights()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    assert network_of(seed=1).weights() == network_of(seed=1).weights()
    assert network_of(seed=1).weights() != network_of(seed=2).weights()


def test_rows_together_and_rows_alone_get_the_same_values() -> None:
    network = network_of(holes=True)
    features = np.random.default_rng(1).normal(size=(40, 2))
    features[3, 1], features[5, 0] = np.nan, np.nan
    together = run_here(network.predicting(features))
    np.testing.assert_allclose(together, network.predict(features), rtol=1e-12)
    np.testing.assert_allclose(together, [network.predict(row[None])[0] for row in features], rtol=1e-12)


def test_a_feature_may_be_missing_only_where_training_has_seen_it_missing() -> None:
    network = network_of(holes=True)
    values = network.predict(np.array([[np.nan, 1.0], [1.0, np.nan], [1.0, np.inf], [1.0, 1.0]]))
    assert np.isfinite(values).tolist() == [False, True, True, True]


def test_probabilities_lie_between_nought_and_one() -> None:
    values = network_of(loss="logistic").predict(np.random.default_rng(1).normal(size=(100, 2)) * 100)
    assert (values >= 0).all()
    assert (values <= 1).all()


def test_importance_finds_the_feature_that_moves_the_values() -> None:
    data = dataset_from_rows(["known", "useless"], *_sent(600, False), 1)
    network = run_here(fit_network(SMALL, "squared", 1, data, 0, ignore)).network
    known, useless = network.importance(data.features)
    assert known > 2 * useless


def test_a_single_row_takes_well_under_a_tenth_of_a_millisecond_on_numpy() -> None:
    settings = NetworkSettings(epochs=1)
    source = np.random.default_rng(1)
    data = dataset_from_rows([f"f{n}" for n in range(30)], source.normal(size=(200, 30)).tolist(), [1.0] * 200, 1)
    network = run_here(fit_network(settings, "squared", 1, data, 0, ignore)).network
    row = source.normal(size=(1, 30))
    taken = []
    for _ in range(300):
        started = perf_counter_ns()
        network.predict(row)
        taken.append(perf_counter_ns() - started)
    assert min(taken) < 100_000


def test_damaged_weights_and_those_of_others_are_refused() -> None:
    weights = network_of().weights()
    for damaged in (b"", weights[:-8], weights.replace(b"nautilus-dense", b"nautilus-other"), b"{}" * 50):
        with pytest.raises(Invalid):
            load("mlp", damaged)
    with pytest.raises(Invalid):
        load("mlp", weights.replace(b"layers.0.bias", b"layers.9.bias"))


def test_training_stops_early_where_there_is_nothing_to_learn_and_says_how_far_it_went() -> None:
    features, prices = market(400, signal=0.0)
    data = dataset_from_rows(["a", "b"], features, prices, 1)
    patient = NetworkSettings(hidden=(32,), epochs=500, batch=32, learning_rate=0.01, patience=5)
    told: list[float] = []
    fitted = run_here(fit_network(patient, "squared", 1, data, 0, lambda fraction, message: told.append(fraction)))
    assert fitted.epochs < 100
    assert told == sorted(told)
    assert 0.0 <= told[0] <= told[-1] <= 1.0


def test_no_row_whose_label_reaches_into_the_validation_period_ends_the_training() -> None:
    features, prices = market(40)
    data = dataset_from_rows(["a", "b"], features, prices, 35)
    with pytest.raises(NotReady, match="shorter horizon or more data"):
        run_here(fit_network(SMALL, "squared", 1, data, 0, ignore))


def test_a_training_that_diverges_says_so() -> None:
    """As float32 can: here every kernel's result is NaN."""
    features, prices = market(200)
    steps = fit_network(SMALL, "squared", 1, dataset_from_rows(["a", "b"], features, prices, 1), 0, ignore)
    asked = next(steps)
    with pytest.raises(NotReady, match="diverged"):
        _answer_nan(steps, asked)


def _answer_nan(steps: Steps[Any], asked: Computation) -> None:
    while True:
        value = asked.kernel(*asked.arguments)
        broken = tuple(np.full_like(part, np.nan) for part in value) if isinstance(value, tuple) else value * np.nan
        asked = steps.send(Outcome(broken, "mlx"))


def test_a_network_finds_what_a_line_cannot() -> None:
    source = np.random.default_rng(7)
    rows = source.uniform(-1, 1, (1500, 2))
    returns = 0.01 * rows[:, 0] * rows[:, 1]
    prices = 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)[:-1]]))
    data = dataset_from_rows(["a", "b"], rows.tolist(), prices.tolist(), 1)
    settings = NetworkSettings(hidden=(16,), activation="tanh", epochs=60, batch=32, learning_rate=0.01)
    network = train(Recipe(kind="mlp", folds=3, network=settings), data, ignore)
    line = train(Recipe(kind="linear", folds=3), data, ignore)
    assert (network.scores["information_coefficient"] or 0) > 0.9
    assert abs(line.scores["information_coefficient"] or 0) < 0.2
    assert network.backend == "numpy"
    assert network.epochs is not None
