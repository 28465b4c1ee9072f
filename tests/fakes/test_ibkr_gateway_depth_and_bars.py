"""The fake gateway against the real client: the book a client builds is the true one, and bars are those asked for."""

import json
from datetime import date, timedelta
from pathlib import Path

from ib_async import IB, Contract

from tests.fakes.ibkr_client import AAPL, NOON, ClientBook, errors_of, eventually, history, minute_bars
from tests.fakes.ibkr_gateway import Bar, DepthRequest, Gateway, HistoricalRequest, Level


def fill_book(gateway: Gateway) -> None:
    for position, price in enumerate((100.0, 99.99, 99.98)):
        gateway.depth("AAPL", "insert", "bid", position, price, 100 + position)
        gateway.depth("AAPL", "insert", "ask", position, 200.01 - price, 200 + position, "ARCA")


async def test_depth_is_inserted_updated_and_deleted_with_and_without_a_market_maker(gateway: Gateway, ib: IB) -> None:
    own = ClientBook(ib)
    ticker = ib.reqMktDepth(AAPL, 20)
    (request,) = await gateway.requested(DepthRequest)
    assert (request.rows, request.smart, request.contract.con_id) == (20, False, 265598)
    fill_book(gateway)
    gateway.depth("AAPL", "insert", "bid", 0, 100.005, 7)
    gateway.depth("AAPL", "update", "ask", 1, 100.02, 999, "EDGX")
    gateway.depth("AAPL", "delete", "ask", 0)
    await eventually(lambda: own.messages == 9)
    assert own.equals(gateway)
    assert [level.price for level in own.bids] == [100.005, 100.0, 99.99, 99.98]
    assert [(level.size, level.market_maker) for level in own.asks] == [(999, "EDGX"), (202, "ARCA")]
    assert (ticker.domTicks[-1].operation, ticker.domTicks[-1].side) == (2, 0)


async def test_a_new_subscription_gets_the_book_as_inserts_and_no_more_rows_than_it_asked_for(
    gateway: Gateway, ib: IB
) -> None:
    fill_book(gateway)
    own = ClientBook(ib)
    ib.reqMktDepth(AAPL, 2, isSmartDepth=True)
    await eventually(lambda: own.messages == 4)
    assert own.equals(gateway, rows=2)
    gateway.depth("AAPL", "delete", "bid", 0)
    gateway.depth("AAPL", "insert", "ask", 1, 100.015, 4)
    gateway.depth("AAPL", "update", "ask", 2, 100.02, 5)
    gateway.depth("AAPL", "update", "bid", 0, 99.99, 77)
    await eventually(lambda: own.bids and own.bids[0].size == 77)
    assert own.equals(gateway, rows=2)


async def test_317_empties_the_book_and_it_is_sent_again(gateway: Gateway, ib: IB) -> None:
    own = ClientBook(ib)
    errors = errors_of(ib)
    ib.reqMktDepth(AAPL, 20)
    (request,) = await gateway.requested(DepthRequest)
    fill_book(gateway)
    await eventually(lambda: own.messages == 6)
    assert gateway.reset_depth("AAPL") == 1
    await eventually(lambda: own.messages == 12)
    assert own.equals(gateway)
    assert (errors[0][0], errors[0][1]) == (request.request_id, 317)


