"""What was handled lately, by sender."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus.edges.duplicates import RecentMessages, RecentSequences


@given(st.lists(st.integers(0, 40)))
def test_runs_remember_what_a_set_would(sequences: list[int]) -> None:
    recent, known = RecentSequences(100), set[int]()
    for sequence in sequences:
        assert (sequence in recent) == (sequence in known)
        if sequence not in known:
            recent.add(sequence)
            known.add(sequence)
    assert recent.runs == len([one for one in known if one - 1 not in known])
    assert {one for one in range(-1, 42) if one in recent} == known


@given(st.lists(st.integers(0, 1_000), unique=True), st.integers(1, 20))
def test_the_highest_are_remembered_within_the_bound(sequences: list[int], most: int) -> None:
    recent = RecentSequences(most)
    for sequence in sequences:
        recent.add(sequence * 2)
        assert recent.runs <= most
    newest = sorted(sequences)[-max(1, most - max(1, most // 16)) :]
    assert not sequences or max(sequences) * 2 in recent or most < len(sequences)
    if len(sequences) <= most:
        assert all(sequence * 2 in recent for sequence in newest)


def test_a_million_in_a_row_are_one_run() -> None:
    recent = RecentSequences(10)
    for sequence in range(1_000_000):
        recent.add(sequence)
    assert recent.runs == 1
    assert 0 in recent


def test_the_sender_heard_longest_ago_makes_room() -> None:
    recent = RecentMessages(10, most_senders=2)
    recent.of("a").add(1)
    recent.of("b").add(1)
    recent.of("a")
    recent.of("c")
    assert 1 in recent.of("a")
    assert 1 not in recent.of("b")
