"""Commands that change the catalog: import, compaction and retention. No node may run on the directory meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from nautilus.data_commands.parameters import to_time, utc_text
from nautilus.data_commands.place import progress, store_options, to_read, to_write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nautilus.store.catalog import ParquetCatalog


@click.command()
@click.option("--kind", help="Only this kind.")
@click.option("--instrument", "instrument_id", help="Only this instrument.")
@click.option(
    "--before",
    "before_ns",
    type=to_time,
    metavar="TIME",
    help="Only days that ended by then (default: before today, UTC).",
)
@store_options
def compact(directory: Path, kind: str | None, instrument_id: str | None, before_ns: int | None) -> None:
    """Make one file of all files of each day that is over."""
    from nautilus.clock import LiveClock

    to_read(directory)
    closed_ns = LiveClock().timestamp_ns() if before_ns is None else before_ns
    with progress("Compacting") as shown:
        report = to_write(
            directory,
            lambda catalog: catalog.compact(kind, instrument_id, before_ns=closed_ns, progress=shown),
        )
    for line in report.left_alone:
        click.echo(f"left as it is: {line}", err=True)
    click.echo(
        f"{report.days:,} days: {report.files_before:,} files of {report.bytes_before / 1e6:,.1f} MB became "
        f"{report.files_after:,} of {report.bytes_after / 1e6:,.1f} MB",
        err=True,
    )


@click.command()
@click.option(
    "--before",
    "before_ns",
    type=to_time,
    metavar="TIME",
    required=True,
    help="Remove the days (UTC) that ended by then.",
)
@click.option("--kind", help="Only this kind.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_options
def prune(directory: Path, before_ns: int, kind: str | None, yes: bool) -> None:
    """Remove old days for good."""
    to_read(directory)
    if not yes:
        what = f"{kind} data" if kind else "data of all kinds"
        click.confirm(f"Remove {what} under {directory} of the days before {utc_text(before_ns)}?", abort=True)
    removed = to_write(directory, lambda catalog: catalog.prune(before_ns, kind))
    click.echo(f"{removed:,} rows removed", err=True)


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--tick", help="Tick size of the instruments of tick files (0.01, or what instruments.json says).")
@click.option("--lot", help="Lot size of the instruments of tick files (1, or what instruments.json says).")
@click.option(
    "--bad-rows",
    type=click.Choice(["refuse", "skip"]),
    default="refuse",
    show_default=True,
    help="What a row that makes no sense does: end the import, or be left out and counted.",
)
@click.option("--append", is_flag=True, help="Add rows even where the catalog holds some of that time already.")
@store_options
def import_command(directory: Path, path: Path, tick: str | None, lot: str | None, bad_rows: str, append: bool) -> None:
    """Import LOBSTER days or tick files from PATH, a file or a folder.

    Tick files are called INSTRUMENT.trades, .quotes or .bars-SPEC, then .csv or .parquet.
    """
    from nautilus.data_commands.tick_import import Grid, imported

    policy: Literal["refuse", "skip"] = "skip" if bad_rows == "skip" else "refuse"
    batches = imported(path, Grid(tick, lot), policy, _note_skipped)

    async def write(catalog: ParquetCatalog) -> int:
        rows = 0
        with progress("Importing") as shown:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                columns = batch.columns
                if len(columns) and not append:
                    await asyncio.to_thread(
                        _refuse_overlap, catalog, batch.kind, columns.instrument_id, columns.ts_event
                    )
                await catalog.write(batch.kind, columns.instrument_id, columns.arrays())
                rows += len(columns)
                shown(batch.done, batch.total)
        return rows

    click.echo(f"{to_write(directory, write):,} rows imported", err=True)


def _refuse_overlap(catalog: ParquetCatalog, kind: str, instrument_id: str, times: NDArray[np.int64]) -> None:
    from nautilus.errors import Conflict, NotFound

    first_ns, last_ns = int(times[0]), int(times[-1])
    try:
        held = catalog.read(kind, instrument_id, first_ns, last_ns + 1).head(1).collect()
    except NotFound:
        return
    if held.height:
        raise Conflict(
            f"the catalog holds {kind} data of {instrument_id} between {utc_text(first_ns)} and {utc_text(last_ns)} "
            "already; --append puts these rows beside them"
        )


def _note_skipped(file: str, reason: str, rows: int) -> None:
    click.echo(f"{file}: {rows:,} rows skipped: {reason}", err=True)


COMMANDS = (import_command, compact, prune)
