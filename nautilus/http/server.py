"""Runs the app with uvicorn around a node's life."""

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from nautilus.errors import ConfigError
from nautilus.http.app import build_app

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

if TYPE_CHECKING:
    from nautilus.config import HttpConfig
    from nautilus.node import Node


def check_address(config: "HttpConfig") -> None:
    """Refuse to listen beyond this machine: without API keys nobody else may reach the orders."""
    try:
        loopback = config.host == "localhost" or ipaddress.ip_address(config.host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            "http", "http.host", f"{config.host!r} is not a loopback address; put an authenticating proxy in front"
        )


def bind(config: "HttpConfig") -> socket.socket:
    """A listening socket, so that a port in use is known before anything is started; raises ConfigError."""
    check_address(config)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            "http", "http.port", f"cannot listen on {config.host}:{config.port}: {error.strerror}"
        ) from None
    listener.set_inheritable(True)
    return listener


BACKLOG = 2048
"""Connections that may wait to be accepted."""


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers: they would raise the signal once more while the node still stops."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """A web server around one node: it answers while the node starts, and stops before the node does."""

    def __init__(self, node: "Node") -> None:
        check_address(node.config.http)
        self.node = node
        self._server = _Uvicorn(
            uvicorn.Config(
                build_app(node),
                lifespan="off",
                log_config=None,
                access_log=False,
                ws="websockets-sansio",
                ws_per_message_deflate=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )

    async def run(self, listener: socket.socket, until: "asyncio.Event | None" = None) -> None:
        """Serve until SIGINT, SIGTERM, or until the event is set; raises what keeps the node from starting."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.stop)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        starting = asyncio.create_task(self.node.start())
        waiting = asyncio.create_task(until.wait() if until else asyncio.Event().wait())
        superseded = asyncio.create_task(self.node.was_superseded.wait())
        try:
            await asyncio.wait({serving, starting, superseded}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and not self.node.superseded:
                starting.result()
            await asyncio.wait({serving, waiting, superseded}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop()
            for task in (starting, waiting, superseded):
                task.cancel()
            try:
                await asyncio.gather(starting, waiting, superseded, return_exceptions=True)
                await serving
            finally:
                await self.node.stop()
                listener.close()
                for number in _SIGNALS:
                    loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Ask the server, and then the node, to stop."""
        self._server.should_exit = True
