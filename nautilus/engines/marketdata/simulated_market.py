"""A whole simulated market: eight invented instruments, one seed, one queue of events in order of time."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from heapq import heapify, heappop, heappush

import msgspec
import numpy as np

from nautilus.engines.marketdata.fundamental import NANOSECONDS, Episode, Fundamentals, NewsParameters, Uniforms
from nautilus.engines.marketdata.matching_book import MatchingBook
from nautilus.engines.marketdata.order_flow import Crash, FlowParameters, FlowTruth, OrderFlow
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.model import AssetClass, BookDelta, Instrument, Trade

WALK_NS = NANOSECONDS // 4
BLOW_NS = NANOSECONDS // 20
EPISODES_KEPT = 4096
_WALK, _PERIOD, _BLOW, _ORDER = range(4)


class SimulatedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An invented instrument: its first price, its exposure to the common factor and the usual order size in lots."""

    instrument: Instrument
    price: float
    beta: float = 1.0
    lots: int = 100


class InstrumentTruth(msgspec.Struct, frozen=True, kw_only=True):
    """What only the simulation knows of one instrument. Prices in currency.

    `informed_fraction` is informed market orders over all market orders so far, None before the first.
    """

    instrument_id: str
    value: float
    public_value: float
    mid: float
    is_informed: bool
    is_crashing: bool
    informed_orders: int
    noise_orders: int
    informed_lots: int
    noise_lots: int
    informed_fraction: float | None


_INVENTED = (
    ("ALFA", "Technology", 182.40, 1.25, 100, 1_200_000_000),
    ("BRVO", "Financials", 64.15, 1.05, 100, 2_400_000_000),
    ("CHRL", "Energy", 41.80, 0.85, 200, 1_900_000_000),
    ("DLTA", "Industrials", 118.25, 0.95, 100, 600_000_000),
    ("ECHO", "Communication", 326.70, 1.15, 50, 450_000_000),
    ("FXTR", "Health Care", 88.05, 0.65, 100, 1_500_000_000),
    ("GOLF", "Consumer", 23.60, 0.75, 300, 3_100_000_000),
    ("HTEL", "Technology", 587.90, 1.40, 30, 300_000_000),
)


def invented_instruments() -> tuple[SimulatedInstrument, ...]:
    """The eight instruments of the default market. No company of these names is meant.

    >>> [simulated.instrument.id for simulated in invented_instruments()][:2]
    ['ALFA.SIM', 'BRVO.SIM']
    """
    return tuple(
        SimulatedInstrument(
            instrument=Instrument(
                id=f"{symbol}.SIM",
                asset_class=AssetClass.EQUITY,
                tick_size=Decimal("0.01"),
                description=f"Invented company {symbol} of the simulated market",
                sector=sector,
                shares_outstanding=shares,
            ),
            price=price,
            beta=beta,
            lots=lots,
        )
        for symbol, sector, price, beta, lots, shares in _INVENTED
    )


