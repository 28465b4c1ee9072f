"""From the command to thirteen engines ready: with an empty kernel cache, and with a full one; memory after 20 s."""

import tempfile
import time
from pathlib import Path

from benchmarks.serving import serving


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        environment = {"NUMBA_CACHE_DIR": cache}
        with serving(environment) as server:
            print(f"first start, kernels compiled: ready in {server.ready_seconds:.1f} s")
        for _ in range(3):
            with serving(environment) as server:
                print(f"later start: ready in {server.ready_seconds:.1f} s")
                time.sleep(0.1)
        with serving(environment) as server:
            time.sleep(20)
            status = Path(f"/proc/{server.process.pid}/status")
            if status.exists():
                line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
                print(f"memory after 20 s with the market running: {int(line.split()[1]) / 1024:.0f} MiB")
