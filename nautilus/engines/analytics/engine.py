"""The analytics engine: NAV sampled and measured, fills matched into round trips, execution costs, as they happen."""

from collections import OrderedDict
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

import msgspec
import numpy as np

from nautilus.clock import NANOSECONDS_IN_SECOND, TimeEvent
from nautilus.engines.analytics.account_record import AccountRecord, RecordState
from nautilus.engines.analytics.batch import defined
from nautilus.engines.analytics.drawdowns import drawdown_table
from nautilus.engines.analytics.models import (
    AccountPerformance,
    AnalyticsConfig,
    DrawdownEntry,
    Execution,
    RoundTrips,
)
from nautilus.engines.analytics.performance import performance
from nautilus.engines.analytics.round_trips import RoundTrip
from nautilus.engines.analytics.routes import analytics_routes
from nautilus.engines.analytics.trade_statistics import TradeStatistics, trade_statistics
from nautilus.engines.base import Engine
from nautilus.engines.operation import Operation
from nautilus.errors import NotFound, NotReady
from nautilus.model import OrderFilled, OrderSubmitted, Quote, Side, topics
from nautilus.model.enums import EngineType
from nautilus.model.messages import AnalyticsResult, PortfolioUpdate
from nautilus.model.orders import OrderCanceled, OrderEvent, OrderExpired, OrderRejected

REMEMBERED_ORDERS = 100_000
RECENT = ("tail_ratio", "value_at_risk", "conditional_value_at_risk", "stability_of_timeseries")


