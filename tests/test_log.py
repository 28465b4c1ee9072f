"""The log: JSON lines or readable ones, only from the level on, and never a secret."""

from typing import Any, Literal

import msgspec
import pytest

from nautilus.config import LogConfig
from nautilus.log import hide_secrets, make_logger

type Output = pytest.CaptureFixture[str]


def lines(output: Output) -> list[Any]:
    return [msgspec.json.decode(line) for line in output.readouterr().err.splitlines()]


def fail(password: str) -> None:
    raise ValueError("no entry")


def test_elsewhere_than_on_a_terminal_each_line_is_json_with_time_level_and_node(capsys: Output) -> None:
    log = make_logger(LogConfig(), "desk-1").bind(engine="vpin")
    log.info("bucket.closed", lots=5, exact=msgspec.UNSET)
    (line,) = lines(capsys)
    assert line | {"timestamp": ""} == {
        "node": "desk-1",
        "engine": "vpin",
        "event": "bucket.closed",
        "lots": 5,
        "exact": "UNSET",
        "level": "info",
        "timestamp": "",
    }
    assert line["timestamp"].endswith("Z")


def test_less_severe_lines_are_left_out(capsys: Output) -> None:
    log = make_logger(LogConfig(level="warning"), "n")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_an_error_stands_in_one_json_line_with_its_traceback(capsys: Output) -> None:
    log = make_logger(LogConfig(format="json"), "n")
    try:
        fail("hunter2")
    except ValueError as error:
        log.error("failed", exc_info=error)
    (line,) = lines(capsys)
    assert "ValueError: no entry" in line["exception"]


@pytest.mark.parametrize("style", ["console", "json"])
def test_tracebacks_never_show_the_values_of_variables(capsys: Output, style: Literal["console", "json"]) -> None:
    log = make_logger(LogConfig(format=style), "n")
    password = "hunter" + "2"
    try:
        fail(password)
    except ValueError:
        log.exception("failed")
    text = capsys.readouterr().err
    assert "no entry" in text
    assert password not in text


@pytest.mark.parametrize("style", ["console", "json"])
def test_secrets_are_masked_wherever_they_stand(capsys: Output, style: Literal["console", "json"]) -> None:
    log = make_logger(LogConfig(format=style), "n").bind(api_key="bound-secret")
    log.info("connected", password="pw-secret", options={"dsn": "postgres://u:dsn-secret@h", "port": 5432})
    text = capsys.readouterr().err
    assert "secret" not in text
    assert "5432" in text
    assert "***" in text


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        *((name, True) for name in ("token", "access_token", "API_KEY", "apikey", "credentials", "tokens_left")),
        *((name, False) for name in ("key", "keys", "secretary", "tokeniser", "engine")),
    ],
)
def test_a_name_is_secret_by_its_words(name: str, hidden: bool) -> None:
    assert (hide_secrets(None, "", {name: "x"})[name] == "***") is hidden


def test_masking_leaves_the_callers_mappings_as_they_are() -> None:
    options = {"password": "x"}
    hide_secrets(None, "", {"options": options})
    assert options == {"password": "x"}
