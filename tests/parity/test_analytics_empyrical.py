"""Every statistic against empyrical-reloaded, on real returns and with missing values, including where it is NaN."""

import csv
import gzip
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from nautilus.engines.analytics.benchmark import beta, one_sided_alpha_beta
from nautilus.engines.analytics.distribution import gaussian_value_at_risk, modified_value_at_risk, value_at_risk
from nautilus.engines.analytics.drawdowns import drawdown_series, max_drawdown
from nautilus.engines.analytics.growth import annual_volatility, cumulative_returns, simple_returns
from nautilus.engines.analytics.performance import performance
from nautilus.engines.analytics.ratios import sharpe_ratio, sortino_ratio
from nautilus.engines.analytics.rolling import rolling

pytestmark = pytest.mark.parity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    empyrical = pytest.importorskip("empyrical")
    from scipy import stats


def theirs(returns, market):
    """empyrical's value of each statistic that both have, for one series."""
    quiet = np.errstate(all="ignore")
    with warnings.catch_warnings(), quiet:
        warnings.simplefilter("ignore")
        batting = empyrical.batting_average(returns, market)
        up, down = (
            one_side(returns, market, risk_free=0.0001)
            for one_side in (empyrical.up_alpha_beta, empyrical.down_alpha_beta)
        )
        return {
            "total_return": empyrical.cum_returns_final(returns),
            "annual_return": empyrical.annual_return(returns),
            "annual_volatility": empyrical.annual_volatility(returns),
            "sharpe_ratio": empyrical.sharpe_ratio(returns, 0.0001),
            "sortino_ratio": empyrical.sortino_ratio(returns, 0.0002),
            "calmar_ratio": empyrical.calmar_ratio(returns),
            "omega_ratio": empyrical.omega_ratio(returns, 0.0003),
            "downside_risk": empyrical.downside_risk(returns, 0.0002),
            "max_drawdown": empyrical.max_drawdown(returns),
            "stability_of_timeseries": stability(returns),
            "tail_ratio": empyrical.tail_ratio(returns),
            "skew": stats.skew(returns) if len(returns) else math.nan,
            "kurtosis": stats.kurtosis(returns) if len(returns) else math.nan,
            "value_at_risk": empyrical.value_at_risk(returns),
            "conditional_value_at_risk": empyrical.conditional_value_at_risk(returns),
            "alpha": empyrical.alpha(returns, market, 0.0001),
            "beta": empyrical.beta(returns, market, 0.0001),
            "excess_sharpe": empyrical.excess_sharpe(returns, market),
            "up_capture": empyrical.up_capture(returns, market),
            "down_capture": empyrical.down_capture(returns, market),
            "up_down_capture": empyrical.up_down_capture(returns, market),
            "up_alpha": up[0],
            "up_beta": up[1],
            "down_alpha": down[0],
            "down_beta": down[1],
            "batting_average": batting["batting average"],
            "batting_average_up_market": batting["up market"],
            "batting_average_down_market": batting["down market"],
            "beta_fragility_heuristic": empyrical.beta_fragility_heuristic_aligned(returns, market),
        }


def stability(returns):
    """empyrical raises below two values that are there; NaN is what it means."""
    if len(returns) < 2 or (~np.isnan(returns)).sum() < 2:
        return math.nan
    return empyrical.stability_of_timeseries(returns)


def compare(table, market):
    required = {"risk_free": 0.0001, "required_return": 0.0002}
    ours = performance(table, market, **required)
    for column in range(table.shape[1]):
        for name, value in theirs(np.ascontiguousarray(table[:, column]), market).items():
            found = float(ours[name][column])
            assert math.isnan(found) == math.isnan(float(value)), (name, column, found, value)
            assert found == pytest.approx(float(value), rel=1e-9, abs=1e-13, nan_ok=True), (name, column)
    return ours


@pytest.fixture(scope="module")
def stocks(shared_data: Path):
    """Daily returns [1260, 20] of the S&P 500 stocks bundled with skfolio."""
    source = shared_data / "econ_returns/skfolio/src/skfolio/datasets/data/sp500_dataset.csv.gz"
    rows = list(csv.reader(gzip.decompress(source.read_bytes()).decode().splitlines()))[1:]
    prices = np.array([row[1:] for row in rows], dtype=float)
    return simple_returns(prices)[-1260:]


