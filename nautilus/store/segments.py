"""Where a journal's segments lie: numbered files of a directory, or byte arrays of this process."""

from __future__ import annotations

import errno
import os
from collections import deque
from pathlib import Path
from typing import Protocol

from nautilus.errors import StoreError
from nautilus.store.durable import sync_directory, sync_file

SUFFIX = ".log"


class Segments(Protocol):
    """Numbered append-only byte sequences, of which the highest is open for writing."""

    def numbers(self) -> list[int]:
        """Numbers of the segments there are, ascending."""

    def name(self, number: int) -> str:
        """How to call a segment in an error."""

    def size(self, number: int) -> int:
        """Bytes of a segment."""

    def read(self, number: int, size: int | None = None) -> bytes:
        """The bytes of a segment, the first `size` of them if given."""

    def open(self, number: int, size: int) -> None:
        """Make `number` the one that `write` extends, cut to `size` bytes; creates it when it is not there."""

    def write(self, data: bytes) -> None:
        """Append all of `data` or nothing; raises OSError for nothing, StoreError where that is in doubt."""

    def sync(self) -> None:
        """Return once all that was written before the call is on the disk; may run on another thread."""

    def delete(self, number: int) -> None:
        """Remove a segment that is not the open one."""

    def close(self) -> None:
        """Let go of the open segment."""


class MemorySegments:
    """Segments in memory, for tests and backtests."""

    def __init__(self) -> None:
        self._segments: dict[int, bytearray] = {}
        self._current = bytearray()

    def numbers(self) -> list[int]:
        """Numbers of the segments there are, ascending."""
        return sorted(self._segments)

    def name(self, number: int) -> str:
        """How to call a segment in an error."""
        return f"journal segment {number} in memory"

    def size(self, number: int) -> int:
        """Bytes of a segment."""
        return len(self._segments[number])

    def read(self, number: int, size: int | None = None) -> bytes:
        """The bytes of a segment, the first `size` of them if given."""
        return bytes(self._segments[number][:size])

    def open(self, number: int, size: int) -> None:
        """Make `number` the one that `write` extends, cut to `size` bytes."""
        self._current = self._segments.setdefault(number, bytearray())
        del self._current[size:]

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._current += data

    def sync(self) -> None:
        """Nothing to wait for."""

    def delete(self, number: int) -> None:
        """Remove a segment."""
        del self._segments[number]

    def close(self) -> None:
        """Nothing to let go of."""


class DirectorySegments:
    """Segments as files `00000001.log`, `00000002.log`, ... of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor = -1
        self._offset = 0
        self._retired: deque[int] = deque()
        self._new_name = False

    def numbers(self) -> list[int]:
        """Numbers of the segments there are, ascending."""
        return sorted(int(path.stem) for path in self._directory.glob(f"*{SUFFIX}") if path.stem.isdigit())

    def name(self, number: int) -> str:
        """Path of a segment."""
        return str(self._path(number))

    def size(self, number: int) -> int:
        """Bytes of a segment."""
        return self._path(number).stat().st_size

    def read(self, number: int, size: int | None = None) -> bytes:
        """The bytes of a segment, the first `size` of them if given."""
        with self._path(number).open("rb") as file:
            return file.read(-1 if size is None else size)

    def open(self, number: int, size: int) -> None:
        """Make `number` the one that `write` extends, cut to `size` bytes; the one before is synced by `sync`."""
        if self._descriptor < 0:
            self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, size)
        except OSError:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            self._retired.append(self._descriptor)
        self._descriptor = descriptor
        self._offset = size
        self._new_name = True

    def write(self, data: bytes) -> None:
        """Append all of `data` or nothing: what a full disk took of it is cut off again.

        Raises OSError when nothing was written, and StoreError when a part was and could not be cut off.
        """
        try:
            written = os.write(self._descriptor, data)
            if written != len(data):
                raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes could be written")
        except OSError:
            self._cut_back()
            raise
        self._offset += written

    def sync(self) -> None:
        """Return once all that was written before the call is on the disk; may run on another thread."""
        descriptor = self._descriptor
        while self._retired:
            sync_file(self._retired[0])
            os.close(self._retired.popleft())
        sync_file(descriptor)
        if self._new_name:
            self._new_name = False
            sync_directory(self._directory)

    def delete(self, number: int) -> None:
        """Remove a segment that is not the open one."""
        self._path(number).unlink()

    def close(self) -> None:
        """Close what is open."""
        while self._retired:
            os.close(self._retired.popleft())
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._offset)
        except OSError as error:
            raise StoreError(f"a partial write to {self._directory} could not be undone: {error}") from error

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:08d}{SUFFIX}"
