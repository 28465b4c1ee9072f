import builtins
from decimal import Decimal

import numpy as np
import pytest

from nautilus.engines.marketdata.databento import read_levels, read_orders
from nautilus.engines.marketdata.level3_replay import replay_orders
from nautilus.engines.marketdata.order_events import OrderAction
from nautilus.errors import Invalid, Unavailable
from nautilus.model import AssetClass, Instrument

FUTURE = Instrument(id="ESH4.GLBX", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.25"))
UNIT = 1_000_000_000
NO_PRICE = 2**63 - 1

ROWS = [  # action, side, id, price, size, flags
    ("R", "N", 0, NO_PRICE, 0, 40),
    ("A", "B", 7, 4799_000_000_000, 2, 168),
    ("A", "A", 8, 4799_250_000_000, 5, 130),
    ("T", "B", 0, 4799_250_000_000, 1, 0),
    ("F", "A", 8, 4799_250_000_000, 1, 0),
    ("C", "A", 8, 4799_250_000_000, 1, 130),
    ("M", "B", 7, 4798_750_000_000, 3, 130),
]


@pytest.fixture
def dbn():
    return pytest.importorskip("databento_dbn")


def _file(dbn, path, schema, records):
    metadata = dbn.Metadata(
        dataset="GLBX.MDP3", schema=schema, start=0, stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID, symbols=["ESH4"], partial=[], not_found=[], mappings=[],
    )  # fmt: skip
    path.write_bytes(metadata.encode() + b"".join(bytes(record) for record in records))
    return path


def _order(dbn, number, action, side, order_id, price, size, flags, instrument=17077):
    return dbn.MBOMsg(
        publisher_id=1, instrument_id=instrument, ts_event=1000 + number, order_id=order_id, price=price, size=size,
        action=dbn.Action(action), side=dbn.Side(side), ts_recv=2000 + number, flags=flags, channel_id=0,
        ts_in_delta=0, sequence=number,
    )  # fmt: skip


@pytest.fixture
def orders_file(dbn, tmp_path):
    records = [_order(dbn, number, *row) for number, row in enumerate(ROWS)]
    return _file(dbn, tmp_path / "small.mbo.dbn", dbn.Schema.MBO, records)


def test_order_records_become_events_of_a_book(orders_file):
    orders = read_orders(orders_file, FUTURE)
    kinds = [OrderAction(action).name for action in orders.events.action]
    assert kinds == ["CLEAR", "ADD", "ADD", "NONE", "NONE", "REDUCE", "MODIFY"]
    assert orders.events.price_ticks.tolist() == [0, 19196, 19197, 19197, 19197, 0, 19195]
    assert orders.events.side.tolist() == [0, 1, -1, 1, -1, -1, 1]
    assert orders.is_last.tolist() == [False, True, True, False, False, True, True]
    assert orders.is_snapshot.tolist() == [True, True, False, False, False, False, False]
    assert (np.nonzero(orders.is_fill)[0].tolist(), np.nonzero(orders.is_trade)[0].tolist()) == ([4], [3])
    assert (orders.events.ts_event[0], orders.ts_recv[-1], orders.sequence[-1]) == (1000, 2006, 6)
    history = replay_orders(orders.events)
    assert (history.bids(), history.asks(), history.faults.total) == (((19195, 3),), ((19197, 4),), 0)


def test_a_price_off_the_grid_is_refused_by_record(orders_file):
    coarse = Instrument(id="ESH4.GLBX", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.5"))
    with pytest.raises(Invalid, match="record 3, price"):
        read_orders(orders_file, coarse)


def test_of_several_instruments_one_must_be_named(dbn, tmp_path):
    records = [_order(dbn, number, *ROWS[1], instrument=number) for number in (1, 2)]
    path = _file(dbn, tmp_path / "two.mbo.dbn", dbn.Schema.MBO, records)
    with pytest.raises(Invalid, match="instrument_number"):
        read_orders(path, FUTURE)
    with pytest.raises(Invalid, match="instrument_number"):
        read_orders(path, FUTURE, 3)
    assert len(read_orders(path, FUTURE, 2).events) == 1


def test_what_is_no_such_file_is_refused(dbn, orders_file, tmp_path):
    junk = tmp_path / "junk.dbn"
    junk.write_bytes(b"time,price\n" * 50)
    with pytest.raises(Invalid, match=r"junk\.dbn"):
        read_orders(junk, FUTURE)
    with pytest.raises(Invalid, match="no records"):
        read_levels(orders_file, FUTURE, 1)
    with pytest.raises(Invalid, match="levels"):
        read_levels(orders_file, FUTURE, 5)


def test_level_records_become_rows_and_the_changes_between_them(dbn, tmp_path):
    def record(number, bid, bid_size, ask, ask_size):
        pair = dbn.BidAskPair(bid_px=bid, ask_px=ask, bid_sz=bid_size, ask_sz=ask_size, bid_ct=1, ask_ct=1)
        return dbn.MBP1Msg(
            publisher_id=1, instrument_id=1, ts_event=number, price=bid, size=1, action=dbn.Action("A"),
            side=dbn.Side("B"), depth=0, ts_recv=number + 5, flags=128, ts_in_delta=0, sequence=number, levels=pair,
        )  # fmt: skip

    records = [record(1, 10 * UNIT, 3, 11 * UNIT, 4), record(2, 10 * UNIT, 2, NO_PRICE, 0)]
    path = _file(dbn, tmp_path / "small.mbp-1.dbn", dbn.Schema.MBP_1, records)
    book, deltas = read_levels(path, FUTURE, 1)
    assert book.tolist() == [[44, 4, 40, 3], [0, 0, 40, 2]]
    rows = zip(deltas.side, deltas.price_ticks, deltas.size_lots, deltas.last, deltas.ts_init, strict=True)
    assert sorted(tuple(int(cell) for cell in row) for row in rows) == sorted(
        [(1, 40, 3, 0, 6), (-1, 44, 4, 1, 6), (-1, 44, 0, 0, 7), (1, 40, 2, 1, 7)]
    )


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    def refuse(name, *args, **kwargs):
        if name == "databento_dbn":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    path = tmp_path / "any.dbn"
    path.write_bytes(b"DBN")
    with pytest.raises(Unavailable, match=r"nautilus\[databento\]"):
        read_orders(path, FUTURE)