def test_twenty_stocks_of_five_years(stocks):
    compare(stocks, stocks.mean(axis=1))


def test_twenty_stocks_with_holes(stocks):
    generator = np.random.default_rng(4)
    holed = np.where(generator.random(stocks.shape) < 0.05, np.nan, stocks)
    market = np.where(generator.random(len(stocks)) < 0.05, np.nan, stocks.mean(axis=1))
    compare(holed, market)


def test_monthly_hedge_fund_indices_against_their_mean(shared_data: Path):
    rows = list(
        csv.reader((shared_data / "portfolio_refs/performanceanalytics/data/edhec.csv").read_text().splitlines())
    )[1:]
    table = np.array([[float(cell) if cell not in {"", "NA"} else math.nan for cell in row[1:]] for row in rows])
    compare(table, np.nanmean(table, axis=1))


GENERATOR = np.random.default_rng(11)
ODD = {
    "nothing": np.empty(0),
    "one": np.array([0.01]),
    "two": np.array([0.01, -0.02]),
    "flat": np.zeros(8),
    "constant": np.full(8, 0.01),
    "only gains": np.linspace(0.001, 0.02, 9),
    "only losses": -np.linspace(0.001, 0.02, 9),
    "all missing": np.full(6, np.nan),
    "one there": np.array([np.nan, 0.02, np.nan]),
    "missing at the ends": np.array([np.nan, 0.02, -0.01, 0.03, np.nan]),
    "ruin": np.array([0.1, -1.0, 0.2]),
    "normal": GENERATOR.normal(0, 0.01, 50),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("market", ["normal", "flat", "rising", "falling"])
def test_odd_series(name, market):
    returns = ODD[name]
    size = len(returns)
    benchmark = {
        "normal": np.random.default_rng(2).normal(0, 0.01, size),
        "flat": np.zeros(size),
        "rising": np.linspace(0.001, 0.01, size),
        "falling": -np.linspace(0.001, 0.01, size),
    }[market]
    compare(returns[:, None], benchmark)


def test_series_of_returns_and_drawdowns(stocks):
    np.testing.assert_allclose(cumulative_returns(stocks), empyrical.cum_returns(stocks), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(drawdown_series(stocks), empyrical.stats.drawdown_series(stocks), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (max_drawdown, "roll_max_drawdown"),
        (sharpe_ratio, "roll_sharpe_ratio"),
        (sortino_ratio, "roll_sortino_ratio"),
        (annual_volatility, "roll_annual_volatility"),
    ],
)
def test_rolling_statistics(stocks, ours, name):
    returns = stocks[:400, 0].copy()
    expected = getattr(empyrical, name)(returns, 60)
    np.testing.assert_allclose(rolling(ours, 60, returns), expected, rtol=1e-9, atol=1e-13)


def test_rolling_beta(stocks):
    market = stocks.mean(axis=1)[:400]
    expected = empyrical.roll_beta(stocks[:400, 0].copy(), market, 60)
    np.testing.assert_allclose(rolling(beta, 60, stocks[:400, 0], market), expected, rtol=1e-9)


def test_one_sided_alpha_and_beta_of_many_at_once(stocks):
    market = stocks.mean(axis=1)
    alpha_up, beta_up = one_sided_alpha_beta(stocks, market, 1)
    for column in range(3):
        expected = empyrical.up_alpha_beta(stocks[:, column].copy(), market)
        assert [alpha_up[column], beta_up[column]] == pytest.approx(list(expected), rel=1e-9)


def test_value_at_risk_conventions_of_performance_analytics(shared_data: Path):
    """Expected values printed in PerformanceAnalytics' tests: edhec[1:100, 1] at 95%."""
    rows = list(
        csv.reader((shared_data / "portfolio_refs/performanceanalytics/data/edhec.csv").read_text().splitlines())
    )[1:101]
    first = np.array([float(row[1]) for row in rows])
    assert float(value_at_risk(first)) == pytest.approx(-0.014095, abs=6e-7)
    assert float(modified_value_at_risk(first)) == pytest.approx(-0.014674, abs=6e-7)
    assert float(gaussian_value_at_risk(first)) == pytest.approx(-0.012133, abs=6e-7)
