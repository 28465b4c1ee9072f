"""Settings name the server without the password, and refuse what cannot be."""

import msgspec
import pytest

from nautilus.errors import Invalid
from nautilus.store.postgres import PostgresSettings
from nautilus.store.postgres.settings import address, read_password


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("postgresql://a:secret@host/db", "must not hold the password"),
        ("postgresql://host/db?password=secret", "must not hold the password"),
        ("mysql://host/db", "must start with postgresql://"),
        ("postgresql://[::1/db", "must be a URL"),
    ],
)
def test_a_dsn_that_cannot_be_used_is_refused_without_telling_it(dsn: str, reason: str) -> None:
    with pytest.raises(Invalid, match=f"^dsn: {reason}") as caught:
        address(PostgresSettings(dsn=dsn))
    assert "secret" not in str(caught.value)


def test_a_password_comes_from_one_place() -> None:
    with pytest.raises(Invalid, match="password_file: must be empty"):
        read_password(PostgresSettings(password="a", password_file="b"))


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(PostgresSettings(password="secret"))


@pytest.mark.parametrize("values", [{"schema": "Robert'); --"}, {"pool_size": 0}, {"retention_days": {"trade": -1}}])
def test_values_out_of_bounds_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(values, PostgresSettings)
