"""Networks against scikit-learn's: the same steps to the last digits, and as good a fit; and on a real order book."""

import zipfile

import numpy as np
import polars as pl
import pytest

from nautilus.accel.kernels.dense_network import dense_training, dense_values
from nautilus.engines.ml import Dataset, NetworkSettings, Recipe, train
from nautilus.engines.ml.computation import run_here
from nautilus.engines.ml.network_training import fit_network

neural_network = pytest.importorskip("sklearn.neural_network")
pytestmark = pytest.mark.parity


def flat(layers: list[np.ndarray], biases: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([part.ravel() for layer in zip(layers, biases, strict=True) for part in layer])


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_a_step_of_training_is_scikit_learns_step(activation: str, loss: str) -> None:
    source = np.random.default_rng(1)
    features = source.normal(size=(96, 5))
    signal = np.sin(features[:, 0]) + features[:, 1] * features[:, 2]
    wanted = signal if loss == "squared" else (signal > 0).astype(float)
    kind = neural_network.MLPRegressor if loss == "squared" else neural_network.MLPClassifier
    classes = {} if loss == "squared" else {"classes": [0.0, 1.0]}
    model = kind(
        hidden_layer_sizes=(8, 4),
        activation=activation,
        alpha=0.0,
        batch_size=32,
        learning_rate_init=0.01,
        shuffle=False,
        random_state=2,
    )
    model.partial_fit(features, wanted, **classes)
    optimizer, layers = model._optimizer, len(model.coefs_)
    state = (
        flat(model.coefs_, model.intercepts_),
        flat(optimizer.ms[:layers], optimizer.ms[layers:]),
        flat(optimizer.vs[:layers], optimizer.vs[layers:]),
    )
    done = optimizer.t
    batches = (features.reshape(3, 32, 5), wanted.reshape(3, 32, 1))
    for _ in range(20):
        model.partial_fit(features, wanted)
        state = dense_training(*state, done, (5, 8, 4, 1), activation, loss, *batches, 0.01, 0.0)
        done += 3
    np.testing.assert_allclose(state[0], flat(model.coefs_, model.intercepts_), rtol=1e-8, atol=1e-10)
    values = dense_values(state[0], (5, 8, 4, 1), activation, features)[:, 0]
    expected = model.predict(features) if loss == "squared" else model.predict_proba(features)[:, 1]
    found = values if loss == "squared" else 1 / (1 + np.exp(-values))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_early_stopping_fits_about_as_well_as_scikit_learns(activation: str) -> None:
    """Friedman's first problem: five features matter, two of them through a sine of their product, five do not."""
    source = np.random.default_rng(3)
    features = source.uniform(size=(4000, 10))
    signal = 10 * np.sin(np.pi * features[:, 0] * features[:, 1]) + 20 * (features[:, 2] - 0.5) ** 2
    labels = signal + 10 * features[:, 3] + 5 * features[:, 4] + source.normal(size=4000)
    training, test = slice(0, 2500), slice(2500, None)
    times = np.arange(2500)
    data = Dataset(tuple("abcdefghij"), features[training], labels[training], times, times)
    settings = NetworkSettings(hidden=(64, 32), activation=activation, epochs=300, batch=64)  # type: ignore[arg-type]
    ours = run_here(fit_network(settings, "squared", 1, data, 0, lambda fraction, message: None)).network
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(64, 32),
        activation=activation,
        batch_size=64,
        max_iter=300,
        early_stopping=True,
        random_state=1,
    )
    centre, scale = features[training].mean(axis=0), features[training].std(axis=0)
    middle, spread = labels[training].mean(), labels[training].std()
    theirs.fit((features[training] - centre) / scale, (labels[training] - middle) / spread)
    expected = middle + spread * theirs.predict((features[test] - centre) / scale)
    found = ours.predict(features[test])
    error, theirs_error = np.mean((found - labels[test]) ** 2), np.mean((expected - labels[test]) ** 2)
    assert error < 1.25 * theirs_error
    assert error < 0.1 * labels[test].var()  # noise alone is 1, the variance some 24


@pytest.fixture(scope="module")
def order_book(shared_data) -> Dataset:
    """One day of GOOG every second: what the first level says, and the return over the next five seconds."""
    with zipfile.ZipFile(shared_data / "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip") as archive:
        tables = [
            pl.read_csv(archive.read(name), has_header=False).to_numpy().astype(np.float64)
            for kind in ("message", "orderbook")
            for name in archive.namelist()
            if kind in name
        ]
    seconds = np.arange(34_300.0, 57_500.0)
    last = np.searchsorted(tables[0][:, 0], seconds) - 1
    ask, ask_size, bid, bid_size = tables[1][last].T[:4]
    trades = tables[0][np.isin(tables[0][:, 1], [4, 5])]
    traded = trades[np.searchsorted(trades[:, 0], seconds) - 1, 4]
    middle = (ask + bid) / 2
    past = np.concatenate([np.zeros(5), np.log(middle[5:] / middle[:-5])])
    imbalance = (bid_size - ask_size) / (bid_size + ask_size)
    features = np.column_stack([imbalance, (ask - bid) / middle, past, traded / middle - 1.0])
    features[::50, 1] = np.nan
    labels = np.log(middle[5:] / middle[:-5])
    starts = (seconds * 1e9).astype(np.int64)
    return Dataset(("imbalance", "spread", "past", "traded"), features[:-5], labels, starts[:-5], starts[5:])


@pytest.mark.parametrize("target", ["log_return", "up_probability"])
def test_a_network_on_a_real_order_book_is_finite_and_learns_what_is_known(order_book, target: str) -> None:
    settings = NetworkSettings(hidden=(16,), epochs=15, patience=4)
    recipe = Recipe(kind="mlp", folds=3, embargo=10**10, target=target, network=settings)  # type: ignore[arg-type]
    trained = train(recipe, order_book, lambda fraction, message: None)
    predicted = trained.model.predict(order_book.features)
    assert np.isfinite(predicted).all()
    assert (trained.scores["rank_information_coefficient"] or 0) > 0.05
