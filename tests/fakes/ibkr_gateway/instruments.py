"""The instruments a gateway lists, the twelve fields by which a client names one, and the message of their details."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.fakes.ibkr_gateway.wire import Field


@dataclass(frozen=True)
class WireContract:
    """A contract as a client sends it; what is empty or zero was not said."""

    con_id: int = 0
    symbol: str = ""
    security_type: str = ""
    last_trade_date: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""


@dataclass(frozen=True)
class Instrument:
    """One listed instrument; `zone` is its exchange's, in which historical bars and executions are written."""

    con_id: int
    symbol: str
    security_type: str = "STK"
    exchange: str = "SMART"
    currency: str = "USD"
    primary_exchange: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    last_trade_date: str = ""
    multiplier: str = ""
    strike: float = 0.0
    right: str = ""
    min_tick: float = 0.01
    size_increment: float = 1.0
    long_name: str = ""
    market_name: str = ""
    contract_month: str = ""
    valid_exchanges: str = "SMART"
    order_types: str = "LMT,MKT,STP"
    zone: str = "US/Eastern"
    trading_hours: str = ""
    liquid_hours: str = ""

    @property
    def name(self) -> str:
        """The local symbol, or the symbol where there is none."""
        return self.local_symbol or self.symbol

    def answers_to(self, name: str | int) -> bool:
        """Whether a script means this one."""
        return name == self.con_id if isinstance(name, int) else name in {self.symbol, self.local_symbol}

    def matches(self, contract: WireContract) -> bool:
        """Whether everything that a client said of its contract holds here."""
        if contract.con_id:
            return contract.con_id == self.con_id
        month = contract.last_trade_date
        exchanges = {"", self.exchange, self.primary_exchange, *self.valid_exchanges.split(",")}
        said = (
            (contract.symbol, self.symbol),
            (contract.security_type, self.security_type),
            (contract.right, self.right),
            (contract.multiplier, self.multiplier),
            (contract.primary_exchange, self.primary_exchange),
            (contract.currency, self.currency),
            (contract.local_symbol, self.name),
            (contract.trading_class, self.trading_class),
        )
        return (
            any(value for value, _ in said)
            and all(value in {"", ours} for value, ours in said)
            and contract.exchange in exchanges
            and contract.strike in {0.0, self.strike}
            and self.last_trade_date.startswith(month)
        )

    def fields(self, exchange: str = "") -> list[Field]:
        """The eleven fields with an exchange and no primary one, of orders, executions and positions."""
        return [
            self.con_id,
            self.symbol,
            self.security_type,
            self.last_trade_date,
            self.strike,
            self.right,
            self.multiplier,
            exchange,
            self.currency,
            self.name,
            self.trading_class,
        ]

    def details(self, request_id: int) -> list[Field]:
        """The message of contract details (10), in the layout from server version 164 on."""
        return [
            *(10, request_id, self.symbol, self.security_type, self.last_trade_date, self.strike, self.right),
            *(self.exchange, self.currency, self.name, self.market_name, self.trading_class, self.con_id),
            *(self.min_tick, self.multiplier, self.order_types, self.valid_exchanges, 1, 0, self.long_name),
            *(self.primary_exchange, self.contract_month, "", "", "", self.zone, self.trading_hours),
            *(self.liquid_hours, "", "", 0),
            *(1, "", "", "26", self.last_trade_date, "COMMON" if self.security_type == "STK" else ""),
            *(self.size_increment, self.size_increment, 100.0),
        ]


def usual() -> Iterable[Instrument]:
    """Two stocks, a future and a currency pair under the identifiers that IBKR gives them."""
    hours = "20260105:0400-20260105:2000;20260106:0400-20260106:2000"
    regular = "20260105:0930-20260105:1600;20260106:0930-20260106:1600"
    stock = {
        "primary_exchange": "NASDAQ",
        "trading_class": "NMS",
        "market_name": "NMS",
        "valid_exchanges": "SMART,NASDAQ,ISLAND,ARCA,NYSE,IEX,BATS",
        "trading_hours": hours,
        "liquid_hours": regular,
    }
    yield Instrument(265598, "AAPL", long_name="APPLE INC", **stock)
    yield Instrument(272093, "MSFT", long_name="MICROSOFT CORP", **stock)
    yield Instrument(
        *(649180695, "ES", "FUT", "CME", "USD", "", "ESM6", "ES", "20260618", "50"),
        min_tick=0.25,
        long_name="E-mini S&P 500",
        market_name="ES",
        contract_month="202606",
        valid_exchanges="CME,QBALGO",
        zone="US/Central",
    )
    yield Instrument(
        *(12087792, "EUR", "CASH", "IDEALPRO", "USD", "", "EUR.USD", "EUR.USD"),
        min_tick=0.00005,
        long_name="European Monetary Union Euro",
        market_name="EUR.USD",
        valid_exchanges="IDEALPRO",
    )
