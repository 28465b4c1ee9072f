"""One process a directory: an advisory lock that the kernel releases however the process ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from nautilus.store.errors import StoreInUse


class DirectoryLock:
    """Holds `directory/lock` while acquired; the file carries the holder's process id for the error of the next."""

    def __init__(self) -> None:
        self._descriptor = -1

    def acquire(self, directory: Path) -> None:
        """Take the lock; raises StoreInUse when another process (or another store of this one) has it, and OSError."""
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreInUse(directory, f"process {holder}" if holder else "unknown process") from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        with suppress(OSError):  # a full disk has no room for the name of the holder; the lock holds without it
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give the lock up; no error when it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