class SimulatedMarket:
    """Order flow of several instruments. The same seed gives the same events, however time is cut into steps.

    >>> market = SimulatedMarket(invented_instruments(), seed=1, start_ns=0)
    >>> events = market.step(NANOSECONDS)
    >>> again = SimulatedMarket(invented_instruments(), seed=1, start_ns=0).step(NANOSECONDS)
    >>> len(events) > 8, events == again
    (True, True)
    """

    def __init__(
        self,
        instruments: tuple[SimulatedInstrument, ...],
        *,
        seed: int,
        start_ns: int,
        flow: FlowParameters | None = None,
        news: NewsParameters | None = None,
    ) -> None:
        flow = flow or FlowParameters()
        if not flow.events_per_second > 0:
            raise Invalid("events_per_second", "must be positive")
        self.instruments = instruments
        self.now_ns = start_ns
        self.episodes: deque[Episode] = deque(maxlen=EPISODES_KEPT)
        self._news = news or NewsParameters()
        values, *flows = np.random.SeedSequence(seed).spawn(1 + len(instruments))
        prices = tuple(simulated.price for simulated in instruments)
        betas = tuple(simulated.beta for simulated in instruments)
        self._fundamentals = Fundamentals(prices, betas, self._news, values)
        self._draws = [Uniforms(sequence) for sequence in flows]
        self._flows = [
            OrderFlow(simulated.instrument, fundamental, simulated.lots, flow, draws)
            for simulated, fundamental, draws in zip(
                instruments, self._fundamentals.instruments, self._draws, strict=True
            )
        ]
        self._by_id = {flow.instrument.id: index for index, flow in enumerate(self._flows)}
        self._truth_then = [FlowTruth() for _ in instruments]
        self._period_ns = int(self._news.episode_seconds * NANOSECONDS)
        self._queue = [(start_ns + WALK_NS, _WALK, 0), (start_ns, _PERIOD, 0)]
        self._queue += [(start_ns + self._wait(index), _ORDER, index) for index in range(len(self._flows))]
        heapify(self._queue)
        self._open = False

    def step(self, until_ns: int) -> list[BookDelta | Trade]:
        """Everything that happens up to and including `until_ns`, in order of time; stamped as seen at `until_ns`."""
        out: list[BookDelta | Trade] = []
        if not self._open:
            self._open = True
            for flow in self._flows:
                flow.out = out
                flow.open(self.now_ns, until_ns)
        queue = self._queue
        for flow in self._flows:
            flow.out = out
        while queue[0][0] <= until_ns:
            at_ns, kind, index = heappop(queue)
            if kind == _ORDER:
                self._flows[index].act(at_ns, until_ns)
                heappush(queue, (at_ns + self._wait(index), _ORDER, index))
            elif kind == _WALK:
                self._fundamentals.walk(WALK_NS / NANOSECONDS)
                heappush(queue, (at_ns + WALK_NS, _WALK, 0))
            elif kind == _PERIOD:
                self._turn_period(at_ns)
                heappush(queue, (at_ns + self._period_ns, _PERIOD, 0))
            else:
                self._blow(at_ns, until_ns, index)
        self.now_ns = max(self.now_ns, until_ns)
        return out

    def flash_crash(self, instrument_id: str, *, depth: float = 0.08, seconds: float = 10.0) -> Crash:
        """Make an instrument fall by about `depth` (a fraction below 0.5) within `seconds`, then recover.

        Raises NotFound for an unknown instrument, Conflict while it is crashing already, Invalid out of bounds.
        """
        flow = self._flow(instrument_id)
        if not 0 < depth < 0.5:
            raise Invalid("depth", "must lie between 0 and 0.5")
        if not 0.1 <= seconds <= 600:
            raise Invalid("seconds", "must be in 0.1..600")
        if flow.crash is not None:
            raise Conflict(f"{instrument_id} is crashing already")
        flow.crash = Crash(start_ns=self.now_ns, end_ns=self.now_ns + int(seconds * NANOSECONDS), depth=depth)
        heappush(self._queue, (self.now_ns + BLOW_NS, _BLOW, self._by_id[instrument_id]))
        return flow.crash

    def is_crashing(self, instrument_id: str) -> bool:
        """Whether a flash crash of the instrument is under way. Raises NotFound."""
        return self._flow(instrument_id).crash is not None

    def book(self, instrument_id: str) -> MatchingBook:
        """The matching book of an instrument, for reading: depth, queues, sizes. Raises NotFound."""
        return self._flow(instrument_id).book

    def truth(self) -> list[InstrumentTruth]:
        """What only the simulation knows, by instrument."""
        return [self._truth_of(flow) for flow in self._flows]

    def current_episodes(self) -> list[Episode]:
        """The episodes under way, with their counts so far."""
        return [
            self._episode(index, self.now_ns) for index, flow in enumerate(self._flows) if flow.fundamental.is_informed
        ]

    def _flow(self, instrument_id: str) -> OrderFlow:
        if instrument_id not in self._by_id:
            raise NotFound("simulated instrument", instrument_id)
        return self._flows[self._by_id[instrument_id]]

    def _wait(self, index: int) -> int:
        return 1 + int(self._draws[index].exponential(NANOSECONDS / self._flows[index].rate))

    def _turn_period(self, now_ns: int) -> None:
        for index, flow in enumerate(self._flows):
            if flow.fundamental.is_informed:
                self.episodes.append(self._episode(index, now_ns))
        self._fundamentals.turn_period(now_ns)
        self._truth_then = [msgspec.structs.replace(flow.truth) for flow in self._flows]

    def _episode(self, index: int, end_ns: int) -> Episode:
        flow, then = self._flows[index], self._truth_then[index]
        return Episode(
            instrument_id=flow.instrument.id,
            start_ns=flow.fundamental.news_since_ns,
            end_ns=end_ns,
            log_news=flow.fundamental.log_news,
            informed_orders=flow.truth.informed_orders - then.informed_orders,
            noise_orders=flow.truth.noise_orders - then.noise_orders,
            informed_lots=flow.truth.informed_lots - then.informed_lots,
            noise_lots=flow.truth.noise_lots - then.noise_lots,
        )

    def _blow(self, at_ns: int, ts_init: int, index: int) -> None:
        flow = self._flows[index]
        crash = flow.crash
        if crash is None:
            return
        if at_ns > crash.end_ns:
            flow.crash = None
            return
        blows = max(1, (crash.end_ns - crash.start_ns) // BLOW_NS)
        flow.fall(at_ns, ts_init, 1 - (1 - crash.depth) ** (1 / blows))
        heappush(self._queue, (at_ns + BLOW_NS, _BLOW, index))

    @staticmethod
    def _truth_of(flow: OrderFlow) -> InstrumentTruth:
        truth = flow.truth
        orders = truth.informed_orders + truth.noise_orders
        return InstrumentTruth(
            instrument_id=flow.instrument.id,
            value=flow.fundamental.value,
            public_value=flow.fundamental.public,
            mid=flow.mid,
            is_informed=flow.fundamental.is_informed,
            is_crashing=flow.crash is not None,
            informed_orders=truth.informed_orders,
            noise_orders=truth.noise_orders,
            informed_lots=truth.informed_lots,
            noise_lots=truth.noise_lots,
            informed_fraction=truth.informed_orders / orders if orders else None,
        )