class AnalyticsEngine(Engine[AnalyticsConfig]):
    """Measures every account that the portfolio engine tells of and every fill that the strategy engine tells of."""

    name = "analytics"
    prefix = "/analytics"
    engine_type = EngineType.ANALYTICS
    config_type = AnalyticsConfig
    depends_on = ("portfolio",)
    stale_after_seconds = None

    async def setup(self) -> None:
        """Listen to accounts, orders and quotes; sampling starts with the first market data."""
        self.records: dict[str, AccountRecord] = {}
        self._mids: dict[str, int] = {}
        self._arrivals: OrderedDict[str, int] = OrderedDict()
        self._sampling = False
        self._left_out = 0
        self.subscribe(topics.ALL_PORTFOLIOS, self.on_account)
        self.subscribe(topics.ALL_ORDERS, self.on_order)
        self.subscribe(topics.ALL_QUOTES, self.on_quote)

    def routes(self) -> list[Operation]:
        """HTTP operations below /analytics."""
        return analytics_routes(self)

    def degraded(self) -> list[str]:
        """No portfolio engine to tell of accounts, or fills that could not be understood."""
        reasons = []
        if "portfolio" not in self.context.loaded:
            reasons.append("there is no portfolio engine: NAV is not known")
        if self._left_out:
            reasons.append(f"{self._left_out} fills of unknown instruments or without sense are left out")
        return reasons

    # -- recovery ------------------------------------------------------------------------------------------------

    def recover(self, record: msgspec.Struct) -> None:
        """Match a fill of the journal; what the market was then is known only from the fill itself."""
        if isinstance(record, OrderFilled):
            self._fill(record)

    def snapshot(self) -> bytes:
        """Every account's record."""
        return msgspec.msgpack.encode([record.saved() for record in self.records.values()])

    def restore(self, data: bytes) -> None:
        """Take the records back."""
        for state in msgspec.msgpack.decode(data, type=list[RecordState]):
            self._record(state.account_id).restore(state)

    # -- what happens --------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Note the mid, for arrival prices and excursions."""
        if quote.bid_ticks <= 0 or quote.ask_ticks <= 0:
            return
        half_ticks = quote.bid_ticks + quote.ask_ticks
        self._mids[quote.instrument_id] = half_ticks
        for record in self.records.values():
            record.matcher.mark(quote.instrument_id, half_ticks)
        if not self._sampling:
            self._start_sampling()

    def on_account(self, update: PortfolioUpdate) -> None:
        """Note where an account stands."""
        self._record(update.account.account_id).state = update.account

    def on_order(self, event: OrderEvent) -> None:
        """Remember the mid when an order is submitted; take in its fills; forget it when it is over."""
        if isinstance(event, OrderFilled):
            self._fill(event)
        elif isinstance(event, OrderSubmitted):
            if event.instrument_id in self._mids:
                self._arrivals[event.client_order_id] = self._mids[event.instrument_id]
                if len(self._arrivals) > REMEMBERED_ORDERS:
                    self._arrivals.popitem(last=False)
        elif isinstance(event, OrderCanceled | OrderExpired | OrderRejected):
            self._arrivals.pop(event.client_order_id, None)

    def _fill(self, fill: OrderFilled) -> None:
        instrument = self.instruments.get(fill.instrument_id)
        if instrument is None or not _makes_sense(fill):
            self._left_out += 1
            return
        self._record(fill.account_id).fill(instrument, fill, self._arrivals.get(fill.client_order_id))

    def _start_sampling(self) -> None:
        self._sampling = True
        for record in self.records.values():
            record.sample(self.clock.timestamp_ns())
        self.every(round(self.config.sample_seconds * NANOSECONDS_IN_SECOND), self._on_interval)

    def _on_interval(self, event: TimeEvent) -> None:
        """Sample every account and tell its statistics."""
        for record in self.records.values():
            if record.sample(event.ts_event) is not None:
                self.publish(
                    topics.analytics(record.account_id),
                    AnalyticsResult(
                        ts_event=event.ts_event,
                        account_id=record.account_id,
                        observations=record.running.periods,
                        statistics=record.running.statistics(),
                    ),
                )

    def _record(self, account_id: str) -> AccountRecord:
        record = self.records.get(account_id)
        if record is None:
            config = self.config
            yearly = config.seconds_per_year / config.sample_seconds
            record = self.records[account_id] = AccountRecord(account_id, yearly, config.samples, config.round_trips)
        return record

    # -- questions -----------------------------------------------------------------------------------------------

    def record(self, account_id: str) -> AccountRecord:
        """One account's record; raises NotFound."""
        try:
            return self.records[account_id]
        except KeyError:
            raise NotFound("account", account_id) from None

    async def performance(self, account_id: str) -> AccountPerformance:
        """Statistics of an account; raises NotFound, NotReady before the first return."""
        record = self.record(account_id)
        returns = self._returns(record)
        running = record.running
        found = await self.accel.run(performance, returns)
        return AccountPerformance(
            account_id=account_id,
            observations=running.periods,
            sample_seconds=self.config.sample_seconds,
            periods_per_year=running.periods_per_year,
            equity=None if record.state is None else float(record.state.equity),
            statistics=running.statistics(),
            recent={name: defined(float(found[name])) for name in RECENT},
        )

    async def drawdowns(self, account_id: str, top: int) -> list[DrawdownEntry]:
        """The deepest drawdowns of the samples kept; raises NotFound, NotReady before the first return."""
        record = self.record(account_id)
        returns = self._returns(record)
        times = [sample.ts_event for sample in record.samples]
        found = await self.accel.run(drawdown_table, returns, top)
        return [
            DrawdownEntry(
                ts_peak=times[one.peak] if one.peak >= 0 else times[0],
                ts_valley=times[one.valley],
                ts_recovery=None if one.recovery is None else times[one.recovery],
                depth=one.depth,
                samples=one.periods,
            )
            for one in found
        ]

    async def round_trips(self, account_id: str, limit: int) -> RoundTrips:
        """Round trips of an account; raises NotFound."""
        record = self.record(account_id)
        newest = list(islice(reversed(record.trips), limit))
        statistics = await self.accel.run(_by_currency, list(record.trips))
        return RoundTrips(
            account_id=account_id,
            closed=record.trips_closed,
            open_legs_dropped=record.matcher.dropped,
            statistics=statistics,
            trips=newest,
        )

    def execution(self, account_id: str) -> Execution:
        """Execution costs of an account; raises NotFound."""
        record = self.record(account_id)
        return Execution(
            account_id=account_id,
            total=record.execution.quality(),
            by_instrument={name: tally.quality() for name, tally in record.by_instrument.items()},
        )

    def _returns(self, record: AccountRecord) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Returns of the samples kept; the first sample has none and counts as zero."""
        if not record.running.periods:
            raise NotReady(f"account {record.account_id} has no return yet: NAV is sampled while there are market data")
        return np.array([sample.period_return or 0.0 for sample in record.samples])


def _by_currency(trips: list[RoundTrip]) -> dict[str, TradeStatistics]:
    kinds: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        kinds.setdefault(trip.currency, []).append(trip)
    return {currency: trade_statistics(members) for currency, members in kinds.items()}


def _makes_sense(fill: OrderFilled) -> bool:
    try:
        return Decimal(fill.fee).is_finite() and fill.quantity_lots > 0 and fill.side is not Side.NONE
    except InvalidOperation:
        return False
