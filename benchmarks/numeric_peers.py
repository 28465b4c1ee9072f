"""Numeric engines beside the libraries whose numbers they reproduce, on the same seeded inputs, in turn."""

import datetime as dt
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import alternate

ASSETS, DATES, SECTORS = 1000, 252, 11


def race(what: str, ours: Callable[[], Any], peer: str, theirs: Callable[[], Any], rounds: int = 5) -> None:
    found = alternate({"ours": ours, "theirs": theirs}, rounds)
    ratios = [other / one for one, other in zip(found["ours"], found["theirs"], strict=True)]
    print(
        f"{what:<52} {median(found['ours']) * 1000:>9.2f} ms   {peer} {median(found['theirs']) * 1000:>9.1f} ms   "
        f"{median(found['theirs']) / median(found['ours']):>6.1f} times faster ({min(ratios):.1f} to {max(ratios):.1f})"
    )


def factor_returns() -> None:
    from toraniko.model import estimate_factor_returns as peer

    from nautilus.engines.factor import estimate_factor_returns

    source = np.random.default_rng(11)
    returns = source.normal(0, 0.02, (DATES, ASSETS))
    caps = np.tile(np.exp(source.normal(21, 1.5, ASSETS)), (DATES, 1))
    sectors = source.integers(0, SECTORS, ASSETS)
    styles = source.normal(size=(DATES, ASSETS, 3))
    membership = np.eye(SECTORS)[sectors]
    keys = {
        "date": np.repeat([dt.date(2020, 1, 1) + dt.timedelta(days=day) for day in range(DATES)], ASSETS).tolist(),
        "symbol": [f"S{number:04d}" for number in range(ASSETS)] * DATES,
    }
    frames = (
        pl.DataFrame({**keys, "asset_returns": returns.ravel()}),
        pl.DataFrame({**keys, "market_cap": caps.ravel()}),
        pl.DataFrame({**keys, **{f"sec{k}": np.tile(membership[:, k], DATES) for k in range(SECTORS)}}),
        pl.DataFrame({**keys, **{f"style{k}": styles[:, :, k].ravel() for k in range(3)}}),
    )
    race(
        f"factor returns, {ASSETS} assets x {DATES} dates",
        lambda: estimate_factor_returns(returns, caps, membership, styles, winsor_share=0.05, constraint="equal"),
        "toraniko",
        lambda: peer(*frames, winsor_factor=0.05),
        rounds=3,
    )


def performance_statistics() -> None:
    import empyrical
    import pandas as pd

    from nautilus.engines.analytics import performance

    returns = np.random.default_rng(5).normal(0.0004, 0.01, (2520, 100))
    names = (
        "annual_return", "annual_volatility", "sharpe_ratio", "calmar_ratio", "stability_of_timeseries",
        "max_drawdown", "omega_ratio", "sortino_ratio", "tail_ratio", "value_at_risk", "downside_risk",
    )  # fmt: skip
    columns = [pd.Series(returns[:, column]) for column in range(returns.shape[1])]

    def theirs() -> None:
        for column in columns:
            for name in names:
                getattr(empyrical, name)(column)

    race("40 statistics of 100 series x 2520 (peer: 11 of them)", lambda: performance(returns), "empyrical", theirs)


def optimisers() -> None:
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, RiskBudgeting

    from nautilus.engines.portfolio import (
        hierarchical_risk_parity,
        minimum_variance,
        risk_budgeting,
    )
    from nautilus.engines.risk import sample_covariance

    source = np.random.default_rng(3)
    for assets in (100, 500):
        market = source.normal(0, 0.01, (1260, 5))
        returns = market @ source.normal(1, 0.3, (5, assets)) + source.normal(0, 0.01, (1260, assets))
        for what, ours, theirs in (
            ("minimum variance", lambda x: minimum_variance(sample_covariance(x)), MeanRisk),
            ("risk parity", lambda x: risk_budgeting(sample_covariance(x)), RiskBudgeting),
            (
                "hierarchical risk parity",
                lambda x: hierarchical_risk_parity(sample_covariance(x)),
                HierarchicalRiskParity,
            ),
        ):
            race(
                f"{what}, {assets} assets x 1260, covariance included",
                lambda ours=ours, returns=returns: ours(returns),  # type: ignore[misc]
                "skfolio",
                lambda theirs=theirs, returns=returns: theirs().fit(returns),  # type: ignore[misc]
                rounds=3,
            )


def main() -> None:
    warnings.simplefilter("ignore")
    for part in (factor_returns, performance_statistics, optimisers):
        part()
