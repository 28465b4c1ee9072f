"""What can go wrong with storage; all of them are `StoreError`, answered as 503.

StoreError
├── DiskRefused     the disk is full, read-only, failing ...; names path and reason, and says what to do
├── StoreInUse      another process has the directory open
├── CorruptFile     bytes on the disk are not what was written; names file and offset
└── UnknownRecord   a record type that the journal was not opened for
"""

import errno
import os
import re
from pathlib import Path

from nautilus.errors import StoreError

__all__ = ["CorruptFile", "DiskRefused", "StoreError", "StoreInUse", "UnknownRecord", "database_refused", "disk_error"]

_FREE = "free space there or choose another store.directory"
_ALLOW = "give this user the right to write there or choose another store.directory"
_LOOK = "look at the system's log for a failing disk, and restart when it is sound"
_ADVICE = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EROFS: "mount the file system for writing or choose another store.directory",
    errno.EACCES: _ALLOW,
    errno.EPERM: _ALLOW,
    errno.ENOTDIR: "choose a store.directory that lies under folders, not under a file",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files",
    errno.EIO: _LOOK,
}
_SQLITE = {8: errno.EROFS, 10: errno.EIO, 13: errno.ENOSPC, 14: errno.EACCES}
_POLARS_CODE = re.compile(r"\(os error (\d+)\)")


class DiskRefused(StoreError):
    """The operating system refused a file operation; `path` is where, `code` the errno (0 where it gave none).

    >>> str(DiskRefused("/data/catalog", OSError(errno.EROFS, os.strerror(errno.EROFS))))
    '/data/catalog could not be written: Read-only file system (EROFS); mount the file system for writing or \
choose another store.directory'
    """

    def __init__(self, path: str | Path, error: OSError, what: str = "could not be written") -> None:
        self.path = str(path)
        self.code = error.errno or 0
        name = f" ({errno.errorcode[self.code]})" if self.code in errno.errorcode else ""
        place = f" at {error.filename}" if error.filename and str(error.filename) != self.path else ""
        advice = f"; {_ADVICE[self.code]}" if self.code in _ADVICE else ""
        super().__init__(f"{path} {what}: {error.strerror or error}{name}{place}{advice}")


def database_refused(path: Path, error: Exception, what: str) -> StoreError:
    """What SQLite says of the disk, in the same words: path, reason, and what to do where that is known.

    >>> import sqlite3
    >>> error = sqlite3.OperationalError("database or disk is full")
    >>> error.sqlite_errorcode = 13
    >>> str(database_refused(Path("state.sqlite"), error, "could not be written"))
    'state.sqlite could not be written: database or disk is full (ENOSPC); free space there or choose another \
store.directory'
    """
    code = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return DiskRefused(path, OSError(code, str(error)), what) if code else StoreError(f"{path} {what}: {error}")


def disk_error(error: Exception) -> OSError | None:
    """The refusal of the operating system in an error, also where Polars tells it only in words; None for others.

    >>> disk_error(RuntimeError("parquet: IO error: No space left on device (os error 28)"))
    OSError(28, 'No space left on device')
    """
    if isinstance(error, OSError):
        return error
    found = _POLARS_CODE.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


class StoreInUse(StoreError):
    """Another process holds the lock of the directory."""

    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(f"{directory} is in use by another Nautilus ({holder}); stop it or choose another directory")
        self.directory = directory


class CorruptFile(StoreError):
    """The content of a file is damaged.

    >>> str(CorruptFile("journal/00000001.log", "checksum does not match", offset=96))
    'journal/00000001.log is damaged at byte 96: checksum does not match'
    """

    def __init__(self, file: str | Path, reason: str, offset: int | None = None) -> None:
        place = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{file} is damaged{place}: {reason}")
        self.file = str(file)
        self.offset = offset


class UnknownRecord(StoreError):
    """A record whose type is not among the `record_types` of the store, so that it could not be read back."""

    def __init__(self, record_type: type) -> None:
        super().__init__(f"{record_type.__name__} is not one of the record types of this journal")
