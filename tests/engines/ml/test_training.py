"""Training: what there is to learn is learnt, what there is not is not, and the same data give the same bits."""

import numpy as np
import pytest

from nautilus.engines.ml import LinearModel, NetworkSettings, Recipe, dataset_from_rows, scores, train
from nautilus.engines.ml.training import load
from nautilus.errors import Invalid, NotReady

NETWORK = NetworkSettings(hidden=(8,), epochs=30, batch=64, learning_rate=0.01)


def market(rows: int = 600, signal: float = 0.5, seed: int = 3) -> tuple[list[list[float]], list[float]]:
    """One feature that knows part of the next return, and one that knows nothing."""
    source = np.random.default_rng(seed)
    known, noise, useless = source.normal(size=(3, rows))
    returns = 0.001 * (signal * known + noise)
    prices = 100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)[:-1]]))
    return np.column_stack([known, useless]).tolist(), prices.tolist()


@pytest.mark.parametrize("kind", ["linear", "lightgbm", "mlp"])
def test_a_model_finds_the_feature_that_knows_something(kind: str) -> None:
    rows, prices = market()
    data = dataset_from_rows(["known", "useless"], rows, prices, 1)
    recipe = Recipe(kind=kind, rounds=40, network=NETWORK)  # type: ignore[arg-type]
    trained = train(recipe, data, lambda fraction, message: None)
    assert (trained.scores["information_coefficient"] or 0) > 0.25
    assert trained.importance["known"] > 2 * trained.importance["useless"]


def test_without_a_signal_validation_says_so() -> None:
    rows, prices = market(signal=0.0)
    data = dataset_from_rows(["a", "b"], rows, prices, 1)
    trained = train(Recipe(kind="linear"), data, lambda fraction, message: None)
    assert abs(trained.scores["information_coefficient"] or 0) < 0.15


@pytest.mark.parametrize("kind", ["linear", "lightgbm", "mlp"])
def test_training_is_deterministic_and_weights_carry_the_whole_model(kind: str) -> None:
    rows, prices = market(200)
    data = dataset_from_rows(["a", "b"], rows, prices, 2)
    recipe = Recipe(kind=kind, rounds=10, folds=3, network=NETWORK)  # type: ignore[arg-type]
    first, second = (train(recipe, data, lambda fraction, message: None) for _ in range(2))
    assert first.model.weights() == second.model.weights()
    assert first.scores == second.scores
    again = load(recipe.kind, first.model.weights())
    assert np.array_equal(again.predict(data.features), first.model.predict(data.features))


def test_the_linear_model_equals_the_normal_equations() -> None:
    source = np.random.default_rng(1)
    features, labels = source.normal(size=(50, 4)) * [1, 10, 0.1, 1], source.normal(size=50)
    found = LinearModel.fit(features, labels, penalty=0.0)
    design = np.column_stack([np.ones(50), features])
    expected = np.linalg.lstsq(design, labels, rcond=None)[0]
    np.testing.assert_allclose([found.intercept, *found.coefficients], expected, rtol=1e-9)


def test_missing_values_are_refused_by_the_linear_fit_and_dropped_by_training() -> None:
    with pytest.raises(Invalid, match="finite"):
        LinearModel.fit(np.array([[np.nan], [1.0]]), np.array([1.0, 2.0]))
    rows, prices = market(100)
    holed: list[list[float | None]] = [
        [None, row[1]] if number % 10 == 0 else list(row) for number, row in enumerate(rows)
    ]
    data = dataset_from_rows(["a", "b"], holed, prices, 1)
    assert train(Recipe(kind="linear"), data, lambda fraction, message: None).rows == 89
    assert train(Recipe(kind="lightgbm", rounds=5), data, lambda fraction, message: None).rows == 99


def test_too_few_rows_are_refused() -> None:
    rows, prices = market(8)
    with pytest.raises(NotReady):
        train(Recipe(kind="linear"), dataset_from_rows(["a", "b"], rows, prices, 1), lambda fraction, message: None)


def test_scores_of_constants_are_undefined_rather_than_invented() -> None:
    constant = scores(np.zeros(5), np.zeros(5))
    assert set(constant.values()) == {None}
