"""Factors on real panels: S&P 500 daily bars 2013-2018 against pandas, and pa's sector-and-style regression of 2010."""

import json

import numpy as np
import pytest

from nautilus.engines.factor import Graph, estimate_factor_returns, evaluate, library, library_graph, one_hot

pl = pytest.importorskip("polars")
pytestmark = pytest.mark.parity

SYMBOLS, DATES = 60, 330


@pytest.fixture(scope="module")
def sp500(shared_data):
    """The last days of some symbols that traded on all of them, as panels [dates, symbols]."""
    frame = pl.read_parquet(shared_data / "sp500_5yr" / "sp500_daily_2013-2018.parquet").sort("date", "symbol")
    days = frame["date"].unique().sort()[-DATES:]
    frame = frame.filter(pl.col("date").is_in(days.implode()))
    whole = frame.drop_nulls().group_by("symbol").len().filter(pl.col("len") == DATES)["symbol"].sort()[:SYMBOLS]
    frame = frame.filter(pl.col("symbol").is_in(whole.implode()))
    panel = {
        name: frame[name].to_numpy().astype(np.float64).reshape(DATES, SYMBOLS)
        for name in ("open", "high", "low", "close", "volume")
    }
    panel["vwap"] = (panel["high"] + panel["low"] + 2 * panel["close"]) / 4
    facts = pl.read_csv(shared_data / "sp500_5yr" / "constituents_financials_2018.csv", infer_schema=False).select(
        "Symbol", "Sector", "Market Cap"
    )
    by_symbol = {row[0]: row[1:] for row in facts.iter_rows()}
    sectors = [by_symbol[symbol][0] for symbol in whole]
    caps = np.array([float(by_symbol[symbol][1]) for symbol in whole])
    panel["market_cap"] = panel["close"] / panel["close"][-1] * caps
    labels = sorted(set(sectors))
    return panel, [labels.index(sector) for sector in sectors], len(labels)


def test_most_of_the_library_has_values_on_real_data(sp500):
    panel, codes, _ = sp500
    panel = {**panel, "sector": np.tile(np.array(codes, dtype=float), (DATES, 1))}
    names = [name for name, entry in library().items() if set(entry.inputs) <= set(panel) and entry.lookback < DATES]
    assert len(names) > 270
    values = evaluate(library_graph(names), panel)
    shares = {name: np.isfinite(values[name][-1]).mean() for name in names}
    assert min(shares.values()) > 0.4
    assert np.mean(list(shares.values())) > 0.99


def alphas_in_pandas(panel):
    """Some of the paper's alphas written with pandas, apart from the formulas of the library."""
    pd = pytest.importorskip("pandas")
    o, h, low, c, v, w = (pd.DataFrame(panel[name]) for name in ("open", "high", "low", "close", "volume", "vwap"))
    r = c.pct_change(fill_method=None)

    def rank(x):
        return x.rank(axis=1, pct=True)

    def corr(x, y, n):  # what does not vary correlates with nothing; pandas before 3.1 gives it what rounding leaves
        varies = [frame.rolling(n).max() > frame.rolling(n).min() for frame in (x, y)]
        return x.rolling(n).corr(y).where(varies[0] & varies[1])

    def ts_rank(x, n):
        return x.rolling(n).rank(pct=True)

    def decay(x, n):
        weights = np.arange(1, n + 1) / (n * (n + 1) / 2)
        return sum(x.shift(n - 1 - k) * weights[k] for k in range(n))

    def scale(x):
        return x.div(x.abs().sum(axis=1), axis=0)

    def adv(n):
        return v.rolling(n).mean()

    past = (c.shift(20) - c.shift(10)) / 10 - (c.shift(10) - c) / 10
    d1 = c.diff(1)
    return {
        2: -corr(rank(np.log(v).diff(2)), rank((c - o) / o), 6),
        3: -corr(rank(o), rank(v), 10),
        4: -ts_rank(rank(low), 9),
        5: rank(o - w.rolling(10).sum() / 10) * -rank(c - w),
        6: -corr(o, v, 10),
        8: -rank(o.rolling(5).sum() * r.rolling(5).sum() - (o.rolling(5).sum() * r.rolling(5).sum()).shift(10)),
        9: d1.where((d1.rolling(5).min() > 0) | (d1.rolling(5).max() < 0), -d1).where(d1.rolling(5).min().notna()),
        11: (rank((w - c).rolling(3).max()) + rank((w - c).rolling(3).min())) * rank(v.diff(3)),
        12: np.sign(v.diff()) * -d1,
        14: -rank(r.diff(3)) * corr(o, v, 10),
        17: -rank(ts_rank(c, 10)) * rank(c.diff().diff()) * rank(ts_rank(v / adv(20), 5)),
        18: -rank((c - o).abs().rolling(5).std() + (c - o) + corr(c, o, 10)),
        19: -np.sign(c - c.shift(7) + c.diff(7)) * (1 + rank(1 + r.rolling(250).sum())),
        20: -rank(o - h.shift(1)) * rank(o - c.shift(1)) * rank(o - low.shift(1)),
        25: rank(-r * adv(20) * w * (h - c)),
        28: scale(corr(adv(20), low, 5) + (h + low) / 2 - c),
        33: rank(-(1 - o / c)),
        34: rank(1 - rank(r.rolling(2).std() / r.rolling(5).std()) + (1 - rank(d1))),
        35: ts_rank(v, 32) * (1 - ts_rank(c + h - low, 16)) * (1 - ts_rank(r, 32)),
        39: -rank(c.diff(7) * (1 - rank(decay(v / adv(20), 9)))) * (1 + rank(r.rolling(250).sum())),
        40: -rank(h.rolling(10).std()) * corr(h, v, 10),
        41: (h * low) ** 0.5 - w,
        42: rank(w - c) / rank(w + c),
        43: ts_rank(v / adv(20), 20) * ts_rank(-c.diff(7), 8),
        47: rank(1 / c) * v / adv(20) * (h * rank(h - c) / (h.rolling(5).sum() / 5)) - rank(w - w.shift(5)),
        49: (-d1).where(past >= -0.1, 1.0).where(past.notna()),
        52: (-low.rolling(5).min() + low.rolling(5).min().shift(5))
        * rank((r.rolling(240).sum() - r.rolling(20).sum()) / 220)
        * ts_rank(v, 5),
        53: -((c - low - (h - c)) / (c - low).replace(0, np.nan)).diff(9),
        54: -(low - c) * o**5 / ((low - h).replace(0, np.nan) * c**5),
        55: -corr(
            rank((c - low.rolling(12).min()) / (h.rolling(12).max() - low.rolling(12).min())), rank(v), 6
        ),
        60: -(
            2 * scale(rank((2 * c - low - h) / (h - low).replace(0, np.nan) * v))
            - scale(rank(c.rolling(10).apply(np.argmax, raw=True)))
        ),
        83: rank(((h - low) / (c.rolling(5).sum() / 5)).shift(2)) * rank(rank(v)) * (w - c)
        / ((h - low) / (c.rolling(5).sum() / 5)).replace(0, np.nan),
        101: (c - o) / (h - low + 0.001),
    }  # fmt: skip


