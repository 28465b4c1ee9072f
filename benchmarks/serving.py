"""A `nautilus serve` of its own for the benchmarks that need one."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Server:
    """A running server: its port, its process, and how long it took to be ready."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.process = process
        self.ready_seconds = 0.0

    def read(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
            content: bytes = reply.read()
            return content

    def data(self, path: str) -> Any:
        return json.loads(self.read(path))["data"]

    def wait_ready(self) -> None:
        started = time.monotonic()
        while time.monotonic() < started + 180 and self.process.poll() is None:
            try:
                self.read("/health/ready")
            except OSError:
                time.sleep(0.02)
            else:
                self.ready_seconds = time.monotonic() - started
                return
        raise RuntimeError("the server did not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start the server in a fresh folder, wait until it is ready, end it afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        port = _free_port()
        command = [sys.executable, "-m", "nautilus", "serve", "--port", str(port), "--data-dir", directory]
        variables = {**os.environ, **(environment or {})}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables) as process:
            try:
                server = Server(port, process)
                server.wait_ready()
                yield server
            finally:
                process.terminate()
