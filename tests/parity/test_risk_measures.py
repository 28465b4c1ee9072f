"""Risk measures against independent implementations and published tables, on real returns."""

import gzip
import json

import numpy as np
import polars as pl
import pytest

from nautilus.engines.risk import (
    ewma_variance,
    historical_expected_shortfall,
    historical_value_at_risk,
    kupiec_pof,
    ledoit_wolf_covariance,
    oas_covariance,
    sample_covariance,
    traffic_light,
)

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def sp500(shared_data):
    path = shared_data / "econ_returns/arch/arch/data/sp500/sp500.csv.gz"
    with gzip.open(path) as file:
        prices = pl.read_csv(file)["Adj Close"].to_numpy()
    return prices[1:] / prices[:-1] - 1.0


@pytest.fixture(scope="module")
def stocks(shared_data):
    path = shared_data / "econ_returns/skfolio/src/skfolio/datasets/data/sp500_dataset.csv.gz"
    with gzip.open(path) as file:
        prices = pl.read_csv(file).drop("Date").tail(1_000).to_numpy()
    return prices[1:] / prices[:-1] - 1.0


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.975, 0.99, 0.999])
def test_value_at_risk_and_shortfall_are_skfolios(sp500, confidence):
    measures = pytest.importorskip("skfolio.measures")
    for size in (100, 250, 1_000, sp500.size):
        sample = sp500[-size:]
        value = measures.value_at_risk(sample, beta=confidence)
        shortfall = measures.cvar(sample, beta=confidence)
        assert historical_value_at_risk(sample, confidence) == pytest.approx(value, rel=1e-12)
        assert historical_expected_shortfall(sample, confidence) == pytest.approx(shortfall, rel=1e-9)


@pytest.mark.filterwarnings("default")
def test_shrinkage_is_scikit_learns(stocks):
    covariance = pytest.importorskip("sklearn.covariance")
    for rows in (15, 60, 999):
        panel = stocks[-rows:]
        for ours, theirs in (
            (ledoit_wolf_covariance, covariance.ledoit_wolf),
            (oas_covariance, covariance.oas),
        ):
            matrix, shrinkage = ours(panel)
            expected, amount = theirs(panel)
            assert shrinkage == pytest.approx(amount, rel=1e-9)
            np.testing.assert_allclose(matrix, expected, rtol=1e-9, atol=1e-16)


def test_sample_covariance_is_numpys(stocks):
    np.testing.assert_allclose(sample_covariance(stocks), np.cov(stocks, rowvar=False), rtol=1e-12)


def test_ewma_variance_is_polars(sp500):
    squares = pl.Series(sp500**2)
    start = float(np.mean(sp500**2))
    ours = ewma_variance(sp500, 0.94, start)
    theirs = pl.concat([pl.Series([start]), squares]).ewm_mean(alpha=0.06, adjust=False).to_numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_kupiecs_table_of_regions(shared_data):
    vectors = json.loads((shared_data / "var_backtest/var_backtest_vectors.json").read_text())
    for row in vectors["kupiec_1995_nonrejection_95"]["rows"]:
        days, probability = row["T"], row["p"]
        kept = [x for x in range(days // 4) if kupiec_pof(days, x, probability).p_value > 0.05]
        assert (kept[-1] + 1) == row["hi"], row
        if row["lo"] is not None:
            assert (kept[0] - 1) == row["lo"], row
    single = vectors["lr_uc"][0]
    test = kupiec_pof(single["T"], single["x"], single["p"])
    assert test.statistic == pytest.approx(single["LR"], rel=1e-10)
    assert test.p_value == pytest.approx(single["p_value"], rel=1e-10)


def test_the_basel_table(shared_data):
    table = json.loads((shared_data / "var_backtest/var_backtest_vectors.json").read_text())["basel_traffic_light"]
    for row in table["binomial_percent"]:
        light = traffic_light(250, row["k"])
        assert round(100 * light.cumulative_probability, 2) == row["cumulative"]
        multiplier = table["multiplier"]["10+" if row["k"] >= 10 else str(row["k"])]
        assert 3.0 + (light.plus_factor or 0.0) == pytest.approx(multiplier)
