import json
import lzma
from decimal import Decimal

import pytest

from nautilus.engines.marketdata.bitstamp import BitstampOrders, read_lines
from nautilus.engines.marketdata.level3_replay import replay_orders
from nautilus.errors import Invalid
from nautilus.model import AssetClass, Instrument

BITCOIN = Instrument(
    id="BTCUSD.BITSTAMP", asset_class=AssetClass.CRYPTO, tick_size=Decimal("0.01"), lot_size=Decimal("0.00000001")
)


def _body(order_id, amount, price="236.47", order_type=0):
    fields = {"price": price, "amount": amount, "datetime": "1430438404", "id": order_id, "order_type": order_type}
    return json.dumps(fields)


LINES = [
    ("order_created", _body(1, "2.00000000")),
    ("trade", '{"price": 236.47, "amount": 0.21144331, "id": 8111041}'),
    ("order_changed", _body(1, "1.78855669")),
    ("order_deleted", _body(2, "0.00000000")),
    ("order_created", _body(2, "1.00000000")),
    ("order_changed", _body(2, "0.50000000")),
    ("order_created", _body(3, "4.00000000", "236.64", 1)),
    ("order_deleted", _body(1, "1.78855669")),
]


@pytest.mark.parametrize("suffix", [".log", ".log.xz"])
def test_a_recording_becomes_order_events_without_what_came_too_late(tmp_path, suffix):
    path = tmp_path / f"day{suffix}"
    text = "".join(f"{1430438404518 + at} {kind} {body}\n" for at, (kind, body) in enumerate(LINES)).encode()
    path.write_bytes(lzma.compress(text) if suffix.endswith("xz") else text)
    orders = BitstampOrders(BITCOIN)
    columns = orders.columns(read_lines(path))
    assert columns.action.tolist() == [1, 2, 4, 1, 4]
    assert columns.size_lots.tolist()[:2] == [200_000_000, 178_855_669]
    assert set(columns.ts_event.tolist()) == {1430438404 * 10**9}
    assert orders.late == 2
    history = replay_orders(columns)
    assert history.bids() == ()
    assert history.asks() == ((23664, 400_000_000),)
    assert history.faults.unknown_orders == 1


def test_only_so_many_deletions_are_remembered():
    orders = BitstampOrders(BITCOIN, remembered=2)
    for order_id in (1, 2, 3):
        orders.event("order_deleted", _body(order_id, "0.0"))
    assert orders.event("order_created", _body(1, "1.0")) is not None
    assert orders.event("order_created", _body(2, "1.0")) is None
    with pytest.raises(Invalid):
        BitstampOrders(BITCOIN, remembered=0)


@pytest.mark.parametrize(
    "body",
    ["{}", "[1]", "no", _body(1, "x"), _body(1, "-1.0"), _body(1, "0"), _body(1, "1", "1.001"), _body(1, "1", "1", 2)],
)
def test_what_is_no_order_is_refused(body):
    with pytest.raises(Invalid):
        BitstampOrders(BITCOIN).event("order_created", body)


def test_a_line_of_another_shape_is_refused_by_number(tmp_path):
    path = tmp_path / "day.log"
    path.write_text("1430438404518 trade {}\nhello\n")
    with pytest.raises(Invalid, match="line 2"):
        list(read_lines(path))