def test_alphas_against_pandas_on_real_data(sp500):
    """Rounding may decide a rank between ties in a cell or two; everywhere else 1e-7."""
    panel, _, _ = sp500
    expected = alphas_in_pandas(panel)
    found = evaluate(library_graph([f"alpha101_{number:03d}" for number in expected]), panel)
    for number, frame in expected.items():
        values = frame.to_numpy(dtype=float)
        values = np.where(np.isfinite(values), values, np.nan)
        agree = np.isclose(found[f"alpha101_{number:03d}"], values, rtol=1e-7, atol=1e-9, equal_nan=True)
        assert agree.mean() > 0.995, number
        assert np.isfinite(values).mean() > 0.2, number


def test_factor_returns_of_the_sp500(sp500):
    panel, codes, count = sp500
    returns = panel["close"][1:] / panel["close"][:-1] - 1
    graph = Graph()
    graph.add("momentum", "zscore(winsorize(delay(close, 5) / delay(close, 60) - 1))")
    graph.add("size", "zscore(-1 * log(market_cap))")
    graph.add("volatility", "zscore(winsorize(ts_std(returns, 60)))")
    scores = np.stack(list(evaluate(graph, panel).values()), axis=2)[:-1]
    caps = panel["market_cap"][:-1]
    membership = one_hot(codes, count)
    found = estimate_factor_returns(returns, caps, membership, scores, method="joint")
    valid = found.assets == SYMBOLS
    assert valid.sum() == DATES - 61
    by_sector = caps @ membership
    np.testing.assert_allclose(
        (by_sector * found.sectors)[valid].sum(axis=1) / by_sector[valid].sum(axis=1), 0, atol=1e-12
    )
    index = (np.sqrt(caps) * returns).sum(axis=1) / np.sqrt(caps).sum(axis=1)
    assert np.corrcoef(found.market[valid], index[valid])[0, 1] > 0.95
    assert 0.3 < found.r_squared[valid].mean() < 0.9


def test_the_regression_of_the_r_package_pa(shared_data):
    folder = shared_data / "attribution_pa"
    expected = json.loads((folder / "expected.json").read_text())["regress.truth"]["coefficients"]
    frame = pl.read_parquet(folder / "jan.parquet")
    names, values = expected["dims"][0], expected["values"]
    sectors = [name.removeprefix("sector") for name in names if name.startswith("sector")]
    found = estimate_factor_returns(
        frame["return"].to_numpy()[None],
        np.ones((1, frame.height)),
        one_hot([sectors.index(sector) for sector in frame["sector"]], len(sectors)),
        frame.select("value", "growth").to_numpy()[None],
        winsor_share=None,
        constraint="equal",
        method="joint",
    )
    ours = [*(found.market[0] + found.sectors[0]), *found.styles[0]]
    np.testing.assert_allclose(ours, values, rtol=1e-9)
