"""The documentation: pages whose code is run by the tests, and one that is made from the types."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CONFIGURATION = FOLDER / "configuration.md"
DEFAULT_TOML = FOLDER.parent / "config" / "default.toml"
