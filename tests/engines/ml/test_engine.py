"""The engine: 409 before training, training as a job, predictions on the bus, versions that survive a restart."""

import asyncio
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx2
import msgspec
import numpy as np
import pytest

from nautilus.engines.ml import NetworkSettings
from nautilus.engines.ml.models import PredictRequest, TrainRequest
from nautilus.engines.ml.registry import ModelVersion
from nautilus.errors import Invalid, NotReady
from nautilus.http.app import build_app
from nautilus.model import topics
from nautilus.model.messages import FeatureVector, Prediction
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote
from tests.engines.ml.test_training import market

NAMES = ("known", "useless")


def feed(node: Any, rows: int, start: int = 0) -> None:
    features, prices = market(rows + start)
    for number in range(start, rows + start):
        ts = START_NS + number * 1_000_000_000
        ticks = round(prices[number] * 1_000)
        node.bus.publish(topics.quote("TEST.SIM"), make_quote(bid_ticks=ticks, ask_ticks=ticks + 2, ts_event=ts))
        vector = FeatureVector(
            ts_event=ts, instrument_id="TEST.SIM", feature_set="test", names=NAMES, values=tuple(features[number])
        )
        node.bus.publish(topics.features("TEST.SIM"), vector)


async def test_before_training_everything_that_predicts_answers_409() -> None:
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        transport = httpx2.ASGITransport(app=build_app(node))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            replies = [
                await client.get("/ml/predictions/TEST.SIM"),
                await client.post("/ml/models/none/predict", json={"rows": [[1.0]]}),
                await client.post("/ml/train", json={"name": "m"}),
            ]
            assert [reply.status_code for reply in replies] == [409, 409, 409]
            assert (await client.get("/ml/predictions/NONE.SIM")).status_code == 404
            assert (await client.get("/ml/models/none")).status_code == 404


async def test_a_model_trained_on_the_stream_predicts_on_the_bus_and_survives_a_restart(tmp_path: Path) -> None:
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        predictions: Capture[Prediction] = Capture(node.bus, topics.ALL_PREDICTIONS)
        feed(node, 300)
        assert len(predictions) == 0
        job = await node.jobs.wait(node["ml"].start_training(TrainRequest(name="m", horizon_bars=1)).id)
        assert job.status == "succeeded", job.error
        feed(node, 50, start=300)
        assert len(predictions) == 50
        assert {message.version for message in predictions.messages} == {1}
        (live,) = node["ml"].live_scores()
        assert live.predictions == 49
        assert (live.scores["information_coefficient"] or 0) > 0.1
        last = predictions.messages[-1].value
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        again: Capture[Prediction] = Capture(node.bus, topics.ALL_PREDICTIONS)
        feed(node, 50, start=300)
        assert again.messages[-1].value == last


async def test_a_second_version_waits_until_it_is_promoted() -> None:
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        engine = node["ml"]
        for kind in ("linear", "lightgbm"):
            request = TrainRequest(name="m", horizon_bars=1, kind=kind, rounds=5)
            assert (await node.jobs.wait(engine.start_training(request).id)).status == "succeeded"
        assert engine.registry.champion("m").version == 1
        await engine.promote("m", 2)
        assert engine.registry.champion("m").kind == "lightgbm"


async def test_too_little_data_is_told_with_the_numbers() -> None:
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 100)
        with pytest.raises(NotReady, match="95 labelled rows so far, 200 are needed"):
            node["ml"].start_training(TrainRequest(name="m"))


NETWORK = NetworkSettings(hidden=(8,), epochs=15, batch=32, learning_rate=0.01)


