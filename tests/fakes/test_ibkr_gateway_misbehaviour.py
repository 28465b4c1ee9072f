"""The fake gateway against the real client: everything that goes wrong goes wrong as told."""

import asyncio
import logging
import time

import pytest
from ib_async import IB
from ib_async.wrapper import RequestError

from tests.fakes.ibkr_client import AAPL, connect, errors_of, eventually, history, minute_bars
from tests.fakes.ibkr_gateway import (
    DepthRequest,
    Gateway,
    HistoricalRequest,
    MarketDataRequest,
    UnknownRequest,
)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_ends_the_connection_and_its_subscriptions(gateway: Gateway, ib: IB, reset: bool) -> None:
    ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    assert gateway.cut(7, reset=reset) == 1
    await eventually(lambda: not ib.isConnected())
    await gateway.disconnected()
    assert gateway.subscriptions() == []
    again = await connect(gateway, 7)
    assert (gateway.connections, gateway.clients) == (2, [7])
    again.disconnect()


async def test_silence_neither_answers_nor_closes_until_it_ends(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    gateway.go_silent()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.05)
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 0
    with pytest.raises(TimeoutError):
        await connect(gateway, 8, timeout=0.05)
    assert ib.isConnected()
    assert gateway.swallowed >= 3
    gateway.speak()
    assert gateway.tick("AAPL", bid=2.0, bid_size=1) == 1
    await eventually(lambda: ticker.bid == 2.0)


async def test_only_one_client_is_met_with_silence(gateway: Gateway, ib: IB) -> None:
    other = await connect(gateway, 8)
    gateway.go_silent(8)
    assert await ib.reqCurrentTimeAsync()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(other.reqCurrentTimeAsync(), 0.05)
    other.disconnect()


async def test_a_stalled_subscription_looks_alive_and_a_new_one_is(gateway: Gateway, ib: IB) -> None:
    ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    assert gateway.stall("AAPL") == 1
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 0
    assert await ib.reqCurrentTimeAsync()
    ib.cancelMktData(AAPL)
    ticker = ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest, 2)
    assert gateway.tick("AAPL", bid=2.0, bid_size=1) == 1
    await eventually(lambda: ticker.bid == 2.0)


async def test_slow_answers_come_late_and_in_order(gateway: Gateway, ib: IB) -> None:
    ticker = ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    bids: list[float] = []
    ticker.updateEvent += lambda ticker: bids.extend(tick.price for tick in ticker.ticks)
    gateway.slow(80)
    begun = time.monotonic()
    gateway.tick("AAPL", bid=1.0, bid_size=1)
    gateway.slow(0)
    gateway.tick("AAPL", bid=2.0, bid_size=1)
    await eventually(lambda: len(bids) == 2)
    assert time.monotonic() - begun >= 0.079
    assert bids == [1.0, 2.0]


