"""Topics carry the type of their messages: mypy accepts the right handler and refuses the wrong one."""

from pathlib import Path

import pytest

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
