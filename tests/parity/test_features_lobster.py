"""Features of real quotes and trades: one day of GOOG from LOBSTER, message by message."""

import zipfile

import numpy as np
import polars as pl
import pytest

from nautilus.engines.features import LiveFeatures, bind, default_set, feature_matrix, members
from nautilus.model.columns import BarColumns, QuoteColumns, TradeColumns
from nautilus.model.enums import Side
from nautilus.model.market import Bar, Quote, Trade
from nautilus.testing import make_instrument

pytestmark = pytest.mark.parity
GOOG = make_instrument("GOOG.XNAS")
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def day(shared_data):
    """Quotes after every message (ticks of 0.01) and the trades against visible and hidden orders."""
    names = {"message": ["time", "type", "id", "size", "price", "direction"], "orderbook": ["ap", "asz", "bp", "bsz"]}
    tables = {}
    with zipfile.ZipFile(shared_data / "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip") as archive:
        for kind, columns in names.items():
            (member,) = (name for name in archive.namelist() if kind in name)
            tables[kind] = pl.read_csv(archive.read(member), has_header=False, new_columns=columns)
    message, book = tables["message"], tables["orderbook"]
    ts = (message["time"].to_numpy() * SECOND).round().astype(np.int64)
    bid, ask, bid_size, ask_size = (book[name].to_numpy() for name in ("bp", "ap", "bsz", "asz"))
    quotes = QuoteColumns(GOOG.id, bid // 100, ask // 100, bid_size, ask_size, ts, ts)
    traded = message["type"].is_in([4, 5]).to_numpy()
    price, size, direction = (message[name].to_numpy()[traded] for name in ("price", "size", "direction"))
    number = np.arange(len(price))
    trades = TradeColumns(GOOG.id, np.rint(price / 100).astype(int), size, -direction, number, ts[traded], ts[traded])
    return quotes, trades


def second_bars(trades):
    """One-second bars by a plain loop."""
    bars = []
    seconds = trades.ts_event // SECOND
    for second in np.unique(seconds).tolist():
        rows = np.flatnonzero(seconds == second)
        price, size = trades.price_ticks[rows], trades.size_lots[rows]
        bought = int(size[trades.aggressor[rows] > 0].sum())
        values = (price[0], price.max(), price.min(), price[-1], size.sum())
        start, close = second * SECOND, (second + 1) * SECOND
        bars.append(Bar(GOOG.id, "1s", *(int(v) for v in values), bought, len(rows), start, close, close))
    return bars


def test_order_flow_imbalance_of_a_day_is_the_sum_of_its_events(day):
    quotes, _ = day
    columns = [getattr(quotes, name).tolist() for name in ("bid_ticks", "ask_ticks", "bid_lots", "ask_lots")]
    events = []
    for (b0, a0, q0, r0), (b1, a1, q1, r1) in zip(
        *(list(zip(*columns, strict=True))[i:] for i in (0, 1)), strict=False
    ):
        bid = q1 if b1 > b0 else -q0 if b1 < b0 else q1 - q0
        ask = r1 if a1 < a0 else -r0 if a1 > a0 else r1 - r0
        events.append(bid - ask)
    cumulative = np.concatenate([[0], np.cumsum(events)])
    got = bind("order_flow_imbalance", window=500).batch(*(np.array(c, dtype=float) for c in columns))
    assert (got[500:] == cumulative[500:] - cumulative[:-500]).all()


def test_prices_go_with_the_order_flow_imbalance(day):
    """Cont, Kukanov and Stoikov's finding: the mid moves with the imbalance of the same 10 s, not of those before."""
    quotes, _ = day
    columns = [getattr(quotes, name).astype(float) for name in ("bid_ticks", "ask_ticks", "bid_lots", "ask_lots")]
    flow = np.cumsum(np.nan_to_num(bind("order_flow_imbalance", window=1).batch(*columns)))
    mid = bind("mid_price").batch(*columns[:2])
    grid = np.arange(quotes.ts_event[0], quotes.ts_event[-1], 10 * SECOND)
    rows = np.searchsorted(quotes.ts_event, grid, side="right") - 1
    moves, imbalance = np.sign(np.diff(mid[rows])), np.sign(np.diff(flow[rows]))
    assert np.corrcoef(moves, imbalance)[0, 1] > 0.6
    assert abs(np.corrcoef(moves[1:], imbalance[:-1])[0, 1]) < 0.1


def test_live_vectors_of_a_real_day_are_the_matrix_to_the_last_bit(day):
    quotes, trades = day
    bars = second_bars(trades)[:600]
    end = bars[-1].ts_event
    quote_rows = zip(*(column.tolist() for column in quotes.arrays().values()), strict=True)
    trade_rows = zip(*(column.tolist() for column in trades.arrays().values()), strict=True)
    events = [Quote(GOOG.id, *row) for row in quote_rows if row[4] <= end]
    events += [Trade(GOOG.id, p, s, Side(a), i, t, u) for p, s, a, i, t, u in trade_rows if t <= end]
    ready = members(default_set())
    live, rows = LiveFeatures(GOOG, ready), []
    handlers = {Quote: live.on_quote, Trade: live.on_trade, Bar: live.on_bar}
    for event in sorted([*events, *bars], key=lambda event: event.ts_event):
        result = handlers[type(event)](event)
        if result is not None:
            rows.append(result)
    matrix = feature_matrix(ready, GOOG, BarColumns.from_events(GOOG.id, bars), quotes, trades)
    assert np.array_equal(np.array(rows), matrix, equal_nan=True)
    assert np.isfinite(matrix[-1]).sum() >= 23