async def test_framed_nonsense_is_survived_and_a_broken_frame_is_the_end_of_all_answers(
    gateway: Gateway, ib: IB, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, logger="ib_async"):
        assert gateway.send_raw("nonsense", "!", 1.5) == 1
        gateway.garbage(b"\x00\x00\x00\x06\xff\xfe9\x001\x00")
        assert await ib.reqCurrentTimeAsync()
        gateway.garbage(b"\x7f\xff\xff\xffHTTP/1.1 400 Bad Request\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)
    assert ib.isConnected()


@pytest.mark.parametrize("code", [1100, 1101, 1102, 2103, 2104, 2105, 2106, 2108, 2110, 2157, 2158])
async def test_each_notice_arrives_with_its_text(gateway: Gateway, ib: IB, code: int) -> None:
    errors = errors_of(ib)
    assert gateway.send_error(code) == 1
    await eventually(lambda: errors)
    ((number, received, text),) = errors
    assert (number, received) == (-1, code)
    assert text.startswith(("Connectivity between", "Market data farm", "HMDS data farm", "Sec-def data farm"))
    assert "{" not in text


@pytest.mark.parametrize(("data_lost", "code", "heard"), [(True, 1101, 0), (False, 1102, 1)])
async def test_connectivity_is_lost_and_restored(
    gateway: Gateway, ib: IB, data_lost: bool, code: int, heard: int
) -> None:
    errors = errors_of(ib)
    ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    gateway.connectivity_lost()
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 0
    assert await ib.reqCurrentTimeAsync()
    gateway.connectivity_restored(data_lost=data_lost)
    assert gateway.tick("AAPL", bid=2.0, bid_size=1) == heard
    await eventually(lambda: len(errors) == 2)
    assert [received for _, received, _ in errors] == [1100, code]


async def test_a_broken_farm_stops_what_it_serves(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    gateway.set_bars("AAPL", "1 min", minute_bars(3))
    ib.reqMktData(AAPL)
    await gateway.requested(MarketDataRequest)
    gateway.farm_broken("eufarm")
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 0
    assert len(await history(ib)) == 3
    gateway.farm_ok("eufarm")
    assert gateway.tick("AAPL", bid=1.0, bid_size=1) == 1
    gateway.farm_broken(code=2105)
    assert not await history(ib)
    gateway.farm_ok(code=2106)
    assert len(await history(ib)) == 3
    gateway.farm_broken(code=2157)
    assert await ib.reqContractDetailsAsync(AAPL) == []
    gateway.farm_ok(code=2158)
    assert len(await ib.reqContractDetailsAsync(AAPL)) == 1
    assert [code for _, code, _ in errors] == [2103, 2104, 2105, 162, 2106, 2157, 200, 2158]
    assert errors[0][2] == "Market data farm connection is broken:eufarm"


async def test_pacing_is_enforced_and_any_next_request_can_fail(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    gateway.set_bars("AAPL", "1 min", minute_bars(3))
    gateway.historical_pacing = (2, 60.0)
    assert [len(await history(ib)) for _ in range(3)] == [3, 3, 0]
    assert errors[0][1] == 162
    assert "pacing violation" in errors[0][2]
    gateway.historical_pacing = None
    gateway.fail_next(HistoricalRequest, 420)
    ib.RaiseRequestErrors = True
    with pytest.raises(RequestError, match="pacing violation"):
        await history(ib)
    assert len(await history(ib)) == 3


async def test_an_old_version_is_refused_by_the_client() -> None:
    async with Gateway(server_version=156) as gateway:
        with pytest.raises(TimeoutError):
            await connect(gateway, timeout=0.2)
        gateway.server_version = 178
        ib = await connect(gateway)
        ib.disconnect()


async def test_a_gateway_that_is_not_logged_in_never_makes_a_client_ready(gateway: Gateway) -> None:
    gateway.ready = False
    with pytest.raises(TimeoutError):
        await connect(gateway, timeout=0.1)


async def test_the_nightly_restart_refuses_and_then_listens_on_the_same_port(gateway: Gateway, ib: IB) -> None:
    port = gateway.port
    restart = asyncio.create_task(gateway.restart(0.2))
    await eventually(lambda: not ib.isConnected())
    with pytest.raises(ConnectionRefusedError):
        await connect(gateway)
    await restart
    assert gateway.port == port
    again = await connect(gateway)
    assert again.isConnected()
    again.disconnect()


async def test_a_client_id_in_use_is_error_326_and_the_end(gateway: Gateway, ib: IB) -> None:
    for client_id in (7, 12):
        gateway.occupy_client_id(12)
        late = IB()
        errors = errors_of(late)
        with pytest.raises(TimeoutError):
            await late.connectAsync("127.0.0.1", gateway.port, clientId=client_id, timeout=0.2)
        assert [code for _, code, _ in errors] == [326]
    gateway.release_client_id(12)
    late = await connect(gateway, 12)
    assert gateway.clients == [7, 12]
    late.disconnect()


async def test_what_is_not_known_is_recorded_and_refused(gateway: Gateway, ib: IB) -> None:
    errors = errors_of(ib)
    ib.client.reqScannerParameters()
    await eventually(lambda: errors)
    assert errors[0][1] == 505
    assert gateway.requests_of(UnknownRequest)[0].fields == ("24", "1")


async def test_waiting_for_what_does_not_come_fails_with_words(gateway: Gateway) -> None:
    with pytest.raises(AssertionError, match="fewer than 1 DepthRequest came within"):
        await gateway.requested(DepthRequest, timeout=0.01)
