"""Replays: the options they set, the speeds they take, and the table at their end."""

from pathlib import Path

import pytest

from nautilus.errors import Invalid, Unavailable
from nautilus.model import topics
from nautilus.replay import check_speed, replay_clock, replay_ended, replay_overrides, summary
from nautilus.testing import make_node, make_trade


@pytest.mark.parametrize(("given", "taken"), [("max", "max"), ("2", "2.0"), ("0.5", "0.5"), ("1e3", "1000.0")])
def test_speeds(given: str, taken: str) -> None:
    assert check_speed(given) == taken


@pytest.mark.parametrize("speed", ["", "fast", "0", "-1", "nan", "inf", "1e9"])
def test_impossible_speeds_are_refused(speed: str) -> None:
    with pytest.raises(Invalid, match="speed"):
        check_speed(speed)


def test_a_replay_keeps_its_records_apart_unless_it_is_given_a_folder() -> None:
    apart = replay_overrides(Path("x.csv"), "max", keeps_directory=False)
    assert apart["store.directory"] == ":memory:"
    assert apart["engines.marketdata.replay_path"] == "x.csv"
    assert "store.directory" not in replay_overrides(Path("x.csv"), "max", keeps_directory=True)
    assert replay_clock().timestamp_ns() == 0


async def test_the_summary_has_a_line_for_each_engine_with_what_it_did() -> None:
    async with make_node(["vpin"], {"log.level": "error"}) as node:
        node.bus.publish(topics.trade("TEST.SIM"), make_trade())
        node["vpin"].stats.errors = 1234
        heading, line = summary(node).splitlines()
    assert heading.split() == ["engine", "status", "inputs", "outputs", "errors", "seconds"]
    name, status, inputs, _, errors, seconds = line.split()
    assert (name, status, inputs, errors) == ("vpin", "live", "1", "1,234")
    assert float(seconds) >= 0
    assert len(heading) == len(line)


async def test_a_replay_that_cannot_be_read_has_ended_with_the_reason(tmp_path: Path) -> None:
    options = {
        "engines.marketdata.source": "replay",
        "engines.marketdata.replay_path": str(tmp_path / "missing"),
        "log.level": "error",
    }
    node = make_node(["marketdata"], options)
    node.log = node.log.bind()
    async with node:
        with pytest.raises(Unavailable, match="the replay failed: prepare failed"):
            await replay_ended(node)
