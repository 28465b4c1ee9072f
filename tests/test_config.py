"""Configuration: precedence, and errors that name origin, key and what is allowed."""

from pathlib import Path

import pytest

from nautilus.config import load_config
from nautilus.configuration_reference import as_toml
from nautilus.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "nautilus.toml"
    path.write_text(text)
    return path


def test_file_is_overruled_by_environment_and_that_by_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, '[http]\nport = 1111\nhost = "127.0.0.2"\nmax_body_bytes = 2048\n')
    environment = {"NAUTILUS__HTTP__PORT": "2222", "NAUTILUS__HTTP__HOST": "127.0.0.3", "HOME": "/nowhere"}
    config = load_config(path, {"http.port": 3333}, environment)
    assert (config.http.port, config.http.host, config.http.max_body_bytes) == (3333, "127.0.0.3", 2048)


def test_environment_values_are_typed() -> None:
    config = load_config(
        environment={
            "NAUTILUS__ACCEL__COMPILE_AT_START": "false",
            "NAUTILUS__HTTP__ALLOWED_ORIGINS": '["https://a.example"]',
            "NAUTILUS__NAME": "desk-1",
        }
    )
    assert config.accel.compile_at_start is False
    assert config.http.allowed_origins == ("https://a.example",)
    assert config.name == "desk-1"


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("[http]\nprot = 1\n", "http.prot", "allowed are host, port"),
        ("[htp]\nport = 1\n", "htp", "allowed are name, http"),
        ('[http]\nport = "x"\n', "http.port", "Expected `int`"),
        ("[http]\nport = 70000\n", "http.port", "<= 65535"),
        ('[log]\nlevel = "loud"\n', "log.level", "loud"),
        ("[engines.nosuch]\n", "engines.nosuch", "no such engine; there are analytics"),
        ("engines = 3\n", "engines", "must be a table"),
        ("[engines.vpin]\nnonsense = 1\n", "engines.vpin.nonsense", "allowed are"),
        ('[engines.vpin]\nenabled = "yes"\n', "engines.vpin.enabled", "Expected `bool`"),
    ],
)
def test_errors_name_the_file_the_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, environment={})
    assert caught.value.field == key
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_errors_name_the_variable_and_the_command_line() -> None:
    with pytest.raises(ConfigError, match=r"NAUTILUS__HTTP__PORT: http\.port"):
        load_config(environment={"NAUTILUS__HTTP__PORT": "-1"})
    with pytest.raises(ConfigError, match=r"command line: http\.port"):
        load_config(overrides={"http.port": -1}, environment={})
    with pytest.raises(ConfigError, match="is a value, not a section"):
        load_config(environment={"NAUTILUS__NAME": "x", "NAUTILUS__NAME__Y": "1"})


def test_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.toml", environment={})
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(write(tmp_path, "= ="), environment={})


def test_nested_options_of_engines_are_given_in_the_environment() -> None:
    config = load_config(
        environment={
            "NAUTILUS__ENGINES__MARKETDATA__SEED": "3",
            "NAUTILUS__ENGINES__STRATEGY__VENUE__MAKER_FEE": "-0.5",
            "NAUTILUS__ENGINES__STRATEGY__DEPLOYMENTS": '[{name = "a", strategy = "ema_cross", config = {fast = 5}}]',
        }
    )
    assert config.engines["marketdata"].seed == 3
    assert config.engines["strategy"].venue.maker_fee == -0.5
    (deployment,) = config.engines["strategy"].deployments
    assert (deployment.name, deployment.config["fast"]) == ("a", 5)


def test_text_that_looks_like_a_number_or_a_date_is_text_where_text_is_wanted() -> None:
    config = load_config(
        environment={
            "NAUTILUS__NAME": "2024-01-01",
            "NAUTILUS__STORE__DIRECTORY": "17",
        }
    )
    assert (config.name, config.store.directory) == ("2024-01-01", "17")


def test_lists_of_tables_are_read_and_their_errors_name_the_table(tmp_path: Path) -> None:
    text = '[[engines.strategy.deployments]]\nname = "a"\nstrategy = "ema_cross"\n'
    config = load_config(write(tmp_path, text), environment={})
    assert [deployment.name for deployment in config.engines["strategy"].deployments] == ["a"]
    path = write(tmp_path, text + "wrong = 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, environment={})
    assert caught.value.field == "engines.strategy.deployments[0].wrong"
    assert caught.value.origin == str(path)
    assert "allowed are name, strategy, config" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("NAUTILUS__ENGINES__NOSUCH__X", "1", "no such engine"),
        ("NAUTILUS__ENGINES__STRATEGY__DEPLOYMENTS", '[{name = "a", nonsense = 1}]', "unknown key"),
        ("NAUTILUS__ENGINES__MARKETDATA__SEED", "99999999999999999999", "<="),
        ("NAUTILUS__HTTP__PORT", "1\nother = 2", "Expected `int`"),
        ("NAUTILUS__HTTP", "3", "Expected `object`"),
        ("NAUTILUS__ACCEL__THREADS", "[" * 5000, "Expected `int`"),
    ],
)
def test_every_wrong_variable_is_named(variable: str, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(environment={variable: text})
    assert caught.value.origin == variable
    assert says in caught.value.reason


def test_what_is_shown_is_read_back_as_the_same_configuration(tmp_path: Path) -> None:
    given = load_config(
        overrides={
            "store.directory": 'odd "name"\\ \t\x7f é',
            "engines.strategy.deployments": [{"name": "a", "strategy": "ema_cross"}],
        },
        environment={},
    )
    again = load_config(write(tmp_path, as_toml(given)), environment={})
    assert again.store == given.store
    assert again.engines["strategy"] == given.engines["strategy"]
    assert as_toml(again) == as_toml(given)


def test_overrides_leave_the_callers_values_as_they_are() -> None:
    sections = {"marketdata": {"seed": 5}}
    config = load_config(overrides={"engines": sections, "engines.marketdata.seed": 6}, environment={})
    assert config.engines["marketdata"].seed == 6
    assert sections == {"marketdata": {"seed": 5}}
