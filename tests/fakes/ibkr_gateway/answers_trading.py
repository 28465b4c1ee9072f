"""Answers to requests about orders, executions, positions and accounts."""

from tests.fakes.ibkr_gateway.orders import Execution
from tests.fakes.ibkr_gateway.requests import (
    AccountSummaryRequest,
    AccountUpdatesMultiRequest,
    AccountUpdatesRequest,
    ExecutionsRequest,
)
from tests.fakes.ibkr_gateway.session import Session
from tests.fakes.ibkr_gateway.trading import Trading
from tests.fakes.ibkr_gateway.wire import BadMessage, parse_time, zoned

SIDES = {"BUY": "BOT", "SELL": "SLD"}


class TradingAnswers(Trading):
    """What is asked about is answered from the gateway's state."""

    def open_orders(self, session: Session, client_id: int | None) -> None:
        """Open orders of one client, or all, and the end."""
        for order in self.orders.values():
            if order.is_open and client_id in {None, order.client_id}:
                session.send(*order.open_fields())
                session.send(*order.status_fields())
        session.send(53, 1)

    def global_cancel(self) -> None:
        """Cancel every open order."""
        for order in list(self.orders.values()):
            if order.is_open:
                self.cancel_order(order.order_id, client_id=order.client_id)

    def executions_asked(self, session: Session, request: ExecutionsRequest) -> None:
        """The executions that pass the filter, each with its commission, and the end."""
        try:
            since = parse_time(request.time)
        except BadMessage as error:
            self.error(session, request.request_id, 321, f"Error validating request.-'bW' : cause - {error}")
            return
        for each in self.executions:
            if (since is None or each.time >= since.timestamp()) and self._passes(each, request):
                session.send(*each.fields(request.request_id))
                session.send(*each.commission_fields())
        session.send(55, 1, request.request_id)

    @staticmethod
    def _passes(execution: Execution, request: ExecutionsRequest) -> bool:
        order, instrument = execution.order, execution.order.instrument
        pairs = (
            (request.only_client_id, order.client_id),
            (request.account, order.account),
            (request.symbol, instrument.symbol),
            (request.security_type, instrument.security_type),
            (request.exchange, execution.exchange),
            (SIDES.get(request.side, request.side), execution.side),
        )
        return all(not wanted or wanted == own for wanted, own in pairs)

    def positions_asked(self, session: Session) -> None:
        """What is held, the end, and changes from then on."""
        session.wants_positions = True
        for position in self.positions.values():
            if position.quantity:
                session.send(*position.fields())
        session.send(62, 1)

    def account_summary(self, session: Session, request: AccountSummaryRequest) -> None:
        """The values of the tags asked for, of all accounts, the end, and changes from then on."""
        tags = frozenset(request.tags.split(","))
        session.summaries[request.request_id] = tags
        for account in self.accounts:
            for tag, value, currency in self.values_of(account):
                if tag in tags:
                    session.send(63, 1, request.request_id, account, tag, value, currency)
        session.send(64, 1, request.request_id)

    def account_updates(self, session: Session, request: AccountUpdatesRequest) -> None:
        """Values, portfolio, time, the end, and changes from then on."""
        if not request.subscribe:
            session.account_updates = ""
            return
        account = request.account or self.accounts[0]
        session.account_updates = account
        for tag, value, currency in self.values_of(account):
            session.send(6, 2, tag, value, currency, account)
        for position in self.positions.values():
            if position.account == account and position.quantity:
                session.send(*position.portfolio_fields(position.average_cost))
        session.send(8, 1, zoned(self.now(), "UTC")[9:14])
        session.send(54, 1, account)

    def account_updates_multi(self, session: Session, request: AccountUpdatesMultiRequest) -> None:
        """Values of one account, the end, and changes from then on."""
        session.account_multi[request.request_id] = request.account
        for tag, value, currency in self.values_of(request.account):
            session.send(73, 1, request.request_id, request.account, request.model, tag, value, currency)
        session.send(74, 1, request.request_id)
