"""Order books beside NautilusTrader 2's Rust book: one event at a time from Python, and whole columns at once.

The peer is given delta objects that are built before the clock starts, ours plain integers; "from fields" counts the
peer's building too, as a feed handler would pay it. Both end on the same levels, or the race is refused. For columns
the peer applies batches of 100 deltas, its quickest way.
"""

import os
from collections.abc import Callable
from decimal import Decimal
from gzip import open as open_gzip
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import alternate
from nautilus.engines.marketdata import OrderBook, replay_deltas
from nautilus.engines.marketdata.level3_book import Level3Book
from nautilus.engines.marketdata.level3_replay import replay_orders
from nautilus.engines.marketdata.order_events import ADD, CLEAR, DELETE, MODIFY, REDUCE, OrderEventColumns
from nautilus.model import AssetClass, BookDeltaColumns, Instrument

ROWS, ROUNDS, BATCH = 400_000, 7, 100
Rows = list[tuple[int, int, int, int, int]]  # action, order id, side, ticks, lots
DATA = Path(os.environ.get("NAUTILUS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def level_rows() -> Rows:
    """Sizes set near the touch of a book of 200 levels a side, a quarter of them to nothing."""
    source = np.random.default_rng(11)
    side = source.choice([1, -1], ROWS)
    near = source.random(ROWS) < 0.75
    depth = np.where(near, source.integers(0, 10, ROWS), source.integers(10, 200, ROWS))
    price = np.where(side > 0, 10_000 - depth, 10_001 + depth)
    lots = np.where(source.random(ROWS) < 0.25, 0, source.integers(1, 5_000, ROWS))
    action = np.where(lots == 0, DELETE, MODIFY)
    return list(zip(*(c.tolist() for c in (action, np.zeros(ROWS, int), side, price, lots)), strict=True))


def order_rows(levels: Rows) -> Rows:
    """The same changes with one order a level: it comes, changes and goes."""
    rows, orders, issued = [], {}, 0
    for _, _, side, price, lots in levels:
        order_id = orders.get((side, price))
        if lots == 0:
            if order_id is not None:
                del orders[side, price]
                rows.append((DELETE, order_id, side, price, 0))
        elif order_id is None:
            issued += 1
            orders[side, price] = issued
            rows.append((ADD, issued, side, price, lots))
        else:
            rows.append((MODIFY, order_id, side, price, lots))
    return rows


def binance_rows(path: Path) -> Rows:
    rows = []
    with open_gzip(path) as file:
        for line in file:
            if b"@depth" in line[:120]:
                body = msgspec.json.decode(line.partition(b" ")[2])["data"]
                for side, name in ((1, "b"), (-1, "a")):
                    for price, size in body[name]:
                        lots = round(float(size) * 1000)
                        rows.append((MODIFY if lots else DELETE, 0, side, round(float(price) * 10), lots))
    return rows


def cme_rows(path: Path) -> Rows:
    """Real ES orders; a reduction becomes the peer's update or deletion of the order."""
    from nautilus.engines.marketdata.databento import read_orders

    future = Instrument(id="ESH4.GLBX", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.25"))
    events = read_orders(path, future).events
    columns = (events.action, events.order_id, events.side, events.price_ticks, events.size_lots)
    rows, book = [], Level3Book()
    for action, order_id, side, price, lots in zip(*(column.tolist() for column in columns), strict=True):
        known = book.order(order_id) if order_id in book else None
        book.apply(action, order_id, side, price, lots)
        if action == REDUCE and known is not None:
            left = known.size_lots - lots
            rows.append((MODIFY if left else DELETE, order_id, int(known.side), known.price_ticks, left))
        elif action in {ADD, MODIFY, CLEAR}:
            rows.append((action, order_id, side, price, lots))
    return rows


class Peer:
    """NautilusTrader's objects for our rows."""

    def __init__(self, *, by_order: bool) -> None:
        from nautilus_trader import model

        self.model = model
        self.name = model.InstrumentId.from_str("ESZ4.XCME")
        self.kind = model.BookType.L3_MBO if by_order else model.BookType.L2_MBP
        actions = model.BookAction
        self.actions = {ADD: actions.ADD, MODIFY: actions.UPDATE, DELETE: actions.DELETE, CLEAR: actions.CLEAR}

    def deltas(self, rows: Rows) -> list[Any]:
        model, actions, name = self.model, self.actions, self.name
        sides = {1: model.OrderSide.BUY, -1: model.OrderSide.SELL, 0: model.OrderSide.NO_ORDER_SIDE}
        return [
            model.OrderBookDelta(
                name, actions[action],
                model.BookOrder(sides[side], model.Price(price / 100, 2), model.Quantity(lots, 0), order_id),
                128, at, at, at,
            )
            for at, (action, order_id, side, price, lots) in enumerate(rows)
        ]  # fmt: skip

    def batches(self, deltas: list[Any]) -> list[Any]:
        return [self.model.OrderBookDeltas(self.name, deltas[at : at + BATCH]) for at in range(0, len(deltas), BATCH)]

    def one_by_one(self, deltas: list[Any], *, reads: bool = False) -> Any:
        book = self.model.OrderBook(self.name, self.kind)
        apply = book.apply_delta
        if reads:
            for delta in deltas:
                apply(delta)
                book.best_bid_price()
                book.best_ask_price()
            return book
        for delta in deltas:
            apply(delta)
        return book

    def in_batches(self, batches: list[Any]) -> Any:
        book = self.model.OrderBook(self.name, self.kind)
        for batch in batches:
            book.apply_deltas(batch)
        return book

    def levels(self, book: Any) -> tuple[list[tuple[int, int]], ...]:
        return tuple(
            [(round(float(level.price) * 100), round(level.size())) for level in side]
            for side in (book.bids(), book.asks())
        )


def ours_levels(rows: Rows, *, reads: bool = False) -> OrderBook:
    book = OrderBook()
    apply = book.apply
    if reads:
        for _, _, side, price, lots in rows:
            apply(side, price, lots)
            book.best_bid, book.best_ask  # noqa: B018 - reading is what is measured
        return book
    for _, _, side, price, lots in rows:
        apply(side, price, lots)
    return book


def ours_orders(rows: Rows, *, reads: bool = False) -> Level3Book:
    book = Level3Book()
    apply = book.apply
    if reads:
        for action, order_id, side, price, lots in rows:
            apply(action, order_id, side, price, lots)
            book.best_bid, book.best_ask  # noqa: B018 - reading is what is measured
        return book
    for action, order_id, side, price, lots in rows:
        apply(action, order_id, side, price, lots)
    return book


def race(what: str, count: int, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int = ROUNDS) -> None:
    found = alternate({"ours": ours, "theirs": theirs}, rounds)
    ratios = [other / one for one, other in zip(found["ours"], found["theirs"], strict=True)]
    rates = {name: count / median(seconds) / 1e6 for name, seconds in found.items()}
    print(
        f"{what:<44} {rates['ours']:>7.2f} M/s   NautilusTrader {rates['theirs']:>6.2f} M/s   "
        f"{median(ratios):>5.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def _columns(rows: Rows) -> tuple[NDArray[np.int64], ...]:
    return tuple(np.ascontiguousarray(column) for column in np.array(rows, dtype=np.int64).T)


def compare(what: str, rows: Rows, *, by_order: bool) -> None:
    peer, count, time = Peer(by_order=by_order), len(rows), np.arange(len(rows))
    deltas = peer.deltas(rows)
    batches = peer.batches(deltas)
    action, order_id, side, price, lots = _columns(rows)
    one_by_one: Callable[..., Any] = ours_orders if by_order else ours_levels
    if by_order:
        events = OrderEventColumns(action, order_id, side, price, lots, time)
        replay: Callable[[], Any] = lambda: replay_orders(events)  # noqa: E731
        ends = replay_orders(events)
        whole = ends.bids(), ends.asks()
    else:
        columns = BookDeltaColumns("ESZ4.XCME", side, price, lots, np.ones_like(time), time, time)
        replay = lambda: replay_deltas(columns)  # noqa: E731
        levels = replay_deltas(columns)
        whole = levels.bids, levels.asks
    book, theirs = one_by_one(rows), peer.levels(peer.one_by_one(deltas))
    assert (book.bids(), book.asks()) == whole == tuple(map(tuple, theirs)), f"{what}: the books differ"
    race(f"{what}, one by one", count, lambda: one_by_one(rows), lambda: peer.one_by_one(deltas))
    race(
        f"{what}, one by one, top read each time", count, lambda: one_by_one(rows, reads=True),
        lambda: peer.one_by_one(deltas, reads=True),
    )  # fmt: skip
    race(
        f"{what}, one by one, from fields", count, lambda: one_by_one(rows),
        lambda: peer.one_by_one(peer.deltas(rows)), rounds=3,
    )  # fmt: skip
    race(f"{what}, columns", count, replay, lambda: peer.in_batches(batches))


def main() -> None:
    levels = level_rows()
    compare("L2 synthetic", levels, by_order=False)
    compare("L3 synthetic", order_rows(levels), by_order=True)
    binance = DATA / "binance_l2" / "usdm_btcusdt_20240808.gz"
    cme = DATA / "databento_fx_crypto" / "databento" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    if binance.exists():
        compare("L2 Binance BTCUSDT", binance_rows(binance), by_order=False)
    if cme.exists():
        compare("L3 CME ES", cme_rows(cme), by_order=True)
