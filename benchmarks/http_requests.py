"""Requests per second over the read endpoints of all engines while the simulated market runs, with p99 and loop lag.

Server and client are two processes on two cores; eight connections ask the endpoints in turn.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from benchmarks.measure import quantile

CONNECTIONS = 8
SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
        content: bytes = reply.read()
        return content


def wait_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            read(port, "/health/ready")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not become ready")


def endpoints(port: int) -> list[str]:
    """Read endpoints without parameters that answer 200 now."""
    document = json.loads(read(port, "/openapi.json"))
    found = []
    for path, methods in document["paths"].items():
        required = [item for item in methods.get("get", {}).get("parameters", []) if item["required"]]
        if "get" in methods and not required and "{" not in path:
            try:
                read(port, path)
            except OSError:
                continue
            found.append(path)
    return found


async def ask(port: int, paths: list[str], until: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.perf_counter() < until:
        path = paths[number % len(paths)]
        number += 1
        started = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        latencies.append((time.perf_counter() - started) * 1000)
    writer.close()


async def load(port: int, paths: list[str]) -> list[float]:
    latencies: list[float] = []
    until = time.perf_counter() + SECONDS
    await asyncio.gather(*(ask(port, paths, until, latencies) for _ in range(CONNECTIONS)))
    return latencies


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "nautilus", "serve", "--port", str(port), "--data-dir", directory]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                wait_ready(port, process)
                time.sleep(10)
                print(f"loop lag, market running, no load: p99 {lag(port):.2f} ms")
                paths = endpoints(port)
                found = asyncio.run(load(port, paths))
                print(
                    f"{len(paths)} read endpoints, {CONNECTIONS} connections: {len(found) / SECONDS:,.0f} requests/s, "
                    f"p50 {quantile(found, 0.5):.2f} ms, p99 {quantile(found, 0.99):.2f} ms"
                )
                print(f"loop lag under that load: p99 {lag(port):.2f} ms")
            finally:
                process.terminate()


def lag(port: int) -> float:
    milliseconds: float = json.loads(read(port, "/clock"))["data"]["loop_lag"]["p99"] * 1000
    return milliseconds
