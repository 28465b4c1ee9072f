"""What every test shares: the real data, when it is there, and a watch over calls that block the event loop."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data and reference vectors; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("NAUTILUS_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder} (set NAUTILUS_DATA)")
    return folder


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    """Our code fails a test in which it blocks the event loop, but for what is meant to happen there."""
    watch = BlockBuster(scanned_modules=["nautilus"])
    allowed = {
        # the journal is written in the caller's stack, so that what is acknowledged survives the process
        "os.write": [("nautilus/store/segments.py", {"write"})],
        # before the node is ready there is nothing yet to hold up
        "io.BufferedReader.read": [("nautilus/node.py", {"_recover"})],
        "os.stat": [("nautilus/node.py", {"_recover"}), ("nautilus/http/app.py", {"build_app"})],
        "os.listdir": [("nautilus/node.py", {"_recover"})],
        "os.scandir": [("nautilus/node.py", {"_recover"})],
        "os.getcwd": [("nautilus/http/app.py", {"build_app"})],
    }
    for name, function in watch.functions.items():
        # compiling a kernel, or importing a module, at first use; nodes in production do both before they are ready
        function.can_block_in("numba/core/dispatcher.py", {"compile", "_compile_for_args", "enable_caching"})
        function.can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
        for place, functions in allowed.get(name, []):
            function.can_block_in(place, functions)
    watch.activate()
    yield
    watch.deactivate()
