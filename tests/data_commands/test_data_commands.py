"""`nautilus data`: in, out, over and under; what reads works beside a running node, what writes is refused there."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from nautilus.data_commands import data
from nautilus.errors import NautilusError
from nautilus.store.base import CatalogEntry
from nautilus.store.gaps import GapReport

REPOSITORY = Path(__file__).resolve().parents[2]
TRADES = """ts_event,price,size,aggressor,trade_id
2024-03-11T13:30:00Z,10.00,5,BUY,1
2024-03-11T13:30:01Z,10.01,7,SELL,2
2024-03-11T13:40:00Z,10.02,9,BUY,3
2024-03-12T13:30:00Z,10.03,1,SELL,4
"""
QUOTES = """ts_event,bid_price,ask_price,bid_size,ask_size
2024-03-11T13:29:59Z,9.99,10.01,1,1
2024-03-11T13:30:01Z,10.00,10.02,1,1
"""

type Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the store in `tmp_path/store` and expects an exit code."""
    monkeypatch.delenv("NAUTILUS__STORE__DIRECTORY", raising=False)

    def run(*arguments: object, exit_code: int = 0) -> Result:
        words = [*map(str, arguments), "--data-dir", str(tmp_path / "store")]
        result = CliRunner().invoke(data, words)
        refused = isinstance(result.exception, NautilusError)
        if result.exception is not None and not refused and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result

    return run


@pytest.fixture
def ticks_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "AAPL.XNAS.trades.csv").write_text(TRADES)
    (folder / "AAPL.XNAS.quotes.csv").write_text(QUOTES)
    return folder


@pytest.fixture
def filled(run: Run, ticks_folder: Path) -> Run:
    assert "6 rows imported" in run("import", ticks_folder).stderr
    return run


def refusal(result: Result) -> str:
    assert isinstance(result.exception, NautilusError)
    return str(result.exception)


def test_what_is_imported_is_listed(filled: Run) -> None:
    text = filled("list").stdout
    assert "AAPL.XNAS" in text
    assert "2024-03-11T13:30:00Z" in text
    entries = msgspec.json.decode(filled("list", "--json").stdout, type=list[CatalogEntry])
    assert [(entry.kind, entry.rows, entry.files) for entry in entries] == [("quote", 2, 1), ("trade", 4, 2)]


def test_the_same_file_is_imported_once_unless_told(filled: Run, ticks_folder: Path) -> None:
    trades = ticks_folder / "AAPL.XNAS.trades.csv"
    assert "--append" in refusal(filled("import", trades, exit_code=1))
    assert "4 rows imported" in filled("import", trades, "--append").stderr


def test_rows_off_the_grid_are_refused_or_skipped(run: Run, ticks_folder: Path) -> None:
    trades = ticks_folder / "AAPL.XNAS.trades.csv"
    assert "row 3, column price" in refusal(run("import", trades, "--tick", "0.02", exit_code=1))
    assert "rows skipped: not a multiple" in run("import", trades, "--tick", "0.02", "--bad-rows", "skip").stderr
    assert "tick: must be a decimal" in refusal(run("import", trades, "--tick", "fine", exit_code=1))


def test_a_file_whose_name_says_nothing_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "some.csv").write_text(TRADES)
    assert "must be called" in refusal(run("import", tmp_path / "some.csv", exit_code=1))


