"""The true order book of an instrument, built by insert, update and delete as IBKR documents them."""

from dataclasses import dataclass, field
from types import MappingProxyType

OPERATIONS = MappingProxyType({"insert": 0, "update": 1, "delete": 2})
SIDES = MappingProxyType({"ask": 0, "bid": 1})


@dataclass(frozen=True)
class Level:
    """One row."""

    price: float
    size: float
    market_maker: str = ""


@dataclass
class Book:
    """Both sides, best row first."""

    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)

    def rows(self, side: str) -> list[Level]:
        """The rows of "bid" or "ask"."""
        assert side in SIDES, f"side must be one of {sorted(SIDES)}"
        return self.bids if side == "bid" else self.asks

    def apply(self, operation: str, side: str, position: int, level: Level) -> None:
        """Insert shifts later rows down, delete shifts them up; an update beyond the end appends."""
        assert operation in OPERATIONS, f"operation must be one of {sorted(OPERATIONS)}"
        rows = self.rows(side)
        if operation == "insert":
            rows.insert(position, level)
        elif operation == "delete":
            del rows[position : position + 1]
        elif position < len(rows):
            rows[position] = level
        else:
            rows.append(level)
