import numpy as np
import pytest

from nautilus.engines.marketdata import OrderBook
from nautilus.engines.marketdata.goog_flow import goog_process
from nautilus.engines.marketdata.hawkes import HawkesProcess
from nautilus.engines.marketdata.market_flow import FlowColumns, MarketFlow, MarketLaws
from nautilus.engines.marketdata.market_flow_kernel import run_flow
from nautilus.errors import Invalid
from nautilus.model import Side

SECOND = 1_000_000_000
NAMES = [name for name in FlowColumns.__slots__ if name != "instrument_id"]
QUIET = {"informed_probability": 0.0}


def _mid(columns):
    """Mid price after each row, in ticks."""
    book, out = OrderBook(), np.full(len(columns), np.nan)
    rows = zip(columns.side.tolist(), columns.price_ticks.tolist(), columns.level_lots.tolist(), strict=True)
    for number, (side, price, lots) in enumerate(rows):
        book.apply(Side(side), price, lots)
        if book.best_bid is not None and book.best_ask is not None:
            assert book.best_bid < book.best_ask
            out[number] = (book.best_bid + book.best_ask) / 2
    return out


def _same(first, second):
    return all(getattr(first, name).tobytes() == getattr(second, name).tobytes() for name in NAMES)


def test_a_seed_gives_the_same_rows_to_the_bit_however_they_are_cut():
    whole = MarketFlow(seed=3).generate(5000)
    flow = MarketFlow(seed=3)
    parts = [flow.generate(rows) for rows in (0, 1, 7, 992, 3000, 1000)]
    for name in NAMES:
        assert np.concatenate([getattr(part, name) for part in parts]).tobytes() == getattr(whole, name).tobytes()
    assert not _same(MarketFlow(seed=4).generate(5000), whole)


def test_compiled_and_interpreted_give_the_same_rows(monkeypatch):
    compiled = MarketFlow(seed=5).generate(600)
    monkeypatch.setattr("nautilus.engines.marketdata.market_flow_kernel.run_flow", run_flow.py_func)
    interpreted = MarketFlow(seed=5).generate(600)
    for name in NAMES:
        assert getattr(interpreted, name) == pytest.approx(getattr(compiled, name), rel=1e-12)


def test_rows_rebuild_a_book_that_is_never_crossed_or_empty_and_trades_take_its_best():
    columns = MarketFlow(seed=6).generate(60_000)
    assert np.isfinite(_mid(columns)[200:]).all()
    assert (np.diff(columns.ts_event) >= 0).all()
    assert (columns.lots > 0).all()
    assert (columns.level_lots >= 0).all()
    trades, deltas = columns.trades(), columns.deltas()
    assert len(deltas) == len(columns)
    book, before = OrderBook(), {Side.BUY: 0, Side.SELL: 0}
    for row in range(20_000):
        side, price = Side(int(columns.side[row])), int(columns.price_ticks[row])
        if columns.kind[row] >= 4:
            before = {Side.BUY: book.best_bid, Side.SELL: book.best_ask}
            assert price == before[side]
            assert book.size_at(side, price) == columns.lots[row] + columns.level_lots[row]
        book.apply(side, price, int(columns.level_lots[row]))
    assert set(trades.aggressor.tolist()) == {-1, 1}


def test_arrivals_are_those_of_the_process():
    process, rows = goog_process(), 200_000
    columns = MarketFlow(MarketLaws(**QUIET), seed=7).generate(rows)
    orders = columns.last == 1
    seconds = columns.ts_event[-1] / SECOND
    rate = np.bincount(columns.kind[orders], minlength=6) / seconds
    assert rate.sum() == pytest.approx(process.mean_rates.sum(), rel=0.1)
    assert rate[4:] == pytest.approx(process.mean_rates[4:], rel=0.2)
    counts = np.bincount(columns.ts_event[orders] // SECOND)
    assert counts.var() > 3 * counts.mean()  # a Poisson process has 1


def test_the_price_follows_the_value():
    columns = MarketFlow(MarketLaws(**QUIET), seed=8).generate(100_000)
    middle = _mid(columns)
    error = np.log(middle[1000:] / columns.public_value[1000:])
    assert np.abs(error).mean() < 0.0006
    assert np.array_equal(columns.value, columns.public_value)
    assert np.ptp(np.log(columns.value)) > 0.01


def test_the_informed_buy_below_the_value_and_their_share_is_exported():
    laws = MarketLaws(informed_probability=1.0, smallest_news_bps=60, largest_news_bps=80)
    columns = MarketFlow(laws, seed=9).generate(100_000)
    informed = columns.source == 1
    assert informed.sum() > 500
    assert (columns.kind[informed] >= 4).all()
    aggressor = -columns.side[informed]
    edge = (columns.value[informed] - columns.price_ticks[informed]) * aggressor
    assert np.mean(edge > 0) > 0.95
    assert 0.1 < columns.informed_fraction() < 0.9
    noise = MarketFlow(MarketLaws(**QUIET), seed=9).generate(20_000)
    assert noise.informed_fraction() == 0.0
    assert np.isnan(noise.__class__("X.Y", *(getattr(noise, name)[:0] for name in NAMES)).informed_fraction())


def test_a_flash_crash_falls_recovers_and_its_seller_is_marked():
    columns = MarketFlow(MarketLaws(crash_at=60.0, crash_depth=0.08, **QUIET), seed=10).generate(20_000)
    middle, seconds = _mid(columns), columns.ts_event / SECOND
    before = middle[np.searchsorted(seconds, 60.0) - 1]
    during = middle[(seconds > 68) & (seconds < 70)]
    assert during.min() < 0.96 * before
    assert middle[np.searchsorted(seconds, 250.0)] == pytest.approx(before, rel=0.015)
    crash = columns.source == 2
    assert crash.any()
    assert ((seconds[crash] >= 60) & (seconds[crash] <= 70)).all()
    calm = MarketFlow(MarketLaws(**QUIET), seed=10).generate(8_000)
    assert not (calm.source == 2).any()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lots": 0}, "lots"),
        ({"impact_bps": float("nan")}, "impact_bps"),
        ({"crash_depth": 0.5}, "crash_depth"),
        ({"informed_probability": 1.5}, "informed_probability"),
        ({"first_price_ticks": 1}, "first_price_ticks"),
        ({"largest_news_bps": 1.0}, "largest_news_bps"),
    ],
)
def test_laws_that_cannot_be_are_refused(wrong, field):
    with pytest.raises(Invalid, match=field):
        MarketLaws(**wrong)


def test_a_process_of_other_types_is_refused():
    with pytest.raises(Invalid, match="process"):
        MarketFlow(seed=1, process=HawkesProcess([1.0], [[[0.5]]], [1.0]))
    with pytest.raises(Invalid, match="rows"):
        MarketFlow(seed=1).generate(-1)
