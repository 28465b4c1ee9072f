"""Which catalog a command works on: the options that name it, and how it is opened to read or to write."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nautilus.data_commands.parameters import to_time

if TYPE_CHECKING:
    from nautilus.store.base import CatalogEntry
    from nautilus.store.catalog import ParquetCatalog


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which catalog; the command gets the directory of the store as `directory`."""

    def with_directory(config_path: Path | None, data_dir: str | None, **arguments: Any) -> None:
        command(directory=_directory(config_path, data_dir), **arguments)

    with_directory.__doc__ = command.__doc__
    with_directory.__dict__.update(command.__dict__)
    with_directory.__name__ = command.__name__
    with_config = click.option(
        "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path), help="TOML file."
    )(with_directory)
    return click.option("--data-dir", help="Folder of the store (~/.nautilus).")(with_config)


def time_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options --start and --end, which the command gets as `start_ns` and `end_ns`."""
    command = click.option(
        "--end", "end_ns", type=to_time, metavar="TIME", help="Before this time (ISO 8601, UTC, or ns)."
    )(command)
    return click.option(
        "--start", "start_ns", type=to_time, metavar="TIME", help="From this time on (ISO 8601, UTC, or ns)."
    )(command)


def _directory(config_path: Path | None, data_dir: str | None) -> Path:
    from nautilus.config import load_config
    from nautilus.errors import Invalid

    overrides = {} if data_dir is None else {"store.directory": data_dir}
    store = load_config(config_path, overrides).store
    if store.backend == "postgres" and data_dir is None:
        raise Invalid("store.backend", "is postgres; these commands tend a catalog in a folder: give --data-dir")
    if store.directory == ":memory:":
        raise Invalid("store.directory", "is :memory:, which no command can look into; give --data-dir")
    return Path(store.directory).expanduser()


def to_read(directory: Path) -> ParquetCatalog:
    """The catalog of a store, for reading; raises NotFound where there is none."""
    from nautilus.errors import NotFound
    from nautilus.store.catalog import ParquetCatalog

    if not (directory / "catalog").is_dir():
        raise NotFound("catalog under", str(directory))
    return ParquetCatalog(directory / "catalog")


def to_write[T](directory: Path, work: Callable[[ParquetCatalog], Awaitable[T]]) -> T:
    """Do something with the catalog while no other process may write to the directory."""
    from nautilus.store.catalog import ParquetCatalog
    from nautilus.store.errors import DiskRefused
    from nautilus.store.lock import DirectoryLock

    async def run() -> T:
        catalog = ParquetCatalog(directory / "catalog")
        await asyncio.to_thread(catalog.open)
        try:
            return await work(catalog)
        finally:
            await catalog.stop()

    lock = DirectoryLock()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(directory)
        return asyncio.run(run())
    except OSError as error:
        raise DiskRefused(directory, error, "cannot be used") from error
    finally:
        lock.release()


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while it is a terminal; call it with what is done and how much there is."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


def entry_of(catalog: ParquetCatalog, kind: str, instrument_id: str) -> CatalogEntry:
    """What the catalog holds of a kind and instrument; raises NotFound, which names the kinds there are."""
    from nautilus.errors import NotFound

    entries = catalog.list()
    for entry in entries:
        if (entry.kind, entry.instrument_id) == (kind, instrument_id):
            return entry
    kinds = [entry.kind for entry in entries if entry.instrument_id == instrument_id]
    raise NotFound(f"{kind} data (there are: {', '.join(kinds) or 'none'}) of", instrument_id)