async def test_the_fourth_book_is_refused(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    for number in gateway.instruments:
        ib.reqMktDepth(Contract(conId=number), 5)
    await eventually(lambda: errors)
    assert [code for _, code, _ in errors] == [309]


async def test_a_packet_arrives_at_once(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktDepth(AAPL, 20)
    await gateway.requested(DepthRequest)
    batches: list[int] = []
    ticker.updateEvent += lambda ticker: batches.append(len(ticker.domTicks))
    with gateway.packet():
        fill_book(gateway)
    await eventually(lambda: batches)
    assert batches == [6]


async def test_a_recorded_session_ends_in_the_recorded_book(gateway: Gateway, ib: IB, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "ibkr_recordings" / "eurusd_depth_events.json").read_text())
    for position in range(5):
        # the recording begins when the book was there already
        gateway.depth("EUR.USD", "insert", "bid", position, 1.0, 1)
        gateway.depth("EUR.USD", "insert", "ask", position, 2.0, 1)
    own = ClientBook(ib)
    ib.reqMktDepth(Contract(conId=12087792, exchange="IDEALPRO"), 5)
    await gateway.requested(DepthRequest)
    operations, sides = ("insert", "update", "delete"), ("ask", "bid")
    for _, _, position, maker, operation, side, price, size in recorded["events"]:
        gateway.depth("EUR.USD", operations[operation], sides[side], position, price, size, maker)
    await eventually(lambda: own.messages == 10 + len(recorded["events"]))
    assert own.equals(gateway, "EUR.USD")
    assert own.bids == [Level(*row) for row in recorded["final_bids"]]
    assert own.asks == [Level(*row) for row in recorded["final_asks"]]


async def test_recorded_wire_text_is_played_as_it_is(gateway: Gateway, ib: IB, shared_data: Path) -> None:
    lines = (shared_data / "ibkr_recordings" / "wire_market_depth.txt").read_text().splitlines()
    session = [line[2:] for line in lines[: next(i for i, line in enumerate(lines) if "expected book" in line)]]
    messages = [line.split("|")[:-1] for line in session if line.startswith(("13|", "4|"))]
    own = ClientBook(ib)
    ib.reqMktDepth(AAPL, 5, isSmartDepth=True)
    (request,) = await gateway.requested(DepthRequest)
    for message in messages:
        gateway.send_raw(*(request.request_id if field == "9000" else field for field in message))
    await eventually(lambda: own.messages == 8)
    assert own.bids == [Level(235.84, 200, "OVERNIGHT"), Level(235.82, 100, "IBEOS")]
    assert own.asks == [Level(236.09, 200, "OVERNIGHT"), Level(236.26, 100, "IBEOS")]


async def test_bars_within_the_end_and_the_duration_come_back(gateway: Gateway, ib: IB) -> None:
    gateway.set_bars("AAPL", "1 min", minute_bars(30))
    bars = await history(ib, NOON + timedelta(minutes=20), "600 S")
    assert [bar.date for bar in bars] == [NOON + timedelta(minutes=i) for i in range(10, 20)]
    first = bars[0]
    assert (first.open, first.high, first.low, first.close) == (110, 111.5, 109.5, 110.5)
    assert (first.volume, first.average, first.barCount) == (1010, 110.25, 20)
    request = gateway.requests_of(HistoricalRequest)[0]
    assert (request.bar_size, request.what, request.regular_hours, request.keep_up_to_date) == (
        "1 min",
        "TRADES",
        True,
        False,
    )
    assert len(await history(ib, "", "300 S")) == 5
    zoned = await history(ib, formatDate=1)
    assert zoned[0].date == NOON
    assert str(zoned[0].date.tzinfo) == "US/Eastern"


async def test_daily_bars_are_dated_by_day(gateway: Gateway, ib: IB) -> None:
    gateway.set_bars("AAPL", "1 day", [Bar(date(2026, 1, day), 1, 2, 0.5, 1.5, 10) for day in (5, 6)])
    bars = await history(ib, "", "1 W", barSizeSetting="1 day")
    assert [bar.date for bar in bars] == [date(2026, 1, 5), date(2026, 1, 6)]


async def test_no_bars_are_error_162(ib: IB) -> None:
    errors = errors_of(ib)
    assert not await history(ib)
    assert errors[0][1:] == (
        162,
        "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART Trades",
    )


async def test_bars_are_kept_up_to_date(gateway: Gateway, ib: IB) -> None:
    gateway.set_bars("AAPL", "1 min", minute_bars(3))
    bars = await history(ib, keepUpToDate=True)
    assert len(bars) == 3
    assert gateway.live_bar("AAPL", "1 min", Bar(NOON + timedelta(minutes=2), 1, 4, 0.5, 2, 77, 1.5, 9)) == 1
    assert gateway.live_bar("AAPL", "1 min", Bar(NOON + timedelta(minutes=3), 5, 8, 4.5, 6, 88, 5.5, 3)) == 1
    await eventually(lambda: len(bars) == 4)
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume, bar.average, bar.barCount) for bar in bars[2:]] == [
        (1, 4, 0.5, 2, 77, 1.5, 9),
        (5, 8, 4.5, 6, 88, 5.5, 3),
    ]
    ib.cancelHistoricalData(bars)
    await eventually(lambda: not gateway.subscriptions("AAPL"))
    assert len(await history(ib)) == 4


async def test_bars_of_five_seconds(gateway: Gateway, ib: IB) -> None:
    bars = ib.reqRealTimeBars(AAPL, 5, "TRADES", True)
    await eventually(lambda: gateway.subscriptions("AAPL"))
    gateway.realtime_bar("AAPL", Bar(NOON, 1, 4, 0.5, 2, 77, 1.5, 9))
    await eventually(lambda: bars)
    bar = bars[0]
    assert (bar.time, bar.open_, bar.high, bar.low, bar.close) == (NOON, 1, 4, 0.5, 2)
    assert (bar.volume, bar.wap, bar.count) == (77, 1.5, 9)
