"""The command line. Heavy parts are imported by the commands that need them, so that `--help` answers at once."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nautilus import __version__
from nautilus.accel_commands import accel
from nautilus.data_commands import data

if TYPE_CHECKING:
    from nautilus.accel import Compilation
    from nautilus.config import NodeConfig
    from nautilus.node import Node


SWITCH_SECONDS = 0.0005
"""How long a computing thread may keep the interpreter from the loop; Python's own 5 ms would be loop lag."""


SUPERSEDED = 3
"""Exit code of a node that another has taken over from: a supervisor starts it again, and it stands by."""


class _Group(click.Group):
    """Our own errors are told in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        from nautilus.errors import NautilusError

        try:
            return super().invoke(ctx)
        except NautilusError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nautilus")
def main() -> None:
    """Nautilus: thirteen engines, one process, one command."""


_config_option = click.option(
    "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path), help="TOML file with the configuration."
)


@main.command()
@_config_option
@click.option("--host", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (8001).")
@click.option("--data-dir", help="Folder of the journal, the state and the catalog (~/.nautilus).")
@click.option("--engines", help="Engines to load, separated by commas (all that are not disabled).")
@click.option("--replay", type=click.Path(exists=True, path_type=Path), help="Replay recorded market data from here.")
@click.option("--speed", help='Replay speed: "max" (the default), or a multiple of real time.')
@click.option("--exit-after-replay", is_flag=True, help="Stop when the replay has ended.")
def serve(
    config_path: Path | None,
    host: str | None,
    port: int | None,
    data_dir: str | None,
    engines: str | None,
    replay: Path | None,
    speed: str | None,
    exit_after_replay: bool,
) -> None:
    """Run the platform: all engines, REST, WebSocket and the web page."""
    from nautilus.config import load_config
    from nautilus.replay import check_speed, replay_overrides

    overrides: dict[str, Any] = {
        key: value
        for key, value in {"http.host": host, "http.port": port, "store.directory": data_dir}.items()
        if value is not None
    }
    if engines is not None:
        overrides["load"] = [name.strip() for name in engines.split(",")]
    if replay is not None:
        overrides |= replay_overrides(replay, check_speed(speed or "max"), keeps_directory=data_dir is not None)
        overrides |= {"edges.enabled": False, "ownership.accounts": []}  # nobody else is to trade on what is past
    elif speed is not None or exit_after_replay:
        raise click.UsageError("--speed and --exit-after-replay go with --replay.")
    config = load_config(config_path, overrides)
    sys.setswitchinterval(SWITCH_SECONDS)
    run = _serve(config, replay is not None, exit_after_replay)
    try:
        import uvloop
    except ImportError:
        code, still_computing = asyncio.run(run)
    else:
        code, still_computing = uvloop.run(run)
    if still_computing:
        # everything is saved; the interpreter would wait for a computation, or a compiler, that nobody waits for
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


async def _serve(config: "NodeConfig", is_replay: bool, exit_after_replay: bool) -> tuple[int, bool]:
    """Run until stopped; returns the exit code, and whether a thread still computes something."""
    from nautilus.http.server import Server, bind
    from nautilus.node import Node
    from nautilus.replay import replay_clock, replay_ended, summary

    with bind(config.http) as listener:
        port = listener.getsockname()[1]
        host = f"[{config.http.host}]" if ":" in config.http.host else config.http.host
        clock = replay_clock() if is_replay else None
        node = Node(config, clock=clock, progress=_show_compilation, address=f"{host}:{port}")
        click.echo(f"Nautilus {__version__}  http://{host}:{port}/  (API: /docs, data: {config.store.directory})")
        click.echo(f"Market data: {_describe_source(node)}")
        server = Server(node)
        done = asyncio.Event()
        watcher = asyncio.create_task(
            _announce(node, done if exit_after_replay else None, is_replay, replay_ended, summary)
        )
        try:
            await server.run(listener, done)
        finally:
            watcher.cancel()
            (failure,) = await asyncio.gather(watcher, return_exceptions=True)
    if isinstance(failure, Exception):
        raise failure
    if node.superseded:
        click.echo(f"Stopped: {node.superseded}. Start it again to stand by.", err=True)
        return SUPERSEDED, node.accel.busy > 0
    click.echo("Stopped.")
    return 0, node.accel.busy > 0


def _describe_source(node: "Node") -> str:
    engine = node.engines.get("marketdata")
    if engine is None:
        return "none (the marketdata engine is not loaded)"
    return str(engine.describe_source())  # type: ignore[attr-defined] # the marketdata engine has it


async def _announce(
    node: "Node", done: "asyncio.Event | None", is_replay: bool, replay_ended: Any, summary: Any
) -> None:
    await node.became_ready.wait()
    running = sum(engine.running for engine in node.engines.values())
    click.echo(f"Ready: {running} of {len(node.engines)} engines. Ctrl-C stops.")
    if not is_replay:
        return
    try:
        await replay_ended(node)
        click.echo(summary(node))
    finally:
        if done is not None:
            done.set()


def _show_compilation(state: "Compilation") -> None:
    if state.done == 0 and state.current:
        click.echo(f"Preparing {state.total} kernels (the first start compiles them, later ones load them)")
    if sys.stdout.isatty():
        click.echo(f"\r  {state.done}/{state.total} {state.current[:60]:<60}", nl=state.done == state.total)
    elif state.done == state.total or state.done % 10 == 0:
        click.echo(f"  {state.done}/{state.total} kernels, {state.seconds:.1f} s")


@main.command()
def engines() -> None:
    """List the engines that are installed."""
    from nautilus.engines.registry import engine_entry_points, engine_type
    from nautilus.errors import Unavailable

    for name in engine_entry_points():
        try:
            kind = engine_type(name)
        except Unavailable as error:
            click.echo(f"{name:<14} {error}")
            continue
        summary = (sys.modules[kind.__module__].__doc__ or "").strip().partition("\n")[0]
        click.echo(f"{name:<14} {kind.prefix:<15} {summary}")


@main.group()
def config() -> None:
    """Check and show configurations."""


@config.command("check")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def config_check(path: Path) -> None:
    """Check a configuration file."""
    from nautilus.config import load_config

    load_config(path)
    click.echo(f"{path} is valid")


@config.command("show")
@_config_option
def config_show(config_path: Path | None) -> None:
    """Print every option with its value in force and its meaning, as TOML."""
    from nautilus.config import load_config
    from nautilus.configuration_reference import as_toml

    click.echo(as_toml(load_config(config_path)), nl=False)


main.add_command(accel)
main.add_command(data)
