"""A real `nautilus serve` in a process of its own, for tests that talk to it as a user would."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec


class Served(msgspec.Struct, frozen=True):
    """Where it listens, its process, and the file that its output goes to."""

    port: int
    process: Any
    output: Path

    def get(self, path: str) -> Any:
        """The decoded answer to a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as reply:
            return json.loads(reply.read())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, *arguments: str, ready_seconds: float = 90) -> Iterator[Served]:
    """Run `nautilus serve` until the block ends, from when it is ready."""
    port = free_port()
    output = folder / "output.txt"
    command = [sys.executable, "-m", "nautilus", "serve", "--port", str(port), "--data-dir", str(folder / "data")]
    with output.open("wb") as file, subprocess.Popen([*command, *arguments], stdout=file, stderr=file) as process:
        server = Served(port, process, output)
        try:
            _wait_ready(server, ready_seconds)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_ready(server: Served, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            server.get("/health/ready")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"not ready within {seconds} s:\n{server.output.read_text()}")
