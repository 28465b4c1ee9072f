"""The command line as a user meets it: what it prints, one line for what is wrong, and the exit code."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from nautilus.cli import main
from nautilus.engines import registry
from nautilus.errors import ConfigError, Unavailable


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def spawn(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nautilus", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def assert_one_line(result: subprocess.CompletedProcess[str], says: str, code: int = 1) -> None:
    assert result.returncode == code, result.stderr
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1


def test_help_and_version_work_as_a_module() -> None:
    result = spawn("--help")
    assert result.returncode == 0
    for command in ("serve", "engines", "config", "accel"):
        assert f"\n  {command} " in result.stdout
    assert spawn("--version").stdout.startswith("nautilus, version ")


def test_every_command_and_option_says_what_it_is() -> None:
    def walk(command: click.Command) -> None:
        assert command.help or command.get_short_help_str()
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)
        for child in getattr(command, "commands", {}).values():
            walk(child)

    walk(main)


def test_engines_lists_all_thirteen_with_prefix_and_summary() -> None:
    result = run("engines")
    assert result.exit_code == 0
    lines = [line.split(maxsplit=2) for line in result.output.splitlines()]
    assert len(lines) >= 13
    assert all(prefix == "/" + name.replace("_", "-") and summary for name, prefix, summary in lines)


def test_a_plugin_that_does_not_load_is_named_and_the_others_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.engine_type

    def broken(name: str) -> object:
        if name == "vpin":
            raise Unavailable("engine 'vpin' (x:Y) does not load: ImportError: no x")
        return real(name)

    monkeypatch.setattr(registry, "engine_type", broken)
    result = run("engines")
    assert result.exit_code == 0
    assert "does not load: ImportError: no x" in result.output
    assert "/websocket" in result.output


def test_config_show_is_toml_that_config_check_accepts(tmp_path: Path) -> None:
    shown = run("config", "show")
    assert shown.exit_code == 0
    assert tomllib.loads(shown.output)["http"]["port"] == 8001
    path = tmp_path / "shown.toml"
    path.write_text(shown.output)
    checked = run("config", "check", str(path))
    assert (checked.exit_code, checked.output) == (0, f"{path} is valid\n")
    assert run("config", "show", "--config", str(path)).output == shown.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http]\nport = 'x'\n", "http.port: Expected `int`"),
        ("[engines.vpn]\n", "engines.vpn: no such engine"),
        ("[http\n", "is not TOML"),
    ],
)
def test_config_check_says_what_is_wrong_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    result = run("config", "check", str(path))
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith(f"Error: {path}: ")
    assert says in line


def test_accel_shows_the_devices() -> None:
    result = run("accel")
    assert result.exit_code == 0
    assert "numpy  cpu" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("serve", "--port", "x"), 2, "Invalid value for '--port'"),
        (("serve", "--replay", "/nowhere/at/all"), 2, "does not exist"),
        (("serve", "--speed", "2"), 2, "go with --replay"),
        (("serve", "--exit-after-replay"), 2, "go with --replay"),
        (("serve", "--config", "/nowhere.toml"), 1, "/nowhere.toml: file: cannot be read"),
        (("serve", "--port", "70000"), 1, "command line: http.port"),
        (("serve", "--host", "192.0.2.1"), 1, "not a loopback address"),
        (("serve", "--replay", ".", "--speed", "0"), 1, "speed"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], code: int, says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert not isinstance(result.exception, ConfigError)


def test_a_store_that_does_not_open_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.write_text("not a folder")
    assert_one_line(spawn("serve", "--port", "0", "--data-dir", str(place)), "data cannot be used")
    assert place.read_text() == "not a folder"
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "state.sqlite").write_bytes(b"this is no database " * 100)
    assert_one_line(spawn("serve", "--port", "0", "--data-dir", str(damaged)), "state.sqlite is damaged")


def test_a_replay_that_cannot_be_read_ends_with_its_reason(tmp_path: Path) -> None:
    data = tmp_path / "ticks.csv"
    data.write_text("this,is,no,market\n1,2,3,4\n")
    result = spawn("serve", "--port", "0", "--replay", str(data), "--exit-after-replay")
    assert_one_line(result, "the replay failed: prepare failed")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_while_kernels_compile_ends_within_five_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nautilus", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Preparing"):
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=5)
    assert process.returncode == 0, errors
    assert output.rstrip().endswith("Stopped.")
    assert "Traceback" not in errors
