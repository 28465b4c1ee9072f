"""Orders, executions and positions of a gateway, and the messages that tell of them (layouts of server version 178)."""

from dataclasses import dataclass, field

from tests.fakes.ibkr_gateway.instruments import Instrument
from tests.fakes.ibkr_gateway.requests import PlaceOrder
from tests.fakes.ibkr_gateway.wire import UNSET_DOUBLE, UNSET_INTEGER, Field, zoned

DONE = frozenset({"Filled", "Cancelled", "Inactive"})


@dataclass
class LiveOrder:
    """One order and where it stands."""

    request: PlaceOrder
    instrument: Instrument
    account: str
    permanent_id: int
    status: str = "Submitted"
    filled: float = 0.0
    average_price: float = 0.0
    last_price: float = 0.0

    @property
    def order_id(self) -> int:
        """The client's number of it."""
        return self.request.order_id

    @property
    def client_id(self) -> int:
        """Whose it is."""
        return self.request.client_id

    @property
    def remaining(self) -> float:
        """What is not filled."""
        return self.request.quantity - self.filled

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled or cancelled."""
        return self.status not in DONE

    def status_fields(self) -> list[Field]:
        """orderStatus (3)."""
        place = self.request
        return [
            *(3, self.order_id, self.status, self.filled, self.remaining, self.average_price, self.permanent_id),
            *(place.parent_id, self.last_price, self.client_id, "", 0.0),
        ]

    def open_fields(self) -> list[Field]:
        """openOrder (5)."""
        place = self.request
        contract = self.instrument.fields(place.contract.exchange or self.instrument.exchange)
        return [
            *(5, self.order_id, *contract, place.action, place.quantity, place.order_type),
            *(place.limit_price or 0.0, place.stop_price or 0.0, place.time_in_force, place.oca_group, self.account),
            *(place.open_close, place.origin, place.reference, self.client_id, self.permanent_id),
            *(place.outside_regular_hours, place.hidden, 0, "", "", "", "", ""),  # to the percentage of an allocation
            *("", "", "", None, "", 0, "", -1, 0, None, None, None, None, None),  # from the model to the stock range
            *(place.display_size, place.block, place.sweep_to_fill, False, UNSET_INTEGER, 3, False, False, None),
            *(place.parent_id, place.trigger_method, None, 0, "None", None),
            *(0, "", "", "", "?", False, 0, ""),  # as TWS does: "None" is a type, so its eight fields follow
            *(False, 0, None, None, None, None, "", 0, 0, 0),  # to the legs of a combo, which has none
            *(
                UNSET_INTEGER,
                UNSET_INTEGER,
                None,
                "",
                False,
                "",
                "IB",
                False,
                False,
                "",
            ),  # scale, hedge, clearing, algo
            *(False, False, self.status, *[UNSET_DOUBLE] * 9, None, None, None, "", ""),  # the state and its margins
            *(False, False, 0),  # randomised, and no conditions
            *("None", *[UNSET_DOUBLE] * 6, 0, "", "", "", None, False, False, False, False),
            *(None, UNSET_INTEGER, False, None, None, None, None, None),  # duration to the offsets of a pegged order
        ]


@dataclass(frozen=True)
class Execution:
    """One fill of an order."""

    execution_id: str
    order: LiveOrder = field(repr=False)
    time: float
    quantity: float
    price: float
    exchange: str
    cumulative: float
    average_price: float
    commission: float
    realized: float | None = None

    @property
    def side(self) -> str:
        """BOT or SLD."""
        return "BOT" if self.order.request.action == "BUY" else "SLD"

    def fields(self, request_id: int) -> list[Field]:
        """execDetails (11); -1 stands for a fill that nobody asked for."""
        order, instrument = self.order, self.order.instrument
        return [
            *(11, request_id, order.order_id, *instrument.fields(self.exchange), self.execution_id),
            *(zoned(self.time, instrument.zone), order.account, self.exchange, self.side, self.quantity, self.price),
            *(order.permanent_id, order.client_id, 0, self.cumulative, self.average_price, order.request.reference),
            *("", None, "", 2, False),
        ]

    def commission_fields(self) -> list[Field]:
        """commissionReport (59)."""
        realized = UNSET_DOUBLE if self.realized is None else self.realized
        currency = self.order.instrument.currency
        return [59, 1, self.execution_id, self.commission, currency, realized, UNSET_DOUBLE, None]


@dataclass
class Position:
    """What an account holds of an instrument."""

    account: str
    instrument: Instrument
    quantity: float = 0.0
    average_cost: float = 0.0

    def apply(self, signed: float, price: float) -> float | None:
        """Add a fill; returns the profit it realised, where it reduced the position."""
        before, after = self.quantity, self.quantity + signed
        realized = None
        if before * signed >= 0:
            self.average_cost = (self.average_cost * before + price * signed) / after if after else 0.0
        else:
            closed = min(abs(before), abs(signed)) * (1 if before > 0 else -1)
            realized = closed * (price - self.average_cost)
            if before * after <= 0:
                self.average_cost = price if after else 0.0
        self.quantity = after
        return realized

    def fields(self) -> list[Field]:
        """position (61); TWS leaves the exchange empty."""
        return [61, 3, self.account, *self.instrument.fields(), self.quantity, self.average_cost]

    def portfolio_fields(self, market_price: float) -> list[Field]:
        """updatePortfolio (7)."""
        instrument = self.instrument
        contract = instrument.fields(instrument.primary_exchange)
        value = self.quantity * market_price
        unrealized = value - self.quantity * self.average_cost
        return [7, 8, *contract, self.quantity, market_price, value, self.average_cost, unrealized, 0.0, self.account]
