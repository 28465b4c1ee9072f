"""Requests per second over the read endpoints of all engines while the simulated market runs, with p99 and loop lag.

Server and client are two processes on two cores; eight connections ask the endpoints in turn.
"""

import asyncio
import json
import time

from benchmarks.measure import quantile
from benchmarks.serving import Server, serving

CONNECTIONS = 8
SECONDS = 10


def endpoints(server: Server) -> list[str]:
    """Read endpoints without parameters that answer 200 now."""
    document = json.loads(server.read("/openapi.json"))
    found = []
    for path, methods in document["paths"].items():
        required = [item for item in methods.get("get", {}).get("parameters", []) if item["required"]]
        if "get" in methods and not required and "{" not in path:
            try:
                server.read(path)
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
    with serving() as server:
        time.sleep(10)
        print(f"loop lag, market running, no load: p99 {lag(server):.2f} ms")
        paths = endpoints(server)
        found = asyncio.run(load(server.port, paths))
        print(
            f"{len(paths)} read endpoints, {CONNECTIONS} connections: {len(found) / SECONDS:,.0f} requests/s, "
            f"p50 {quantile(found, 0.5):.2f} ms, p99 {quantile(found, 0.99):.2f} ms"
        )
        print(f"loop lag under that load: p99 {lag(server):.2f} ms")


def lag(server: Server) -> float:
    milliseconds: float = server.data("/clock")["loop_lag"]["p99"] * 1000
    return milliseconds
