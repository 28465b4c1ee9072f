"""What completes a bar: time, a total, an imbalance or a run, of trades, lots or value.

Bars by imbalance and by runs are those of Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 2.3.2.
A trade t has an amount v_t (1, its lots, or its value) and a sign b_t by the tick rule: that of the last change of
price, 0 before the first; or its aggressor's, where asked for and known. In a bar of T trades, U and D are the amounts
with b = 1 and b = -1. With E[T], E[U / T] and E[D / T] expected when the bar begins, it is complete as soon as
    |U - D|   >= E[T] |E[U / T] - E[D / T]|     (imbalance; the book's E[T] |2 v+ - E[v]|)
    max(U, D) >= E[T] max(E[U / T], E[D / T])   (run; U / T stands for the book's P[b = 1] E[v | b = 1])
Expectations are exponentially weighted means over complete bars, e += (x - e) 2 / (span + 1).

Initialisation: the first bar has exactly `step` trades and its own T, U / T and D / T are the first expectations.
Bounds: the book's rule alone runs away, to bars of one trade or of a whole day. A bar is not complete before
`least_trades` and is complete at `most_trades`, by default a tenth and ten times of `step`.
"""

from __future__ import annotations

import re
from enum import IntEnum

import msgspec

from nautilus.errors import Invalid

NANOSECONDS = 1_000_000_000
NEVER_NS = 2**63 - 1
RULE_PATTERN = r"^[1-9][0-9]{0,14}(s|t|v|d|[tvd]ib|[tvd]rb)$"
RULE = re.compile(RULE_PATTERN)
_LARGEST = 2**62


class Criterion(IntEnum):
    """What is compared with the rule's step or expectation."""

    TIME = 0
    TOTAL = 1
    IMBALANCE = 2
    RUN = 3


class Unit(IntEnum):
    """What a trade amounts to: 1, its lots, or its value in ticks times lots."""

    TRADES = 0
    LOTS = 1
    VALUE = 2


class BarRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `step` is in nanoseconds, trades, lots or value (ticks times lots), or trades of the first bar.

    Value in currency is that number times tick size, lot size and multiplier of the instrument. `span` (bars),
    `least_trades`, `most_trades` and `by_aggressor` are of imbalance and run bars. Raises Invalid out of bounds.

    >>> str(BarRule.parse("5000000d")), BarRule.parse("500vib").trade_bounds
    ('5000000d', (50, 5000))
    """

    criterion: Criterion
    unit: Unit = Unit.TRADES
    step: int
    span: int = 20
    least_trades: int | None = None
    most_trades: int | None = None
    by_aggressor: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step <= _LARGEST:
            raise Invalid("step", f"must be in 1..2**62, not {self.step}")
        if self.span < 1:
            raise Invalid("span", f"must be at least 1, not {self.span}")
        least, most = self.trade_bounds
        if not 1 <= least <= most <= _LARGEST:
            raise Invalid("least_trades", f"must be in 1..most_trades ({most}), not {least}")

    @classmethod
    def parse(cls, text: str) -> BarRule:
        """Read "60s" (seconds), "100t" (trades), "5000v" (lots), "5000000d" (value), or a first bar and its kind.

        These are, with the number of trades of the first bar: "500tib", "500vib" and "500dib" for imbalance of
        trades, lots and value, "500trb", "500vrb" and "500drb" for runs. Raises Invalid for anything else.
        """
        if not RULE.fullmatch(text):
            raise Invalid("spec", f"must be such as 60s, 100t, 5000v, 5000000d, 500tib or 500drb, not {text!r}")
        number = int(text.rstrip("stvdirb"))
        letters = text[len(str(number)) :]
        if letters == "s":
            return cls(criterion=Criterion.TIME, step=number * NANOSECONDS)
        criterion = {"ib": Criterion.IMBALANCE, "rb": Criterion.RUN}.get(letters[1:], Criterion.TOTAL)
        return cls(criterion=criterion, unit=Unit("tvd".index(letters[0])), step=number)

    def __str__(self) -> str:
        if self.criterion is Criterion.TIME:
            return f"{self.step // NANOSECONDS}s"
        return f"{self.step}{'tvd'[self.unit]}{('', '', 'ib', 'rb')[self.criterion]}"

    @property
    def trade_bounds(self) -> tuple[int, int]:
        """The least and the most trades of an imbalance or run bar."""
        least = max(1, self.step // 10) if self.least_trades is None else self.least_trades
        most = min(_LARGEST, self.step * 10) if self.most_trades is None else self.most_trades
        return least, most
