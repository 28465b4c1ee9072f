"""Which sources there are, by name; each is imported when it is first needed."""

from importlib import import_module
from typing import TYPE_CHECKING

from nautilus.errors import NotFound

if TYPE_CHECKING:
    from nautilus.engines.marketdata.sources.source import Source

SOURCES = {
    "alpha_vantage": "alpha_vantage:AlphaVantage",
    "datagov": "datagov:DataGov",
    "dbnomics": "dbnomics:DBnomics",
    "edgar": "edgar:Edgar",
    "fred": "fred:Fred",
    "trading_economics": "trading_economics:TradingEconomics",
    "yahoo": "yahoo:Yahoo",
}
"""Module beside this one and class in it, by the source's name, which is also its section of the configuration."""


def source_type(name: str) -> "type[Source]":
    """The class of a source; raises NotFound."""
    if name not in SOURCES:
        raise NotFound("source", name)
    module, _, kind = SOURCES[name].partition(":")
    found: type[Source] = getattr(import_module(f"nautilus.engines.marketdata.sources.{module}"), kind)
    return found
