"""Where what must not be lost is kept: a journal of events, a table of current state, a catalog of market data."""

from typing import TYPE_CHECKING, Any

from nautilus.store.base import Catalog, CatalogEntry, Journal, RecoveryReport, State, Store
from nautilus.store.errors import CorruptFile, DiskRefused, StoreError, StoreInUse, UnknownRecord

if TYPE_CHECKING:
    from nautilus.store.embedded import EmbeddedStore

__all__ = [
    "Catalog",
    "CatalogEntry",
    "CorruptFile",
    "DiskRefused",
    "EmbeddedStore",
    "Journal",
    "RecoveryReport",
    "State",
    "Store",
    "StoreError",
    "StoreInUse",
    "UnknownRecord",
]


def __getattr__(name: str) -> Any:
    """The embedded store brings NumPy, which a configuration that only names a store does not need."""
    if name == "EmbeddedStore":
        from nautilus.store.embedded import EmbeddedStore

        return EmbeddedStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
