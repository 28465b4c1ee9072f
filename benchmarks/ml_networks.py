"""Networks: an epoch beside scikit-learn's, values of a batch and of one row, and what live vectors cost the loop."""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import alternate, quantile, spread
from nautilus.accel.kernels.dense_layers import initial_parameters
from nautilus.accel.kernels.dense_network import dense_training, dense_values
from nautilus.engines.ml import NetworkSettings
from nautilus.engines.ml.models import TrainRequest
from nautilus.model import topics
from nautilus.model.messages import FeatureVector
from nautilus.testing import START_NS, make_instrument, make_node, make_quote

ROWS, BATCH, WIDTHS = 40_000, 2048, (158, 256, 64, 1)
"""The width of Alpha158, and a fifth of the rows that an epoch is often quoted for."""
COLUMNS, INSTRUMENTS, BLOCK = 30, 60, 127


def epochs() -> None:
    source = np.random.default_rng(1)
    features = source.normal(size=(ROWS, WIDTHS[0]))
    targets = features[:, :1] * features[:, 1:2]
    steps = ROWS // BATCH
    batches = features[: steps * BATCH].reshape(steps, BATCH, -1), targets[: steps * BATCH].reshape(steps, BATCH, 1)
    start = initial_parameters(WIDTHS, "relu", 1)
    still = np.zeros_like(start)
    arguments = dense_training.prepare(start, still, still, 0, WIDTHS, "relu", "squared", *batches, 1e-3, 0.1)
    systems: dict[str, Callable[[], object]] = {
        f"Nautilus on {backend}": lambda backend=backend: dense_training.run(backend, arguments)  # type: ignore[misc]
        for backend in dense_training.implementations
    }
    try:
        from sklearn.neural_network import MLPRegressor
    except ImportError:
        print("scikit-learn is not installed: ours alone")
    else:
        model = MLPRegressor(hidden_layer_sizes=WIDTHS[1:-1], batch_size=BATCH, alpha=0.0, random_state=1)
        systems["scikit-learn"] = lambda: model.partial_fit(features, targets[:, 0])
    flops = dense_training.work(*arguments).flops
    for name, times in alternate(systems, 3).items():
        print(f"epoch of {ROWS:,} x {WIDTHS[0]}  {name:<18} {spread(times)} s, {flops / min(times) / 1e9:.0f} GFLOP/s")
    some = dense_values.prepare(start, WIDTHS, "relu", features[:20_000])
    values: dict[str, Callable[[], object]] = {
        f"Nautilus on {backend}": lambda backend=backend: dense_values.run(backend, some)  # type: ignore[misc]
        for backend in dense_values.implementations
    }
    for name, times in alternate(values, 5).items():
        print(f"values of 20,000 rows     {name:<18} {spread([1e3 * one for one in times])} ms")


def vector(instrument_id: str, number: int, values: np.ndarray, names: tuple[str, ...]) -> FeatureVector:
    return FeatureVector(
        ts_event=START_NS + number * 1_000_000_000,
        instrument_id=instrument_id,
        feature_set="bench",
        names=names,
        values=tuple(values.tolist()),
    )


def microseconds(publish: Callable[[Any], object], messages: list[FeatureVector]) -> list[float]:
    found = []
    for message in messages:
        started = time.perf_counter_ns()
        publish(message)
        found.append((time.perf_counter_ns() - started) / 1e3)
    return found


async def live() -> None:
    names = tuple(f"feature {number}" for number in range(COLUMNS))
    source = np.random.default_rng(1)
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        node.bus.publish(topics.quote("TEST.SIM"), make_quote())
        values = source.normal(size=(10_000, COLUMNS))
        messages = [vector("TEST.SIM", number, row, names) for number, row in enumerate(values)]

        def publish(message: FeatureVector) -> None:
            node.bus.publish(topics.features("TEST.SIM"), message)

        before = microseconds(publish, messages[:5000])
        request = TrainRequest(name="net", kind="mlp", folds=2, network=NetworkSettings(epochs=3))
        job = await node.jobs.wait(node["ml"].start_training(request).id)
        assert job.status == "succeeded", job.error
        after = microseconds(publish, messages[5000:])
        for name, times in (("kept", before), ("kept and predicted", after)):
            print(f"a vector of {COLUMNS}, {name:<19} {spread(times)} us, p99 {quantile(times, 0.99):.0f} us")
        for number in range(INSTRUMENTS):
            node.bus.publish(topics.quote(f"I{number}.SIM"), make_quote(f"I{number}.SIM"))
            for row in range(BLOCK):
                message = vector(f"I{number}.SIM", row, values[row], names)
                node.bus.publish(topics.features(message.instrument_id), message)
        taken = []
        for _ in range(50):
            started = time.perf_counter()
            data = node["ml"].snapshot()
            taken.append(1e3 * (time.perf_counter() - started))
        print(f"a snapshot of {INSTRUMENTS} instruments, {len(data):,} bytes   {spread(taken)} ms")
        print(f"(the median row of the network alone: {statistics.median(after) - statistics.median(before):.0f} us)")


def main() -> None:
    epochs()
    asyncio.run(live())
