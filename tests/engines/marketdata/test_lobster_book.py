import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata import OrderBook, level_changes, rebuild_book
from nautilus.engines.marketdata.lobster_book import replay_window
from tests.engines.marketdata.lobster_days import make_day


def _columns(messages, rows):
    empty = np.repeat(rows[:, 1::2] == 0, 2, axis=1).reshape(rows.shape)
    book = np.where(empty, 0, rows).astype(np.int64)
    book[:, 0::2] //= 100
    return [messages[:, column].astype(np.int64) for column in (1, 4, 3, 5)], book


def _arguments(messages, rows):
    (kind, price, size, side), book = _columns(messages, rows)
    return kind, price // 100, size, side, book


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_the_book_rebuilt_from_messages_is_lobsters_wherever_messages_can_know(seed, levels):
    arguments = _arguments(*make_day(levels, 250, seed))
    replay = rebuild_book(*arguments)
    assert not replay.mismatched.any()
    assert np.array_equal(replay.rows, arguments[4])
    known = replay.comparable()
    assert not arguments[4][0][known[0]].any()
    assert known[1:].mean() > 0.5


def test_levels_that_enter_are_counted_as_read_and_nothing_else_is():
    kind, price, size, side = (np.array(column) for column in ([1, 3, 1], [10, 10, 9], [5, 5, 5], [1, 1, -1]))
    book = np.array([[12, 1, 10, 5], [12, 1, 8, 3], [9, 5, 8, 3]])
    replay = rebuild_book(kind, price, size, side, book)
    assert replay.entered.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert replay.comparable().tolist() == [[False] * 4, [True, True, False, False], [True] * 4]


def test_kernel_and_reference_agree_also_where_messages_contradict_the_book():
    kind, price, size, side, book = _arguments(*make_day(3, 400, 4))
    generator = np.random.default_rng(1)
    size = np.where(generator.random(len(size)) < 0.1, size + 1, size)
    levels = book.reshape(len(book), -1, 4)
    books = np.stack([levels[:, :, 2:].reshape(len(book), -1), levels[:, :, :2].reshape(len(book), -1)])
    compiled = replay_window(kind, price, size, side, np.ascontiguousarray(books))
    plain = replay_window.reference(kind, price, size, side, books)
    assert compiled[2].any()
    for one, other in zip(compiled, plain, strict=True):
        assert np.array_equal(one, other)


def test_after_a_contradiction_the_window_is_lobsters_again():
    kind, price, size, side, book = _arguments(*make_day(3, 300, 2))
    wrong = size.copy()
    wrong[100] += 7
    replay = rebuild_book(kind, price, wrong, side, book)
    assert replay.mismatched.tolist() == [row == 100 for row in range(len(kind))] or not replay.mismatched.any()
    assert np.array_equal(replay.rows[101:], book[101:])


@pytest.mark.parametrize("levels", [1, 2, 5])
def test_level_changes_lead_from_row_to_row(levels):
    *_, rows = _arguments(*make_day(levels, 400, levels))
    changes, book = level_changes(rows), OrderBook()
    at = 0
    for row in range(len(rows)):
        while at < len(changes.row) and changes.row[at] == row:
            book.apply(int(changes.side[at]), int(changes.price_ticks[at]), int(changes.size_lots[at]))
            at += 1
        cells = rows[row].reshape(-1, 4).tolist()
        assert book.asks() == tuple((price, lots) for price, lots, _, _ in cells if lots)
        assert book.bids() == tuple((price, lots) for _, _, price, lots in cells if lots)
    assert at == len(changes.row)
