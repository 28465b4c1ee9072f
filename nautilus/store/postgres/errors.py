"""What can go wrong with PostgreSQL beside what it says itself, and which of it will pass.

StoreError
├── DatabaseInUse   another living process owns the schema
├── Fenced          a newer owner has taken the schema over; this one may never write again
└── Diverged        the journal here and the journal there hold different records
"""

from __future__ import annotations

from nautilus.errors import StoreError

__all__ = ["DatabaseInUse", "Diverged", "Fenced", "StoreError", "describe", "will_pass"]


class DatabaseInUse(StoreError):
    """Another living process owns the schema."""


class Fenced(StoreError):
    """A newer owner has taken the schema over; nothing of this one is written any more."""


class Diverged(StoreError):
    """The journal of this machine and that of the server hold different records; names the first sequence."""


def will_pass(error: BaseException) -> bool:
    """Whether the same command may succeed later: the server is away, starting, full, or was in our way.

    >>> will_pass(ConnectionRefusedError()), will_pass(KeyError())
    (True, False)
    """
    import asyncpg

    if isinstance(error, StoreError):
        return False
    passing = (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
        asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
        asyncpg.OperatorInterventionError,  # shutting down, starting, cancelled
        asyncpg.TransactionRollbackError,  # deadlock, serialisation
        asyncpg.LockNotAvailableError,
        asyncpg.IdleInTransactionSessionTimeoutError,
        asyncpg.ReadOnlySQLTransactionError,  # a standby not yet promoted
    )
    return isinstance(error, passing)


def describe(error: BaseException) -> str:
    """One line for people: what the server or the network said."""
    return f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0]
