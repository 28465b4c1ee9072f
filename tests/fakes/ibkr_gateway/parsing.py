"""From the fields of a message to a typed request."""

import dataclasses
from types import MappingProxyType

from tests.fakes.ibkr_gateway import requests
from tests.fakes.ibkr_gateway.instruments import WireContract
from tests.fakes.ibkr_gateway.requests import Request, UnknownRequest
from tests.fakes.ibkr_gateway.wire import BadMessage

TYPES = MappingProxyType(
    {
        kind.message_id: kind
        for kind in vars(requests).values()
        if isinstance(kind, type) and issubclass(kind, Request) and kind.message_id
    }
)
OPTIONAL_NUMBER = float | None


class Reader:
    """Reads fields one after the other."""

    def __init__(self, fields: list[str]) -> None:
        self._fields = fields
        self._next = 0

    def text(self) -> str:
        """The next field. Raises BadMessage at the end."""
        if self._next >= len(self._fields):
            raise BadMessage(f"the message ends after {len(self._fields)} fields")
        self._next += 1
        return self._fields[self._next - 1]

    def value(self, kind: object) -> object:
        """The next field (or twelve, of a contract) as a type. Raises BadMessage."""
        if kind is WireContract:
            return self.contract()
        field = self.text()
        try:
            if kind is int:
                return int(field or 0)
            if kind is bool:
                return bool(int(field or 0))
            if kind is float:
                return float(field or 0)
            if kind == OPTIONAL_NUMBER:
                return float(field) if field else None
        except ValueError as error:
            raise BadMessage(f"field {self._next} is {field!r}") from error
        return field

    def contract(self) -> WireContract:
        """The twelve fields of a contract; combos have more and are not read."""
        contract = WireContract(*(self.value(field.type) for field in dataclasses.fields(WireContract)))  # type: ignore[arg-type]
        if contract.security_type == "BAG":
            raise BadMessage("combos are not played here")
        return contract


def parse(fields: list[str], client_id: int, connection: int) -> Request:
    """The request of a message; UnknownRequest for what is not known or cannot be read."""
    try:
        kind = TYPES[int(fields[0])]
        reader = Reader(fields[2 if kind.versioned else 1 :])
        own = dataclasses.fields(kind)[len(dataclasses.fields(Request)) :]
        values = [reader.value(field.type) for field in own]
    except (BadMessage, KeyError, ValueError, IndexError):
        return UnknownRequest(client_id, connection, tuple(fields))
    return kind(client_id, connection, *values)