async def test_a_network_trained_as_a_job_predicts_alone_and_in_batches_and_survives_a_restart(tmp_path: Path) -> None:
    request = TrainRequest(name="net", kind="mlp", horizon_bars=1, folds=2, network=NETWORK)
    asked = PredictRequest(rows=[[0.5, 0.0], [-0.5, 0.0], [None, 0.0]])
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        engine = node["ml"]
        job = await node.jobs.wait(engine.start_training(request).id)
        assert job.status == "succeeded", job.error
        version = engine.registry.champion("net")
        assert version.backend == "numpy"
        assert version.epochs is not None
        assert 1 <= version.epochs <= 15
        assert version.recipe.network == NETWORK
        predictions: Capture[Prediction] = Capture(node.bus, topics.ALL_PREDICTIONS)
        feed(node, 10, start=300)
        assert len(predictions) == 10
        assert predictions.messages[0].probability is None
        answer = await engine.predict("net", asked)
        assert answer.values[2] is None
        single = await engine.predict("net", PredictRequest(rows=asked.rows[:1]))
        assert single.values[0] == pytest.approx(answer.values[0], rel=1e-9)
        assert (answer.values[0] or 0) > (answer.values[1] or 0)
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        assert node["ml"].registry.champion("net") == version
        assert (await node["ml"].predict("net", asked)).values == answer.values


async def test_a_network_can_predict_the_probability_of_a_rise() -> None:
    request = TrainRequest(name="up", kind="mlp", target="up_probability", horizon_bars=1, folds=2, network=NETWORK)
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 500)
        engine = node["ml"]
        job = await node.jobs.wait(engine.start_training(request).id)
        assert job.status == "succeeded", job.error
        found = engine.registry.champion("up").scores
        assert 0 < (found["log_loss"] or 0) < np.log(2)
        assert (found["hit_rate"] or 0) > 0.55
        predictions: Capture[Prediction] = Capture(node.bus, topics.ALL_PREDICTIONS)
        feed(node, 100, start=500)
        assert all(0 < message.value == message.probability < 1 for message in predictions.messages)
        (live,) = engine.live_scores()
        assert live.predictions == 99
        assert live.scores["log_loss"] is not None
        with pytest.raises(Invalid, match="target"):
            engine.start_training(TrainRequest(name="up", kind="linear", target="up_probability"))


async def test_a_cancelled_training_ends_and_registers_nothing() -> None:
    endless = NetworkSettings(hidden=(64,), epochs=1000, patience=1000)
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        engine = node["ml"]
        job = engine.start_training(TrainRequest(name="n", kind="mlp", network=endless))
        while job.fraction == 0.0:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.001)
        assert "epoch" in job.message
        node.jobs.cancel(job.id)
        assert (await node.jobs.wait(job.id)).status == "cancelled"
        while node.accel.busy:  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.001)
        with pytest.raises(NotReady):
            engine.registry.champion("n")


async def test_rows_sent_with_the_request_train_a_network_over_http() -> None:
    rows, prices = market(120)
    body = {
        "name": "sent",
        "kind": "mlp",
        "horizon_bars": 1,
        "folds": 2,
        "network": {"hidden": [4], "epochs": 3},
        "data": {"names": list(NAMES), "rows": rows, "prices": prices},
    }
    async with make_node(["ml"]) as node:
        transport = httpx2.ASGITransport(app=build_app(node))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            reply = await client.post("/ml/train", json=body)
            assert reply.status_code == 202, reply.text
            job = await node.jobs.wait(reply.json()["data"]["id"])
            assert job.status == "succeeded", job.error
            reply = await client.post("/ml/models/sent/predict", json={"rows": rows[:5]})
            assert all(isinstance(value, float) for value in reply.json()["data"]["values"])
            for network in ({"hidden": []}, {"hidden": [300]}, {"hidden": [1] * 5}, {"epochs": 0}, {"depth": 1}):
                reply = await client.post("/ml/train", json={**body, "network": network})
                assert reply.status_code == 422, network


