"""Where what must not be lost is kept: a journal of events, a table of current state, a catalog of market data."""

from nautilus.store.base import Catalog, CatalogEntry, Journal, RecoveryReport, State, Store
from nautilus.store.embedded import EmbeddedStore
from nautilus.store.errors import CorruptFile, StoreError, StoreInUse, UnknownRecord

__all__ = [
    "Catalog",
    "CatalogEntry",
    "CorruptFile",
    "EmbeddedStore",
    "Journal",
    "RecoveryReport",
    "State",
    "Store",
    "StoreError",
    "StoreInUse",
    "UnknownRecord",
]
