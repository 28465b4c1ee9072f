"""Commands that look into the catalog; none of them needs the node to stand still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nautilus.data_commands.parameters import (
    Hours,
    calendar_sessions,
    sessions_between,
    to_duration,
    to_hours,
    utc_text,
)
from nautilus.data_commands.place import entry_of, progress, store_options, time_options, to_read

if TYPE_CHECKING:
    import polars as pl


@click.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(directory: Path, as_json: bool) -> None:
    """List kinds and instruments with their rows, times and files."""
    import msgspec

    entries = to_read(directory).list()
    if as_json:
        click.echo(msgspec.json.encode(entries).decode())
        return
    click.echo(f"{'kind':<10} {'instrument':<20} {'rows':>14} {'first':<30} {'last':<30} {'files':>6} {'MB':>9}")
    for entry in entries:
        damaged = f"  {len(entry.corrupt)} damaged" if entry.corrupt else ""
        click.echo(
            f"{entry.kind:<10} {entry.instrument_id:<20} {entry.rows:>14,} {utc_text(entry.start_ns):<30} "
            f"{utc_text(entry.end_ns):<30} {entry.files:>6,} {entry.bytes / 1e6:>9,.2f}{damaged}"
        )


@click.command()
@click.argument("kind")
@click.argument("instrument_id", metavar="INSTRUMENT")
@time_options
@click.option("--rows", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Rows to print.")
@click.option("--tail", is_flag=True, help="Print the last rows, not the first.")
@store_options
def show(
    directory: Path,
    kind: str,
    instrument_id: str,
    start_ns: int | None,
    end_ns: int | None,
    rows: int,
    tail: bool,
) -> None:
    """Print some rows as CSV, prices and sizes in whole ticks and lots as they are kept."""
    catalog = to_read(directory)
    entry = entry_of(catalog, kind, instrument_id)
    lazy = catalog.read(kind, instrument_id, start_ns, end_ns)
    columns = ", ".join(f"{name} {kind_of}" for name, kind_of in lazy.collect_schema().items())
    click.echo(f"{entry.rows:,} rows in {entry.files:,} files; {columns}", err=True)
    frame = (lazy.tail(rows) if tail else lazy.head(rows)).collect(engine="streaming")
    click.echo(frame.write_csv(), nl=False)


@click.command("export")
@click.argument("kind")
@click.argument("instrument_id", metavar="INSTRUMENT")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@time_options
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@store_options
def export_command(
    directory: Path,
    kind: str,
    instrument_id: str,
    output: Path,
    start_ns: int | None,
    end_ns: int | None,
    overwrite: bool,
) -> None:
    """Write rows to OUTPUT, a .csv, .parquet or .arrow file."""
    catalog = to_read(directory)
    entry_of(catalog, kind, instrument_id)
    _export(catalog.read(kind, instrument_id, start_ns, end_ns), output, overwrite)


@click.command()
@click.argument("left_kind")
@click.argument("right_kind")
@click.argument("instrument_id", metavar="INSTRUMENT")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@time_options
@click.option(
    "--tolerance",
    "tolerance_ns",
    type=to_duration,
    metavar="DURATION",
    help="Furthest apart in time, such as 500ms or 2s.",
)
@click.option("--forward", is_flag=True, help="Join the row that follows, not the one that prevailed.")
@click.option("--strict", is_flag=True, help="A row of the very same time does not count.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@store_options
def join(
    directory: Path,
    left_kind: str,
    right_kind: str,
    instrument_id: str,
    output: Path,
    start_ns: int | None,
    end_ns: int | None,
    tolerance_ns: int | None,
    forward: bool,
    strict: bool,
    overwrite: bool,
) -> None:
    """Write LEFT_KIND with the RIGHT_KIND that prevailed, as trades with quotes, to OUTPUT (.csv, .parquet, .arrow)."""
    from nautilus.store.as_of import read_as_of

    catalog = to_read(directory)
    for kind in (left_kind, right_kind):
        entry_of(catalog, kind, instrument_id)
    joined = read_as_of(
        catalog,
        left_kind,
        right_kind,
        instrument_id,
        start_ns,
        end_ns,
        tolerance_ns=tolerance_ns,
        strategy="forward" if forward else "backward",
        allow_exact_matches=not strict,
    )
    _export(joined, output, overwrite)


def _export(lazy: pl.LazyFrame, output: Path, overwrite: bool) -> None:
    import polars as pl

    from nautilus.store.export import export

    total = int(lazy.select(pl.len()).collect(engine="streaming").item())
    with progress("Writing") as shown:
        rows = export(lazy, output, overwrite=overwrite, progress=lambda done: shown(done, total))
    click.echo(f"{output}: {rows:,} rows", err=True)


@click.command()
@click.argument("kind")
@click.argument("instrument_id", metavar="INSTRUMENT")
@time_options
@click.option(
    "--longer-than",
    "threshold_ns",
    type=to_duration,
    metavar="DURATION",
    default="1m",
    show_default=True,
    help="Shortest gap.",
)
@click.option(
    "--hours",
    type=to_hours,
    metavar="HOURS",
    help="Only on weekdays within hours, such as 09:30-16:00@America/New_York.",
)
@click.option("--calendar", help="Only while this market trades, such as XNYS; half days and holidays included.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--fail", is_flag=True, help="Exit with 3 where something is missing.")
@store_options
def gaps(
    directory: Path,
    kind: str,
    instrument_id: str,
    start_ns: int | None,
    end_ns: int | None,
    threshold_ns: int,
    hours: Hours | None,
    calendar: str | None,
    as_json: bool,
    fail: bool,
) -> None:
    """Report silences, days without data, duplicates and the coverage of each day."""
    import msgspec

    from nautilus.store.gaps import gap_report

    if hours is not None and calendar is not None:
        raise click.UsageError("--hours and --calendar do not go together.")
    catalog = to_read(directory)
    entry = entry_of(catalog, kind, instrument_id)
    begin_ns = entry.start_ns if start_ns is None else start_ns
    stop_ns = entry.end_ns + 1 if end_ns is None else end_ns
    sessions = None if hours is None else sessions_between(hours, begin_ns, stop_ns)
    if calendar is not None:
        sessions = calendar_sessions(calendar, begin_ns, stop_ns)
    with progress("Reading") as shown:
        report = gap_report(catalog, kind, instrument_id, begin_ns, stop_ns, threshold_ns, sessions, shown)
    if as_json:
        click.echo(msgspec.json.encode(report).decode())
    else:
        for day in report.days:
            click.echo(f"{utc_text(day.start_ns)[:10]}  {day.rows:>12,} rows  {day.coverage:>8.2%} covered")
        for gap in report.gaps:
            click.echo(f"gap {gap.length_ns / 1e9:>14,.3f} s  {utc_text(gap.start_ns)} to {utc_text(gap.end_ns)}")
        click.echo(
            f"{report.rows:,} rows, {report.gap_count:,} gaps, {len(report.days_without_data):,} days without data, "
            f"{report.duplicates:,} duplicates, {report.out_of_order:,} out of order, "
            f"{report.outside_sessions:,} outside sessions"
        )
    if fail and (report.gap_count or report.days_without_data or report.duplicates):
        raise click.exceptions.Exit(3)


@click.command()
@click.option("--kind", help="Only this kind.")
@click.option("--instrument", "instrument_id", help="Only this instrument.")
@store_options
def verify(directory: Path, kind: str | None, instrument_id: str | None) -> None:
    """Compare every file with its checksum; exit with 1 where one is damaged."""
    catalog = to_read(directory)
    with progress("Comparing") as shown:
        damage = catalog.damage(kind, instrument_id, shown)
    for line in damage:
        click.echo(line)
    if damage:
        raise click.exceptions.Exit(1)
    click.echo("Every file holds what was written.", err=True)


COMMANDS = (list_command, show, export_command, join, gaps, verify)
