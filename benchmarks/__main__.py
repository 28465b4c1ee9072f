"""Runs all benchmarks, or those named on the command line."""

import sys
from importlib import import_module

NAMES = ("bus_publish", "lobster_replay", "tick_to_order", "http_requests", "start_up", "numeric_peers")

for name in sys.argv[1:] or NAMES:
    print(f"\n== {name}", flush=True)
    import_module(f"benchmarks.{name}").main()
