"""The factor engine: a live panel of bars, every live factor over its cross-section after each row, factor returns."""

import asyncio
from collections import deque

from nautilus.engines.base import Engine
from nautilus.engines.factor.definition import library
from nautilus.engines.factor.live_factors import Attributes, CrossSection, LiveFactors, live_formulas, numbers
from nautilus.engines.factor.live_rows import Row, RowBuilder
from nautilus.engines.factor.models import FactorConfig, LiveFactor, LiveReturn
from nautilus.engines.factor.routes import factor_routes
from nautilus.engines.factor.syntax import ExpressionError
from nautilus.engines.operation import Operation
from nautilus.errors import Invalid, NotFound, NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.market import Bar, Trade
from nautilus.model.messages import FactorCalculation

TRADES_WITHOUT_BARS = 1_000
"""After so many trades without a bar something is wrong with the bars."""
ROWS_AT_ONCE = 25
NANOSECONDS = 1_000_000_000


class FactorEngine(Engine[FactorConfig]):
    """Bars and trades come in; rows of the panel go to a thread, values of all live factors come back."""

    name = "factor"
    prefix = "/factor"
    engine_type = EngineType.FACTOR
    config_type = FactorConfig
    depends_on = ("marketdata",)

    async def setup(self) -> None:
        """Check the live set off the loop, then listen to bars and trades. Raises Invalid for a wrong live set."""
        config = self.config
        self._live, self._not_live = await self.accel.run(_live_set, config)
        self._lookbacks = self._live.lookbacks
        self._cross_sectional = self._live.cross_sectional
        interval_ns = config.row_seconds * NANOSECONDS
        self._builder = RowBuilder(interval_ns, config.maximum_instruments, config.carry_rows)
        self._waiting: deque[Row] = deque(maxlen=config.waiting_rows)
        self._wakeup = asyncio.Event()
        self._begin_anew = False
        self._busy = False
        self._latest: CrossSection | None = None
        self._lost_rows = 0
        self._trades_since_bar = 0
        self._closing_ns = 0
        self.spawn(self._calculate())
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        self.subscribe(topics.bars(config.bar_spec), self.on_bar)
        await asyncio.sleep(0)  # the task begins: one cancelled before would leave its coroutine never awaited

    def routes(self) -> list[Operation]:
        """HTTP operations below /factor."""
        return factor_routes(self)

    def degraded(self) -> list[str]:
        """Trades without bars; calculation that does not keep up."""
        reasons = []
        if self._trades_since_bar >= TRADES_WITHOUT_BARS:
            reasons.append(f"{self._trades_since_bar} trades since the last bar of {self.config.bar_spec}")
        if len(self._waiting) > 10 * self.config.calculate_every_rows:
            reasons.append(f"{len(self._waiting)} rows wait for calculation")
        return reasons

    # -- market data ---------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade) -> None:
        """Take a trade, for volume-weighted prices."""
        self._trades_since_bar += 1
        if self._builder.has_column(trade.instrument_id) or self._open(trade.instrument_id):
            self._builder.add_trade(trade)

    def on_bar(self, bar: Bar) -> None:
        """Take a bar; when it begins a row, the row is completed a grace after its end at the latest."""
        self._trades_since_bar = 0
        if not self._builder.has_column(bar.instrument_id) and not self._open(bar.instrument_id):
            return
        self._accept(self._builder.add_bar(bar))
        closes_at = self._builder.closes_at
        if closes_at is not None and closes_at != self._closing_ns:
            self._closing_ns = closes_at
            due = max(closes_at + int(self.config.grace_seconds * NANOSECONDS), self.clock.timestamp_ns() + 1)
            self.alert(due, lambda _: self._close_row(closes_at))

    def _open(self, instrument_id: str) -> bool:
        """Make room for an instrument; one that the node does not know is left alone."""
        instrument = self.instruments.get(instrument_id)
        return instrument is not None and self._builder.open_column(instrument)

    def _close_row(self, closes_at: int) -> None:
        if self._builder.closes_at == closes_at:
            self._accept(self._builder.close())

    def _accept(self, rows: list[Row]) -> None:
        for row in rows:
            if len(self._waiting) == self._waiting.maxlen:
                self._lost_rows += 1
                self._begin_anew = True
            self._waiting.append(row)
        if self.config.synchronous:
            self._calculate_now()
        elif len(self._waiting) >= self.config.calculate_every_rows:
            self._wakeup.set()

    # -- calculation ---------------------------------------------------------------------------------------------

    async def _calculate(self) -> None:
        """Take the rows that wait to a thread, a few at a time, so that stopping never waits long for the thread."""
        most = max(ROWS_AT_ONCE, self.config.calculate_every_rows)
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            while len(self._waiting) >= self.config.calculate_every_rows:
                rows = self._take_rows(most)
                self._busy = True
                self._report(*await self.accel.run(_advance, self._live, rows, self._attributes(rows[-1])))
                self._busy = False

    def _calculate_now(self) -> None:
        while len(self._waiting) >= self.config.calculate_every_rows:
            rows = self._take_rows(self.config.calculate_every_rows)
            self._report(*_advance(self._live, rows, self._attributes(rows[-1])))

    def _take_rows(self, most: int) -> list[Row]:
        if self._begin_anew:
            self._begin_anew = False
            self._live.reset()
            self.log.warning("factor.rows_lost", lost=self._lost_rows)
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _report(self, latest: CrossSection, calculations: list[FactorCalculation]) -> None:
        self._latest = latest
        for message in calculations:
            self.publish(topics.factor(message.name), message)

    def _attributes(self, row: Row) -> Attributes:
        known = [self.instruments[name] for name in row.instruments]
        shares = {item.id: float(item.shares_outstanding) for item in known if item.shares_outstanding is not None}
        return Attributes(shares, {item.id: item.sector for item in known})

    # -- questions -----------------------------------------------------------------------------------------------

    def live_factors(self, category: str) -> list[LiveFactor]:
        """The latest cross-section of every live factor, of one category unless it is ""."""
        definitions = library()
        return [
            self.live_factor(name)
            for name in self._lookbacks
            if not category or (name in definitions and definitions[name].category == category)
        ]

    def live_factor(self, name: str) -> LiveFactor:
        """The latest cross-section of one factor, with the reason where nothing is defined. Raises NotFound."""
        latest = self._latest
        if name not in self._lookbacks:
            if name not in self._not_live and name not in library():
                raise NotFound("factor", name)
            why = self._not_live.get(name, "not among the configured live factors")
            return LiveFactor(name=name, ts_event=None, values={}, reason=why)
        if latest is None:
            return LiveFactor(name=name, ts_event=None, values={}, reason="no row of the live panel is complete yet")
        values = dict(latest.values[name])
        defined = any(value is not None for value in values.values())
        reason = None if defined else self._reason(latest, name)
        return LiveFactor(name=name, ts_event=latest.ts_event, values=values, reason=reason)

    def latest_returns(self) -> LiveReturn:
        """Factor returns of the last row; raises NotReady."""
        latest = self._latest
        if latest is None or latest.returns is None:
            seen = 0 if latest is None else len(latest.instruments)
            raise NotReady(f"factor returns need two rows of at least two instruments that trade; {seen} seen so far")
        found = latest.returns
        estimate = found.estimate
        return LiveReturn(
            ts_event=found.ts_event,
            market=numbers(estimate.market)[0],
            sectors=dict(zip(found.sectors, numbers(estimate.sectors[0]), strict=True)),
            styles=dict(zip(found.styles, numbers(estimate.styles[0]), strict=True)),
            residuals=dict(zip(latest.instruments, numbers(estimate.residuals[0]), strict=False)),
            r_squared=numbers(estimate.r_squared)[0],
            assets=int(estimate.assets[0]),
            weighting=found.weighting,
            left_out=found.left_out,
        )

    def _reason(self, latest: CrossSection, name: str) -> str:
        if name in self._cross_sectional and len(latest.instruments) < 2:
            return "compares instruments with one another, and there is only one"
        if latest.rows < self._lookbacks[name]:
            return f"warming up: {latest.rows} of {self._lookbacks[name]} rows"
        return "not defined on the last row (missing inputs, no variation or no volume)"


def _advance(
    live: LiveFactors, rows: list[Row], attributes: Attributes
) -> tuple[CrossSection, list[FactorCalculation]]:
    """The cross-section after the rows, and a message for every factor that has a value. Runs off the loop."""
    latest = live.advance(rows, attributes)
    return latest, [
        FactorCalculation(ts_event=latest.ts_event, name=name, values=dict(values))
        for name, values in latest.values.items()
        if any(value is not None for value in values.values())
    ]


def _live_set(config: FactorConfig) -> tuple[LiveFactors, dict[str, str]]:
    """The live factors, and for the other names why they are not live. Raises Invalid naming the option at fault."""
    unknown = [name for name in config.factors if name not in library()]
    if unknown:
        raise Invalid("engines.factor.factors", f"unknown: {', '.join(unknown)}")
    try:
        formulas, reasons = live_formulas(config.factors, config.expressions)
        return LiveFactors(formulas, config.styles), reasons
    except ExpressionError as error:
        raise Invalid("engines.factor.expressions", str(error)) from None
