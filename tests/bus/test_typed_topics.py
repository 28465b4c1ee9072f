"""Topics carry the type of their messages, for mypy alone: at run time they are plain strings, and cost nothing."""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nautilus.bus import Bus
from nautilus.model import topics
from nautilus.testing import make_quote

SNIPPET = """
from nautilus.bus import Bus
from nautilus.model import Quote, Trade, topics


def on_quote(quote: Quote) -> None: ...


def on_trade(trade: Trade) -> None: ...


async def on_quote_later(quote: Quote) -> None: ...


async def on_trade_later(trade: Trade) -> None: ...


def use(bus: Bus, quote: Quote, trade: Trade) -> None:
    bus.subscribe(topics.ALL_QUOTES, on_quote)
    bus.subscribe(topics.ALL_QUOTES, on_trade)  # wrong
    bus.publish(topics.quote("A.X"), quote)
    bus.publish(topics.quote("A.X"), trade)  # wrong
    bus.mailbox(topics.ALL_TRADES, on_trade_later)
    bus.mailbox(topics.ALL_TRADES, on_quote_later)  # wrong
    topic: str = topics.quote("A.X")
"""


@pytest.fixture
def found(tmp_path: Path) -> str:
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    repository = Path(__file__).resolve().parents[2]
    options = ["--config-file", str(repository / "pyproject.toml"), "--follow-imports", "silent"]
    cache = ["--cache-dir", str(repository / ".mypy_cache")]
    out: str = api.run([*options, *cache, str(file)])[0]
    return out


def test_mypy_refuses_handlers_of_another_type_and_nothing_else(found: str) -> None:
    wrong = [number for number, line in enumerate(SNIPPET.splitlines(), start=1) if line.endswith("# wrong")]
    lines = {int(line.split(":")[1]) for line in found.splitlines() if ": error: " in line}
    assert sorted(lines) == wrong, found


def test_at_run_time_a_topic_is_a_plain_string() -> None:
    made = [value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)]
    made += [topics.quote("A.X"), topics.bars("1s"), topics.position("main", "A.X")]
    assert len(made) > 15
    assert {type(topic) for topic in made} == {str}
    assert topics.Topic("quote.A.X") is topics.Topic("quote.A.X")  # the text itself, not a copy


def test_publishing_calls_the_handlers_and_nothing_else() -> None:
    bus, calls = Bus(), []

    def handle(message: Any) -> None: ...

    for _ in range(3):
        bus.subscribe(topics.ALL_QUOTES, handle)
    topic, quote = topics.quote("A.X"), make_quote("A.X")
    bus.publish(topic, quote)  # the topic's route is made once

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)
        elif event == "c_call" and argument is not sys.setprofile:
            calls.append(argument.__name__)

    sys.setprofile(profile)
    try:
        bus.publish(topic, quote)
    finally:
        sys.setprofile(None)
    assert calls == ["publish", "handle", "handle", "handle"]
