"""Which engines there are: the entry points of the group `nautilus.engines`, the built-in thirteen among them."""

from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TYPE_CHECKING, Any

from nautilus.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from nautilus.engines.base import Engine

GROUP = "nautilus.engines"


@cache
def _installed() -> EntryPoints:
    """One scan of the installed packages for the life of the process: it reads the disk."""
    return entry_points()


def plugins(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, in alphabetical order; two of one name are a Conflict."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(_installed().select(group=group), key=lambda point: point.name):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise Conflict(f"two plugins of {group} are called {point.name!r}: {other.value} and {point.value}")
    return found


def engine_entry_points() -> dict[str, EntryPoint]:
    """Entry points of the engines by name."""
    return plugins(GROUP)


@cache
def engine_type(name: str) -> "type[Engine[Any]]":
    """The class of one engine, imported now; raises NotFound, and Unavailable where a plugin does not load."""
    point = engine_entry_points().get(name)
    if point is None:
        raise NotFound("engine", name)
    try:
        kind: type[Engine[Any]] = point.load()
    except Exception as error:
        raise Unavailable(f"engine {name!r} ({point.value}) does not load: {type(error).__name__}: {error}") from error
    return kind


def start_order(types: "dict[str, type[Engine[Any]]]") -> list[str]:
    """Names ordered so that each comes after what it depends on; ties alphabetical. A cycle is a Conflict.

    Dependencies that are not among `types` are ignored: a node without an engine still works.
    """
    waiting = {name: {need for need in kind.depends_on if need in types} for name, kind in sorted(types.items())}
    order: list[str] = []
    while waiting:
        ready = next((name for name, needs in waiting.items() if not needs - set(order)), None)
        if ready is None:
            raise Conflict(f"engines depend on one another in a circle: {', '.join(waiting)}")
        order.append(ready)
        del waiting[ready]
    return order
