"""The engine: 409 before training, training as a job, predictions on the bus, versions that survive a restart."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from nautilus.engines.ml.models import TrainRequest
from nautilus.errors import NotReady
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
        engine.registry.promote("m", 2)
        assert engine.registry.champion("m").kind == "lightgbm"


async def test_too_little_data_is_told_with_the_numbers() -> None:
    async with make_node(["ml"]) as node:
        node.instruments.add(make_instrument())
        feed(node, 100)
        with pytest.raises(NotReady, match="95 labelled rows so far, 200 are needed"):
            node["ml"].start_training(TrainRequest(name="m"))
