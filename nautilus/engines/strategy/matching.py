"""Matching our orders against the observed market of one instrument.

Nothing is filled that the feed does not prove: an order takes displayed lots, or a resting order is reached by a quote
that crosses it, a trade through its price, or a trade at its price beyond the queue in front. Our own orders do not
meet one another, and do not change what the market does next.
"""

from typing import Literal, Protocol

from nautilus.engines.strategy.observed_market import ObservedMarket
from nautilus.engines.strategy.queue_position import QueueModel
from nautilus.engines.strategy.resting import RestingLevel, RestingSide, StopSide, WorkingOrder
from nautilus.model.enums import OrderType, Side, TimeInForce
from nautilus.model.market import BookDelta, BookDepth, Quote, Trade

MARKET_TAKES = "market_takes_displayed"
LIMIT_TAKES = "limit_takes_displayed"
STOP_TAKES = "triggered_stop_takes_displayed"
QUOTE_CROSSES = "quote_crosses_resting_limit"
TRADE_THROUGH = "trade_through_resting_limit"
TRADE_AT_LIMIT = "trade_at_resting_limit_beyond_queue"
NOTHING_TO_REDUCE = "reduce-only: there is nothing left to reduce"

StopTrigger = Literal["quote", "trade", "either"]


class MatchingSink(Protocol):
    """Who is told what happens to an order."""

    def filled(self, order: WorkingOrder, lots: int, price_ticks: int, *, maker: bool, rule: str) -> None:
        """Some of it traded; `order.filled` counts the lots already."""

    def canceled(self, order: WorkingOrder, reason: str) -> None:
        """It ended unfilled or partly filled."""

    def modified(self, order: WorkingOrder) -> None:
        """Its quantity, price or trigger are others now."""

    def done(self, order: WorkingOrder) -> None:
        """It has left the book, for whatever reason."""

    def reducible(self, order: WorkingOrder) -> int:
        """How many lots it may trade before it would no longer reduce a position."""


