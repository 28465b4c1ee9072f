"""Factor returns and styles against toraniko 1.1: its own seed-42 vector, its functions on seeded panels."""

import datetime as dt

import numpy as np
import pytest

from nautilus.engines.factor import (
    estimate_factor_returns,
    exponential_weights,
    momentum_scores,
    one_hot,
    value_scores,
)
from nautilus.engines.factor.cross_section import winsorize, zscore

pl = pytest.importorskip("polars")
model = pytest.importorskip("toraniko.model")
math = pytest.importorskip("toraniko.math")
styles = pytest.importorskip("toraniko.styles")

pytestmark = pytest.mark.parity

SEED_42_FACTORS = [
    -0.1619187, 0.0743045, -0.21585373, -0.27895516, 0.21496233, -0.09829407, -0.36415363, 0.16375184,
    0.12933617, 0.35729484, 0.0176069, 0.13510884, 0.10831872, -0.05781987, 0.11867375, 0.07687654,
]  # fmt: skip
SEED_42_RESIDUALS = [
    0.04899388, 0.30702498, 0.23548647, 1.29181826, 0.30327413, 0.22804785, 1.40533523, 1.37903988,
    0.08243883, 1.37698801,
]  # fmt: skip


def seed_42():
    rng = np.random.RandomState(42)
    return rng.randn(100, 1), np.abs(rng.randn(100, 1)), rng.randint(0, 2, size=(100, 10)), rng.randn(100, 5)


def ours(returns, caps, sectors, style, **options):
    found = estimate_factor_returns(
        returns.T, caps.T, sectors.astype(float), style[None], winsor_share=None, constraint="equal", **options
    )
    return np.concatenate([found.market, found.sectors[0], found.styles[0]]), found.residuals[0]


def test_the_vector_of_its_own_test_suite():
    factors, residuals = ours(*seed_42())
    np.testing.assert_allclose(factors, SEED_42_FACTORS, atol=6e-9)
    np.testing.assert_allclose(residuals[:10], SEED_42_RESIDUALS, atol=6e-9)


@pytest.mark.parametrize("residualize", [True, False])
def test_one_cross_section(residualize):
    theirs, left = model._factor_returns(*seed_42(), residualize)
    factors, residuals = ours(*seed_42(), residualize_styles=residualize)
    np.testing.assert_allclose(factors, theirs.ravel(), rtol=1e-11)
    np.testing.assert_allclose(residuals, left.ravel(), rtol=1e-10)


def long_frame(days, **columns):
    """One row for each date and symbol."""
    rows, assets = next(iter(columns.values())).shape
    symbols = [f"S{number:03d}" for number in range(assets)]
    frame = {"date": np.repeat(np.array(days), assets).tolist(), "symbol": symbols * rows}
    return pl.DataFrame({**frame, **{name: values.ravel() for name, values in columns.items()}})


def dates(count):
    return [dt.date(2020, 1, 1) + dt.timedelta(days=number) for number in range(count)]


def wide(frame, column):
    return frame.sort("date", "symbol")[column].to_numpy().reshape(frame["date"].n_unique(), -1)


def test_estimates_over_a_panel():
    rng = np.random.default_rng(11)
    rows, assets, sectors = 12, 60, 5
    returns, caps = rng.normal(0, 0.02, (rows, assets)), np.exp(rng.normal(21, 1.5, (rows, assets)))
    membership = one_hot(list(np.arange(assets) % sectors), sectors)
    scores = rng.normal(size=(rows, assets, 2))
    days = dates(rows)
    sector_columns = {f"sec{k}": np.tile(membership[:, k], (rows, 1)) for k in range(sectors)}
    theirs, left = model.estimate_factor_returns(
        long_frame(days, asset_returns=returns),
        long_frame(days, market_cap=caps),
        long_frame(days, **sector_columns),
        long_frame(days, mom=scores[:, :, 0], val=scores[:, :, 1]),
        winsor_factor=0.1,
    )
    found = estimate_factor_returns(returns, caps, membership, scores, winsor_share=0.1, constraint="equal")
    theirs, left = theirs.sort("date"), left.sort("date")
    np.testing.assert_allclose(found.market, theirs["market"], rtol=1e-10)
    np.testing.assert_allclose(found.sectors, theirs.select(sorted(sector_columns)).to_numpy(), rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(found.styles, theirs.select("mom", "val").to_numpy(), rtol=1e-9)
    symbols = sorted(set(left.columns) - {"date"})
    np.testing.assert_allclose(found.residuals, left.select(symbols).to_numpy(), rtol=1e-8, atol=1e-13)


def test_winsorising_and_weights():
    x = np.random.default_rng(0).standard_t(3, (7, 51))
    np.testing.assert_allclose(winsorize(x, 0.07), math.winsorize(x, 0.07, axis=1), rtol=1e-13)
    np.testing.assert_allclose(exponential_weights(504, 126), math.exp_weights(504, 126), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:All-NaN slice")
def test_momentum_style():
    returns = np.random.default_rng(2).normal(0, 0.02, (70, 20))
    theirs = styles.factor_mom(
        long_frame(dates(70), asset_returns=returns), trailing_days=40, half_life=10, lag=5, winsor_factor=0.05
    ).collect()
    found = momentum_scores(returns, window=40, half_life=10, lag=5, winsor_share=0.05)
    expected = wide(theirs, "mom_score").astype(float)
    assert np.isfinite(found).sum() == 20 * (70 - 44)
    np.testing.assert_allclose(found[44:], expected[44:], rtol=1e-9)


def test_value_style():
    rng = np.random.default_rng(3)
    book, sales, cash = (np.exp(rng.normal(-1, 0.7, (6, 30))) for _ in range(3))
    frame = long_frame(dates(6), book_price=book, sales_price=sales, cf_price=cash)
    theirs = wide(styles.factor_val(frame).collect(), "val_score")
    np.testing.assert_allclose(value_scores(book, sales, cash), theirs, rtol=1e-10, atol=1e-13)


def test_size_style_in_the_tails():
    """toraniko sets the middle of the size scores to zero; ours keeps them, and agrees where its scores are kept."""
    caps = np.exp(np.random.default_rng(4).normal(21, 1.5, (5, 40)))
    theirs = wide(styles.factor_sze(long_frame(dates(5), market_cap=caps)).collect(), "sze_score")
    found = zscore(-np.log(caps))
    kept = theirs != 0
    assert 0.3 < kept.mean() < 0.5
    np.testing.assert_allclose(found[kept], theirs[kept], rtol=1e-11)
