"""What can go wrong with storage; all of them are `StoreError`, answered as 503.

StoreError
├── StoreInUse      another process has the directory open
├── CorruptFile     bytes on the disk are not what was written; names file and offset
└── UnknownRecord   a record type that the journal was not opened for
"""

from pathlib import Path

from nautilus.errors import StoreError

__all__ = ["CorruptFile", "StoreError", "StoreInUse", "UnknownRecord"]


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