def test_a_lobster_day_becomes_trades_and_book(run: Run, shared_data: Path) -> None:
    run("import", shared_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_1.zip")
    entries = msgspec.json.decode(run("list", "--json").stdout, type=list[CatalogEntry])
    assert [entry.kind for entry in entries] == ["book", "trade"]
    report = run("gaps", "trade", "GOOG.XNAS", "--longer-than", "30s", "--hours", "09:30-16:00@America/New_York").stdout
    assert " 0 duplicates, 0 out of order, 0 outside sessions" in report


def test_rows_are_shown_as_csv(filled: Run) -> None:
    lines = filled("show", "trade", "AAPL.XNAS", "--rows", 1, "--tail").stdout.splitlines()
    assert lines[0].startswith("price_ticks,size_lots")
    assert lines[1].startswith("1003,1,-1,4,")
    ranged = filled("show", "trade", "AAPL.XNAS", "--start", "2024-03-11T13:30:01Z", "--end", "2024-03-12")
    assert len(ranged.stdout.splitlines()) == 3


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_rows_are_exported(filled: Run, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    assert "4 rows" in filled("export", "trade", "AAPL.XNAS", output).stderr
    reader = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc}[suffix]
    assert reader(output)["price_ticks"].to_list() == [1000, 1001, 1002, 1003]
    assert "there already" in refusal(filled("export", "trade", "AAPL.XNAS", output, exit_code=1))
    filled("export", "trade", "AAPL.XNAS", output, "--overwrite")


def test_trades_are_joined_with_the_quotes_that_prevailed(filled: Run, tmp_path: Path) -> None:
    output = tmp_path / "joined.parquet"
    filled("join", "trade", "quote", "AAPL.XNAS", output)
    assert pl.read_parquet(output)["bid_ticks"].to_list() == [999, 1000, 1000, 1000]
    filled("join", "trade", "quote", "AAPL.XNAS", output, "--overwrite", "--strict", "--tolerance", "2s")
    assert pl.read_parquet(output)["bid_ticks"].to_list() == [999, 999, None, None]
    filled("join", "trade", "quote", "AAPL.XNAS", output, "--overwrite", "--forward")
    assert pl.read_parquet(output)["bid_ticks"].to_list() == [1000, 1000, None, None]


def test_gaps_are_reported_and_fail_where_asked(filled: Run) -> None:
    hours = ("--hours", "09:30-16:00@America/New_York")
    result = filled("gaps", "trade", "AAPL.XNAS", "--longer-than", "5m", *hours, "--json", "--fail", exit_code=3)
    report = msgspec.json.decode(result.stdout, type=GapReport)
    assert report.gap_count == 2
    assert report.gaps[0].length_ns == 599_000_000_000
    table = filled("gaps", "trade", "AAPL.XNAS", "--longer-than", "3d", "--fail").stdout
    assert "2024-03-11             3 rows   100.00% covered" in table
    assert "4 rows, 0 gaps" in table


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, in exchange_calendars
def test_gaps_are_looked_for_while_the_market_trades(run: Run, tmp_path: Path) -> None:
    trades = tmp_path / "AAPL.XNAS.trades.csv"
    trades.write_text("ts_event,price,size\n2024-07-03T13:30:00Z,10,5\n2024-07-05T20:30:00Z,10,5\n")
    run("import", trades)
    result = run("gaps", "trade", "AAPL.XNAS", "--longer-than", "1m", "--calendar", "XNYS", "--json")
    report = msgspec.json.decode(result.stdout, type=GapReport)
    assert [gap.length_ns // 60_000_000_000 for gap in report.gaps] == [210, 390]
    assert report.outside_sessions == 1
    assert "no " in refusal(run("gaps", "trade", "AAPL.XNAS", "--calendar", "NOWHERE", exit_code=1))
    words = ("--calendar", "XNYS", "--hours", "09:30-16:00@America/New_York")
    run("gaps", "trade", "AAPL.XNAS", *words, exit_code=2)


def test_verify_names_a_damaged_file(filled: Run, tmp_path: Path) -> None:
    assert "Every file holds" in filled("verify").stderr
    victim = min((tmp_path / "store").rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-9] + b"123456789")
    assert victim.name in filled("verify", exit_code=1).stdout


def test_compact_and_prune_tidy_up(filled: Run, ticks_folder: Path) -> None:
    for _ in range(2):
        filled("import", ticks_folder, "--append")
    assert "3 days: 9 files" in filled("compact").stderr
    assert filled("prune", "--before", "2024-03-12", exit_code=1).stdout.startswith("Remove data of all kinds")
    assert "15 rows removed" in filled("prune", "--before", "2024-03-12", "--yes").stderr
    entries = msgspec.json.decode(filled("list", "--json").stdout, type=list[CatalogEntry])
    assert [(entry.kind, entry.rows, entry.files) for entry in entries] == [("trade", 3, 1)]


def test_what_is_not_there_is_named(filled: Run, tmp_path: Path) -> None:
    assert "there are: quote, trade" in refusal(filled("show", "bar.60s", "AAPL.XNAS", exit_code=1))
    for command in (["list"], ["compact"], ["prune", "--before", "2024-01-01", "--yes"]):
        nowhere = CliRunner().invoke(data, [*command, "--data-dir", str(tmp_path / "nowhere")])
        assert "no catalog under" in refusal(nowhere)
    assert not (tmp_path / "nowhere").exists()
    memory = CliRunner().invoke(data, ["list", "--data-dir", ":memory:"])
    assert ":memory:" in refusal(memory)
    (tmp_path / "config.toml").write_text('[store]\nbackend = "postgres"\n')
    elsewhere = CliRunner().invoke(data, ["list", "--config", str(tmp_path / "config.toml")])
    assert "store.backend: is postgres" in refusal(elsewhere)


@pytest.mark.parametrize(
    "words",
    [
        ("gaps", "trade", "A.X", "--longer-than", "5x"),
        ("gaps", "trade", "A.X", "--hours", "16:00-09:30@America/New_York"),
        ("gaps", "trade", "A.X", "--hours", "09:30-16:00@Nowhere/Town"),
        ("show", "trade", "A.X", "--start", "noon"),
        ("show", "trade", "A.X", "--start", "2024-13-01"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(run: Run, words: tuple[str, ...]) -> None:
    assert "Invalid value" in run(*words, exit_code=2).stderr


HOLDER = """
import asyncio, sys
from pathlib import Path
from nautilus.store import EmbeddedStore

async def main():
    store = EmbeddedStore(Path(sys.argv[1]))
    await store.open()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def running_node(tmp_path: Path, filled: Run) -> Iterator[int]:
    """Process id of another process that has the store open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "store")],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.kill()


def test_beside_a_running_node_one_may_read_and_not_write(
    filled: Run, running_node: int, tmp_path: Path, ticks_folder: Path
) -> None:
    filled("list")
    filled("export", "trade", "AAPL.XNAS", tmp_path / "out.csv")
    filled("verify")
    for words in (("compact",), ("prune", "--before", "2024-03-12", "--yes"), ("import", ticks_folder, "--append")):
        assert f"in use by another Nautilus (process {running_node})" in refusal(filled(*words, exit_code=1))


def test_every_command_explains_itself() -> None:
    context = click.Context(data)
    assert data.list_commands(context) == sorted(
        ["compact", "export", "gaps", "import", "join", "list", "prune", "show", "verify"]
    )
    for name in data.list_commands(context):
        command = data.get_command(context, name)
        assert command is not None
        assert command.help
        assert CliRunner().invoke(data, [name, "--help"]).exit_code == 0


def test_the_commands_import_nothing_heavy() -> None:
    script = "import sys; import nautilus.data_commands; print({'numpy', 'polars', 'asyncpg'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_range_without_rows_shows_its_columns(filled: Run) -> None:
    assert filled("show", "trade", "AAPL.XNAS", "--start", "2030-01-01").stdout.count("\n") == 1


def test_numbers_are_times_too(filled: Run) -> None:
    start = int(np.datetime64("2024-03-12", "ns").astype(np.int64))
    assert len(filled("show", "trade", "AAPL.XNAS", "--start", start).stdout.splitlines()) == 2