async def test_histories_and_live_outcomes_are_there_after_a_restart(tmp_path: Path) -> None:
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        job = await node.jobs.wait(node["ml"].start_training(TrainRequest(name="m", horizon_bars=1)).id)
        assert job.status == "succeeded", job.error
        feed(node, 50, start=300)
        (live,) = node["ml"].live_scores()
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        engine = node["ml"]
        assert engine.training_rows() == {"TEST.SIM": 350}
        assert engine.live_scores() == [live]
        feed(node, 50, start=1000)
        assert engine.training_rows() == {"TEST.SIM": 400}
        job = await node.jobs.wait(engine.start_training(TrainRequest(name="m", horizon_bars=10)).id)
        assert job.status == "succeeded", job.error
        assert engine.registry.version("m", 2).rows == 340 + 40  # no label reaches over the restart


async def test_what_was_restored_is_in_the_next_snapshot_or_in_the_store(tmp_path: Path) -> None:
    for _ in range(3):
        async with make_node(["ml"], directory=str(tmp_path)) as node:
            node.instruments.add(make_instrument())
            feed(node, 10)
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        assert node["ml"].training_rows() == {"TEST.SIM": 30}


async def test_a_snapshot_of_many_instruments_takes_the_loop_a_few_milliseconds_at_most() -> None:
    names = tuple(f"feature {number}" for number in range(30))
    values = tuple(float(number) for number in range(30))
    async with make_node(["ml"]) as node:
        for instrument in range(60):
            name = f"I{instrument}.SIM"
            node.bus.publish(topics.quote(name), make_quote(name))
            for row in range(127):
                vector = FeatureVector(
                    ts_event=START_NS + row, instrument_id=name, feature_set="test", names=names, values=values
                )
                node.bus.publish(topics.features(name), vector)
        taken = []
        for _ in range(20):
            started = perf_counter()
            data = node["ml"].snapshot()
            taken.append(perf_counter() - started)
        assert 1_000_000 < len(data) < 3_000_000
        assert min(taken) < 0.005


async def test_a_model_whose_weights_are_damaged_is_told_and_the_others_predict(tmp_path: Path) -> None:
    async with make_node(["ml"], directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        for name in ("good", "bad"):
            job = await node.jobs.wait(node["ml"].start_training(TrainRequest(name=name, horizon_bars=1)).id)
            assert job.status == "succeeded", job.error
        node.store.state.put("ml-weights", "bad/000001", b"no weights")
    async with make_node(["ml"], {"log.level": "error"}, directory=str(tmp_path)) as node:
        node.instruments.add(make_instrument())
        predictions: Capture[Prediction] = Capture(node.bus, topics.ALL_PREDICTIONS)
        feed(node, 10)
        assert {message.model for message in predictions.messages} == {"good"}
        assert node["ml"].stats.errors == 0
        (reason,) = node["ml"].health().reasons
        assert "model bad 1 cannot be loaded" in reason


async def test_two_trainings_at_once_register_two_versions() -> None:
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 300)
        jobs = [node["ml"].start_training(TrainRequest(name="m", horizon_bars=1)) for _ in range(3)]
        for job in jobs:
            assert (await node.jobs.wait(job.id)).status == "succeeded"
        assert [version.version for version in node["ml"].registry.versions("m")] == [1, 2, 3]


def test_versions_that_were_registered_before_there_were_networks_are_read() -> None:
    old = {
        "name": "m", "version": 1, "kind": "linear", "target": "log_return", "horizon_bars": 1, "features": ["a"],
        "recipe": {
            "kind": "linear", "folds": 5, "embargo": 0, "penalty": 1.0, "rounds": 100, "seed": 1,
            "parameters": {"num_leaves": 15, "learning_rate": 0.05},
        },
        "data_sha256": "", "rows": 200, "scores": {"hit_rate": None}, "importance": {"a": 1.0}, "code_version": "0.1.0",
        "ts_trained": 1, "source": "external feed", "quality": "live",
    }  # fmt: skip
    version = msgspec.convert(old, type=ModelVersion)
    assert (version.backend, version.epochs, version.recipe.network) == ("numpy", None, None)
