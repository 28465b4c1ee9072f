from decimal import Decimal

import msgspec
import pytest

from nautilus.engines.marketdata import OrderBook, find_days, read_day
from nautilus.engines.marketdata.recorder import Recorder
from nautilus.engines.marketdata.replay import INSTRUMENTS_FILE, open_replay, recorded_replay
from nautilus.errors import Invalid
from nautilus.model import Bar, BookDelta, Quote, Side, Trade
from nautilus.store.catalog import MemoryCatalog
from nautilus.testing import make_instrument, make_quote, make_trade
from tests.engines.marketdata.lobster_days import make_day, write_day


def test_a_lobster_day_is_a_group_a_message_trade_before_book(tmp_path):
    messages, rows = make_day(3, 300, 1)
    replay = open_replay(write_day(tmp_path, messages, rows))
    day, book = read_day(find_days(tmp_path)[0]), OrderBook()
    groups = list(replay.groups())
    assert replay.messages == len(groups) == len(messages)
    assert (replay.start_ns, replay.end_ns) == (groups[0][0], groups[-1][0])
    for row, (time, events) in enumerate(groups):
        trades = [event for event in events if isinstance(event, Trade)]
        assert len(trades) == (messages[row, 1] in (4, 5))
        assert events[: len(trades)] == trades
        for event in events:
            assert event.ts_event == time
            if isinstance(event, BookDelta):
                book.apply(event.side, event.price_ticks, event.size_lots)
        cells = day.book[row].reshape(-1, 4).tolist()
        assert book.bids() == tuple((price, lots) for _, _, price, lots in cells if lots)
        assert book.asks() == tuple((price, lots) for price, lots, _, _ in cells if lots)
        deltas = [event for event in events if isinstance(event, BookDelta)]
        assert [delta.last for delta in deltas] == [False] * (len(deltas) - 1) + [True] * bool(deltas)
    assert list(replay.groups()) == groups


def test_tick_files_of_a_folder_are_merged_in_order_of_time(tmp_path):
    (tmp_path / "A.B.trades.csv").write_text("ts_event,price,size\n1,1.0,1\n4,1.0,1\n")
    (tmp_path / "A.B.quotes.csv").write_text("ts_event,bid_price,ask_price,bid_size,ask_size\n2,1,1.1,1,1\n")
    (tmp_path / "C.D.bars-1s.csv").write_text("ts_event,open,high,low,close,volume\n1000000000,1,1.5,1,1,9\n")
    definition = make_instrument("C.D", tick_size=Decimal("0.5"))
    (tmp_path / INSTRUMENTS_FILE).write_bytes(msgspec.json.encode([definition]))
    replay = open_replay(tmp_path)
    events = [event for _, group in replay.groups() for event in group]
    assert [type(event) for event in events] == [Trade, Quote, Trade, Bar]
    assert events[-1].high_ticks == 3
    assert events[0].aggressor is Side.NONE
    assert {one.id: str(one.tick_size) for one in replay.instruments} == {"A.B": "0.01", "C.D": "0.5"}


def test_rows_left_out_are_counted(tmp_path):
    path = tmp_path / "A.B.trades.csv"
    path.write_text("ts_event,price,size\n1,1.0,1\n2,-1.0,1\n")
    with pytest.raises(Invalid, match="row 3, column price"):
        open_replay(path)
    assert open_replay(path, "skip").skipped == {"price not positive": 1}


async def test_what_was_recorded_can_be_replayed_and_gives_quotes_only_where_there_is_no_book():
    recorder = Recorder(MemoryCatalog(), 100)
    recorder.record("trade", make_trade(ts_event=3, aggressor=Side.SELL))
    recorder.record("book", BookDelta("TEST.SIM", Side.SELL, 100, 5, True, 2, 2))
    recorder.record("quote", make_quote(ts_event=2))
    recorder.record("quote", make_quote("OTHER.SIM", ts_event=1))
    await recorder.flush()
    replay = recorded_replay(recorder.catalog, [make_instrument(), make_instrument("OTHER.SIM")])
    events = [event for _, group in replay.groups() for event in group]
    assert [type(event) for event in events] == [Quote, BookDelta, Trade]
    assert events[1].last is True
    assert events[1].side is Side.SELL
    assert events[2] == make_trade(ts_event=3, aggressor=Side.SELL)
    with pytest.raises(Invalid):
        recorded_replay(recorder.catalog, [])


def test_wrong_paths_are_refused(tmp_path):
    with pytest.raises(Invalid, match="no such file"):
        open_replay(tmp_path / "nowhere")
    with pytest.raises(Invalid, match="holds neither"):
        open_replay(tmp_path)
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Invalid, match="must be called"):
        open_replay(tmp_path / "notes.csv")
    (tmp_path / "a b.trades.csv").write_text("ts_event,price,size\n1,1.0,1\n")
    with pytest.raises(Invalid, match="is no instrument id"):
        open_replay(tmp_path / "a b.trades.csv")
    (tmp_path / "A.B.trades.csv").write_text("ts_event,price,size\n")
    with pytest.raises(Invalid, match="not one row"):
        open_replay(tmp_path / "A.B.trades.csv")
    (tmp_path / INSTRUMENTS_FILE).write_text("{")
    with pytest.raises(Invalid, match=r"instruments\.json"):
        open_replay(tmp_path / "A.B.trades.csv")
