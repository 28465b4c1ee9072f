"""Which strategy classes there are: built-in ones, those of installed packages, those named in the configuration."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from nautilus.engines.registry import plugins
from nautilus.engines.strategy.strategy import Strategy
from nautilus.errors import ConfigError, Conflict, NotFound

GROUP = "nautilus.strategies"
BUILT_IN = {
    "ema_cross": "nautilus.engines.strategy.strategies.ema_cross:EmaCross",
    "vpin_market_maker": "nautilus.engines.strategy.strategies.vpin_market_maker:VpinMarketMaker",
}


class StrategyClasses:
    """Classes by name. A name is all that a request can give: it never makes the node import what it did not know.

    Packages add theirs by entry points of the group `nautilus.strategies`, a configuration by "package.module:Class".
    All are imported here, once, which touches the disk; one that cannot be is an error only to whoever asks for it.
    """

    def __init__(self, configured: Mapping[str, str] | None = None) -> None:
        self._classes: dict[str, type[Strategy[Any]]] = {}
        self._errors: dict[str, ConfigError] = {}
        places = {point.name: point.value for point in plugins(GROUP).values()} | BUILT_IN | dict(configured or {})
        for name, place in places.items():
            try:
                self._classes[name] = _load(name, place)
            except ConfigError as error:
                self._errors[name] = error

    def names(self) -> list[str]:
        """Names of the classes that can be deployed, sorted."""
        return sorted(self._classes)

    @property
    def problems(self) -> list[str]:
        """Why classes that were named are not there."""
        return [str(error) for error in self._errors.values()]

    def add(self, name: str, strategy_type: type[Strategy[Any]]) -> None:
        """Make a class known that is at hand, as a notebook or a backtest does."""
        if self._classes.get(name, strategy_type) is not strategy_type:
            raise Conflict(f"there is a strategy class {name!r} already")
        self._classes[name] = strategy_type

    def get(self, name: str) -> type[Strategy[Any]]:
        """The class of a name; raises NotFound, or ConfigError for one that could not be imported."""
        if name in self._errors:
            raise self._errors[name]
        try:
            return self._classes[name]
        except KeyError:
            raise NotFound("strategy class", name) from None


def _load(name: str, place: str) -> type[Strategy[Any]]:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:
        raise ConfigError("strategy classes", name, f"{place!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise ConfigError("strategy classes", name, f"{place!r} is not a Strategy")
    return found
