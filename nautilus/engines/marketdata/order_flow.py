"""The traders of one simulated instrument: market makers, noise traders and the informed, in one matching book.

Makers rest limit orders around what they believe the price to be. Their belief follows public value with a delay and
learns from every market order (Kyle 1985: price moves with signed flow). Noise traders buy and sell alike. The informed
buy while the true value stands above the ask, and sell while it stands below the bid.
"""

from __future__ import annotations

from math import exp, log, sqrt

import msgspec

from nautilus.engines.marketdata.fundamental import NANOSECONDS, Fundamental, Uniforms
from nautilus.engines.marketdata.matching_book import Match, MatchingBook, RestingOrder
from nautilus.model import BookDelta, Instrument, Side, Trade


class FlowParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Laws of the order flow. Rates are per second and instrument, distances in basis points of the price."""

    events_per_second: float = 25.0
    market_share: float = 0.08
    informed_per_second: float = 2.0
    resting_orders: int = 120
    half_spread_bps: float = 1.0
    placement_bps: float = 2.0
    impact_bps: float = 0.5
    belief_seconds: float = 5.0


class FlowTruth(msgspec.Struct, kw_only=True):
    """What an observer cannot see: how much of the flow was informed. `lots` are executed ones."""

    informed_orders: int = 0
    noise_orders: int = 0
    informed_lots: int = 0
    noise_lots: int = 0


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """A flash crash under way: beliefs fall by `depth` (a fraction) until `end_ns`, then come back."""

    start_ns: int
    end_ns: int
    depth: float


class OrderFlow:
    """Order events of one instrument, one at a time; `out` collects the trades and level changes they cause."""

    def __init__(
        self, instrument: Instrument, fundamental: Fundamental, lots: int, parameters: FlowParameters, draws: Uniforms
    ) -> None:
        self.instrument = instrument
        self.fundamental = fundamental
        self.book = MatchingBook()
        self.truth = FlowTruth()
        self.crash: Crash | None = None
        self.out: list[BookDelta | Trade] = []
        self._parameters = parameters
        self._draws = draws
        self._lots = lots
        self._tick = instrument.price(1)
        self._belief = fundamental.public
        self._believed_ns = 0
        self._resting: dict[Side, list[int]] = {Side.BUY: [], Side.SELL: []}
        self._place: dict[int, int] = {}
        self._last_order = 0
        self._last_trade = 0
        self._touched: dict[tuple[Side, int], None] = {}

    @property
    def rate(self) -> float:
        """Events per second, those of the informed included."""
        return self._parameters.events_per_second + self._parameters.informed_per_second

    @property
    def mid(self) -> float:
        """Mean of best bid and ask in currency; the makers' belief while a side is empty."""
        bid, ask = self.book.best_bid, self.book.best_ask
        return self._belief if bid is None or ask is None else (bid + ask) / 2 * self._tick

    def open(self, now_ns: int, ts_init: int) -> None:
        """Fill the book before the first event."""
        self._believed_ns = now_ns
        for number in range(self._parameters.resting_orders):
            self._rest(Side.BUY if number % 2 else Side.SELL)
        self._report(now_ns, ts_init)

    def act(self, now_ns: int, ts_init: int) -> None:
        """One event of the Poisson stream of `rate` events a second."""
        self._believe(now_ns)
        parameters, draws = self._parameters, self._draws
        choice = draws.uniform() * self.rate
        if choice > parameters.events_per_second:
            self._trade_informed(now_ns, ts_init)
        elif choice <= parameters.events_per_second * parameters.market_share:
            side = Side.BUY if draws.uniform() <= 0.5 else Side.SELL
            self._take(side, self._size(), now_ns, ts_init, informed=False)
        elif draws.uniform() <= len(self.book) / (len(self.book) + parameters.resting_orders):
            self._withdraw()
        else:
            self._rest(Side.BUY if draws.uniform() <= 0.5 else Side.SELL)
        self._report(now_ns, ts_init)

    def fall(self, now_ns: int, ts_init: int, fraction: float) -> None:
        """One blow of a flash crash: bids withdraw, a sweep sells into the rest, beliefs fall by `fraction`."""
        self._belief *= 1 - fraction
        for _ in range(4):
            best = self.book.best_bid
            if best is not None:
                self._cancel(self.book.queue(Side.BUY, best)[0])
        self._take(Side.SELL, max(1, self.book.total_lots(Side.BUY) // 6), now_ns, ts_init, informed=False)
        self._report(now_ns, ts_init)

    def _believe(self, now_ns: int) -> None:
        seconds = (now_ns - self._believed_ns) / NANOSECONDS
        self._believed_ns = now_ns
        if self.crash is None:
            weight = 1 - exp(-seconds / self._parameters.belief_seconds)
            self._belief += (self.fundamental.public - self._belief) * weight

    def _trade_informed(self, now_ns: int, ts_init: int) -> None:
        bid, ask = self.book.best_bid, self.book.best_ask
        if not self.fundamental.is_informed or bid is None or ask is None:
            return
        value = self.fundamental.value / self._tick
        side = Side.BUY if value > ask else Side.SELL if value < bid else Side.NONE
        if side != Side.NONE:
            self._take(side, self._size(), now_ns, ts_init, informed=True)

    def _take(self, side: Side, lots: int, now_ns: int, ts_init: int, *, informed: bool) -> None:
        """A market order; it never takes more than half of the other side, so that no side is ever empty."""
        lots = min(lots, self.book.total_lots(side.opposite) // 2)
        if lots < 1:
            return
        matches = self.book.market(side, lots)
        self._count(sum(match.size_lots for match in matches), informed=informed)
        by_price: dict[int, int] = {}
        for match in matches:
            by_price[match.price_ticks] = by_price.get(match.price_ticks, 0) + match.size_lots
            self._matched(match, side.opposite)
        for price, traded in by_price.items():
            self._last_trade += 1
            self.out.append(Trade(self.instrument.id, price, traded, side, self._last_trade, now_ns, ts_init))
        move = self._parameters.impact_bps / 10_000 * sqrt(lots / self._lots)
        self._belief *= exp(int(side) * move)

    def _count(self, lots: int, *, informed: bool) -> None:
        if informed:
            self.truth.informed_orders += 1
            self.truth.informed_lots += lots
        else:
            self.truth.noise_orders += 1
            self.truth.noise_lots += lots

    def _matched(self, match: Match, side: Side) -> None:
        self._touched[side, match.price_ticks] = None
        if not match.resting_lots_left:
            self._forget(match.resting_id, side)

    def _rest(self, side: Side) -> None:
        """A limit order near the belief; it never crosses, and in a crash buyers stay far away."""
        parameters, draws = self._parameters, self._draws
        ticks = self._belief / self._tick
        scale = max(1.5, ticks * parameters.placement_bps / 10_000)
        if draws.uniform() <= 0.1:
            scale *= 8
        if self.crash is not None and side == Side.BUY:
            scale *= 6
        distance = max(0.5, ticks * parameters.half_spread_bps / 10_000) + draws.geometric(scale)
        if side == Side.BUY:
            price = int(ticks - distance)
            if self.book.best_ask is not None:
                price = min(price, self.book.best_ask - 1)
        else:
            price = int(ticks + distance) + 1
            if self.book.best_bid is not None:
                price = max(price, self.book.best_bid + 1)
        self._last_order += 1
        self.book.limit(self._last_order, side, max(price, 1), self._size())
        self._place[self._last_order] = len(self._resting[side])
        self._resting[side].append(self._last_order)
        self._touched[side, max(price, 1)] = None

    def _withdraw(self) -> None:
        """Cancel or shrink an order: first those that the belief has left on the wrong side, else any."""
        draws, book = self._draws, self.book
        ticks = self._belief / self._tick
        bid, ask = book.best_bid, book.best_ask
        if bid is not None and bid > ticks and draws.uniform() <= 0.8:
            self._cancel(book.queue(Side.BUY, bid)[0])
        elif ask is not None and ask < ticks and draws.uniform() <= 0.8:
            self._cancel(book.queue(Side.SELL, ask)[0])
        else:
            resting = self._resting[Side.BUY if draws.uniform() <= 0.5 else Side.SELL]
            order = book.order(resting[min(int(draws.uniform() * len(resting)), len(resting) - 1)])
            if draws.uniform() <= 0.1 and order.size_lots > 1:
                book.reduce(order.order_id, order.size_lots // 2)
                self._touched[order.side, order.price_ticks] = None
            else:
                self._cancel(order)

    def _cancel(self, order: RestingOrder) -> None:
        """Cancel an order unless it is one of the last five of its side."""
        if len(self._resting[order.side]) > 5:
            self.book.cancel(order.order_id)
            self._forget(order.order_id, order.side)
            self._touched[order.side, order.price_ticks] = None

    def _forget(self, order_id: int, side: Side) -> None:
        resting, place = self._resting[side], self._place.pop(order_id)
        last = resting.pop()
        if last != order_id:
            resting[place] = last
            self._place[last] = place

    def _size(self) -> int:
        lots = exp(log(self._lots) + 0.7 * self._draws.normal())
        if self._draws.uniform() <= 0.6:
            lots = self._lots * max(1, round(lots / self._lots))
        return max(1, min(round(lots), 50 * self._lots))

    def _report(self, now_ns: int, ts_init: int) -> None:
        """Send the new size of every level touched; the last one closes the group."""
        last = len(self._touched) - 1
        for number, (side, price) in enumerate(self._touched):
            lots = self.book.size_at(side, price)
            self.out.append(BookDelta(self.instrument.id, side, price, lots, number == last, now_ns, ts_init))
        self._touched.clear()
