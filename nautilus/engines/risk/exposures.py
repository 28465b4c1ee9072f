"""The gate's own view of what is held and what is working, kept so that an order's effect is a few additions.

Exposure is worst-case: what would be held if every open order of the worse side filled. Money is float, in the node's
base currency; lots and ticks are exact. `revalue` after every round of marks removes the rounding that additions leave.
"""

from collections.abc import Iterable

from nautilus.model.messages import TradingState

INFINITE = float("inf")


class Exposure:
    """Sums over the holdings of one scope, and the caps that the gate enforces on it.

    `gross` is the sum of worst-case absolute values, `net_high` and `net_low` of values with all buys or all sells
    filled, `initial` of worst-case values times initial margin rates.
    """

    __slots__ = (
        "concentration_cap",
        "equity",
        "gross",
        "gross_cap",
        "holdings",
        "initial",
        "leverage_cap",
        "margin_utilization",
        "name",
        "net_cap",
        "net_high",
        "net_low",
        "position_cap",
        "state",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.gross = self.net_high = self.net_low = self.initial = 0.0
        self.equity: float | None = None
        self.margin_utilization: float | None = None
        self.holdings: list[Holding] = []
        self.state: TradingState = "active"
        self.lift_caps()

    def lift_caps(self) -> None:
        """Enforce nothing until caps are set again."""
        self.gross_cap = self.net_cap = self.position_cap = self.leverage_cap = self.concentration_cap = INFINITE

    @property
    def net(self) -> float:
        """The larger absolute value of `net_high` and `net_low`."""
        return max(abs(self.net_high), abs(self.net_low))

    @property
    def largest(self) -> float:
        """The largest worst-case absolute value of one holding."""
        return max((holding.worst for holding in self.holdings), default=0.0)


class Holding:
    """One instrument held by one account or strategy: exact lots, and their worth at the last mark.

    `point` is what one lot is worth for each tick of price, `mark` the price in ticks, `rate` the initial margin rate.
    """

    __slots__ = (
        "groups",
        "high",
        "initial",
        "instrument_id",
        "low",
        "mark",
        "open_buy",
        "open_sell",
        "point",
        "position",
        "rate",
        "worst",
    )

    def __init__(self, instrument_id: str, groups: Iterable[Exposure], point: float, rate: float) -> None:
        self.instrument_id = instrument_id
        self.groups = tuple(groups)
        self.point = point
        self.rate = rate
        self.mark = 0.0
        self.position = self.open_buy = self.open_sell = 0
        self.high = self.low = self.worst = self.initial = 0.0

    def attach(self) -> None:
        """Count in the sums of the groups from now on."""
        for group in self.groups:
            group.holdings.append(self)

    @property
    def is_flat(self) -> bool:
        """Nothing held and nothing working."""
        return not (self.position or self.open_buy or self.open_sell)

    @property
    def value(self) -> float:
        """What is held, at the last mark, signed."""
        return self.position * self.mark * self.point

    def revalue(self) -> None:
        """Bring the values, and the sums of every group, up to the lots and the mark as they are now."""
        unit = self.mark * self.point
        high = unit * (self.position + self.open_buy)
        low = unit * (self.position - self.open_sell)
        worst = max(abs(high), abs(low))
        initial = worst * self.rate
        for group in self.groups:
            group.gross += worst - self.worst
            group.net_high += high - self.high
            group.net_low += low - self.low
            group.initial += initial - self.initial
        self.high, self.low, self.worst, self.initial = high, low, worst, initial


def resum(groups: Iterable[Exposure]) -> None:
    """Sum every group anew from its holdings, and drop holdings that are flat."""
    for group in groups:
        group.holdings = [holding for holding in group.holdings if not holding.is_flat]
        group.gross = sum(holding.worst for holding in group.holdings)
        group.net_high = sum(holding.high for holding in group.holdings)
        group.net_low = sum(holding.low for holding in group.holdings)
        group.initial = sum(holding.initial for holding in group.holdings)
