"""Optimisers against skfolio and the expected weights of PyPortfolioOpt and Riskfolio-Lib, on real prices.

Objective values agree within 1e-9 once skfolio's solver is told to go on to that precision.
"""

import csv
import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nautilus.engines.portfolio.conditional_value_at_risk import conditional_value_at_risk, minimum_cvar
from nautilus.engines.portfolio.covariance import variance_of
from nautilus.engines.portfolio.hierarchical_risk_parity import hierarchical_risk_parity
from nautilus.engines.portfolio.limits import Limits, LinearLimit
from nautilus.engines.portfolio.mean_variance import (
    efficient_frontier,
    maximum_diversification,
    maximum_sharpe,
    minimum_variance,
)
from nautilus.engines.portfolio.naive_weights import inverse_volatility
from nautilus.engines.portfolio.risk_budgeting import risk_budgeting, risk_contributions
from nautilus.engines.risk import ledoit_wolf_covariance, sample_covariance

pytestmark = pytest.mark.parity

TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
"""Makes skfolio's solver (Clarabel) go on: at its default it stops 1e-7 to 6e-7 above the optimum."""


@pytest.fixture(scope="module")
def twenty_stocks(shared_data: Path):
    """Returns [1260, 20] of the S&P 500 stocks bundled with skfolio, to 2022-12-28."""
    source = shared_data / "econ_returns/skfolio/src/skfolio/datasets/data/sp500_dataset.csv.gz"
    prices = pl.read_csv(gzip.decompress(source.read_bytes())).drop("Date").to_numpy()
    return (prices[1:] / prices[:-1] - 1.0)[-1260:]


@pytest.fixture(scope="module")
def sp500(shared_data: Path):
    """Returns [1258, 470] of the S&P 500 stocks with all days of 2013 to 2018."""
    table = pl.read_parquet(shared_data / "sp500_5yr/sp500_daily_2013-2018.parquet")
    wide = table.pivot(on="symbol", index="date", values="close").sort("date").drop("date")
    full = [column for column in wide.columns if not wide[column].is_null().any()]
    prices = wide.select(full).to_numpy()
    return prices[1:] / prices[:-1] - 1.0


def expected(path: Path, column: str):
    rows = list(csv.reader(path.read_text().splitlines()))
    place = rows[0].index(column)
    return [row[0] for row in rows[1:]], np.array([float(row[place]) for row in rows[1:]])


def last_200_returns(path: Path, names):
    prices = pl.read_csv(path).select(names).to_numpy()
    return (prices[1:] / prices[:-1] - 1.0)[-200:]


def test_the_published_values_of_twenty_stocks(twenty_stocks):
    covariance = sample_covariance(twenty_stocks)
    assert variance_of(minimum_variance(covariance), covariance) == pytest.approx(1.138715597e-4, rel=2e-9)
    assert variance_of(risk_budgeting(covariance), covariance) == pytest.approx(1.5625418e-4, rel=5e-8)
    cvar = conditional_value_at_risk(minimum_cvar(twenty_stocks), twenty_stocks)
    assert cvar == pytest.approx(0.0246068263, rel=1e-8)


def test_minimum_variance_is_no_worse_than_skfolio(twenty_stocks):
    from skfolio.optimization import MeanRisk

    covariance = sample_covariance(twenty_stocks)
    ours = minimum_variance(covariance)
    theirs = MeanRisk().fit(twenty_stocks).weights_
    assert variance_of(ours, covariance) <= variance_of(theirs, covariance)
    theirs = MeanRisk(solver_params=TIGHT).fit(twenty_stocks).weights_
    assert variance_of(ours, covariance) == pytest.approx(variance_of(theirs, covariance), rel=1e-9)


def test_minimum_variance_with_bounds_and_a_sector_cap_equals_skfolio(twenty_stocks):
    from skfolio.optimization import MeanRisk

    groups = [["one"] * 10 + ["two"] * 10]
    model = MeanRisk(
        min_weights=0.01, max_weights=0.12, groups=groups, linear_constraints=["one <= 0.35"], solver_params=TIGHT
    )
    theirs = model.fit(twenty_stocks).weights_
    cap = LinearLimit("sector one", np.repeat([1.0, 0.0], 10), upper=0.35)
    covariance = sample_covariance(twenty_stocks)
    ours = minimum_variance(covariance, Limits.of(20, 0.01, 0.12, linear=(cap,)))
    assert variance_of(ours, covariance) == pytest.approx(variance_of(theirs, covariance), rel=1e-9)


def test_maximum_sharpe_and_diversification_equal_skfolio(twenty_stocks):
    from skfolio.optimization import MaximumDiversification, MeanRisk, ObjectiveFunction

    mean, covariance = twenty_stocks.mean(axis=0), sample_covariance(twenty_stocks)

    def ratio(weights, reward):
        return reward @ weights / np.sqrt(variance_of(weights, covariance))

    model = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, solver_params=TIGHT)
    theirs = model.fit(twenty_stocks).weights_
    assert ratio(maximum_sharpe(mean, covariance), mean) == pytest.approx(ratio(theirs, mean), rel=1e-9)
    deviations = np.sqrt(np.diagonal(covariance))
    theirs = MaximumDiversification(solver_params=TIGHT).fit(twenty_stocks).weights_
    assert ratio(maximum_diversification(covariance), deviations) == pytest.approx(ratio(theirs, deviations), rel=1e-9)


