"""Oracle: LOBSTER's own order-book file, row by row, at every level that the messages allow to know."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from nautilus.clock import TestClock
from nautilus.engines.marketdata import OrderBook, find_days, level_changes, read_day, replay_deltas
from nautilus.model import Side, topics
from nautilus.testing import make_node

ROWS = {1: 49_482, 5: 112_673, 10: 147_916}
pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    path = shared_data / "lobster"
    if not path.is_dir():
        pytest.skip(f"no LOBSTER files at {path}")
    return path


def _day(folder, levels):
    return read_day(find_days(folder / f"LOBSTER_SampleFile_GOOG_2012-06-21_{levels}.zip")[0])


@pytest.fixture(scope="module", params=list(ROWS))
def day(request, folder):
    return _day(folder, request.param)


def test_every_message_and_row_is_read(day):
    levels = day.book.shape[1] // 4
    assert len(day) == len(day.book) == ROWS[levels]
    assert day.instrument.id == "GOOG.XNAS"
    shares = {
        10: {4: 492_509, 5: 213_616},
    }.get(levels, {})
    for kind, total in shares.items():
        assert day.size_lots[day.kind == kind].sum() == total


def test_the_book_from_messages_is_lobsters_at_every_level_the_window_allows(day):
    """Not comparable are the first row, which is the start, and a level in the row in which it enters the window."""
    replay = day.rebuild()
    known = replay.comparable()
    assert not replay.mismatched.any()
    assert np.array_equal(replay.rows[known], day.book[known])
    entered = _entered_by_lobsters_rows(day)
    assert np.array_equal(replay.entered[1:], entered)
    unknown = int((~known).sum())
    assert unknown == day.book.shape[1] + 2 * int(entered.sum())
    assert unknown / known.size < (0.016 if day.book.shape[1] == 40 else 0.25)
    levels = day.book.shape[1] // 4
    if levels > 1:
        best = known.reshape(len(day), levels, 4)[1:, 0]
        assert best.all(), "the best level is always known from messages"


def _entered_by_lobsters_rows(day):
    """From LOBSTER's rows alone: prices that were not in the row before and are not what the message is about."""
    counts = np.zeros((len(day) - 1, 2), np.int64)
    for side, column, direction in ((0, 2, 1), (1, 0, -1)):
        price, lots = day.book[:, column::4], day.book[:, column + 1 :: 4]
        own = (day.resting_side[1:] == direction) & (day.kind[1:] <= 4)
        fresh = ~(price[1:, :, None] == price[:-1, None, :]).any(axis=2) & (lots[1:] > 0)
        fresh &= ~(own[:, None] & (price[1:] == day.price_ticks[1:, None]))
        counts[:, side] = fresh.sum(axis=1)
    return counts


def test_the_feed_of_level_changes_gives_lobsters_row_after_every_message(day):
    deltas, rows = day.deltas()
    history = replay_deltas(deltas)
    last = np.append(np.nonzero(np.diff(rows))[0], len(rows) - 1)
    at = last[np.searchsorted(last, np.searchsorted(rows, np.arange(len(day)), side="right") - 1)]
    assert np.array_equal(history.ask_ticks[at], day.book[:, 0])
    assert np.array_equal(history.ask_lots[at], day.book[:, 1])
    assert np.array_equal(history.bid_ticks[at], day.book[:, 2])
    assert np.array_equal(history.bid_lots[at], day.book[:, 3])
    cells = day.book[-1].reshape(-1, 4).tolist()
    assert history.asks == tuple((price, lots) for price, lots, _, _ in cells)
    assert history.bids == tuple((price, lots) for _, _, price, lots in cells)


def test_all_ten_levels_of_every_row_come_out_of_the_streaming_book(folder):
    day = _day(folder, 10)
    changes, book = level_changes(day.rebuild().rows), OrderBook()
    bounds = np.searchsorted(changes.row, np.arange(len(day) + 1)).tolist()
    sides, prices, lots = changes.side.tolist(), changes.price_ticks.tolist(), changes.size_lots.tolist()
    for row in range(len(day)):
        for at in range(bounds[row], bounds[row + 1]):
            book.apply(sides[at], prices[at], lots[at])
        cells = day.book[row].tolist()
        assert book.asks() == tuple(zip(cells[0::4], cells[1::4], strict=True))
        assert book.bids() == tuple(zip(cells[2::4], cells[3::4], strict=True))


def test_every_visible_execution_is_a_trade_of_the_side_opposite_to_the_resting_order(folder):
    day = _day(folder, 10)
    trades = day.trades()
    rows = trades.trade_id - 1
    visible = day.kind[rows] == 4
    before = day.book[np.maximum(rows - 1, 0)]
    after_first = visible & (rows > 0)
    buys = after_first & (trades.aggressor == Side.BUY)
    sells = after_first & (trades.aggressor == Side.SELL)
    assert np.array_equal(trades.price_ticks[buys], before[buys, 0]), "a buyer meets the best ask"
    assert np.array_equal(trades.price_ticks[sells], before[sells, 2]), "a seller meets the best bid"
    assert (day.kind[rows] == 5).sum() == 3913


async def test_a_node_replays_the_folder_and_ends_with_lobsters_ten_levels(folder):
    options = {"engines.marketdata.source": "replay", "engines.marketdata.replay_path": str(folder)}
    async with make_node(["marketdata"], options, clock=TestClock(0)) as node:
        engine = node["marketdata"]
        counts = {"trade": 0, "quote": 0}

        def count(kind):
            def handle(_):
                counts[kind] += 1

            return handle

        node.bus.subscribe(topics.ALL_TRADES, count("trade"))
        node.bus.subscribe(topics.ALL_QUOTES, count("quote"))
        await asyncio.wait_for(engine.finished.wait(), 60)
        day = await asyncio.to_thread(_day, folder, 10)
        cells = day.book[-1].reshape(-1, 4).tolist()
        book = engine.book("GOOG.XNAS")
        assert engine.messages_done == 147_916
        assert book.asks() == tuple((price, lots) for price, lots, _, _ in cells)
        assert book.bids() == tuple((price, lots) for _, _, price, lots in cells)
        assert counts["trade"] == 7765 + 3913
        top = day.book[:, :4]
        assert counts["quote"] == 1 + (np.diff(top, axis=0) != 0).any(axis=1).sum()
        assert not engine.feed.door.refused
