"""Nautilus: an institutional trading platform in one process.

    import nautilus

    async with nautilus.Node(nautilus.load_config()) as node:
        ...

Nothing heavy is imported until it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nautilus.config import load_config
    from nautilus.node import Node

__all__ = ["Node", "__version__", "load_config"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Node":
        from nautilus.node import Node

        return Node
    if name == "load_config":
        from nautilus.config import load_config

        return load_config
    raise AttributeError(f"module 'nautilus' has no attribute {name!r}")
