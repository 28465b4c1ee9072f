"""Bars by any rule, one trade at a time, within sessions and under a stated policy for trades out of order.

Boundaries. A time bar of step S covers [k S, (k + 1) S) since the epoch, UTC, cut to its session; a trade exactly on a
boundary opens the next bar. A tick bar has exactly N trades. Splitting: a volume bar has exactly V lots, and the trade
that completes it is split. A dollar bar ends with the lot with which its value reaches D, as lots are not divisible:
its value is in [D, D + price), the trade is split after that lot, and the next bar begins at zero. The rest of a split
trade opens the next bar, and the trade counts as one in each. Imbalance and run bars count trades and split none.
A bar's `ts_init` is that of the trade that completed it; of a time bar, or one cut by a session's close, its end.
What a cut bar held is no sample of the expectations of imbalance and run bars; a first bar that is cut begins anew.
"""

from __future__ import annotations

from nautilus.engines.marketdata.bar_policy import BarCounts, LatePolicy, SessionTimes
from nautilus.engines.marketdata.bar_rule import NEVER_NS, BarRule, Criterion, Unit
from nautilus.errors import Invalid
from nautilus.model import Bar, Side, Trade

BEFORE_NS = -(2**63)
_NOTHING: tuple[Bar, ...] = ()


class BarBuilder:
    """Bars of one instrument by one rule, each trade in O(1) (and O(bars) where one trade fills many).

    >>> builder = BarBuilder("X.Y", BarRule.parse("1000d"))
    >>> bars = builder.update(Trade("X.Y", 300, 10, Side.BUY, 1, 7, 7))
    >>> [bar.volume_lots for bar in bars], builder.current().volume_lots
    ([4, 4], 2)
    """

    def __init__(
        self,
        instrument_id: str,
        rule: BarRule,
        sessions: SessionTimes | None = None,
        late: LatePolicy = LatePolicy.DROP,
    ) -> None:
        self.instrument_id = instrument_id
        self.rule = rule
        self.spec_text = str(rule)
        self.counts = BarCounts()
        self._late = late
        self._sessions = sessions
        self._session_open = BEFORE_NS
        self._session_close = NEVER_NS if sessions is None else BEFORE_NS
        self._latest = BEFORE_NS
        self._expectation = _Expectation(rule)
        self._sign = self._last_price = 0
        self._is_first = True
        self._open = self._high = self._low = self._close = self._ts_open = self._ts_last = 0
        self._due = NEVER_NS
        self._volume = self._buy = self._count = self._total = self._up = self._down = 0

    @property
    def threshold(self) -> float:
        """What an imbalance or run must reach to complete the bar in progress; NaN while the first bar is made."""
        return self._expectation.threshold

    @property
    def due_ns(self) -> int:
        """When the bar in progress ends at the latest, by time or by its session; far in the future without either."""
        return self._due if self._count else NEVER_NS

    def update(self, trade: Trade) -> tuple[Bar, ...]:
        """Take in a trade; returns the bars that it completed, oldest first.

        Raises Invalid where the size is not positive, or the price is not and the rule counts value.
        """
        self._check(trade)
        time = trade.ts_event
        if time < self._latest:
            if self._is_lost(time):
                self.counts.late_dropped += 1
                return _NOTHING
            self.counts.late_added += 1
            time = self._latest
        self._latest = time
        done = self.advance(time)
        if time >= self._session_close and not self._enter_session(time):
            self.counts.outside_sessions += 1
            return done
        criterion = self.rule.criterion
        if criterion is Criterion.TOTAL:
            return done + self._fill(trade, time)
        if criterion is not Criterion.TIME:
            self._weigh(trade)
        self._add(trade, trade.size_lots, time)
        if criterion is not Criterion.TIME and self._expectation.is_met(self._count, self._up, self._down):
            self._expectation.learn(self._count, self._up, self._down)
            return (*done, self._complete(time, trade.ts_init))
        return done

    def advance(self, now_ns: int) -> tuple[Bar, ...]:
        """Time has reached `now_ns`: returns the bar that its own end or its session's close completes, if any."""
        if not self._count or now_ns < self._due:
            return _NOTHING
        self._latest = max(self._latest, self._due)
        return (self._complete(self._due, self._due),)

    def current(self) -> Bar | None:
        """The bar in progress, ending for now with its last trade; None where it has no trade yet."""
        return self._bar(self._ts_last, self._ts_last) if self._count else None

    def _check(self, trade: Trade) -> None:
        if trade.size_lots <= 0:
            raise Invalid("size_lots", f"must be positive, not {trade.size_lots}")
        if self.rule.unit is Unit.VALUE and trade.price_ticks <= 0:
            raise Invalid("price_ticks", f"must be positive where value counts, not {trade.price_ticks}")

    def _is_lost(self, time: int) -> bool:
        return self._late is LatePolicy.DROP or time < self._session_open or self._latest >= self._session_close

    def _enter_session(self, time: int) -> bool:
        """Move on to the session of `time`; whether there is one."""
        sessions = self._sessions
        index = -1 if sessions is None else sessions.index(time)
        if sessions is None or index < 0:
            return False
        self._session_open, self._session_close = int(sessions.opens[index]), int(sessions.closes[index])
        return True

    def _fill(self, trade: Trade, time: int) -> tuple[Bar, ...]:
        """A trade into bars of a fixed total, split where the total is of lots or value."""
        bars, remaining, unit, step = [], trade.size_lots, self.rule.unit, self.rule.step
        while remaining:
            lots, amount = remaining, 1
            if unit is Unit.LOTS:
                lots = amount = min(remaining, step - self._total)
            elif unit is Unit.VALUE:
                lots = min(remaining, -((self._total - step) // trade.price_ticks))
                amount = lots * trade.price_ticks
            self._add(trade, lots, time)
            self._total += amount
            remaining -= lots
            if self._total >= step:
                bars.append(self._complete(time, trade.ts_init))
        return tuple(bars)

    def _weigh(self, trade: Trade) -> None:
        """Add the trade's amount to that of its sign."""
        price = trade.price_ticks
        if self.rule.by_aggressor and trade.aggressor:
            self._sign = int(trade.aggressor)
        elif not self._is_first and price != self._last_price:
            self._sign = 1 if price > self._last_price else -1
        self._is_first, self._last_price = False, price
        amount = (1, trade.size_lots, trade.size_lots * price)[self.rule.unit]
        if self._sign > 0:
            self._up += amount
        elif self._sign < 0:
            self._down += amount

    def _add(self, trade: Trade, lots: int, time: int) -> None:
        price = trade.price_ticks
        if not self._count:
            self._open = self._high = self._low = price
            self._ts_open, self._due = time, self._session_close
            if self.rule.criterion is Criterion.TIME:
                start = time - time % self.rule.step
                self._ts_open, self._due = max(start, self._session_open), min(start + self.rule.step, self._due)
        self._high, self._low, self._close = max(self._high, price), min(self._low, price), price
        self._volume += lots
        self._count += 1
        self._ts_last = time
        if trade.aggressor == Side.BUY:
            self._buy += lots

    def _bar(self, ts_event: int, ts_init: int) -> Bar:
        prices = self._open, self._high, self._low, self._close
        amounts = self._volume, self._buy, self._count
        return Bar(self.instrument_id, self.spec_text, *prices, *amounts, self._ts_open, ts_event, ts_init)

    def _complete(self, ts_event: int, ts_init: int) -> Bar:
        bar = self._bar(ts_event, ts_init)
        self._volume = self._buy = self._count = self._total = self._up = self._down = 0
        return bar


class _Expectation:
    """What an imbalance or run bar is expected to hold, learnt from the complete bars before it."""

    def __init__(self, rule: BarRule) -> None:
        self.threshold = float("nan")
        self._is_run = rule.criterion is Criterion.RUN
        self._step, self._weight = rule.step, 2.0 / (rule.span + 1.0)
        self._least, self._most = rule.trade_bounds
        self._trades = self._up = self._down = 0.0

    def is_met(self, trades: int, up: int, down: int) -> bool:
        if self.threshold != self.threshold:
            return trades >= self._step
        reached = max(up, down) if self._is_run else abs(up - down)
        return (trades >= self._least and float(reached) >= self.threshold) or trades >= self._most

    def learn(self, trades: int, up: int, down: int) -> None:
        weight = 1.0 if self.threshold != self.threshold else self._weight
        self._trades += (float(trades) - self._trades) * weight
        self._up += (float(up) / float(trades) - self._up) * weight
        self._down += (float(down) / float(trades) - self._down) * weight
        share = max(self._up, self._down) if self._is_run else abs(self._up - self._down)
        self.threshold = self._trades * share
