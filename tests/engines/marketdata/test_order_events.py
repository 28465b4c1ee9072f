import pytest

from nautilus.engines.marketdata.order_events import BookFaults, OrderAction, OrderEventColumns
from nautilus.errors import Invalid

GOOD = {"action": [1], "order_id": [7], "side": [1], "price_ticks": [99], "size_lots": [5], "ts_event": [1]}


@pytest.mark.parametrize(
    ("column", "value"),
    [("action", [6]), ("action", [-1]), ("side", [0]), ("size_lots", [0]), ("size_lots", [-1]), ("order_id", [1, 2])],
)
def test_a_value_that_cannot_be_is_refused_by_column_and_row(column, value):
    with pytest.raises(Invalid, match=column):
        OrderEventColumns(**{**GOOD, column: value})


def test_what_an_action_does_not_use_may_be_anything():
    columns = OrderEventColumns([OrderAction.DELETE, OrderAction.CLEAR], [7, 0], [0, 0], [-1, -1], [-5, -5], [1, 2])
    assert len(columns) == 2


def test_blocks_join_and_slices_part_again():
    one = OrderEventColumns(**GOOD)
    joined = OrderEventColumns.concatenated([one, one, one])
    assert len(joined) == 3
    assert joined[1:].order_id.tolist() == [7, 7]


def test_faults_add_up():
    assert BookFaults(1, 2, 3, 4).total == 10
