"""Depth operations to rows and levels."""

import json
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.ibkr.depth_book import DepthBook, Operation, Row
from nautilus.engines.marketdata.ibkr.depth_stream import DepthStream
from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.order_book import OrderBook
from nautilus.model import AssetClass, BookDelta, Side
from nautilus.testing import make_instrument

STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(Operation)),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(0, 8),
        st.integers(1, 6),
        st.integers(0, 5),
    ),
    max_size=60,
)


def naive(rows, operation, position, row):
    """The rule in its plainest words."""
    if operation == Operation.DELETE:
        return rows[:position] + rows[position + 1 :]
    if operation == Operation.INSERT or position >= len(rows):
        return [*rows[:position], row, *rows[position:]]
    return [row if place == position else old for place, old in enumerate(rows)]


@given(STEPS)
def test_rows_are_those_of_plain_lists(steps):
    """Insert moves down, update overwrites, delete moves up; beyond the end append or ignore."""
    book = DepthBook()
    expected = {Side.BUY: [], Side.SELL: []}
    for operation, side, position, price, lots in steps:
        row = Row(price, lots)
        book.apply(operation, side, position, row)
        expected[side] = naive(expected[side], operation, position, row)
    assert {side: list(book.rows(side)) for side in expected} == expected


@given(st.lists(STEPS, max_size=5), st.integers(0, 4))
def test_who_follows_the_changes_has_the_same_levels_after_every_packet(packets, reset_at):
    """Changes applied one by one give the levels, across resets too, and nothing is told twice."""
    book, follower = DepthBook(), OrderBook()
    for number, steps in enumerate(packets):
        if number == reset_at:
            book.reset()
        for operation, side, position, price, lots in steps:
            book.apply(operation, side, position, Row(price, lots))
        for side, price, lots in book.changes():
            assert follower.size_at(side, price) != lots
            follower.apply(side, price, lots)
        assert dict(follower.bids()) == book.levels(Side.BUY)
        assert dict(follower.asks()) == book.levels(Side.SELL)


def test_market_makers_at_one_price_add_up():
    """Two market makers at a price are one level with the sum of their sizes."""
    book = DepthBook()
    book.apply(Operation.INSERT, Side.SELL, 0, Row(101, 5, "NSDQ"))
    book.apply(Operation.INSERT, Side.SELL, 1, Row(101, 7, "ARCA"))
    assert book.levels(Side.SELL) == {101: 12}
    assert [row.market_maker for row in book.rows(Side.SELL)] == ["NSDQ", "ARCA"]


def test_a_row_off_the_grid_holds_its_place_and_is_counted():
    """Refusing the row altogether would shift every later position."""
    events: list[BookDelta] = []
    stream = DepthStream("TEST.SIM", Grid(make_instrument()), lambda event: not events.append(event))
    stream.apply(0, 0, True, 100.00, 10, "")
    stream.apply(1, 0, True, 99.995, 10, "")
    stream.apply(2, 0, True, 99.98, 10, "")
    stream.apply(2, 1, True, 99.98, 30, "")
    stream.flush(7)
    assert [(event.price_ticks, event.size_lots, event.last) for event in events] == [
        (10000, 10, False),
        (9998, 30, True),
    ]
    assert (stream.refused, stream.grid.off_grid) == (1, 1)


def test_an_appended_copy_and_its_update_in_one_packet_show_no_double_level():
    """TWS appends a copy of the displaced row and then overwrites it: only the end of the packet counts."""
    events: list[BookDelta] = []
    stream = DepthStream("TEST.SIM", Grid(make_instrument()), lambda event: not events.append(event))
    stream.apply(0, 0, True, 100.00, 10, "")
    stream.flush(1)
    events.clear()
    stream.apply(1, 0, True, 100.00, 10, "")
    stream.apply(0, 1, True, 100.01, 4, "")
    stream.flush(2)
    assert [(event.price_ticks, event.size_lots) for event in events] == [(10001, 4)]


def test_a_recorded_session_ends_on_its_true_book(shared_data: Path):
    """271 depth operations of IDEALPRO, replayed through our rows, give the book that was recorded at the end."""
    recording = json.loads((shared_data / "ibkr_recordings" / "eurusd_depth_events.json").read_text())
    pair = make_instrument("EUR-USD.IDEALPRO", asset_class=AssetClass.FX, tick_size=Decimal("0.00001"))
    follower = OrderBook()

    def take(delta):
        follower.apply(delta.side, delta.price_ticks, delta.size_lots)
        return True

    stream = DepthStream(pair.id, Grid(pair), take)
    for _, batch in groupby(recording["events"], key=lambda event: event[0]):
        for _, _, position, market_maker, operation, side, price, size in batch:
            stream.apply(position, operation, side == 1, price, size, market_maker)
        stream.flush(1)
    for levels, rows in ((follower.bids(), recording["final_bids"]), (follower.asks(), recording["final_asks"])):
        assert levels == tuple((pair.ticks(price), int(size)) for price, size, _ in rows)
    assert stream.refused == 0
