"""Orders, executions, positions and account values: what scripts do to them, and how their clients hear of it."""

from datetime import datetime

from tests.fakes.ibkr_gateway.codes import text_of
from tests.fakes.ibkr_gateway.core import Core
from tests.fakes.ibkr_gateway.instruments import Instrument
from tests.fakes.ibkr_gateway.orders import Execution, LiveOrder, Position
from tests.fakes.ibkr_gateway.requests import CancelOrder, PlaceOrder
from tests.fakes.ibkr_gateway.session import Session
from tests.fakes.ibkr_gateway.wire import Field, epoch

FIRST_PERMANENT_ID = 1_376_327_563


class Trading(Core):
    """Orders are accepted at once; what happens to them then is up to the script."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.orders: dict[tuple[int, int], LiveOrder] = {}
        self.executions: list[Execution] = []
        self.positions: dict[tuple[str, int], Position] = {}
        self.account_values: dict[tuple[str, str, str], str] = {}
        for account in self.accounts:
            self.account_values[account, "AccountType", ""] = "INDIVIDUAL"
            for tag in ("NetLiquidation", "TotalCashValue", "BuyingPower", "AvailableFunds"):
                self.account_values[account, tag, "USD"] = "100000.00"

    def place(self, session: Session, request: PlaceOrder) -> None:
        """Accept an order, or another version of one that is open."""
        key = (session.client_id, request.order_id)
        known = self.orders.get(key)
        instruments = self.meant(request.contract)
        if not instruments:
            self.error(session, request.order_id, 200)
        elif known is None and request.order_id < self.next_order_id:
            self.error(session, request.order_id, 103)
        elif known is not None and not known.is_open:
            self.error(session, request.order_id, 104)
        else:
            if known is None:
                account = request.account or self.accounts[0]
                known = LiveOrder(request, instruments[0], account, FIRST_PERMANENT_ID + len(self.orders))
                self.orders[key] = known
                self.next_order_id = max(self.next_order_id, request.order_id + 1)
            known.request = request
            known.status = "Submitted" if request.transmit else "Inactive"
            self._tell(known)

    def cancel_requested(self, session: Session, request: CancelOrder) -> None:
        """Cancel what can be cancelled."""
        known = self.orders.get((session.client_id, request.order_id))
        if known is None:
            self.error(session, request.order_id, 10147)
        elif not known.is_open:
            self.error(session, request.order_id, 161)
        else:
            self._end(known, "Cancelled", 202, text_of(202))

    def order(self, order_id: int, client_id: int | None = None) -> LiveOrder:
        """The order of this number; the client is needed where several used it. Raises KeyError."""
        found = [
            each for each in self.orders.values() if each.order_id == order_id and client_id in {None, each.client_id}
        ]
        if len(found) != 1:
            raise KeyError(f"{len(found)} orders have the number {order_id}")
        return found[0]

    def fill(
        self,
        order_id: int,
        quantity: float | None = None,
        price: float | None = None,
        *,
        commission: float = 1.0,
        time: datetime | float | None = None,
        exchange: str = "ISLAND",
        client_id: int | None = None,
    ) -> Execution:
        """Fill an open order, wholly or in part, at its limit price if none is given; known later if nobody listens."""
        order = self.order(order_id, client_id)
        assert order.is_open, f"order {order_id} is {order.status}"
        quantity = order.remaining if quantity is None else quantity
        price = order.request.limit_price if price is None else price
        assert price is not None, "an order without a limit is filled at a price that the script gives"
        assert 0 < quantity <= order.remaining, f"{order.remaining} of order {order_id} remain"
        cost = order.average_price * order.filled + price * quantity
        order.filled += quantity
        order.average_price, order.last_price = cost / order.filled, price
        order.status = "Filled" if order.remaining == 0 else "Submitted"
        signed = quantity if order.request.action == "BUY" else -quantity
        realized = self.position(order.account, order.instrument).apply(signed, price)
        execution = Execution(
            *(f"00025b46.{len(self.executions) + 1:08x}.01.01", order),
            *(epoch(self.now() if time is None else time), quantity, price, exchange),
            *(order.filled, order.average_price, commission, realized),
        )
        self.executions.append(execution)
        self._tell_owner(order, execution.fields(-1))
        self._tell(order)
        self._tell_owner(order, execution.commission_fields())
        self._tell_position(order.account, order.instrument)
        return execution

    def reject(self, order_id: int, code: int = 201, text: str = "", *, client_id: int | None = None) -> None:
        """The exchange or the broker refuses an order: Inactive, and an error."""
        self._end(self.order(order_id, client_id), "Inactive", code, text or text_of(code))

    def cancel_order(self, order_id: int, reason: str = "", *, client_id: int | None = None) -> None:
        """The exchange or the broker cancels an order."""
        self._end(self.order(order_id, client_id), "Cancelled", 202, text_of(202) + reason)

    def _end(self, order: LiveOrder, status: str, code: int, text: str) -> None:
        assert order.is_open, f"order {order.order_id} is {order.status}"
        order.status = status
        self._tell_owner(order, order.status_fields())
        self._tell_owner(order, [4, 2, order.order_id, code, text, ""])

    def _tell(self, order: LiveOrder) -> None:
        self._tell_owner(order, order.open_fields())
        self._tell_owner(order, order.status_fields())

    def _tell_owner(self, order: LiveOrder, fields: list[Field]) -> None:
        for session in self.sessions(order.client_id):
            if "connectivity" in self.outages:
                self.swallowed += 1
            else:
                session.send(*fields)

    def position(self, account: str, instrument: Instrument) -> Position:
        """What an account holds, flat at first."""
        return self.positions.setdefault((account, instrument.con_id), Position(account, instrument))

    def set_position(self, name: str | int, quantity: float, average_cost: float, *, account: str = "") -> None:
        """Change a position from outside, as a transfer or another platform would."""
        instrument = self.find(name)
        held = self.position(account or self.accounts[0], instrument)
        held.quantity, held.average_cost = quantity, average_cost
        self._tell_position(held.account, instrument)

    def _tell_position(self, account: str, instrument: Instrument) -> None:
        held = self.position(account, instrument)
        for session in self.sessions():
            if "connectivity" in self.outages:
                self.swallowed += 1
                continue
            if session.wants_positions:
                session.send(*held.fields())
            if session.account_updates == account:
                session.send(*held.portfolio_fields(held.average_cost))

    def set_account_value(self, tag: str, value: str, currency: str = "USD", *, account: str = "") -> None:
        """Change a value of an account, as it is written on the wire, and tell those who want to know."""
        account = account or self.accounts[0]
        self.account_values[account, tag, currency] = value
        for session in self.sessions():
            if session.account_updates == account:
                session.send(6, 2, tag, value, currency, account)
            for request_id, wanted in session.account_multi.items():
                if wanted == account:
                    session.send(73, 1, request_id, account, "", tag, value, currency)
            for request_id, tags in session.summaries.items():
                if tag in tags:
                    session.send(63, 1, request_id, account, tag, value, currency)

    def values_of(self, account: str) -> list[tuple[str, str, str]]:
        """Tag, value and currency of everything known of an account."""
        return [(tag, value, unit) for (owner, tag, unit), value in self.account_values.items() if owner == account]
