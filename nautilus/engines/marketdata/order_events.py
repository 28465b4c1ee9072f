"""Events of single orders (L3, market by order): what they mean, and whole columns of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Integers = NDArray[np.int64]

NONE: Final = 0
ADD: Final = 1
MODIFY: Final = 2
REDUCE: Final = 3
DELETE: Final = 4
CLEAR: Final = 5


class OrderAction(IntEnum):
    """What happens to one order, or to all.

    NONE leaves the book as it is (a trade or fill print beside the REDUCE that follows it). ADD puts an order at the
    end of its level's queue. MODIFY gives price and size anew: the place in the queue is kept only where the price
    stays and the size does not grow; an order not known is added. REDUCE takes `size_lots` off an order, which keeps
    its place; at nothing it leaves. DELETE takes the whole order out. CLEAR empties the book.
    """

    NONE = NONE
    ADD = ADD
    MODIFY = MODIFY
    REDUCE = REDUCE
    DELETE = DELETE
    CLEAR = CLEAR


class BookFaults(msgspec.Struct):
    """Events that a book without faults in its feed would not see, by kind; the book went on as said.

    `duplicate_adds`: an order added while it rested; it was replaced. `unknown_modifies`: an order modified that did
    not rest; it was added. `unknown_orders`: one reduced or deleted that did not rest; nothing was done.
    `excess_reductions`: a reduction by more than rested; the order left.
    """

    duplicate_adds: int = 0
    unknown_modifies: int = 0
    unknown_orders: int = 0
    excess_reductions: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.duplicate_adds + self.unknown_modifies + self.unknown_orders + self.excess_reductions


@dataclass(frozen=True, slots=True)
class OrderEventColumns:
    """Order events of one instrument, arrays [events] of int64; lists are converted.

    `action` holds the values of OrderAction and `side` those of Side; price (ticks) and side count for ADD and MODIFY
    only, size (lots) for these and REDUCE. `ts_event` is the exchange's time in ns. Raises Invalid, naming column and
    row, where an action is unknown, an ADD or MODIFY has no side, an ADD no size, or a size is negative.

    >>> OrderEventColumns([1, 3], [7, 7], [1, 1], [100, 100], [5, 2], [10, 20]).order_id.tolist()
    [7, 7]
    """

    action: Integers
    order_id: Integers
    side: Integers
    price_ticks: Integers
    size_lots: Integers
    ts_event: Integers

    def __post_init__(self) -> None:
        for field in fields(self):
            column = np.ascontiguousarray(getattr(self, field.name), dtype=np.int64)
            if column.ndim != 1 or len(column) != len(self.action):
                raise Invalid(field.name, f"must be a column of {len(self.action)} values, not of shape {column.shape}")
            object.__setattr__(self, field.name, column)
        priced = (self.action == ADD) | (self.action == MODIFY)
        self._refuse("action", (self.action < NONE) | (self.action > CLEAR), f"must be {NONE} to {CLEAR}")
        self._refuse("side", priced & (np.abs(self.side) != 1), "must be 1 or -1")
        self._refuse("size_lots", (self.action == ADD) & (self.size_lots <= 0), "must be positive")
        self._refuse("size_lots", (priced | (self.action == REDUCE)) & (self.size_lots < 0), "must not be negative")

    def _refuse(self, column: str, bad: NDArray[np.bool_], reason: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            raise Invalid(f"{column}[{row}]", f"{reason}, not {getattr(self, column)[row]}")

    def __len__(self) -> int:
        return len(self.action)

    def __getitem__(self, rows: slice) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """Several blocks of events as one, in the order given."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
