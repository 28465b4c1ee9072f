"""Histories: the latest rows, whatever the blocks; no label across a gap; what threads hold does not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.context import MarketSource
from nautilus.engines.ml.dataset import check_enough, dataset_from_histories
from nautilus.engines.ml.histories import Histories, KeptBlock
from nautilus.engines.ml.history import BLOCK_ROWS, History
from nautilus.errors import NotReady
from nautilus.model.enums import Quality
from nautilus.store.state import MemoryState

NAMES = ("one", "two")


def fill(history: History, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        history.append(number, 100.0 + number, np.array([number, -number], dtype=np.float64))


def feed(histories: Histories, count: int, start: int = 0, instrument_id: str = "A.SIM", names=NAMES) -> None:
    for number in range(start, start + count):
        values = np.array([number] * len(names), dtype=np.float64)
        histories.append(instrument_id, names, number, 100.0 + number, values)


def restarted(histories: Histories, state: MemoryState, limit: int = 1000, kept_bytes: int = 10**7) -> Histories:
    """What the next process knows after a snapshot."""
    snapshot = histories.unfinished()
    again = Histories(state, MarketSource(), limit, kept_bytes)
    again.open()
    again.take_back(snapshot)
    return again


def times(histories: Histories) -> list[int]:
    return [time for rows in histories.rows(None) for _, piece, _ in rows.pieces for time in piece.tolist()]


@settings(max_examples=40)
@given(st.integers(1, 400), st.integers(0, 900))
def test_the_latest_rows_up_to_the_limit_are_there_in_order(limit: int, count: int) -> None:
    history = History(NAMES, limit)
    fill(history, count)
    assert len(history) == min(limit, count)
    found = [time for _, piece, _ in history.rows().pieces for time in piece.tolist()]
    assert found == list(range(max(0, count - limit), count))
    assert len(history.blocks) <= limit // BLOCK_ROWS + 2


def test_rows_that_were_handed_out_do_not_change() -> None:
    history = History(NAMES, 200)
    fill(history, 150)
    rows = history.rows()
    before = [values.copy() for _, _, values in rows.pieces]
    fill(history, 300, 150)
    assert all(np.array_equal(values, old) for (_, _, values), old in zip(rows.pieces, before, strict=True))


@settings(max_examples=40)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 40))
def test_a_label_never_reaches_over_a_restart(first: int, second: int, horizon: int) -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 10**7)
    feed(histories, first)
    histories = restarted(histories, state)
    feed(histories, second, first + 1000)
    rows = histories.rows(None)
    expected = [number for number in range(first) if number + horizon < first]
    expected += [first + 1000 + number for number in range(second) if number + horizon < second]
    if not expected:
        with pytest.raises(NotReady, match="no instrument"):
            check_enough(rows, horizon, 1)
        return
    data = dataset_from_histories(rows, horizon)
    assert data.starts.tolist() == expected
    assert (data.ends - data.starts == horizon).all()
    np.testing.assert_allclose(data.labels, np.log((100.0 + data.ends) / (100.0 + data.starts)))
    check_enough(rows, horizon, len(expected))
    with pytest.raises(NotReady, match=f"{len(expected)} labelled rows so far"):
        check_enough(rows, horizon, len(expected) + 1)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.integers(100, 500))
def test_restarts_lose_nothing_that_a_snapshot_has_seen(counts: list[int], limit: int) -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), limit, 10**7)
    start = 0
    for count in counts:
        feed(histories, count, start)
        start += count
        histories = restarted(histories, state, limit)
    assert times(histories) == list(range(max(0, start - limit), start))
    assert len(state.keys("ml-history")) <= sum(counts) // BLOCK_ROWS + len(counts) + 1


def test_a_snapshot_older_than_the_blocks_kept_since_adds_nothing_twice() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 10**7)
    feed(histories, 100)
    old = histories.unfinished()
    feed(histories, 200, 100)  # and then the process dies
    again = Histories(state, MarketSource(), 1000, 10**7)
    again.open()
    again.take_back(old)
    assert times(again) == list(range(2 * BLOCK_ROWS))


def test_the_oldest_blocks_of_all_instruments_give_way_to_the_latest() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 10_000, 20_000)
    for start in range(0, 10 * BLOCK_ROWS, BLOCK_ROWS):
        for name in ("A.SIM", "B.SIM"):
            feed(histories, BLOCK_ROWS, start, name)
    kept = state.items("ml-history")
    assert 10_000 < sum(len(data) for _, data in kept) <= 20_000
    again = Histories(state, MarketSource(), 10_000, 20_000)
    again.open()
    assert max(times(again)) == 10 * BLOCK_ROWS - 1
    assert min(times(again)) > 5 * BLOCK_ROWS
    assert histories.counts() == {"A.SIM": 10 * BLOCK_ROWS, "B.SIM": 10 * BLOCK_ROWS}


def test_with_no_bytes_to_keep_nothing_is_kept() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 0)
    feed(histories, 500)
    assert state.keys("ml-history") == []


def test_other_features_begin_anew_and_leave_nothing_behind() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 10**7)
    feed(histories, 300)
    feed(histories, 200, 300, names=("other",))
    assert histories.counts() == {"A.SIM": 200}
    assert len(state.keys("ml-history")) == 1
    again = restarted(histories, state)
    assert times(again) == list(range(300, 500))
    assert {rows.names for rows in again.rows(None)} == {("other",)}


def test_a_snapshot_is_bounded_and_says_what_it_left_out() -> None:
    names = tuple(f"feature {number}" for number in range(200))
    histories = Histories(MemoryState(), MarketSource(), 1000, 10**7)
    for number in range(15):
        feed(histories, BLOCK_ROWS - 1, instrument_id=f"I{number}.SIM", names=names)
    found = histories.unfinished()
    assert sum(len(block.values) for block in found) < 2 * 1024 * 1024
    assert len(found) + histories.left_out == 15
    assert histories.left_out > 0


def test_a_kept_block_gives_the_same_rows() -> None:
    history = History(NAMES, 1000)
    fill(history, 10)
    again = KeptBlock.of("A.SIM", NAMES, history.blocks[0]).block()
    assert np.array_equal(again.times, np.arange(10))
    assert np.array_equal(again.values[:, 0], 100.0 + np.arange(10))


def test_rows_of_another_source_are_kept_but_not_mixed_in() -> None:
    state, source = MemoryState(), MarketSource()
    source.set(Quality.SIMULATED, "simulated market, seed 7")
    histories = Histories(state, source, 1000, 10**7)
    feed(histories, 50)
    source.set(Quality.LIVE, "external feed")
    feed(histories, 20, 50)
    assert times(histories) == list(range(50, 70))
    assert histories.counts() == {"A.SIM": 20}
    source.set(Quality.SIMULATED, "simulated market, seed 7")
    feed(histories, 30, 70)
    rows = histories.rows(None)
    assert times(histories) == [*range(50), *range(70, 100)]
    assert rows[0].labelled_count(10) == 40 + 20
    again = Histories(state, source, 1000, 10**7)
    again.open()
    again.take_back(histories.unfinished())
    assert times(again) == times(histories)


def test_rows_of_a_replay_are_not_kept() -> None:
    state, source = MemoryState(), MarketSource()
    source.set(Quality.REPLAYED, "replay of a file")
    histories = Histories(state, source, 1000, 10**7)
    feed(histories, 500)
    assert histories.counts() == {"A.SIM": 500}
    assert histories.unfinished() == []
    assert state.keys("ml-history") == []


def test_time_that_begins_again_after_a_restart_confuses_nothing() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 10**7)
    feed(histories, 300, 1000)
    histories = restarted(histories, state)
    feed(histories, 300)
    histories = restarted(histories, state)
    assert times(histories) == [*range(1000, 1300), *range(300)]


def test_a_pause_without_a_restart_keeps_what_is_there_and_labels_apart() -> None:
    state = MemoryState()
    histories = Histories(state, MarketSource(), 1000, 10**7)
    feed(histories, 30)
    snapshot = histories.unfinished()
    histories.open()
    histories.take_back(snapshot)
    feed(histories, 30, 30)
    assert times(histories) == list(range(60))
    assert histories.rows(None)[0].labelled_count(10) == 40
    assert times(restarted(histories, state)) == list(range(60))
