"""The fake gateway against the real client: start-up, instruments, level 1 and ticks arrive with the right values."""

from datetime import UTC, datetime

from ib_async import IB, Contract, Forex, Future, Stock

from tests.fakes.ibkr_client import AAPL, NOON, connect, errors_of, eventually
from tests.fakes.ibkr_gateway import (
    CancelMarketData,
    CurrentTimeRequest,
    Gateway,
    Instrument,
    MarketDataRequest,
    StartApi,
    TickByTickRequest,
    UnknownRequest,
)


async def test_a_client_connects_and_knows_the_version_the_account_and_the_next_id() -> None:
    async with Gateway(next_order_id=42) as gateway:
        ib = await connect(gateway, 9, raiseSyncErrors=True)
        assert ib.client.serverVersion() == 178
        assert ib.managedAccounts() == ["DU1234567"]
        assert ib.client.getReqId() >= 42
        assert [(each.own_id, each.capabilities) for each in gateway.requests_of(StartApi)] == [(9, "")]
        assert gateway.clients == [9]
        assert not gateway.requests_of(UnknownRequest)
        ib.disconnect()
        await gateway.disconnected()
        assert gateway.clients == []


async def test_the_usual_notices_of_farms_follow_the_start(gateway: Gateway) -> None:
    ib = IB()
    errors = errors_of(ib)
    await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
    assert [(number, code) for number, code, _ in errors] == [(-1, 2104), (-1, 2106), (-1, 2158)]
    assert errors[0][2] == "Market data farm connection is OK:usfarm"
    ib.disconnect()


async def test_the_servers_time_is_the_gateways() -> None:
    async with Gateway(now=lambda: 1767718800.7) as gateway:
        ib = await connect(gateway)
        assert await ib.reqCurrentTimeAsync() == datetime.fromtimestamp(1767718800, UTC)
        assert len(gateway.requests_of(CurrentTimeRequest)) == 1
        ib.disconnect()


async def test_two_accounts_are_announced() -> None:
    async with Gateway(accounts=("DU1", "DU2")) as gateway:
        ib = await connect(gateway, raiseSyncErrors=True)
        assert ib.managedAccounts() == ["DU1", "DU2"]
        assert {value.account for value in ib.accountValues()} == {"DU1", "DU2"}
        ib.disconnect()


async def test_details_of_a_stock_a_future_and_a_pair(ib: IB) -> None:
    stock, future, pair = Stock("AAPL", "SMART", "USD"), Future("ES", "202606", "CME"), Forex("EURUSD")
    qualified = await ib.qualifyContractsAsync(stock, future, pair)
    assert [each.conId for each in qualified] == [265598, 649180695, 12087792]
    assert (stock.primaryExchange, future.localSymbol, future.multiplier) == ("NASDAQ", "ESM6", "50")
    (details,) = await ib.reqContractDetailsAsync(future)
    assert (details.minTick, details.timeZoneId, details.longName) == (0.25, "US/Central", "E-mini S&P 500")


async def test_an_instrument_can_be_added_and_an_unknown_one_is_error_200(gateway: Gateway, ib: IB) -> None:
    assert await ib.reqContractDetailsAsync(Stock("NOPE", "SMART", "USD")) == []
    gateway.add(Instrument(4711, "NOPE"))
    (details,) = await ib.reqContractDetailsAsync(Stock("NOPE", "SMART", "USD"))
    assert details.contract.conId == 4711
    errors = errors_of(ib)
    ib.reqMktData(Contract(conId=4712, exchange="SMART"))
    await eventually(lambda: errors)
    assert errors[0][1] == 200


async def test_the_exchanges_that_have_depth(ib: IB) -> None:
    rows = await ib.reqMktDepthExchangesAsync()
    assert [(row.exchange, row.secType, row.listingExch) for row in rows] == [
        ("ISLAND", "STK", "NASDAQ"),
        ("CME", "FUT", ""),
    ]


