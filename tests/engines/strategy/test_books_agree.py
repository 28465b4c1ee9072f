"""Whatever happens, crashes included: strategy, gate and portfolio hold the same orders and the same positions."""

import asyncio
import random
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nautilus.clock import TestClock
from nautilus.errors import NautilusError, StoreError
from nautilus.model import (
    Order,
    OrderFilled,
    OrderInitialized,
    OrderStatus,
    OrderSubmitted,
    OrderType,
    Side,
    SubmitOrder,
    TimeInForce,
    topics,
)
from nautilus.model.orders import ModifyOrder
from nautilus.testing import START_NS, Capture, make_instrument, make_node, make_quote, make_trade

NAMES = ("ONE.SIM", "TWO.SIM", "ONE.ALT")
ACCOUNTS = ("main", "other")
MILLISECOND = 1_000_000
OPTIONS = {
    "engines.portfolio.accounts": list(ACCOUNTS),
    "engines.portfolio.initial_cash": "100000000",
    "engines.strategy.venue.entry_latency_us": 700,
    "engines.strategy.venue.response_latency_us": 400,
    "engines.risk.rules.max_quote_age_seconds": None,
}


class Life:
    """A node between two crashes, driven at random; `fills` are those of all lives."""

    def __init__(self, directory: Path, dice: random.Random, now: int, fills: list[OrderFilled], sync: str) -> None:
        self.node = make_node(
            ["strategy", "risk", "portfolio"], {**OPTIONS, "store.sync": sync}, directory=str(directory)
        )
        assert isinstance(self.node.clock, TestClock)
        self.clock = self.node.clock
        self.clock.set_time(now)
        self.directory = directory
        self.dice = dice
        self.fills = fills
        self.mids = dict.fromkeys(NAMES, 10_000)
        for name in NAMES:
            self.node.instruments.add(make_instrument(name))
        self.steps = [self.quote, self.trade, self.submit, self.submit, self.again, self.cancel, self.modify]
        self.steps += [self.advance, self.advance, self.kill, self.lift, self.refuse_to_write]

    async def begin(self) -> None:
        await self.node.start()
        self.engines: dict[str, Any] = {name: self.node[name] for name in ("strategy", "risk", "portfolio")}
        self.captured: Capture[OrderFilled] = Capture(self.node.bus, "fill.>")
        self.broken: Capture[Any] = Capture(self.node.bus, "error_alert.>")
        self.told = 0
        for name in NAMES:
            self.quote(name)

    # -- what may happen -----------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.clock.timestamp_ns()

    def quote(self, name: str = "") -> None:
        name = name or self.dice.choice(NAMES)
        bid = self.mids[name] = self.mids[name] + self.dice.randint(-3, 3)
        sizes = (self.dice.randint(1, 30), self.dice.randint(1, 30))
        self.node.bus.publish(
            topics.quote(name), make_quote(name, bid, bid + self.dice.randint(1, 2), *sizes, ts_event=self.now)
        )

    def trade(self) -> None:
        name = self.dice.choice(NAMES)
        price = self.mids[name] + self.dice.randint(-3, 3)
        trade = make_trade(name, price, self.dice.randint(1, 20), self.dice.choice(list(Side)), ts_event=self.now)
        self.node.bus.publish(topics.trade(name), trade)

    def submit(self) -> None:
        dice = self.dice
        strategy_id, name, kind = dice.choice(("a", "b")), dice.choice(NAMES), dice.choice(list(OrderType))
        limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        lasting = dice.choice(list(TimeInForce))
        self.send(
            SubmitOrder(
                client_order_id=self.engines["strategy"].record.next_id(strategy_id),
                strategy_id=strategy_id,
                account_id=dice.choice(ACCOUNTS),
                instrument_id=name,
                side=dice.choice((Side.BUY, Side.SELL)),
                order_type=kind,
                quantity_lots=dice.randint(1, 40),
                price_ticks=self.mids[name] + dice.randint(-4, 4) if limited else None,
                trigger_ticks=self.mids[name] + dice.randint(-4, 4) if "stop" in kind.value else None,
                time_in_force=lasting,
                expire_ns=self.now + dice.randint(1, 20) * MILLISECOND if lasting is TimeInForce.GTD else None,
                post_only=kind is OrderType.LIMIT
                and lasting not in (TimeInForce.IOC, TimeInForce.FOK)
                and dice.random() < 0.3,
                reduce_only=dice.random() < 0.15,
            )
        )

    def send(self, command: SubmitOrder) -> None:
        try:
            self.node.bus.call("strategy.submit", command)
        except (NautilusError, StoreError):
            assert self.node.store.journal.__dict__.get("append"), "only a broken journal may refuse here"

    def again(self) -> None:
        """A retry must not trade twice."""
        if order := self.any_order():
            self.send(order.request)

    def cancel(self) -> None:
        if order := self.any_order():
            self.node.bus.call("strategy.cancel", order.client_order_id)

    def modify(self) -> None:
        order = self.any_order()
        if order is None:
            return
        price = order.price_ticks and order.price_ticks + self.dice.randint(-3, 3)
        lots = self.dice.choice((None, self.dice.randint(1, 60)))
        change = ModifyOrder(client_order_id=order.client_order_id, quantity_lots=lots, price_ticks=price)
        with suppress(NautilusError):  # there is nothing to change, or more than that is filled
            self.engines["strategy"].orders.modify(change)

    def any_order(self) -> Order | None:
        orders = self.engines["strategy"].record.open_orders()
        return self.dice.choice(orders) if orders else None

    def advance(self) -> None:
        self.clock.advance_time(self.dice.choice((0, 100_000, MILLISECOND, 5 * MILLISECOND)))

    def kill(self) -> None:
        if self.dice.random() < 0.1:
            self.engines["risk"].kill("drill", "test", liquidate=self.dice.random() < 0.5)

    def lift(self) -> None:
        if self.engines["risk"].controls.state.kill.engaged:
            self.engines["risk"].lift_kill("over", "test")

    def refuse_to_write(self) -> None:
        """The disk refuses the next record, or the one after: an order must end there."""
        journal, left = self.node.store.journal, [self.dice.randint(0, 1)]
        append = type(journal).append

        def broken(record: Any) -> int:
            if isinstance(record, OrderInitialized | OrderSubmitted):
                left[0] -= 1
                if left[0] < 0:
                    raise StoreError("disk full")
            return append(journal, record)

        journal.append = broken  # type: ignore[method-assign]
        try:
            self.submit()
        finally:
            del journal.append

    # -- what must be --------------------------------------------------------------------------------------------

    def check(self) -> None:
        self.fills.extend(self.captured.messages[self.told :])
        self.told = len(self.captured)
        assert len({fill.trade_id for fill in self.fills}) == len(self.fills), "a trade id serves once, for ever"
        self.check_positions()
        self.check_orders()
        assert self.engines["strategy"].orders.refused_events == 0
        assert not self.engines["portfolio"].books.refused
        assert not self.broken.messages

    def check_positions(self) -> None:
        held: Counter[tuple[str, str, str]] = Counter()
        for fill in self.fills:
            held[fill.strategy_id, fill.account_id, fill.instrument_id] += fill.side * fill.quantity_lots
        held = Counter({key: lots for key, lots in held.items() if lots})
        by_account: Counter[tuple[str, str]] = Counter()
        for (_, account, name), lots in held.items():
            by_account[account, name] += lots
        net = {key: lots for key, lots in by_account.items() if lots}
        assert self.engines["strategy"].record.positions() == dict(held)
        books = self.engines["portfolio"].books.accounts
        assert net == {
            (account, name): holding.lots.quantity_lots
            for account, book in books.items()
            for name, holding in book.holdings.items()
            if holding.lots.quantity_lots
        }
        assert not any(any(book.ledger.imbalance().values()) for book in books.values())
        risk = self.engines["risk"].holdings
        assert {(account, item.instrument_id): item.position for account, item in risk.positions()} == net
        assert {(key[1], key[0], key[2]): lots for key, lots in risk._lots.items()} == dict(held)

    def check_orders(self) -> None:
        manager, risk = self.engines["strategy"].orders, self.engines["risk"].holdings
        orders = {order.client_order_id: order for order in manager.record.open_orders()}
        assert risk.orders.keys() == orders.keys()
        working: Counter[tuple[str, str, Side]] = Counter()
        for name, item in risk.orders.items():
            order = orders[name]
            assert item.lots_in_force == order.remaining_lots
            assert item.remaining_lots == order.remaining_lots or (
                item.changes and item.remaining_lots > order.remaining_lots
            )
            working[order.request.account_id, order.request.instrument_id, order.request.side] += item.remaining_lots
        for account, holding in risk.working():
            assert holding.open_buy == working.pop((account, holding.instrument_id, Side.BUY), 0)
            assert holding.open_sell == working.pop((account, holding.instrument_id, Side.SELL), 0)
        assert not working
        assert manager._cancelling | manager._unsent.keys() <= orders.keys()

    # -- the end of a life ---------------------------------------------------------------------------------------

    async def crash(self, directory: Path) -> "Life":
        """What is in the directory now is all that the next life has."""
        before = {order.client_order_id: order.status for order in self.engines["strategy"].record.open_orders()}
        marks = {item.instrument_id for _, item in self.engines["risk"].holdings.positions()}
        await self.node.store.state.flush()
        shutil.copytree(self.directory, directory)
        self.captured.close()
        await self.node.stop()
        following = Life(directory, self.dice, self.now, self.fills, self.node.config.store.sync)
        await following.begin()
        after = {order.client_order_id: order.status for order in following.engines["strategy"].record.open_orders()}
        assert after.keys() <= before.keys()
        assert OrderStatus.SUBMITTED not in after.values(), "what had not arrived never will"
        priced = {item.instrument_id for _, item in following.engines["risk"].holdings.positions() if item.mark}
        assert priced == marks
        return following