def test_the_frontier_is_no_worse_than_skfolios(twenty_stocks):
    from skfolio.optimization import MeanRisk

    mean, covariance = twenty_stocks.mean(axis=0), sample_covariance(twenty_stocks)
    theirs = MeanRisk(efficient_frontier_size=5).fit(twenty_stocks).weights_
    ours = efficient_frontier(mean, covariance, 5)
    for one in theirs:
        demand = LinearLimit("expected return", mean, lower=float(mean @ one))
        mine = minimum_variance(covariance, Limits.of(20, linear=(demand,)))
        assert variance_of(mine, covariance) <= variance_of(one, covariance) * (1 + 1e-6)
    assert ours[-1] @ mean == pytest.approx(mean.max(), rel=1e-6)


def test_risk_parity_equals_skfolio(twenty_stocks):
    from skfolio.optimization import RiskBudgeting

    covariance = sample_covariance(twenty_stocks)
    theirs = RiskBudgeting().fit(twenty_stocks).weights_
    ours = risk_budgeting(covariance)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert np.ptp(risk_contributions(ours, covariance)) < 1e-11
    assert np.ptp(risk_contributions(ours, covariance)) <= np.ptp(risk_contributions(theirs, covariance))


def test_hrp_equals_skfolio_in_its_variant(twenty_stocks):
    from skfolio.optimization import HierarchicalRiskParity, InverseVolatility

    covariance = sample_covariance(twenty_stocks)
    theirs = HierarchicalRiskParity().fit(twenty_stocks).weights_
    ours = hierarchical_risk_parity(covariance, linkage="ward", distance="direct", optimal_ordering=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert variance_of(ours, covariance) == pytest.approx(1.4499e-4, rel=1e-4)
    theirs = InverseVolatility().fit(twenty_stocks).weights_
    np.testing.assert_allclose(inverse_volatility(covariance), theirs, rtol=1e-9)


def test_shrinkage_equals_scikit_learn(twenty_stocks):
    from sklearn.covariance import ledoit_wolf

    np.testing.assert_allclose(ledoit_wolf_covariance(twenty_stocks)[0], ledoit_wolf(twenty_stocks)[0], rtol=1e-9)


def test_hrp_equals_pyportfolioopts_expected_weights(shared_data: Path):
    """Their covariance and correlation are estimated pair by pair; the tree is single linkage on d itself."""
    import pandas as pd

    folder = shared_data / "portfolio_refs/pyportfolioopt/tests/resources"
    returns = pd.read_csv(folder / "stock_prices.csv", index_col=0).ffill().pct_change().dropna(how="all")
    names, weights = expected(folder / "weights_hrp.csv", "0")
    ours = hierarchical_risk_parity(returns.cov(), "single", "direct", correlation=returns.corr())
    in_order = np.array([weights[names.index(name)] for name in returns.columns])
    np.testing.assert_allclose(ours, in_order, rtol=1e-9)


def test_hrp_equals_riskfolios_expected_weights(shared_data: Path):
    folder = shared_data / "portfolio_refs/riskfolio/tests"
    names, weights = expected(folder / "HC_HRP.csv", "MV")
    returns = last_200_returns(folder / "stock_prices_3.csv", names)
    ours = hierarchical_risk_parity(sample_covariance(returns), "single", "direct", optimal_ordering=True)
    np.testing.assert_allclose(ours, weights, rtol=1e-9)


def test_mean_variance_portfolios_equal_riskfolios_expected_ones(shared_data: Path):
    folder = shared_data / "portfolio_refs/riskfolio/tests"
    names, least = expected(folder / "Classic_MinRisk.csv", "MV")
    returns = last_200_returns(folder / "stock_prices.csv", names)
    mean, covariance = returns.mean(axis=0), sample_covariance(returns)
    ours = minimum_variance(covariance)
    assert variance_of(ours, covariance) <= variance_of(least, covariance)
    np.testing.assert_allclose(ours, least, atol=1e-6)
    np.testing.assert_allclose(risk_budgeting(covariance), expected(folder / "Classic_RP.csv", "MV")[1], atol=1e-5)
    best = expected(folder / "Classic_Sharpe.csv", "MV")[1]
    np.testing.assert_allclose(maximum_sharpe(mean, covariance), best, atol=1e-6)


def test_four_hundred_seventy_stocks(sp500):
    """At the size of an index: the optimum satisfies its first-order conditions, the budgets are met."""
    covariance = sample_covariance(sp500)
    weights = minimum_variance(covariance)
    gradient = covariance @ weights
    variance = weights @ gradient
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert gradient.min() >= variance * (1 - 1e-5)
    assert np.abs(gradient[weights > 1e-4] / variance - 1.0).max() < 1e-4
    parity = risk_contributions(risk_budgeting(covariance), covariance)
    assert np.abs(parity * len(parity) - 1.0).max() < 1e-7
    hierarchical = hierarchical_risk_parity(covariance)
    assert hierarchical.min() > 0
    assert hierarchical.sum() == pytest.approx(1.0)
