"""Every example runs as a reader would run it, in a process of its own, and says what it promises."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
TIMEOUT_S = 100
UNUSED_ENGINES = (
    "analytics",
    "backtesting",
    "collateral",
    "enhanced_vpin",
    "factor",
    "features",
    "ml",
    "portfolio",
    "risk",
    "strategy",
    "vpin",
)


def environment() -> dict[str, str]:
    """This process's, without options of Nautilus."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NAUTILUS__")}


def run(name: str, *arguments: str) -> str:
    """What an example prints; it must end well and warn of nothing."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=REPOSITORY, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_example_has_a_test_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in sorted(EXAMPLES.glob("*.py")) if f'run("{path.stem}"' not in source] == []


def test_embedded_node_shows_a_simulated_market_its_toxicity_and_the_account() -> None:
    said = run("embedded_node")
    assert said == run("embedded_node"), "the same seed on the same clock gives the same output"
    assert "30 seconds of the simulated market, seed 1 (quality: simulated)" in said
    assert len(re.findall(r"^\w+ +live +in +[\d,]+", said, re.MULTILINE)) == 5
    values = [float(found) for found in re.findall(r"^VPIN of [A-Z.]+: ([0-9.]+) after", said, re.MULTILINE)]
    assert values
    assert all(0 < value < 1 for value in values)
    assert re.search(r"^account main: equity 1?0\d{5,6}\.\d+ USD", said, re.MULTILINE)


def test_pure_functions_give_toxicity_tail_risk_weights_and_a_factor() -> None:
    said = run("pure_functions")
    assert re.search(r"by the sides of trades 0\.\d{3}, by bulk classification 0\.\d{3}", said)
    tails = re.findall(r"value at risk ([0-9.]+)  expected shortfall ([0-9.]+)", said)
    assert len(tails) == 5
    assert all(0 < float(loss) < float(mean) < 0.1 for loss, mean in tails)
    assert re.search(r"weights \[0\.\d+.*\] sum 1\.0$", said, re.MULTILINE)
    ranks = re.search(r"reversal on the last day \[(.*)\]", said)
    assert ranks is not None
    assert sorted(map(float, ranks[1].split())) == [0.25, 0.5, 0.75, 1.0]


def test_backtest_report_writes_a_self_contained_page(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    said = run("backtest_report", str(page))
    fills = re.search(r"(\d+) sent, \d+ denied by the gate, (\d+) fills", said)
    assert fills is not None
    assert int(fills[1]) > 0
    assert int(fills[2]) > 0
    assert "on simulated market, seed 1" in said
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "simulated market, seed 1" in html
    assert "src=" not in html


def test_the_kill_switch_lets_nothing_through() -> None:
    said = run("kill_switch").splitlines()
    assert said[0] == "small: filled, 100 lots filled"
    assert said[1].startswith("huge: denied, 0 lots filled order is worth")
    assert said[2].startswith("emergency: kill switch engaged by example")
    assert said[3].startswith("late: denied, 0 lots filled")
    assert said[4] == "position: 100 lots of ALFA.SIM"


def test_replay_lobster_replays_the_whole_sample(shared_data: Path) -> None:
    sample = shared_data / "lobster" / "LOBSTER_SampleFile_GOOG_2012-06-21_1.zip"
    if not sample.exists():
        pytest.skip(f"no LOBSTER sample at {sample}")
    said = run("replay_lobster", str(sample))
    assert "replay of GOOG on NASDAQ, 2012-06-21, LOBSTER level 1 (quality: replayed)" in said
    assert "the data's clock stands at 2012-06-21 19:59:59 UTC" in said
    assert re.search(r"^VPIN of GOOG.XNAS: 0\.\d{3} after [\d,]+ buckets$", said, re.MULTILINE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`nautilus serve` on a free port with the engines that the client needs; gives host and port."""
    config = tmp_path / "nautilus.toml"
    off = "".join(f"[engines.{name}]\nenabled = false\n" for name in UNUSED_ENGINES)
    config.write_text(f"[accel]\ncompile_at_start = false\n{off}", encoding="utf-8")
    command = [sys.executable, "-m", "nautilus", "serve", "--config", str(config), "--port", "0"]
    command += ["--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY, env=environment()
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Ready"):
                break
        address = re.search(r"http://([\d.]+:\d+)/", said)
        assert address is not None, said
        yield address[1]
        process.terminate()
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0, rest
        assert rest.endswith("Stopped.\n")


def test_the_websocket_client_receives_quotes_and_trades_of_a_running_server(server: str) -> None:
    said = run("websocket_client", f"ws://{server}/websocket/stream", "100")
    assert "connected: simulated market, seed 1 (quality: simulated)" in said
    assert re.search(r"^quote [A-Z]{4}\.SIM: [\d.]+ bid, [\d.]+ asked$", said, re.MULTILINE)
    counts = re.search(r"received (\d+) quotes and (\d+) trades", said)
    assert counts is not None
    assert int(counts[1]) + int(counts[2]) >= 100