@pytest.mark.parametrize("seed", range(10))
async def test_strategy_gate_and_portfolio_agree_through_crashes(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    life = Life(tmp_path / "0", dice, START_NS, [], "group" if seed % 3 == 0 else "none")
    await life.begin()
    try:
        for step in range(400):
            dice.choice(life.steps)()
            life.check()
            if dice.random() < 0.03:
                await life.node.store.journal.flush()
            if dice.random() < 0.02:
                await life.node.snapshot()
                life.check()
            if dice.random() < 0.02:
                life = await life.crash(tmp_path / str(step + 1))
                life.check()
        await drain(life)
    finally:
        await life.node.stop()
    assert life.fills


async def drain(life: Life) -> None:
    """Where a liquidation was asked for it ends flat; with every order taken back nothing works anywhere."""
    await life.node.store.journal.flush()
    for _ in range(3):
        for name in NAMES:
            life.node.bus.publish(topics.quote(name), make_quote(name, 9_999, 10_001, 10**5, 10**5, life.now))
        life.clock.advance_time(11_000 * MILLISECOND)
        await life.node.store.journal.flush()
        await asyncio.sleep(0.001)
    if life.engines["risk"].controls.state.kill.liquidate:
        assert not life.engines["strategy"].record.positions()
    life.engines["strategy"].orders.cancel_all()
    life.clock.advance_time(10 * MILLISECOND)
    life.check()
    assert not life.engines["risk"].holdings.orders
    assert not any(venue.working for venue in life.engines["strategy"].venues.values())
