"""Making bytes and names survive a power cut, on Linux and on macOS."""

import fcntl
import os
import sys
from pathlib import Path

FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def sync_file(descriptor: int) -> None:
    """Return once the content of an open file is on the disk.

    On macOS fsync stops at the drive's cache, so F_FULLFSYNC is asked for; elsewhere fdatasync does.
    """
    if sys.platform == "darwin":
        if FULL_SYNC is not None:
            fcntl.fcntl(descriptor, FULL_SYNC)
        else:
            os.fsync(descriptor)
    else:
        os.fdatasync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make names created in or renamed into `directory` survive."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
