"""Work in steps: the same result here and within a node, never on the loop, and ended between two kernels."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from nautilus.accel import Accelerator
from nautilus.accel.kernels.dense_network import dense_values
from nautilus.engines.ml import NetworkSettings, Recipe, computation, dataset_from_rows, train
from nautilus.engines.ml.computation import Computation, Steps, run_here, run_on
from nautilus.engines.ml.training import training
from nautilus.errors import NotReady, TooManyRequests
from tests.engines.ml.test_training import market

ARGUMENTS = (np.array([2.0, 1.0]), (1, 1), "relu", np.array([[3.0]]))


def ignore(fraction: float, message: str) -> None:
    """A report that nobody reads."""


def doubling(times: int, seen: list[int]) -> Steps[float]:
    total = 0.0
    for _ in range(times):
        seen.append(threading.get_ident())
        outcome = yield Computation(dense_values, ARGUMENTS)
        total += float(outcome.value[0, 0])
    return total


async def test_steps_give_the_same_result_here_and_on_the_threads_of_a_node() -> None:
    accel = Accelerator()
    seen: list[int] = []
    assert run_here(doubling(3, [])) == await run_on(accel, doubling(3, seen)) == 21.0
    assert threading.get_ident() not in seen
    await accel.closed()


async def test_training_in_a_node_is_training_in_a_function_to_the_bit() -> None:
    rows, prices = market(150)
    data = dataset_from_rows(["a", "b"], rows, prices, 1)
    recipe = Recipe(kind="mlp", folds=2, network=NetworkSettings(hidden=(4,), epochs=5, batch=16))
    accel = Accelerator()
    inside = await run_on(accel, training(recipe, data, ignore))
    outside = train(recipe, data, ignore)
    assert inside.backend == outside.backend == "numpy"
    assert inside.model.weights() == outside.model.weights()
    assert inside.scores == outside.scores
    await accel.closed()


async def test_a_cancelled_caller_ends_the_work_at_its_next_step() -> None:
    accel = Accelerator()
    seen: list[int] = []
    task = asyncio.create_task(run_on(accel, doubling(10**9, seen)))
    while len(seen) < 3:  # noqa: ASYNC110 - there is no event to await
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while accel.busy:  # noqa: ASYNC110 - there is no event to await
        await asyncio.sleep(0)
    count = len(seen)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(seen) == count
    await accel.closed()


async def test_what_the_work_raises_reaches_the_caller() -> None:
    def failing() -> Steps[None]:
        yield Computation(dense_values, ARGUMENTS)
        raise NotReady("nothing yet")

    accel = Accelerator()
    with pytest.raises(NotReady, match="nothing yet"):
        await run_on(accel, failing())
    with pytest.raises(NotReady, match="nothing yet"):
        run_here(failing())
    await accel.closed()


class OnMlx:
    """An accelerator whose measurements favour MLX at every size, as a GPU's may."""

    def __init__(self, accel: Accelerator) -> None:
        self.run = accel.run
        self.compute_exactly = accel.compute_exactly
        self._accel = accel

    async def compute(self, kernel: Any, *args: Any) -> Any:
        return await self._accel.compute_on("mlx", kernel, *args)


async def test_a_network_trained_on_mlx_is_the_network_trained_on_numpy_but_for_rounding() -> None:
    rows, prices = market(300)
    data = dataset_from_rows(["a", "b"], rows, prices, 1)
    accel = Accelerator()
    trained = {}
    for exact in (True, False):
        network = NetworkSettings(hidden=(8,), activation="tanh", epochs=6, batch=32, learning_rate=0.01, exact=exact)
        recipe = Recipe(kind="mlp", folds=2, network=network)
        trained[exact] = await run_on(OnMlx(accel), training(recipe, data, ignore))  # type: ignore[arg-type]
    assert (trained[True].backend, trained[False].backend) == ("numpy", "mlx")
    assert trained[True].epochs == trained[False].epochs
    one, other = (trained[exact].model.predict(data.features) for exact in (True, False))
    assert np.abs(one - other).max() < 0.01 * np.ptp(one)
    await accel.closed()


class Crowded:
    """An accelerator that has too much to do for some calls."""

    def __init__(self, accel: Accelerator, refusals: int) -> None:
        self.run = accel.run
        self.refusals = refusals
        self._accel = accel

    async def compute(self, kernel: Any, *args: Any) -> Any:
        if self.refusals:
            self.refusals -= 1
            raise TooManyRequests("1024 computations are queued or running")
        return await self._accel.compute(kernel, *args)


async def test_where_too_much_waits_the_work_waits_too_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computation, "PAUSE_SECONDS", 0.0)
    accel = Accelerator()
    assert await run_on(Crowded(accel, 100), doubling(2, [])) == 14.0  # type: ignore[arg-type]
    with pytest.raises(TooManyRequests):
        await run_on(Crowded(accel, 10**9), doubling(1, []))  # type: ignore[arg-type]
    await accel.closed()
