"""The gateway: which answer belongs to which request."""

from tests.fakes.ibkr_gateway import requests as asked
from tests.fakes.ibkr_gateway.answers_data import DataAnswers
from tests.fakes.ibkr_gateway.answers_trading import TradingAnswers
from tests.fakes.ibkr_gateway.misbehaviour import Misbehaviour
from tests.fakes.ibkr_gateway.requests import Request
from tests.fakes.ibkr_gateway.session import Session
from tests.fakes.ibkr_gateway.wire import epoch


class Gateway(DataAnswers, TradingAnswers, Misbehaviour):
    """A fake TWS / IB Gateway; `async with Gateway() as gateway:` listens on `gateway.port`."""

    def answer(self, session: Session, request: Request) -> None:
        """Answer one request of data, or hand it on."""
        match request:
            case asked.MarketDataRequest():
                self.market_data(session, request)
            case asked.TickByTickRequest():
                self.tick_by_tick(session, request)
            case asked.DepthRequest():
                self.market_depth(session, request)
            case asked.HistoricalRequest():
                self.historical(session, request)
            case asked.RealTimeBarsRequest():
                self.realtime_bars(session, request)
            case asked.CancelMarketData() | asked.CancelTickByTick():
                self.unsubscribe(session, request.request_id, 300)
            case asked.CancelDepth():
                self.unsubscribe(session, request.request_id, 310)
            case asked.CancelHistorical() | asked.CancelRealTimeBars():
                self.unsubscribe(session, request.request_id, 366)
            case asked.ContractDetailsRequest():
                self.details(session, request)
            case asked.DepthExchangesRequest():
                self.depth_exchanges(session)
            case asked.MarketDataTypeRequest():
                session.data_type = request.data_type
            case _:
                self._answer_trading(session, request)

    def _answer_trading(self, session: Session, request: Request) -> None:
        match request:
            case asked.PlaceOrder():
                self.place(session, request)
            case asked.CancelOrder():
                self.cancel_requested(session, request)
            case asked.GlobalCancel():
                self.global_cancel()
            case asked.OpenOrdersRequest():
                self.open_orders(session, session.client_id)
            case asked.AllOpenOrdersRequest():
                self.open_orders(session, None)
            case asked.CompletedOrdersRequest():
                session.send(102)
            case asked.ExecutionsRequest():
                self.executions_asked(session, request)
            case asked.PositionsRequest():
                self.positions_asked(session)
            case asked.CancelPositions():
                session.wants_positions = False
            case asked.AccountSummaryRequest():
                self.account_summary(session, request)
            case asked.CancelAccountSummary():
                session.summaries.pop(request.request_id, None)
            case asked.AccountUpdatesRequest():
                self.account_updates(session, request)
            case asked.AccountUpdatesMultiRequest():
                self.account_updates_multi(session, request)
            case asked.CancelAccountUpdatesMulti():
                session.account_multi.pop(request.request_id, None)
            case _:
                self._answer_session(session, request)

    def _answer_session(self, session: Session, request: Request) -> None:
        match request:
            case asked.CurrentTimeRequest():
                session.send(49, 1, epoch(self.now()))
            case asked.IdsRequest():
                session.send(9, 1, self.next_order_id)
            case asked.ManagedAccountsRequest():
                session.send(15, 1, ",".join(self.accounts))
            case asked.LogLevel() | asked.AutoOpenOrdersRequest():
                pass
            case _:
                self.error(session, -1, 505)
