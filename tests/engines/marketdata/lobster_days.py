"""Small LOBSTER days made from a random full book, as LOBSTER makes its files: only what touches the best levels."""

import zipfile
from pathlib import Path

import numpy as np

from nautilus.engines.marketdata import MatchingBook
from nautilus.model import Side

NAME = "TEST_2012-06-21_34200000_57600000_{}_{}.csv"


def make_day(levels: int, events: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Messages [n, 6] (time, type, id, size, price, direction) and books [n, 4 * levels], with empty levels."""
    generator = np.random.default_rng(seed)
    book, messages, rows = MatchingBook(), [], []
    alive: list[int] = []
    for number in range(1, events + 1):
        windows = {side: _window(book, side, levels) for side in (Side.BUY, Side.SELL)}
        kind, identifier, size, price, side = _event(book, alive, number, generator)
        touched = _window(book, side, levels) != windows[side]
        if kind == 5 or touched:
            messages.append((34_200 + number / 8, kind, identifier, size, price * 100, int(side)))
            rows.append(_row(book, levels))
    return np.array(messages), np.array(rows)


def _event(book, alive, number, generator):
    """Do one thing to the book; returns the message that describes it."""
    roll = generator.random()
    alive[:] = [one for one in alive if one in book]
    if roll < 0.05:
        return 5, 0, 1, int(generator.integers(990, 1010)), Side(int(generator.choice([-1, 1])))
    if roll < 0.45 and len(alive) > 4:
        order = book.order(alive[int(generator.integers(len(alive)))])
        by = order.size_lots if roll < 0.35 or order.size_lots == 1 else 1
        message = (3 if by == order.size_lots else 2, order.order_id, by, order.price_ticks, order.side)
        book.reduce(order.order_id, by)
        return message
    side = Side(int(generator.choice([-1, 1])))
    best = book.best_bid if side is Side.BUY else book.best_ask
    if roll < 0.6 and best is not None:
        order = book.queue(side, best)[0]
        size = min(order.size_lots, int(generator.integers(1, 5)))
        book.reduce(order.order_id, size)
        return 4, order.order_id, size, best, side
    price, size = 1000 - int(side) * int(generator.integers(1, 9)), int(generator.integers(1, 9))
    book.limit(number, side, price, size)
    alive.append(number)
    return 1, number, size, price, side


def _window(book, side, levels):
    return book.depth(side, levels)


def _row(book, levels):
    row = []
    asks, bids = book.depth(Side.SELL, levels), book.depth(Side.BUY, levels)
    for level in range(levels):
        ask, ask_lots = asks[level] if level < len(asks) else (99_999_999.99, 0)
        bid, bid_lots = bids[level] if level < len(bids) else (-99_999_999.99, 0)
        row += [round(ask * 100), ask_lots, round(bid * 100), bid_lots]
    return row


def write_day(folder: Path, messages: np.ndarray, rows: np.ndarray, *, zipped: bool = False) -> Path:
    """Write a day as LOBSTER does; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = rows.shape[1] // 4
    texts = {
        NAME.format("message", levels): "\n".join(
            f"{row[0]:.9f}," + ",".join(str(int(value)) for value in row[1:]) for row in messages
        ),
        NAME.format("orderbook", levels): "\n".join(",".join(map(str, row)) for row in rows.tolist()),
    }
    if zipped:
        with zipfile.ZipFile(folder / f"level_{levels}.zip", "w") as archive:
            for name, text in texts.items():
                archive.writestr(name, text + "\n")
    else:
        for name, text in texts.items():
            (folder / name).write_text(text + "\n")
    return folder
