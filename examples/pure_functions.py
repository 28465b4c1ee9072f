"""The formulas without a node, as in a notebook: toxicity of trades, value at risk, portfolio weights, a factor.

    python examples/pure_functions.py

The trades come from the simulated market, the returns from a seeded generator: the numbers are exact and invented.
"""

import numpy as np

from nautilus.engines.factor import Graph, evaluate
from nautilus.engines.marketdata import SimulatedMarket, invented_instruments
from nautilus.engines.portfolio import hierarchical_risk_parity, risk_contributions
from nautilus.engines.risk import sample_covariance, tail_risk
from nautilus.engines.vpin import VpinSettings, vpin_series
from nautilus.model import Trade, TradeColumns

MINUTE_NS = 60_000_000_000


def toxicity() -> None:
    market = SimulatedMarket(invented_instruments(), seed=7, start_ns=0)
    trades = [event for event in market.step(10 * MINUTE_NS) if isinstance(event, Trade)]
    ours = TradeColumns.from_events("ALFA.SIM", [trade for trade in trades if trade.instrument_id == "ALFA.SIM"])
    settings = VpinSettings(bucket_lots=1_000, bar_interval_ns=1_000_000_000, window=20, minimum_buckets=20)
    series = vpin_series(ours.ts_event, ours.price_ticks, ours.size_lots, ours.aggressor, settings)
    print(f"VPIN of ALFA.SIM: {len(ours):,} trades, {len(series)} buckets of {series.bucket_lots:,} lots")
    print(f"  by the sides of trades {series.vpin_signed[-1]:.3f}, by bulk classification {series.vpin_bulk[-1]:.3f}")


def losses(returns: np.ndarray) -> None:
    held = returns @ np.full(returns.shape[1], 1 / returns.shape[1])
    for risk in (
        tail_risk(held, "historical"),
        tail_risk(held, "filtered_historical"),
        tail_risk(held, "normal"),
        tail_risk(held, "cornish_fisher"),
        tail_risk(held, "monte_carlo", seed=1),
    ):
        print(
            f"{risk.method:<20} value at risk {risk.value_at_risk:.4f}"
            f"  expected shortfall {risk.expected_shortfall:.4f}  ({risk.confidence:.0%})"
        )


def weights(returns: np.ndarray) -> None:
    covariance = sample_covariance(returns)
    parity = hierarchical_risk_parity(covariance)
    shares = risk_contributions(parity, covariance)
    print("hierarchical risk parity weights", parity.round(3), "sum", parity.sum().round(6))
    print("  and their shares of the risk  ", (shares / shares.sum()).round(3))


def factor(returns: np.ndarray) -> None:
    graph = Graph()
    graph.add("reversal", "rank(-ts_sum(delta(close, 1) / delay(close, 1), 5))")
    scores = evaluate(graph, {"close": 100 * np.cumprod(1 + returns, axis=0)})["reversal"]
    print("five-day reversal on the last day", scores[-1].round(3))


def main() -> None:
    generator = np.random.default_rng(1)
    common = generator.standard_normal((750, 1))
    returns = 0.01 * (0.6 * common + generator.standard_normal((750, 4))) * np.array([0.5, 1.0, 1.5, 2.0])
    toxicity()
    losses(returns)
    weights(returns)
    factor(returns)


if __name__ == "__main__":
    main()
