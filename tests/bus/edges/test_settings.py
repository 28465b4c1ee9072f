"""What the edges can be told, and what they refuse."""

from typing import Any

import msgspec
import pytest

from nautilus.bus.edges.settings import EdgesConfig, EdgeSettings, ServerSettings
from nautilus.errors import Invalid


def test_every_channel_has_a_server_of_its_own_also_where_only_a_part_is_given() -> None:
    config = msgspec.convert({"marketdata": {"inbound": ["quote.>"]}, "neural_gpu": {"resume": True}}, EdgesConfig)
    urls = [one.url for one in (config.cache, config.marketdata, config.engine_logic, config.neural_gpu)]
    assert urls == [f"redis://127.0.0.1:{port}/0" for port in (6379, 6380, 6381, 6382)]
    assert config.engine_logic.resume
    assert not config.marketdata.resume
    assert not config.enabled


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "http://x"}, "url: must begin with redis://"),
        ({"url": "redis://user:secret@x"}, "url: must not hold a user or password"),
        ({"password": "a", "password_file": "b"}, "password_file"),
        ({"tls_ca_file": "ca.pem"}, "url: must be rediss://"),
        ({"url": "rediss://x", "tls_key_file": "k"}, "tls_key_file"),
        ({"batch_max_events": 0}, "batch_max_events"),
        ({"outbound": "quote.>"}, "outbound"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_wrong_setting_is_refused_naming_it(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((Invalid, msgspec.ValidationError), match=message):
        msgspec.convert(settings, EdgeSettings)


def test_a_password_shows_in_no_representation() -> None:
    config = EdgesConfig(cache=ServerSettings(password="hunter2"), marketdata=EdgesConfig().marketdata)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config.cache)
    assert "password='***'" in repr(config.cache)


def test_every_option_is_described() -> None:
    for kind in (EdgeSettings, ServerSettings):
        schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
        assert not [name for name, option in schema["properties"].items() if not option.get("description")]
