"""The displayed market: levels in order, what is taken is gone, and what the feed does not show is not assumed."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.strategy.ladder import LadderSide
from nautilus.engines.strategy.observed_market import ObservedMarket
from nautilus.model import BookDelta, BookDepth, Side
from nautilus.testing import make_quote

levels = st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 5)), max_size=60)


def make_market(*deltas: tuple[Side, int, int]) -> ObservedMarket:
    market = ObservedMarket()
    for side, price, lots in deltas:
        market.apply_delta(BookDelta("TEST.SIM", side, price, lots, True, 0, 0))
    return market


@given(st.sampled_from([Side.BUY, Side.SELL]), levels)
def test_a_ladder_is_a_sorted_dict(side: Side, changes: list[tuple[int, int]]) -> None:
    ladder, plain = LadderSide(side), dict[int, int]()
    for price, lots in changes:
        ladder.set(price, lots)
        plain[price] = lots
        shown = {price: lots for price, lots in plain.items() if lots}
        assert list(ladder) == sorted(shown.items(), key=lambda level: -side * level[0])
        assert ladder.best == (max(shown, key=lambda price: side * price) if shown else None)
        assert ladder.worst == (min(shown, key=lambda price: side * price) if shown else None)
    ladder.clear()
    assert (len(ladder), ladder.best) == (0, None)


@given(levels, st.lists(st.tuples(st.integers(1, 8), st.one_of(st.none(), st.integers(-20, 20))), max_size=20))
def test_no_lot_is_taken_twice_while_the_book_stands_still(
    changes: list[tuple[int, int]], wants: list[tuple[int, int | None]]
) -> None:
    market = make_market(*((Side.SELL, price, lots) for price, lots in changes))
    book = {price: lots for price, lots in dict(changes).items() if lots}
    for want, limit in wants:
        inside = {price: lots for price, lots in book.items() if limit is None or price <= limit}
        assert market.available(Side.SELL, limit, want) == min(want, sum(inside.values()))
        got = market.take(Side.SELL, limit, want)
        assert [price for price, _ in got] == sorted(price for price, _ in got)
        assert sum(lots for _, lots in got) == min(want, sum(inside.values()))
        for price, lots in got:
            assert 0 < lots <= book[price]
            book[price] -= lots


def test_a_new_size_of_a_level_can_be_taken_afresh() -> None:
    market = make_market((Side.SELL, 100, 5), (Side.SELL, 101, 5))
    assert market.take(Side.SELL, None, 7) == [(100, 5), (101, 2)]
    market.apply_delta(BookDelta("TEST.SIM", Side.SELL, 100, 3, True, 0, 0))
    assert market.take(Side.SELL, None, 9) == [(100, 3), (101, 3)]


def test_a_quote_that_repeats_itself_brings_no_new_lots() -> None:
    market = ObservedMarket()
    market.apply_quote(make_quote(bid_ticks=99, ask_ticks=100, ask_lots=5))
    assert market.take(Side.SELL, None, 9) == [(100, 5)]
    market.apply_quote(make_quote(bid_ticks=98, ask_ticks=100, ask_lots=5))
    assert market.take(Side.SELL, None, 9) == []
    market.apply_quote(make_quote(bid_ticks=98, ask_ticks=100, ask_lots=6))
    assert market.take(Side.SELL, None, 9) == [(100, 6)]
    market.apply_quote(make_quote(bid_ticks=98, ask_ticks=101, ask_lots=6))
    market.apply_quote(make_quote(bid_ticks=98, ask_ticks=100, ask_lots=6))
    assert market.take(Side.SELL, None, 9) == [(100, 6)], "the level had gone in between"


def test_what_is_displayed_at_a_price() -> None:
    market = ObservedMarket()
    assert market.displayed(Side.BUY, 100) is None
    market.apply_quote(make_quote(bid_ticks=100, ask_ticks=103, bid_lots=7))
    assert [market.displayed(Side.BUY, price) for price in (101, 100, 99)] == [0, 7, None]
    for price, lots in ((100, 7), (98, 4)):
        market.apply_delta(BookDelta("TEST.SIM", Side.BUY, price, lots, True, 0, 0))
    assert [market.displayed(Side.BUY, price) for price in (101, 100, 99, 98, 97)] == [0, 7, 0, 4, None]


def test_an_empty_side_has_no_best_price() -> None:
    market = ObservedMarket()
    market.apply_quote(make_quote(bid_lots=0))
    assert market.best(Side.BUY) is None
    assert market.best(Side.SELL) == 10_001
    assert list(market.levels(Side.BUY)) == []


@given(levels, levels)
def test_depth_puts_right_what_was_missed_as_far_as_it_reaches(
    seen: list[tuple[int, int]], missed: list[tuple[int, int]]
) -> None:
    market = make_market(*((Side.SELL, price, lots) for price, lots in seen))
    known = {price: lots for price, lots in dict(seen).items() if lots}
    true = sorted((price, lots) for price, lots in (dict(seen) | dict(missed)).items() if lots)
    shown = tuple(true[:5])
    changed = market.apply_depth(BookDepth("TEST.SIM", (), shown, 0, 0))
    assert market.apply_depth(BookDepth("TEST.SIM", (), shown, 0, 0)) == []
    reach = shown[-1][0] if shown else None
    after = [(price, lots) for price, lots, _ in market.levels(Side.SELL)]
    beyond = sorted((price, lots) for price, lots in known.items() if reach is not None and price > reach)
    assert after == [*shown, *beyond]
    assert all(known.get(price, 0) != lots for _, price, lots in changed)
