"""What every test shares: the real data, when it is there, and a watch over calls that block the event loop."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

# a kernel's first call compiles it; in CI the examples are the same every time
settings.register_profile("nautilus", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("nautilus")

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
    for name, function in watch.functions.items():
        # while a node is built or recovers there is nothing yet to hold up
        function.can_block_in("nautilus/node.py", {"__init__", "_recover"})
        function.can_block_in("nautilus/config.py", {"load_config"})
        function.can_block_in("nautilus/http/app.py", {"build_app"})
        # compiling a kernel, or importing a module, at first use; nodes in production do both before they are ready
        function.can_block_in("numba/core/dispatcher.py", {"compile", "_compile_for_args", "enable_caching"})
        function.can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
        if name == "os.write":
            # the journal is written in the caller's stack, so that what is acknowledged survives the process
            function.can_block_in("nautilus/store/segments.py", {"write"})
    watch.activate()
    yield
    watch.deactivate()