async def test_ticks_of_price_size_text_and_number_arrive(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktData(AAPL, "233")
    (request,) = await gateway.requested(MarketDataRequest)
    assert (request.client_id, request.contract.con_id, request.generic_ticks, request.snapshot) == (
        7,
        265598,
        "233",
        False,
    )
    heard = gateway.tick(
        "AAPL",
        bid=100.01,
        bid_size=300,
        ask=100.03,
        ask_size=200,
        last=100.02,
        last_size=5,
        volume=12345,
        high=101.5,
        low=99.5,
        open=100.5,
        close=98.25,
        timestamp=NOON,
        halted=1,
    )
    assert heard == 1
    await eventually(lambda: ticker.halted == 1)
    assert (ticker.bid, ticker.bidSize, ticker.ask, ticker.askSize) == (100.01, 300, 100.03, 200)
    assert (ticker.last, ticker.lastSize, ticker.volume) == (100.02, 5, 12345)
    assert (ticker.high, ticker.low, ticker.open, ticker.close) == (101.5, 99.5, 100.5, 98.25)
    assert ticker.lastTimestamp == NOON
    gateway.tick("AAPL", bid_size=350.5)
    gateway.tick_string("AAPL", 48, "701.28;1;1767718800123;67854;701.46;true")
    await eventually(lambda: ticker.rtVolume == 67854)
    assert ticker.bidSize == 350.5
    assert ticker.minTick == 0.01


async def test_a_new_subscription_is_told_what_is_known_and_a_snapshot_ends(gateway: Gateway, ib: IB) -> None:
    assert gateway.tick("AAPL", bid=100.0, bid_size=1, ask=100.5, ask_size=2) == 0
    (ticker,) = await ib.reqTickersAsync(AAPL)
    assert (ticker.bid, ticker.ask) == (100.0, 100.5)
    assert gateway.subscriptions("AAPL") == []


async def test_cancelling_ends_a_subscription(gateway: Gateway, ib: IB) -> None:
    ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    ib.cancelMktData(AAPL)
    await gateway.requested(CancelMarketData)
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 0


async def test_delayed_data_comes_under_the_numbers_of_delayed_data(gateway: Gateway, ib: IB) -> None:
    ib.reqMarketDataType(3)
    ticker = ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    gateway.tick("AAPL", bid=100.0, bid_size=1)
    await eventually(lambda: ticker.ticks)
    assert (ticker.ticks[0].tickType, ticker.bid, ticker.marketDataType) == (66, 100.0, 3)


async def test_too_many_lines_are_refused(gateway: Gateway, ib: IB) -> None:
    gateway.max_lines = 1
    errors = errors_of(ib)
    ib.reqMktData(AAPL)
    ib.reqMktData(Contract(conId=272093, exchange="SMART"))
    await eventually(lambda: errors)
    assert errors[0][1] == 101


async def test_tick_by_tick_of_all_four_kinds_with_the_exchanges_time(gateway: Gateway, ib: IB) -> None:
    times: list[int] = []
    own = ib.wrapper.tickByTickBidAsk

    def keep(request_id: int, seconds: int, *rest: object) -> None:
        times.append(seconds)
        own(request_id, seconds, *rest)

    ib.wrapper.tickByTickBidAsk = keep
    # the client keeps one ticker for each contract, so each kind asks for one of its own
    contracts = [Contract(conId=number) for number in gateway.instruments]
    kinds = ("Last", "AllLast", "BidAsk", "MidPoint")
    last, all_last, bid_ask, middle = (
        ib.reqTickByTickData(contract, kind) for contract, kind in zip(contracts, kinds, strict=True)
    )
    requests = await gateway.requested(TickByTickRequest, 4)
    assert [request.tick_type for request in requests] == list(kinds)
    aapl, msft, future, pair = (contract.conId for contract in contracts)
    assert gateway.trade(aapl, 1.0, 1, unreported=True) == 0
    # the client forgets the ticks of one packet with the next
    with gateway.packet():
        assert gateway.trade(aapl, 100.25, 50, time=NOON, exchange="NASDAQ", conditions=" F I", past_limit=True) == 1
        assert gateway.trade(msft, 400.5, 0.5, time=NOON, unreported=True) == 1
        assert gateway.quote(future, 6900.25, 6900.5, 12, 7, time=NOON, ask_past_high=True) == 1
        assert gateway.midpoint(pair, 1.131475, time=NOON) == 1
    await eventually(lambda: middle.tickByTicks)
    (tick,) = last.tickByTicks
    assert (tick.price, tick.size, tick.exchange, tick.specialConditions) == (100.25, 50, "NASDAQ", " F I")
    assert tick.tickAttribLast.pastLimit
    assert not tick.tickAttribLast.unreported
    (tick,) = all_last.tickByTicks
    assert (tick.tickType, tick.price, tick.size, tick.tickAttribLast.unreported) == (2, 400.5, 0.5, True)
    (tick,) = bid_ask.tickByTicks
    assert (tick.bidPrice, tick.askPrice, tick.bidSize, tick.askSize) == (6900.25, 6900.5, 12, 7)
    assert tick.tickAttribBidAsk.askPastHigh
    assert not tick.tickAttribBidAsk.bidPastLow
    (tick,) = middle.tickByTicks
    assert tick.midPoint == 1.131475
    assert times == [int(NOON.timestamp())]
