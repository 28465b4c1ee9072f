"""PostgreSQL as the store: the same journal, state and catalog, shared by machines and owned by one at a time."""

from typing import TYPE_CHECKING, Any

from nautilus.store.postgres.errors import DatabaseInUse, Diverged, Fenced
from nautilus.store.postgres.settings import PostgresSettings

if TYPE_CHECKING:
    from nautilus.store.postgres.store import PostgresStore

__all__ = ["DatabaseInUse", "Diverged", "Fenced", "PostgresSettings", "PostgresStore"]


def __getattr__(name: str) -> Any:
    # the settings are part of every configuration; NumPy and the rest of the store are loaded by who uses it
    if name == "PostgresStore":
        from nautilus.store.postgres.store import PostgresStore

        return PostgresStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