class Matching:
    """The book of our orders in one instrument."""

    def __init__(self, sink: MatchingSink, queue: QueueModel, stop_trigger: StopTrigger = "either") -> None:
        self.market = ObservedMarket()
        self.orders: dict[str, WorkingOrder] = {}
        self._sink = sink
        self._queue = queue
        self._stop_on_quote = stop_trigger != "trade"
        self._stop_on_trade = stop_trigger != "quote"
        self._buys = RestingSide(Side.BUY)
        self._sells = RestingSide(Side.SELL)
        self._stops = {Side.BUY: StopSide(Side.BUY), Side.SELL: StopSide(Side.SELL)}
        self._takers: list[WorkingOrder] = []

    # -- orders --------------------------------------------------------------------------------------------------

    def would_take(self, side: Side, price_ticks: int) -> bool:
        """Whether a limit at this price would trade at once."""
        best = self.market.best(side.opposite)
        return best is not None and side * (price_ticks - best) >= 0

    def enter(self, order: WorkingOrder) -> None:
        """Take in a new order: trigger it, match it, rest it."""
        self.orders[order.identifier] = order
        if order.trigger is None or self._is_triggered(order):
            self._activate(order)
        else:
            self._stops[order.side].add(order)

    def restore(self, order: WorkingOrder) -> None:
        """Take back an order that was here before a restart: at the back of its queue, without taking."""
        self.orders[order.identifier] = order
        if order.trigger is not None:
            self._stops[order.side].add(order)
        elif order.has_limit:
            self._rest(order)
        else:
            self._takers.append(order)

    def cancel(self, order: WorkingOrder, reason: str) -> None:
        """Take an order out and tell why."""
        self._remove(order)
        self._sink.canceled(order, reason)

    def withdraw(self, order: WorkingOrder) -> None:
        """Take an order out; the caller tells why."""
        self._remove(order)

    def modify(self, order: WorkingOrder, quantity: int, price: int | None, trigger: int | None) -> str:
        """Change an order; returns why not, or an empty text.

        Less quantity keeps the place in the queue; more, or another price, goes to the back and may trade at once.
        """
        if quantity <= order.filled:
            return f"{order.filled} lots are filled already"
        if order.trigger is None and trigger is not None:
            return "the stop has been triggered"
        resting = order.trigger is None and order.has_limit
        if resting and price is not None and order.request.post_only and self.would_take(order.side, price):
            return "a post-only order must not take liquidity"
        requeue = order.trigger is not None or (resting and (price != order.price or quantity > order.quantity))
        if requeue:
            self._remove(order, for_good=False)
        order.quantity, order.price, order.trigger = quantity, price, trigger
        self._sink.modified(order)
        if requeue:
            self.enter(order)
        return ""

    # -- market --------------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """A new best bid and ask: the hot path, one comparison where no order of ours is open."""
        self.market.apply_quote(quote)
        if self.orders:
            if not self.market.has_depth:
                self._show_touch()
            self._react()

    def on_delta(self, delta: BookDelta) -> None:
        """A level's new size. Matching waits for the end of a group of deltas."""
        self.market.apply_delta(delta)
        if self.orders:
            self._show(delta.side, delta.price_ticks, delta.size_lots)
            if delta.last:
                self._react()

    def on_depth(self, depth: BookDepth) -> None:
        """The top of the book, for a feed of which changes may be missed: one from another process."""
        missed = self.market.apply_depth(depth)
        if missed and self.orders:
            for side, price, lots in missed:
                self._show(side, price, lots)
            self._react()

    def _show(self, side: Side, price_ticks: int, lots: int) -> None:
        level = (self._buys if side is Side.BUY else self._sells).get(price_ticks)
        if level is not None:
            level.show(lots, self._queue)

    def on_trade(self, trade: Trade) -> None:
        """A trade: it triggers stops, and reaches resting orders at its price or better."""
        if not self.orders or trade.size_lots <= 0:
            return
        if self._stop_on_trade:
            self._trigger(trade.price_ticks, trade.price_ticks)
        if self._buys:
            self._trade_reaches(self._buys, trade)
        if self._sells:
            self._trade_reaches(self._sells, trade)

    def _show_touch(self) -> None:
        """Without depth the quote says what its own level holds, and that better levels are empty."""
        for side in (self._buys, self._sells):
            best = self.market.best(side.side)
            if side and best is not None:
                for level in side.not_worse_than(best):
                    level.show(self.market.displayed(side.side, level.price) or 0, self._queue)

    def _react(self) -> None:
        market = self.market
        bid, ask = market.best(Side.BUY), market.best(Side.SELL)
        if self._stop_on_quote:
            self._trigger(ask, bid)
        if bid is None or ask is None or bid < ask:  # a locked or crossed quote proves nothing about resting orders
            if ask is not None and (best := self._buys.best) is not None and best >= ask:
                self._cross(self._buys, ask)
            if bid is not None and (best := self._sells.best) is not None and best <= bid:
                self._cross(self._sells, bid)
        if self._takers:
            for order in list(self._takers):
                self._take(order)

    def _cross(self, side: RestingSide, opposite: int) -> None:
        """The other side is quoted at our price or through it: what it shows would have met us first."""
        for level in side.not_worse_than(opposite):
            for order in list(level.orders):
                wanted = self._wanted(order)
                taken = self.market.take(side.side.opposite, level.price, wanted)
                if wanted and not taken:
                    return
                self._fill(order, sum(lots for _, lots in taken), level.price, maker=True, rule=QUOTE_CROSSES)

    def _trade_reaches(self, side: RestingSide, trade: Trade) -> None:
        volume = trade.size_lots
        for level in side.not_worse_than(trade.price_ticks):
            if level.price == trade.price_ticks:
                if trade.aggressor is not side.side:
                    self._serve(level, volume)
                return
            for order in list(level.orders):
                lots = min(volume, self._wanted(order))
                volume -= lots
                self._fill(order, lots, level.price, maker=True, rule=TRADE_THROUGH)
            if not volume:
                return

    def _serve(self, level: RestingLevel, volume: int) -> None:
        for order, lots in level.serve(volume):
            self._fill(order, min(lots, self._wanted(order)), level.price, maker=True, rule=TRADE_AT_LIMIT)

    # -- stops ---------------------------------------------------------------------------------------------------

    def _is_triggered(self, order: WorkingOrder) -> bool:
        """A stop beyond the market on arrival is triggered at once, by the quote."""
        opposite = self.market.best(order.side.opposite)
        return opposite is not None and order.trigger is not None and order.side * (opposite - order.trigger) >= 0

    def _trigger(self, for_buys: int | None, for_sells: int | None) -> None:
        for side, price in ((Side.BUY, for_buys), (Side.SELL, for_sells)):
            stops = self._stops[side]
            if stops and price is not None:
                for order in stops.touched(price):
                    self._activate(order)

    # -- matching ------------------------------------------------------------------------------------------------

    def _activate(self, order: WorkingOrder) -> None:
        if order.trigger is not None:
            order.trigger = None
            order.triggered = True
            self._sink.modified(order)
        if order.request.post_only and order.price is not None and self.would_take(order.side, order.price):
            self.cancel(order, "a post-only order must not take liquidity")
        else:
            self._take(order)

    def _take(self, order: WorkingOrder) -> None:
        """Take what is displayed; then rest, wait or end as the order says."""
        limit = order.price if order.has_limit else None
        opposite = order.side.opposite
        wanted = self._wanted(order)
        if not wanted:
            self.cancel(order, NOTHING_TO_REDUCE)
            return
        fill_or_kill = order.time_in_force is TimeInForce.FOK
        if fill_or_kill and self.market.available(opposite, limit, wanted) < order.remaining:
            self.cancel(order, "fill or kill: not enough is displayed")
            return
        rule = STOP_TAKES if order.triggered else LIMIT_TAKES if order.order_type is OrderType.LIMIT else MARKET_TAKES
        for price, lots in self.market.take(opposite, limit, wanted):
            self._fill(order, lots, price, maker=False, rule=rule)
        if order.identifier not in self.orders:
            return
        if order.time_in_force is TimeInForce.IOC:
            self.cancel(order, "immediate or cancel: no more is displayed")
        elif limit is not None:
            self._rest(order)
        elif order not in self._takers:
            self._takers.append(order)

    def _rest(self, order: WorkingOrder) -> None:
        assert order.price is not None
        side = self._buys if order.side is Side.BUY else self._sells
        displayed = self.market.displayed(order.side, order.price)
        level = side.open(order.price, displayed)
        if displayed is not None:
            level.show(displayed, self._queue)
        level.join(order, displayed)

    def _wanted(self, order: WorkingOrder) -> int:
        if not order.reduce_only:
            return order.remaining
        return max(0, min(order.remaining, self._sink.reducible(order)))

    def _fill(self, order: WorkingOrder, lots: int, price: int, *, maker: bool, rule: str) -> None:
        if lots > 0:
            order.filled += lots
            if not order.remaining:
                self._remove(order)
            self._sink.filled(order, lots, price, maker=maker, rule=rule)
        if order.reduce_only and order.remaining and not self._wanted(order):
            self.cancel(order, NOTHING_TO_REDUCE)

    def _remove(self, order: WorkingOrder, *, for_good: bool = True) -> None:
        if order.trigger is not None:
            self._stops[order.side].remove(order)
        elif order in self._takers:
            self._takers.remove(order)
        elif order.price is not None:
            side = self._buys if order.side is Side.BUY else self._sells
            level = side.get(order.price)
            if level is not None and order in level.orders:
                side.remove(order)
        del self.orders[order.identifier]
        if for_good:
            self._sink.done(order)
