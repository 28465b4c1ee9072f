"""Runs all benchmarks, or those named on the command line."""

import sys
from importlib import import_module

NAMES = (
    "bus_publish",
    "bus_mailbox",
    "bus_recording",
    "clock",
    "redis_edge",
    "cluster",
    "catalog",
    "postgres_store",
    "market_flow",
    "order_books",
    "lobster_replay",
    "tick_to_order",
    "http_requests",
    "start_up",
    "numeric_peers",
    "accel_kernels",
    "accel_router",
    "ml_networks",
)

for name in sys.argv[1:] or NAMES:
    print(f"\n== {name}", flush=True)
    import_module(f"benchmarks.{name}").main()
