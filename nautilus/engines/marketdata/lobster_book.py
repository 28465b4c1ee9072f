"""LOBSTER messages into book levels: a window of the best levels, resynchronised where the messages cannot know.

A level-n message file holds only the events that touch the best n levels. When a level vanishes, the level behind it
enters the window, and what happened to it while it was outside is in no message: its size is taken from LOBSTER's own
book row. Every other level of every row is rebuilt from messages alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit, kernel

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

SUBMISSION, PARTIAL_CANCEL, DELETION, EXECUTION, HIDDEN_EXECUTION, CROSS, HALT = 1, 2, 3, 4, 5, 6, 7
_ASK_COLUMN, _BID_COLUMN = 0, 2  # of a level's four columns: ask price, ask size, bid price, bid size


@dataclass(frozen=True, slots=True)
class WindowReplay:
    """A book rebuilt from messages, row by row.

    `rows` [messages, 4 * levels] in LOBSTER's column order, in ticks and lots, empty levels 0. `entered` [messages, 2]:
    how many levels at the far end of bids and of asks were read from LOBSTER's row. `mismatched` [messages]: rows whose
    other levels disagreed with LOBSTER's; after each of those the window is set to LOBSTER's row.
    """

    rows: Integers
    entered: Integers
    mismatched: Flags

    def comparable(self) -> Flags:
        """Which cells of `rows` were rebuilt from messages: all but the first row and the levels that just entered."""
        levels = self.rows.shape[1] // 4
        known = np.ones_like(self.rows, dtype=np.bool_)
        for side, column in ((0, _BID_COLUMN), (1, _ASK_COLUMN)):
            filled = (self.rows[:, column + 1 :: 4] > 0).sum(axis=1)
            for level in range(levels):
                read = (level < filled) & (level >= filled - self.entered[:, side])
                known[read, 4 * level + column] = False
                known[read, 4 * level + column + 1] = False
        return known


@jit
def _change(window: Integers, count: int, price: int, by: int, sign: int) -> int:
    """Add `by` lots at `price` to (price, lots) pairs, best first; returns the number of levels, ~it if impossible."""
    at = 0
    while at < count and (window[2 * at] - price) * sign > 0:
        at += 1
    if at < count and window[2 * at] == price:
        window[2 * at + 1] += by
        if window[2 * at + 1] > 0:
            return count
        impossible = window[2 * at + 1] < 0
        for cell in range(2 * at, 2 * count - 2):
            window[cell] = window[cell + 2]
        return ~(count - 1) if impossible else count - 1
    if by <= 0:
        return ~count
    for cell in range(2 * count + 1, 2 * at + 1, -1):
        window[cell] = window[cell - 2]
    window[2 * at], window[2 * at + 1] = price, by
    return count + 1


@jit
def _fill(window: Integers, count: int, truth: Integers, rebuilt: Integers) -> tuple[int, bool]:
    """Read the levels beyond `count` from `truth`, write all to `rebuilt`; returns their number and agreement."""
    levels, agrees = len(truth) // 2, True
    for level in range(levels):
        price, lots = truth[2 * level], truth[2 * level + 1]
        if level >= count and lots > 0:
            window[2 * level], window[2 * level + 1] = price, lots
            count += 1
        if level < count:
            rebuilt[2 * level], rebuilt[2 * level + 1] = window[2 * level], window[2 * level + 1]
            agrees = agrees and window[2 * level] == price and window[2 * level + 1] == lots
        elif lots > 0:
            agrees = False
    return count, agrees


def _window_example() -> tuple[Integers, ...]:
    submissions = np.array([[1, 100, 10, -1], [3, 100, 10, -1]], dtype=np.int64).T
    books = np.array([[[99, 10], [99, 10]], [[100, 10], [101, 10]]], dtype=np.int64).reshape(2, 2, 2)
    return (*(np.ascontiguousarray(column) for column in submissions), books)


def _window_reference(
    kind: Integers, price_ticks: Integers, size_lots: Integers, side: Integers, books: Integers
) -> tuple[Integers, Integers, Flags]:
    width, messages = books.shape[2] // 2, len(kind)
    rebuilt, entered = np.zeros_like(books), np.zeros((messages, 2), np.int64)
    mismatched = np.zeros(messages, np.bool_)
    windows: list[dict[int, int]] = [{}, {}]
    for row in range(messages):
        touched = 0 if side[row] > 0 else 1
        if row and SUBMISSION <= kind[row] <= EXECUTION:
            price, by = int(price_ticks[row]), int(size_lots[row]) * (1 if kind[row] == SUBMISSION else -1)
            windows[touched][price] = windows[touched].get(price, 0) + by
            if windows[touched][price] <= 0:
                mismatched[row] = windows[touched].pop(price) < 0
        for at, sign in ((0, -1), (1, 1)):
            best = sorted(windows[at].items(), key=lambda level, sign=sign: level[0] * sign)[:width]  # type: ignore[misc]
            truth = [(int(price), int(lots)) for price, lots in books[at, row].reshape(-1, 2) if lots > 0]
            entered[row, at] = max(len(truth) - len(best), 0)
            best += truth[len(best) :]
            rebuilt[at, row, : 2 * len(best)] = np.array(best, dtype=np.int64).ravel()
            mismatched[row] |= best != truth
            windows[at] = dict(best)
        if mismatched[row]:
            windows = [{int(p): int(s) for p, s in books[at, row].reshape(-1, 2) if s > 0} for at in (0, 1)]
    return rebuilt, entered, mismatched


@kernel(reference=_window_reference, example=_window_example)
def replay_window(
    kind: Integers, price_ticks: Integers, size_lots: Integers, side: Integers, books: Integers
) -> tuple[Integers, Integers, Flags]:
    """Rebuild LOBSTER's window of levels from its messages.

    `kind`, `price_ticks`, `size_lots`, `side` (of the resting order) [messages]; `books` [2, messages, 2 * levels] is
    LOBSTER's own (bids, asks; price and size of each level), read for the first row and for levels that enter. Returns
    the rebuilt books, the number of levels that entered [messages, 2] and the rows that disagreed [messages].
    """
    messages, cells = len(kind), books.shape[2]
    windows, count = np.zeros((2, cells + 2), np.int64), np.zeros(2, np.int64)
    rebuilt, entered = np.zeros_like(books), np.zeros((messages, 2), np.int64)
    mismatched = np.zeros(messages, np.bool_)
    for row in range(messages):
        if row > 0 and 1 <= kind[row] <= 4:
            at = 0 if side[row] > 0 else 1
            by = size_lots[row] if kind[row] == 1 else -size_lots[row]
            changed = _change(windows[at], count[at], price_ticks[row], by, 1 if at == 0 else -1)
            mismatched[row] = changed < 0
            count[at] = min(changed if changed >= 0 else ~changed, cells // 2)
        for at in range(2):
            known, agrees = _fill(windows[at], count[at], books[at, row], rebuilt[at, row])
            entered[row, at] = known - count[at]
            count[at] = known
            mismatched[row] |= not agrees
        if mismatched[row]:
            for at in range(2):
                count[at] = 0
                count[at] = _fill(windows[at], 0, books[at, row], windows[at, :cells])[0]
    return rebuilt, entered, mismatched


def rebuild_book(
    kind: Integers, price_ticks: Integers, size_lots: Integers, side: Integers, book: Integers
) -> WindowReplay:
    """The book after every message; arguments as `replay_window`, but `book` [messages, 4 * levels] as LOBSTER has it.

    >>> columns = [np.array(column) for column in ([1, 3], [100, 100], [10, 10], [-1, -1])]
    >>> replay = rebuild_book(*columns, np.array([[100, 10, 99, 5], [102, 7, 99, 5]]))
    >>> replay.rows.tolist(), replay.entered.tolist(), replay.mismatched.tolist()
    ([[100, 10, 99, 5], [102, 7, 99, 5]], [[1, 1], [0, 1]], [False, False])
    """
    levels = book.reshape(len(book), -1, 4)
    books = np.stack([levels[:, :, 2:].reshape(len(book), -1), levels[:, :, :2].reshape(len(book), -1)])
    kind, price_ticks, size_lots, side = (
        np.array(column, dtype=np.int64) for column in (kind, price_ticks, size_lots, side)
    )
    rebuilt, entered, mismatched = replay_window(kind, price_ticks, size_lots, side, np.ascontiguousarray(books))
    rows = np.stack([rebuilt[1].reshape(len(book), -1, 2), rebuilt[0].reshape(len(book), -1, 2)], axis=2)
    return WindowReplay(rows.reshape(book.shape), entered, mismatched)


@dataclass(frozen=True, slots=True)
class LevelChanges:
    """What a feed of a windowed book sends: [changes] message row, side (1 bid, -1 ask), ticks, new lots (0: gone)."""

    row: Integers
    side: Integers
    price_ticks: Integers
    size_lots: Integers


def level_changes(book: Integers) -> LevelChanges:
    """The level changes that lead from each book row to the next; the first row is sent whole.

    `book` [rows, 4 * levels] in LOBSTER's column order, empty levels with size 0. Within a row vanished levels come
    first. Levels that are pushed out of the window vanish too: a feed of n levels knows nothing beyond the nth.
    """
    parts = []
    for side, column in ((1, _BID_COLUMN), (-1, _ASK_COLUMN)):
        price, lots = book[:, column::4], book[:, column + 1 :: 4]
        before_price, before_lots = np.zeros_like(price), np.zeros_like(lots)
        before_price[1:], before_lots[1:] = price[:-1], lots[:-1]
        gone = (before_lots > 0) & ~_contains(price, lots, before_price)
        new = (lots > 0) & ~_contains(before_price, before_lots, price, lots)
        for flags, ticks, sizes in ((gone, before_price, np.zeros_like(lots)), (new, price, lots)):
            rows, _ = np.nonzero(flags)
            parts.append((rows, np.full(len(rows), side), ticks[flags], sizes[flags]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[3] > 0, columns[0]))
    return LevelChanges(*(column[order].astype(np.int64) for column in columns))


def _contains(price: Integers, lots: Integers, wanted: Integers, sizes: Integers | None = None) -> Flags:
    """Whether each wanted price (with this size, where given) is a level of the same row: [rows, levels]."""
    found = np.zeros(wanted.shape, dtype=np.bool_)
    for level in range(price.shape[1]):
        same = (price[:, level, None] == wanted) & (lots[:, level, None] > 0)
        found |= same if sizes is None else same & (lots[:, level, None] == sizes)
    return found
