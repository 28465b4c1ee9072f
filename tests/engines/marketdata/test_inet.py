from decimal import Decimal

import pytest

from nautilus.engines.marketdata.inet import read_inet
from nautilus.engines.marketdata.level3_replay import replay_orders
from nautilus.errors import Invalid
from nautilus.model import AssetClass, Instrument

STOCK = Instrument(id="XYZ.INET", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.0001"))
HEADER = "type,time,id,price,size,type\n"
ROWS = """A,200,2,11.48,400,BID
A,100,1,11.48,100,BID
A,300,3,1.00E-04,50,BID
A,400,4,11.49,70,ASK
R,500,2,150
T,500,2,11.48,250,TRUE
C,600,4
R,700,99,10
"""


def test_rows_become_events_in_the_order_of_their_times(tmp_path):
    path = tmp_path / "day.txt"
    path.write_text(HEADER + ROWS)
    events = read_inet(path, STOCK, midnight_ns=10**18)
    assert events.action.tolist() == [1, 1, 1, 1, 2, 0, 4]
    assert events.ts_event[0] == 10**18 + 100_000_000
    history = replay_orders(events)
    assert [(order.order_id, order.size_lots) for order in history.queue(1, 114_800)] == [(1, 100), (2, 150)]
    assert history.bids() == ((114_800, 250), (1, 50))
    assert history.asks() == ()


@pytest.mark.parametrize(
    "row",
    ["A,1,2,11.48,400,MID", "A,1,2,11.48", "A,1,2,x,4,BID", "A,1,2,11.48,4.5,BID", "Z,1,2", "C,x,2", "R,1", ""],
)
def test_a_row_that_cannot_be_is_refused_by_line(tmp_path, row):
    path = tmp_path / "day.txt"
    path.write_text(f"{HEADER}A,1,1,11.48,400,BID\n{row}\n")
    with pytest.raises(Invalid, match="line 3"):
        read_inet(path, STOCK)


def test_a_file_without_the_header_is_refused(tmp_path):
    path = tmp_path / "day.txt"
    path.write_text("")
    with pytest.raises(Invalid, match="line 1"):
        read_inet(path, STOCK)
