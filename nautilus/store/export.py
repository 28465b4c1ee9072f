"""A lazy frame into a file for others: CSV, Parquet or Arrow, whole or not at all, without holding all rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nautilus.errors import Conflict, Invalid, StoreError
from nautilus.store.errors import DiskRefused, disk_error
from nautilus.store.parts import TEMPORARY

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = (".csv", ".parquet", ".arrow")


def export(
    lazy: pl.LazyFrame, path: Path, *, overwrite: bool = False, progress: Callable[[int], None] | None = None
) -> int:
    """Write all rows to `path` in the format that its suffix names, and return how many there were. Blocks.

    `progress` gets the rows written so far, on another thread. Raises Invalid for another suffix, Conflict where the
    file is there and may not be replaced, CorruptFile or DiskRefused where the disk refuses; nothing is left then.
    """
    import polars as pl

    if path.suffix not in SUFFIXES:
        raise Invalid("output", f"must end in one of {', '.join(SUFFIXES)}, not {path.name}")
    if path.exists() and not overwrite:
        raise Conflict(f"{path} is there already")
    rows = 0

    def count(batch: pl.DataFrame) -> pl.DataFrame:
        nonlocal rows
        rows += batch.height
        if progress is not None:
            progress(rows)
        return batch

    counted = lazy.map_batches(count, streamable=True, validate_output_schema=False)
    temporary = path.with_name(f"{path.name}{TEMPORARY}")
    try:
        if path.suffix == ".csv":
            counted.sink_csv(temporary, maintain_order=True)
        elif path.suffix == ".parquet":
            counted.sink_parquet(temporary, maintain_order=True)
        else:
            counted.sink_ipc(temporary, maintain_order=True)
        temporary.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        refusal = disk_error(error)
        if refusal is None:
            raise StoreError(f"{path} could not be written: {error}") from error
        raise DiskRefused(path, refusal) from error
    finally:
        temporary.unlink(missing_ok=True)
    return rows
