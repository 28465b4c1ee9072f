"""A fake TWS / IB Gateway: an asyncio server on a free loopback port, speaking the text protocol at server version 178.

Everything runs in the test's own event loop; nothing is patched. What a script does to the market is remembered by the
gateway (books, bars, orders, positions); what a client subscribed to dies with its connection.

    async with Gateway() as gateway:                     # AAPL, MSFT, ESM6 and EUR.USD are listed
        ib = IB()
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=7)
        ib.reqMktData(Contract(conId=265598, exchange="SMART"))
        await gateway.requested(MarketDataRequest)       # until it came; returns the requests so far
        gateway.tick("AAPL", bid=100.0, bid_size=300, ask=100.02, ask_size=200)

Instruments are named by symbol ("AAPL"), local symbol ("ESM6", "EUR.USD") or conId. Methods that push return to how
many subscriptions they sent. Times are aware datetimes or epoch seconds. Calls are plain unless marked `await`.

Construction
  Gateway(accounts=("DU1234567",), next_order_id=1, server_version=178, notices=(2104, 2106, 2158), now=time.time)
  .port .accounts .clients (ids connected now) .connections (accepted so far) .swallowed (messages not delivered)
  .server_version .notices .ready (False: accounts and next id are withheld) .max_lines .max_depth .max_tick_by_tick
  .historical_pacing = (requests, seconds) or None: beyond it error 162, pacing violation
Instruments
  add(Instrument(...)); .instruments; find(name)
Level 1
  tick(name, bid= bid_size= ask= ask_size= last= last_size= volume= high= low= open= close= timestamp= halted=)
  tick_price(name, tick_type, price, size) tick_size(name, tick_type, size) tick_string(...) tick_generic(...)
  a new subscription is told what is known
Tick-by-tick
  trade(name, price, size, time=, exchange=, conditions=, past_limit=, unreported=)   Last and AllLast
  quote(name, bid, ask, bid_size, ask_size, time=, bid_past_low=, ask_past_high=)     BidAsk
  midpoint(name, price, time=)                                                        MidPoint
Depth
  depth(name, operation, side, position, price, size, market_maker="")   "insert" "update" "delete", "bid" "ask"
  book(name)                         the true book (.bids .asks, lists of Level): kept while nobody listens, and sent as
                                     inserts to each new subscription, as many rows as it asks for
  reset_depth(name, refill=True)     error 317, then the book again
Bars
  set_bars(name, bar_size, [Bar(...)], what="TRADES"); live_bar(name, bar_size, Bar(...)) also updates subscriptions
  with keepUpToDate; realtime_bar(name, Bar(...)) five-second bars. Requests are answered by end and duration (calendar
  time); none in range: error 162 "HMDS query returned no data"
Orders
  fill(order_id, quantity=None, price=None, commission=1.0, time=, exchange=, client_id=) -> Execution; None: what
  remains, at the limit price. reject(order_id, code=201, text=""); cancel_order(order_id, reason="")
  order(order_id); .orders .executions .positions; set_position(name, quantity, average_cost, account=)
  fills move positions and push them
Account
  set_account_value(tag, value, currency="USD", account=); .account_values
Packets
  with gateway.packet(): ...         everything sent inside arrives as one TCP write
Misbehaviour
  cut(client_id=None, reset=False)   close the connection(s); reset: with a TCP RST
  go_silent(client_id=None), speak() keep the connection and send nothing: no answer, no data, no handshake
  stall(name, kind=None)             subscriptions of an instrument stop without a word; new ones work
  slow(milliseconds)                 everything sent from now on arrives so much later, in order; 0 ends it
  garbage(data)                      raw bytes into the stream, breaking the framing or not as you like
  send_raw(*fields)                  one framed message of any fields
  send_error(code, text="", request_id=-1, client_id=None, farm="")   known codes have their usual text; nothing else
                                     happens (1100, 1101, 1102, 2103 to 2108, 2110, 2157, 2158, 317, 162, 420, ...)
  fail_next(RequestType, code, text="", times=1)      the next such requests are answered by an error
  connectivity_lost(code=1100)       data and news of orders stop; TWS itself still answers
  connectivity_restored(data_lost=)  True: 1101, subscriptions are forgotten; False: 1102, they go on
  farm_broken(farm, code=2103), farm_ok(farm, code=2104)   ticks stop and go on; 2105 and 2106: historical requests get
                                     error 162; 2157 and 2158: contract details get error 200; 2108 only says inactive
  refuse(), await accept()           close everything and refuse connections; listen again on the same port
  await restart(down_seconds)        the nightly restart: refuse, wait, accept
  occupy_client_id(id), release_client_id(id)         an id taken by somebody else: error 326 and closed; so is the
                                     second of two live connections with one id
Records
  .requests                          everything asked, typed (see requests.py), oldest first; each has .client_id and
                                     .connection; requests_of(Type) -> list
  await requested(Type, count=1, where=None, timeout=5.0) -> list; await connected(count=1); await disconnected(count=0)
  subscriptions(name=None, kind=None)                 what is subscribed to now (kind: the request type)

Not played: combos (BAG), completed orders (always none), market rules, what-if orders (taken for real ones), regular
hours of bars, ticks of the past, option computations, scanners, news, profit and loss.
"""

from tests.fakes.ibkr_gateway.books import Book, Level
from tests.fakes.ibkr_gateway.codes import TEXTS
from tests.fakes.ibkr_gateway.gateway import Gateway
from tests.fakes.ibkr_gateway.history import Bar
from tests.fakes.ibkr_gateway.instruments import Instrument
from tests.fakes.ibkr_gateway.orders import Execution, LiveOrder
from tests.fakes.ibkr_gateway.requests import (
    AccountSummaryRequest,
    AccountUpdatesMultiRequest,
    AccountUpdatesRequest,
    CancelDepth,
    CancelHistorical,
    CancelMarketData,
    CancelOrder,
    CancelRealTimeBars,
    CancelTickByTick,
    ContractDetailsRequest,
    CurrentTimeRequest,
    DepthRequest,
    ExecutionsRequest,
    HistoricalRequest,
    MarketDataRequest,
    MarketDataTypeRequest,
    OpenOrdersRequest,
    PlaceOrder,
    PositionsRequest,
    RealTimeBarsRequest,
    Request,
    StartApi,
    TickByTickRequest,
    UnknownRequest,
)

__all__ = [
    "TEXTS",
    "AccountSummaryRequest",
    "AccountUpdatesMultiRequest",
    "AccountUpdatesRequest",
    "Bar",
    "Book",
    "CancelDepth",
    "CancelHistorical",
    "CancelMarketData",
    "CancelOrder",
    "CancelRealTimeBars",
    "CancelTickByTick",
    "ContractDetailsRequest",
    "CurrentTimeRequest",
    "DepthRequest",
    "Execution",
    "ExecutionsRequest",
    "Gateway",
    "HistoricalRequest",
    "Instrument",
    "Level",
    "LiveOrder",
    "MarketDataRequest",
    "MarketDataTypeRequest",
    "OpenOrdersRequest",
    "PlaceOrder",
    "PositionsRequest",
    "RealTimeBarsRequest",
    "Request",
    "StartApi",
    "TickByTickRequest",
    "UnknownRequest",
]
