from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.binance_sync import (
    BinanceMarket,
    DepthDifference,
    DepthSnapshot,
    DepthSync,
    Joined,
)
from nautilus.errors import Invalid
from nautilus.model import AssetClass, Instrument

BITCOIN = Instrument(
    id="BTCUSDT.BINANCE", asset_class=AssetClass.CRYPTO, tick_size=Decimal("0.1"), lot_size=Decimal("0.001")
)
SNAPSHOT = DepthSnapshot(100, (("10.0", "1.000"),), (("11.0", "2.000"),))


def _difference(first, final, previous=None, bids=(), asks=()):
    return DepthDifference(first, final, tuple(bids), tuple(asks), final, previous)


def _sync(market=BinanceMarket.SPOT, **options):
    return DepthSync(BITCOIN, market, **options)


def test_messages_decode_as_binance_sends_them():
    body = b'{"e":"depthUpdate","E":5,"s":"X","U":1,"u":2,"b":[["10.00000000","0.50000000"]],"a":[]}'
    decoded = msgspec.json.decode(body, type=DepthDifference)
    assert (decoded.first_id, decoded.final_id, decoded.previous_id, decoded.bids) == (
        1, 2, None, (("10.00000000", "0.50000000"),),
    )  # fmt: skip


def test_spot_drops_what_is_old_and_joins_the_one_that_spans_the_snapshot():
    sync = _sync()
    waiting = (_difference(90, 100), _difference(99, 103, bids=[("10.1", "3.000")]), _difference(104, 105))
    assert {sync.on_difference(difference) for difference in waiting} == {Joined.WAITING}
    assert sync.on_snapshot(SNAPSHOT)
    assert sync.book.bids() == ((101, 3000), (100, 1000))
    assert (sync.last_update_id, sync.counts.old, sync.counts.applied) == (105, 1, 2)
    assert sync.on_difference(_difference(106, 106, asks=[("11.0", "0.000")])) is Joined.APPLIED
    assert sync.book.asks() == ()


def test_futures_join_at_the_snapshots_own_id_and_then_follow_by_pu():
    sync = _sync(BinanceMarket.FUTURES)
    sync.on_difference(_difference(80, 99, 79))
    sync.on_difference(_difference(95, 100, 94, bids=[("10.1", "1.000")]))
    assert sync.on_snapshot(SNAPSHOT)
    assert sync.book.best_bid == 101
    assert sync.on_difference(_difference(180, 190, 100)) is Joined.APPLIED
    assert sync.on_difference(_difference(191, 195, 189)) is Joined.GAP


def test_a_gap_empties_the_book_until_a_snapshot_that_joins():
    sync = _sync()
    assert sync.on_snapshot(SNAPSHOT)
    assert sync.on_difference(_difference(102, 103)) is Joined.GAP
    assert sync.needs_snapshot
    assert len(sync.book) == 0
    assert sync.on_difference(_difference(104, 110, bids=[("10.2", "1.000")])) is Joined.WAITING
    assert not sync.on_snapshot(SNAPSHOT), "it is as old as the gap"
    assert sync.needs_snapshot
    assert sync.on_snapshot(msgspec.structs.replace(SNAPSHOT, last_update_id=101))
    assert sync.last_update_id == 110
    assert sync.book.best_bid == 102
    assert sync.counts.gaps == 2


def test_a_crossed_book_is_given_up():
    sync = _sync()
    sync.on_snapshot(SNAPSHOT)
    assert sync.on_difference(_difference(101, 101, bids=[("11.5", "1.000")])) is Joined.CROSSED
    assert sync.needs_snapshot
    assert not sync.on_snapshot(DepthSnapshot(200, (("12.0", "1.000"),), (("11.0", "1.000"),)))
    assert sync.counts.crossed == 2
    assert len(sync.book) == 0


def test_what_waits_is_bounded_and_what_is_dropped_is_counted():
    sync = _sync(most_waiting=3)
    for number in range(5):
        sync.on_difference(_difference(number, number))
    assert sync.counts.dropped == 2
    with pytest.raises(Invalid):
        _sync(most_waiting=0)


@pytest.mark.parametrize(
    "difference",
    [
        _difference(101, 101, bids=[("10.05", "1.000")]),
        _difference(101, 101, bids=[("10.1", "1.000"), ("10.0", "x")]),
        _difference(101, 101, asks=[("10.1", "-1.000")]),
        _difference(101, 100),
    ],
)
def test_a_message_that_cannot_be_changes_nothing(difference):
    sync = _sync()
    sync.on_snapshot(SNAPSHOT)
    with pytest.raises(Invalid):
        sync.on_difference(difference)
    assert (sync.book.bids(), sync.last_update_id) == (((100, 1000),), 100)
    with pytest.raises(Invalid):
        _sync(BinanceMarket.FUTURES).on_difference(_difference(1, 1))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.data())
def test_wherever_the_snapshot_falls_the_book_is_that_of_the_exchange(widths, data):
    truth, differences, last = {}, [], 10
    books = {10: {}}
    for width in widths:
        price, lots = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 3))
        first, last = last + 1, last + width
        truth = {**truth, price: lots}
        books[last] = truth
        differences.append(_difference(first, last, bids=[(f"{price / 10:.1f}", f"{lots / 1000:.3f}")]))
    taken = data.draw(st.sampled_from(sorted(books)))
    before = data.draw(st.integers(0, len(differences)))
    sync = _sync()
    for difference in differences[:before]:
        sync.on_difference(difference)
    levels = tuple((f"{price / 10:.1f}", f"{lots / 1000:.3f}") for price, lots in books[taken].items() if lots)
    assert sync.on_snapshot(DepthSnapshot(taken, levels, ()))
    for difference in differences[before:]:
        assert sync.on_difference(difference) in {Joined.OLD, Joined.APPLIED}
    final = books[max(taken, last)]
    assert dict(sync.book.bids()) == {price: lots for price, lots in final.items() if lots}
