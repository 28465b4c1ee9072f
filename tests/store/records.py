"""Record types that the store's tests keep."""

import msgspec


class Placed(msgspec.Struct, frozen=True, tag="placed"):
    order_id: str
    quantity: int
    note: bytes = b""


class Done(msgspec.Struct, frozen=True, tag="done"):
    order_id: str
    price: float | None = None


RECORD_TYPES = (Placed, Done)
