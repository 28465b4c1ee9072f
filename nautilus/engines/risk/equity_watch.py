"""An account's equity over time, as limits ask for it: loss since midnight UTC, and fall from the highest.

Deposits and withdrawals move the reference points with the equity, so that taking money out is no loss.
"""

import msgspec

DAY_NS = 86_400_000_000_000


class EquityWatch(msgspec.Struct, kw_only=True):
    """Equity in base currency now, at the start of the UTC day, and at its highest since first seen.

    >>> watch = EquityWatch(equity=100.0, deposits=100.0, peak=100.0, day_start=100.0, day=0)
    >>> watch.update(120.0, 100.0, 1); watch.update(90.0, 100.0, 2)
    >>> watch.daily_loss, watch.drawdown
    (10.0, 0.25)
    """

    equity: float
    deposits: float
    peak: float
    day_start: float
    day: int

    @classmethod
    def begin(cls, equity: float, deposits: float, now_ns: int) -> "EquityWatch":
        """The first sight of an account."""
        return cls(equity=equity, deposits=deposits, peak=equity, day_start=equity, day=now_ns // DAY_NS)

    def update(self, equity: float, deposits: float, now_ns: int) -> None:
        """Take in a new equity; the first of a new day is measured against the last of the day before."""
        day = now_ns // DAY_NS
        if day > self.day:
            self.day, self.day_start = day, self.equity
        flow = deposits - self.deposits
        self.deposits = deposits
        self.peak += flow
        self.day_start += flow
        self.equity = equity
        self.peak = max(self.peak, equity)

    @property
    def daily_loss(self) -> float:
        """What was lost since the start of the day, positive; zero when something was gained."""
        return max(self.day_start - self.equity, 0.0)

    @property
    def drawdown(self) -> float | None:
        """Fall from the highest equity as a share of it; None while that is not positive."""
        return 1.0 - self.equity / self.peak if self.peak > 0.0 else None
