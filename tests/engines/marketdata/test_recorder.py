import asyncio

import pytest

from nautilus.engines.marketdata.recorder import Recorder, read_recorded
from nautilus.errors import NotFound
from nautilus.model import Bar, BookDelta, Side
from nautilus.store.catalog import MemoryCatalog, ParquetCatalog
from nautilus.store.errors import StoreError
from nautilus.testing import make_quote, make_trade

DELTA = BookDelta("TEST.SIM", Side.SELL, 100, 5, True, 3, 4)
BAR = Bar("TEST.SIM", "60s", 10, 12, 9, 11, 100, 40, 7, 1, 2, 3)


class Broken(MemoryCatalog):
    works = False

    async def write(self, kind, instrument_id, columns):
        if not self.works and kind == "trade":
            raise StoreError("disk full")
        await super().write(kind, instrument_id, columns)


async def test_what_is_recorded_reads_back_as_it_was(tmp_path):
    catalog = ParquetCatalog(tmp_path)
    await asyncio.to_thread(catalog.open)
    recorder = Recorder(catalog, 100)
    events = {"quote": make_quote(), "trade": make_trade(), "book": DELTA, "bar.60s": BAR}
    for kind, event in events.items():
        recorder.record(kind, event)
    assert recorder.waiting == 4
    await recorder.flush()
    assert (recorder.waiting, recorder.written, recorder.dropped, recorder.failure) == (0, 4, 0, "")
    for kind, event in events.items():
        columns = await asyncio.to_thread(read_recorded, catalog, kind, "TEST.SIM")
        assert {name: array.tolist() for name, array in columns.arrays().items()} == {
            name: [int(getattr(event, name))] for name in columns.names()
        }
    await catalog.stop()


async def test_the_newest_rows_within_a_time_are_read():
    recorder = Recorder(MemoryCatalog(), 100)
    for time in range(10):
        recorder.record("trade", make_trade(ts_event=time))
    await recorder.flush()
    columns = read_recorded(recorder.catalog, "trade", "TEST.SIM", 2, 8, newest=3)
    assert columns.ts_event.tolist() == [5, 6, 7]
    with pytest.raises(NotFound):
        read_recorded(recorder.catalog, "quote", "TEST.SIM")


async def test_over_capacity_the_newest_are_dropped_and_counted():
    recorder = Recorder(MemoryCatalog(), 3)
    for time in range(5):
        recorder.record("trade", make_trade(ts_event=time))
    assert (recorder.waiting, recorder.dropped) == (3, 2)
    await recorder.flush()
    recorder.record("trade", make_trade(ts_event=9))
    await recorder.flush()
    assert read_recorded(recorder.catalog, "trade", "TEST.SIM").ts_event.tolist() == [0, 1, 2, 9]


async def test_a_failed_write_keeps_its_events_in_order_for_the_next():
    catalog = Broken()
    recorder = Recorder(catalog, 100)
    recorder.record("trade", make_trade(ts_event=1))
    recorder.record("quote", make_quote(ts_event=1))
    await recorder.flush()
    assert (recorder.waiting, recorder.written, recorder.failure) == (1, 1, "disk full")
    recorder.record("trade", make_trade(ts_event=2))
    catalog.works = True
    await recorder.flush()
    assert (recorder.waiting, recorder.written, recorder.failure) == (0, 3, "")
    assert read_recorded(catalog, "trade", "TEST.SIM").ts_event.tolist() == [1, 2]
