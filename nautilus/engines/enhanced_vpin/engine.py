"""The enhanced_vpin engine: microstructure estimates of every instrument and what they recommend."""

import asyncio

from nautilus.clock import TestClock, TimeEvent
from nautilus.engines.base import Engine
from nautilus.engines.enhanced_vpin.improved_vpin import estimate_improved_vpin, highest_likelihood
from nautilus.engines.enhanced_vpin.live_microstructure import LiveMicrostructure
from nautilus.engines.enhanced_vpin.models import SECOND_NS, CrashState, EnhancedVpinConfig
from nautilus.engines.enhanced_vpin.pin import estimate_pin
from nautilus.engines.enhanced_vpin.routes import enhanced_vpin_routes
from nautilus.engines.operation import Operation
from nautilus.errors import NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.market import Quote, Trade
from nautilus.model.messages import FlashCrashAlert, MicrostructureAssessment, VpinCalculation

SLOTS = 10
"""Instruments are assessed in turns, a tenth of them at a time, so that no turn holds up the loop."""
CRASH_MARGIN = 0.1
"""A crash alert ends when the score is this far below where it began."""


class EnhancedVpinEngine(Engine[EnhancedVpinConfig]):
    """Watches quotes, trades and VPIN; publishes an assessment of each instrument that moved, and crash alerts."""

    name = "enhanced_vpin"
    prefix = "/enhanced-vpin"
    engine_type = EngineType.ENHANCED_VPIN
    config_type = EnhancedVpinConfig
    depends_on = ("marketdata", "vpin")
    kernels = (highest_likelihood,)

    async def setup(self) -> None:
        """Listen to quotes, trades and VPIN; set the timers of assessments and of PIN."""
        self._live: dict[str, LiveMicrostructure] = {}
        self._slots: list[list[LiveMicrostructure]] = [[] for _ in range(SLOTS)]
        self._turn = 0
        self._pin_due = asyncio.Event()
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        self.subscribe(topics.ALL_VPIN, self.on_vpin)
        self.every(round(self.config.assessment_seconds * SECOND_NS / SLOTS), self.on_turn)
        if isinstance(self.clock, TestClock):
            self.every(round(self.config.pin_every_seconds * SECOND_NS), self.on_pin_due_by_hand)
        else:
            self.every(round(self.config.pin_every_seconds * SECOND_NS), lambda _: self._pin_due.set())
            self.spawn(self._estimate_pins())

    def routes(self) -> list[Operation]:
        """HTTP operations below /enhanced-vpin."""
        return enhanced_vpin_routes(self)

    def degraded(self) -> list[str]:
        """Without the vpin engine its numbers are missing from every assessment."""
        return [] if "vpin" in self.context.loaded else ["the vpin engine is not loaded: assessments are without VPIN"]

    # -- market data ---------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Take a quote; one of an instrument that the node does not know is left alone."""
        if live := self._live.get(quote.instrument_id) or self._open(quote.instrument_id):
            live.on_quote(quote)

    def on_trade(self, trade: Trade) -> None:
        """Take a trade."""
        if live := self._live.get(trade.instrument_id) or self._open(trade.instrument_id):
            live.on_trade(trade)

    def on_vpin(self, calculation: VpinCalculation) -> None:
        """Take the VPIN of an instrument."""
        if live := self._live.get(calculation.instrument_id) or self._open(calculation.instrument_id):
            live.on_vpin(calculation)

    def _open(self, instrument_id: str) -> LiveMicrostructure | None:
        instrument = self.instruments.get(instrument_id)
        if instrument is None:
            return None
        live = LiveMicrostructure(instrument, self.config)
        self._slots[len(self._live) % SLOTS].append(live)
        self._live[instrument_id] = live
        return live

    # -- timers --------------------------------------------------------------------------------------------------

    def on_turn(self, event: TimeEvent) -> None:
        """Assess the next tenth of the instruments, those at least that have moved."""
        self._turn = (self._turn + 1) % SLOTS
        for live in self._slots[self._turn]:
            live.advance(event.ts_event)
            if live.touched:
                self._publish_assessment(live, event.ts_event)

    def _publish_assessment(self, live: LiveMicrostructure, ts: int) -> None:
        instrument_id = live.instrument.id
        assessment = live.assess(ts)
        self.publish(topics.enhanced_vpin(instrument_id), assessment)
        score = assessment.metrics["flash_crash_score"]
        if live.crash_active:
            live.crash_active = score is not None and score >= self.config.crash_alert - CRASH_MARGIN
        elif score is not None and score >= self.config.crash_alert:
            live.crash_active = True
            components = live.crash_state().components
            alert = FlashCrashAlert(ts_event=ts, instrument_id=instrument_id, score=score, components=components)
            self.publish(topics.flash_crash(instrument_id), alert)

    def on_pin_due_by_hand(self, event: TimeEvent) -> None:
        """Estimate here and now: on a clock that is moved by hand a thread's answer would come at any time."""
        for live in self._live.values():
            if (counts := live.counts()) is not None:
                live.set_pin(event.ts_event, estimate_pin(*counts))
            if (buckets := live.buckets()) is not None:
                live.ivpin = estimate_improved_vpin(*buckets, also_from=live.ivpin)

    async def _estimate_pins(self) -> None:
        """Estimate PIN and improved VPIN of every instrument on a thread each time they are due."""
        while True:
            await self._pin_due.wait()
            self._pin_due.clear()
            for live in list(self._live.values()):
                if (counts := live.counts()) is not None:
                    estimate = await self.accel.run(estimate_pin, *counts)
                    live.set_pin(self.clock.timestamp_ns(), estimate)
                if (buckets := live.buckets()) is not None:
                    live.ivpin = await self.accel.run(estimate_improved_vpin, *buckets, also_from=live.ivpin)

    # -- questions -----------------------------------------------------------------------------------------------

    def live(self, instrument_id: str) -> LiveMicrostructure:
        """The live view of an instrument; raises NotFound, and NotReady before its first quote or trade."""
        live = self._live.get(self.instruments[instrument_id].id)
        if live is None:
            raise NotReady(f"no quote or trade of {instrument_id} has been seen yet")
        return live

    def active(self) -> list[MicrostructureAssessment]:
        """The newest assessment of every instrument that has one."""
        return [live.history[-1] for live in self._live.values() if live.history]

    def crashes(self) -> list[CrashState]:
        """Flash-crash scores of all instruments, highest first."""
        states = [live.crash_state() for live in self._live.values()]
        return sorted(states, key=lambda state: -1.0 if state.score is None else state.score, reverse=True)
