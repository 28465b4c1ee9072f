"""Positions and open orders as order events tell them: what the gate knows without asking anyone.

The same events rebuild it from the journal after a restart.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from nautilus.engines.risk.exposures import Exposure, Holding, resum
from nautilus.model.enums import AssetClass, Side
from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.orders import (
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderInitialized,
    OrderModified,
    OrderRejected,
    OrderSubmitted,
    SubmitOrder,
)
from nautilus.model.recent_ids import RecentIds

MAX_KNOWN_IDS = 200_000


class OpenOrder(msgspec.Struct):
    """What is left of an order that works or is on its way. `order` has the quantity in force.

    `remaining_lots` is what counts: with `changes` on their way to the venue it may be more than what is in force.
    """

    order: SubmitOrder
    remaining_lots: int
    price_ticks: int | None
    filled_lots: int = 0
    changes: int = 0
    triggered: bool = False

    @property
    def lots_in_force(self) -> int:
        """What may still be filled by the terms that the venue has confirmed."""
        return max(self.order.quantity_lots - self.filled_lots, 0)


class HeldLots(msgspec.Struct, frozen=True):
    """One position by account and strategy, as stored."""

    account_id: str
    strategy_id: str
    instrument_id: str
    quantity_lots: int


class HoldingsState(msgspec.Struct, frozen=True):
    """Everything that a restart needs: positions, open orders and the ids seen lately, as lines.

    `worth` is the mark in ticks and the value of a tick by instrument, so that no position counts as nothing until its
    market speaks again.
    """

    positions: list[HeldLots]
    orders: list[OpenOrder]
    known_ids: str | list[str]
    worth: dict[str, tuple[float, float]] = {}


class Holdings:
    """Holdings by account and by strategy, netted within each, and the sums over every scope.

    An account's holdings also count for their sector, their currency and the global scope. `rate_of` gives the initial
    margin rate of an asset class, `currency_rate` what a unit of a currency is worth in the base currency, if known.
    """

    def __init__(
        self,
        instruments: InstrumentRegistry,
        rate_of: Callable[[AssetClass], float],
        currency_rate: Callable[[str], float | None],
    ) -> None:
        self._instruments = instruments
        self._rate_of = rate_of
        self._currency_rate = currency_rate
        self.everything = Exposure("global")
        self.accounts: dict[str, Exposure] = {}
        self.strategies: dict[str, Exposure] = {}
        self.sectors: dict[str, Exposure] = {}
        self.currencies: dict[str, Exposure] = {}
        self.orders: dict[str, OpenOrder] = {}
        self.known_ids = RecentIds(MAX_KNOWN_IDS)
        self._by_account: dict[tuple[str, str], Holding] = {}
        self._by_strategy: dict[tuple[str, str], Holding] = {}
        self._lots: dict[tuple[str, str, str], int] = {}
        self._open: dict[tuple[str, str, str, Side], int] = {}
        self._awaited: OrderedDict[str, SubmitOrder] = OrderedDict()
        self._worth: dict[str, tuple[float, float]] = {}

    # -- reading -------------------------------------------------------------------------------------------------

    def account(self, account_id: str) -> Exposure:
        """The sums of one account, made when first asked for."""
        return self.accounts.get(account_id) or self.accounts.setdefault(account_id, Exposure(account_id))

    def strategy(self, strategy_id: str) -> Exposure:
        """The sums of one strategy, made when first asked for."""
        return self.strategies.get(strategy_id) or self.strategies.setdefault(strategy_id, Exposure(strategy_id))

    def account_holding(self, account_id: str, instrument: Instrument) -> Holding:
        """What an account holds of an instrument; for looking at only, where nothing is held yet."""
        return self._by_account.get((account_id, instrument.id)) or self._new_of_account(account_id, instrument)

    def strategy_holding(self, strategy_id: str, instrument: Instrument) -> Holding:
        """What a strategy holds of an instrument over all accounts; for looking at only, where nothing is held yet."""
        return self._by_strategy.get((strategy_id, instrument.id)) or self._new_of_strategy(strategy_id, instrument)

    def own(self, order: SubmitOrder) -> tuple[int, int]:
        """Lots that the order's strategy holds in the order's account, and that it works on the order's side there."""
        key = (order.account_id, order.strategy_id, order.instrument_id)
        return self._lots.get(key, 0), self._open.get((*key, order.side), 0)

    def positions(self, account_id: str | None = None) -> list[tuple[str, Holding]]:
        """Account and holding of every position that is not zero, of one account or of all."""
        return [
            (owner, holding)
            for (owner, _), holding in self._by_account.items()
            if holding.position and account_id in {None, owner}
        ]

    def working(self) -> list[tuple[str, Holding]]:
        """Account and holding of everything held or worked."""
        return [(owner, holding) for (owner, _), holding in self._by_account.items() if not holding.is_flat]

    def strategies_of(self, account_id: str) -> list[str]:
        """Strategies that hold or work something in an account."""
        held = {strategy for (account, strategy, _), lots in self._lots.items() if lots and account == account_id}
        working = {item.order.strategy_id for item in self.orders.values() if item.order.account_id == account_id}
        return sorted(held | working)

    # -- changing ------------------------------------------------------------------------------------------------

    def reserve(self, order: SubmitOrder, mark: float | None) -> None:
        """Count an order as working from now on, valued at `mark` (else at its own price), and its id as used."""
        self.known_ids.add(order.client_order_id)
        price = mark or float(order.price_ticks or order.trigger_ticks or 0)
        for holding in self._pair(order.account_id, order.strategy_id, order.instrument_id):
            holding.mark = price or holding.mark
        self._work(order, order.quantity_lots)
        self.orders[order.client_order_id] = OpenOrder(order, order.quantity_lots, order.price_ticks)

    def release(self, client_order_id: str) -> OpenOrder | None:
        """Count an order no more; None where it is not open."""
        item = self.orders.get(client_order_id)
        if item is not None:
            self._work(item.order, -item.remaining_lots)
            del self.orders[client_order_id]
        return item

    def restate(self, client_order_id: str, remaining_lots: int, price_ticks: int | None) -> None:
        """Count an open order with another size or price."""
        item = self.orders.get(client_order_id)
        if item is not None:
            self._work(item.order, remaining_lots - item.remaining_lots)
            item.remaining_lots, item.price_ticks = remaining_lots, price_ticks

    def unchanged(self, client_order_id: str) -> None:
        """A change that was counted will not come: with none on its way, what is in force counts again."""
        item = self.orders.get(client_order_id)
        if item is not None:
            item.changes = max(item.changes - 1, 0)
            if not item.changes:
                self.restate(client_order_id, item.lots_in_force, item.price_ticks)

    def apply(self, event: OrderEvent) -> None:
        """Take in one order event, live or from the journal."""
        match event:
            case OrderFilled():
                self._fill(event)
            case OrderInitialized():
                self._awaited[event.client_order_id] = event.order
                if len(self._awaited) > 10_000:
                    self._awaited.popitem(last=False)
            case OrderSubmitted():
                order = self._awaited.pop(event.client_order_id, None)
                if order is not None and event.client_order_id not in self.orders:
                    self.reserve(order, None)
            case OrderModified():
                self._modified(event)
            case OrderDenied():
                self._awaited.pop(event.client_order_id, None)
                self.release(event.client_order_id)
            case OrderRejected() | OrderCanceled() | OrderExpired():
                self.release(event.client_order_id)

    def revalue(self, mark_of: Callable[[str], float | None]) -> None:
        """Bring every holding to its newest mark and sum anew."""
        for holdings in (self._by_account, self._by_strategy):
            for key, holding in list(holdings.items()):
                if holding.is_flat:
                    del holdings[key]
                    continue
                instrument = self._instruments.get(holding.instrument_id)
                mark = mark_of(holding.instrument_id)
                if instrument is not None:
                    holding.point = self.point(instrument) or holding.point
                if mark is not None:
                    holding.mark = mark
                holding.revalue()
        resum([self.everything, *self.accounts.values(), *self.strategies.values()])
        resum([*self.sectors.values(), *self.currencies.values()])

    def point(self, instrument: Instrument) -> float | None:
        """What one lot is worth for each tick of price, in the base currency; None for a currency without a rate."""
        rate = self._currency_rate(instrument.currency)
        return None if rate is None else instrument.value(1.0, 1.0) * rate

    # -- storing -------------------------------------------------------------------------------------------------

    def state(self) -> HoldingsState:
        """What a restart needs."""
        positions = [HeldLots(*key, lots) for key, lots in self._lots.items() if lots]
        worth = {held.instrument_id: (held.mark, held.point) for held in self._by_account.values()}
        return HoldingsState(positions, list(self.orders.values()), self.known_ids.text(), worth)

    def restore(self, state: HoldingsState) -> None:
        """Take back what `state` gave; for an empty view. Changes that were on their way are lost with the process."""
        known = state.known_ids
        self.known_ids = RecentIds.from_text(known if isinstance(known, str) else "\n".join(known), MAX_KNOWN_IDS)
        self._worth = state.worth
        for held in state.positions:
            self._lots[held.account_id, held.strategy_id, held.instrument_id] = held.quantity_lots
        for item in state.orders:
            item.changes, item.remaining_lots = 0, item.lots_in_force
            self._count(item.order, item.remaining_lots)
            self.orders[item.order.client_order_id] = item
        self.adopt()

    def adopt(self) -> None:
        """Count what is held and worked of instruments that have become known since."""
        for account_id, strategy_id, instrument_id in self._lots:
            self._pair(account_id, strategy_id, instrument_id)
        for account_id, strategy_id, instrument_id, _ in self._open:
            self._pair(account_id, strategy_id, instrument_id)

    # -- inner ---------------------------------------------------------------------------------------------------

    def _new_of_account(self, account_id: str, instrument: Instrument) -> Holding:
        groups = [
            self.accounts.get(account_id) or Exposure(account_id),
            self.everything,
            self.currencies.get(instrument.currency) or Exposure(instrument.currency),
        ]
        if instrument.sector:
            groups.append(self.sectors.get(instrument.sector) or Exposure(instrument.sector))
        return self._holding(instrument, groups)

    def _new_of_strategy(self, strategy_id: str, instrument: Instrument) -> Holding:
        return self._holding(instrument, [self.strategies.get(strategy_id) or Exposure(strategy_id)])

    def _holding(self, instrument: Instrument, groups: Iterable[Exposure]) -> Holding:
        mark, point = self._worth.get(instrument.id, (0.0, 0.0))
        holding = Holding(instrument.id, groups, self.point(instrument) or point, self._rate_of(instrument.asset_class))
        holding.mark = mark
        return holding

    def _pair(self, account_id: str, strategy_id: str, instrument_id: str) -> tuple[Holding, ...]:
        """Both holdings, made and counted where they are new; nothing while the instrument is not known."""
        by_account = self._by_account.get((account_id, instrument_id))
        by_strategy = self._by_strategy.get((strategy_id, instrument_id))
        if by_account is not None and by_strategy is not None:
            return by_account, by_strategy
        instrument = self._instruments.get(instrument_id)
        if instrument is None:
            return ()
        if by_account is None:
            self.account(account_id)
            self.currencies.setdefault(instrument.currency, Exposure(instrument.currency))
            if instrument.sector:
                self.sectors.setdefault(instrument.sector, Exposure(instrument.sector))
            by_account = self._by_account[account_id, instrument_id] = self._new_of_account(account_id, instrument)
            self._fill_in(by_account, account_id, None)
        if by_strategy is None:
            self.strategies.setdefault(strategy_id, Exposure(strategy_id))
            by_strategy = self._by_strategy[strategy_id, instrument_id] = self._new_of_strategy(strategy_id, instrument)
            self._fill_in(by_strategy, None, strategy_id)
        return by_account, by_strategy

    def _fill_in(self, holding: Holding, account_id: str | None, strategy_id: str | None) -> None:
        """Give a new holding what came before its instrument was known."""
        for (account, strategy, instrument_id), lots in self._lots.items():
            if instrument_id == holding.instrument_id and (account == account_id or strategy == strategy_id):
                holding.position += lots
        for (account, strategy, instrument_id, side), lots in self._open.items():
            if instrument_id == holding.instrument_id and (account == account_id or strategy == strategy_id):
                _add_working(holding, side, lots)
        holding.attach()
        holding.revalue()

    def _work(self, order: SubmitOrder, lots: int) -> None:
        pair = self._pair(order.account_id, order.strategy_id, order.instrument_id)
        self._count(order, lots)
        for holding in pair:
            _add_working(holding, order.side, lots)
            holding.revalue()

    def _count(self, order: SubmitOrder, lots: int) -> None:
        key = (order.account_id, order.strategy_id, order.instrument_id, order.side)
        total = self._open.get(key, 0) + lots
        if total:
            self._open[key] = total
        else:
            self._open.pop(key, None)

    def _hold(self, account_id: str, strategy_id: str, instrument_id: str, lots: int, price_ticks: int) -> None:
        for holding in self._pair(account_id, strategy_id, instrument_id):
            holding.position += lots
            holding.mark = holding.mark or float(price_ticks)
            holding.revalue()
        key = (account_id, strategy_id, instrument_id)
        total = self._lots.get(key, 0) + lots
        if total:
            self._lots[key] = total
        else:
            self._lots.pop(key, None)

    def _modified(self, event: OrderModified) -> None:
        """Other terms are in force: a change of ours has come, or the order's own trigger was hit."""
        item = self.orders.get(event.client_order_id)
        if item is None:
            return
        item.order = msgspec.structs.replace(item.order, quantity_lots=event.quantity_lots)
        if event.trigger_ticks is None and item.order.trigger_ticks is not None and not item.triggered:
            item.triggered = True
        else:
            item.changes = max(item.changes - 1, 0)
        left = max(item.lots_in_force, item.remaining_lots) if item.changes else item.lots_in_force
        self.restate(event.client_order_id, left, event.price_ticks)

    def _fill(self, event: OrderFilled) -> None:
        item = self.orders.get(event.client_order_id)
        if item is not None:
            item.filled_lots += event.quantity_lots
            if item.lots_in_force:
                self.restate(event.client_order_id, max(item.remaining_lots - event.quantity_lots, 0), item.price_ticks)
            else:
                self.release(event.client_order_id)
        self._hold(
            event.account_id,
            event.strategy_id,
            event.instrument_id,
            event.side * event.quantity_lots,
            event.price_ticks,
        )


def _add_working(holding: Holding, side: Side, lots: int) -> None:
    if side is Side.BUY:
        holding.open_buy += lots
    else:
        holding.open_sell += lots
