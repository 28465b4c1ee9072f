import pytest

from nautilus.engines.marketdata import BarRule
from nautilus.engines.marketdata.feed import SPECS_KEPT, FeedSettings, MarketFeed
from nautilus.model import Bar, BookDelta, BookDepth, InstrumentRegistry, Quote, Side, Trade
from nautilus.testing import make_instrument, make_quote, make_trade

SECOND = 1_000_000_000


class Sent(list):
    def __call__(self, topic, message):
        self.append((topic, message))

    def of(self, kind):
        return [message for _, message in self if isinstance(message, kind)]


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def feed(sent):
    registry = InstrumentRegistry()
    for name in ("TEST.SIM", "OTHER.SIM"):
        registry.add(make_instrument(name))
    rules = tuple(BarRule.parse(text) for text in ("1s", "2t"))
    return MarketFeed(sent, registry, FeedSettings(bars=rules, depth_levels=2, trades_kept=3, bars_kept=4))


def _delta(side, price, lots, time=0, *, last=True, name="TEST.SIM"):
    return BookDelta(name, side, price, lots, last, time, time)


def test_a_quote_goes_out_when_the_top_changes_and_only_then(feed, sent):
    feed.ingest(_delta(Side.BUY, 99, 5))
    feed.ingest(_delta(Side.SELL, 101, 5, 1))
    feed.ingest(_delta(Side.SELL, 102, 5, 2))
    feed.ingest(_delta(Side.SELL, 101, 4, 3))
    assert [(quote.bid_ticks, quote.ask_ticks, quote.ask_lots) for quote in sent.of(Quote)] == [
        (99, 0, 0),
        (99, 101, 5),
        (99, 101, 4),
    ]
    assert len(sent.of(BookDelta)) == 4


def test_a_group_of_deltas_gives_one_quote_at_its_end(feed, sent):
    for price in (95, 96, 97):
        feed.ingest(_delta(Side.BUY, price, 5, last=False))
    assert not sent.of(Quote)
    feed.ingest(_delta(Side.SELL, 101, 5))
    assert len(sent.of(Quote)) == 1


def test_a_crossed_book_is_counted_and_not_quoted_until_it_is_whole_again(feed, sent):
    feed.ingest(_delta(Side.BUY, 99, 5))
    feed.ingest(_delta(Side.SELL, 98, 5, 1))
    assert feed.crossed_books == 1
    assert feed.feeds["TEST.SIM"].book.is_crossed
    assert len(sent.of(Quote)) == 1
    feed.ingest(_delta(Side.BUY, 99, 0, 2))
    assert sent.of(Quote)[-1].bid_lots == 0


def test_depth_is_conflated_by_event_time_and_its_last_state_always_goes_out(feed, sent):
    for millisecond in range(0, 250, 10):
        feed.ingest(_delta(Side.BUY, 100, millisecond + 1, millisecond * 1_000_000))
    assert [depth.bids[0][1] for depth in sent.of(BookDepth)] == [1, 101, 201]
    feed.advance(299_000_000)
    assert len(sent.of(BookDepth)) == 3
    feed.advance(300_000_000)
    assert sent.of(BookDepth)[-1].bids == ((100, 241),)
    feed.ingest(_delta(Side.BUY, 98, 1, 310_000_000))
    feed.ingest(_delta(Side.BUY, 97, 1, 310_000_000))
    feed.flush_depths()
    assert sent.of(BookDepth)[-1].bids == ((100, 241), (98, 1))


def test_bars_close_by_trades_and_by_time_passing(feed, sent):
    feed.ingest(make_trade(ts_event=5))
    feed.ingest(make_trade("OTHER.SIM", ts_event=6))
    feed.ingest(make_trade(ts_event=SECOND))
    assert [(bar.spec, bar.instrument_id) for bar in sent.of(Bar)] == [("1s", "TEST.SIM"), ("2t", "TEST.SIM")]
    feed.advance(SECOND)
    assert (sent.of(Bar)[-1].spec, sent.of(Bar)[-1].instrument_id) == ("1s", "OTHER.SIM")
    feed.advance(2 * SECOND)
    assert len(sent.of(Bar)) == 4
    assert [bar.ts_event for bar in feed.feeds["TEST.SIM"].bars["1s"]] == [SECOND, 2 * SECOND]


def test_the_time_bar_before_a_trade_goes_out_before_it(feed, sent):
    feed.ingest(make_trade(ts_event=5))
    feed.ingest(make_trade(ts_event=SECOND + 5))
    kinds = [type(message) for _, message in sent]
    assert kinds[:3] == [Trade, Bar, Trade]


def test_what_is_refused_changes_and_publishes_nothing(feed, sent):
    feed.ingest(make_quote(ts_event=5))
    before = len(sent)
    assert not feed.ingest(make_quote(bid_ticks=20_000, ts_event=6))
    assert not feed.ingest(make_trade(price_ticks=-1))
    assert not feed.ingest(_delta(Side.BUY, 100, -5))
    assert not feed.ingest(make_trade("NONE.SIM"))
    assert len(sent) == before
    state = feed.feeds["TEST.SIM"]
    assert state.quote == make_quote(ts_event=5)
    assert not state.trades
    assert not len(state.book)
    assert set(feed.feeds) == {"TEST.SIM"}


def test_a_bar_of_the_source_replaces_our_own_aggregation(feed, sent):
    bar = Bar("TEST.SIM", "1s", 1, 1, 1, 1, 1, 0, 1, 0, SECOND, SECOND)
    assert feed.ingest(bar)
    feed.ingest(make_trade(ts_event=SECOND))
    feed.advance(10 * SECOND)
    assert sent.of(Bar) == [bar]
    assert list(feed.feeds["TEST.SIM"].bars["1s"]) == [bar]


def test_what_is_kept_is_bounded(feed):
    for number in range(100):
        feed.ingest(make_trade(ts_event=number * SECOND))
        feed.ingest(Bar("TEST.SIM", f"{number + 2}v", 1, 1, 1, 1, 1, 0, 1, 0, number, number))
    state = feed.feeds["TEST.SIM"]
    assert len(state.trades) == 3
    assert len(state.bars["1s"]) == 4
    assert len(state.bars) == SPECS_KEPT


def test_what_others_publish_is_taken_in_without_an_echo(feed, sent):
    feed.observe(make_trade(ts_event=1))
    assert not sent
    feed.observe(make_trade(ts_event=2))
    assert [type(message) for _, message in sent] == [Bar]
    feed.observe(_delta(Side.BUY, 99, 1))
    assert len(sent.of(Quote)) == 1
    assert not sent.of(BookDelta)


def test_its_own_publications_are_not_taken_in_twice(sent):
    registry = InstrumentRegistry()
    registry.add(make_instrument())
    feed = MarketFeed(lambda _, message: feed.observe(message), registry, FeedSettings())
    feed.ingest(_delta(Side.BUY, 99, 1))
    feed.ingest(make_trade())
    assert feed.door.admitted == {"quote": 0, "trade": 1, "book_delta": 1, "bar": 0}
