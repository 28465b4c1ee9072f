"""Events per second of the simulated market in columns, of Hawkes arrivals alone, and trades per second into bars."""

from benchmarks.measure import alternate, spread
from nautilus.engines.marketdata.bar_columns import build_bars
from nautilus.engines.marketdata.bar_rule import BarRule
from nautilus.engines.marketdata.goog_flow import goog_process
from nautilus.engines.marketdata.market_flow import MarketFlow

EVENTS = 1_000_000
RULES = ("60s", "100t", "10000v", "200000000d", "100tib", "100dib", "100drb")


def main() -> None:
    process = goog_process()
    found = alternate(
        {
            "order flow into a book": lambda: MarketFlow(seed=1).generate(EVENTS),
            "Hawkes arrivals alone": lambda: process.simulate(EVENTS, seed=1),
        },
        rounds=5,
    )
    for name, times in found.items():
        print(f"{name:<26} {spread([EVENTS / one for one in times])} events/s")
    trades = MarketFlow(seed=1).generate(EVENTS).trades()
    rules = {text: BarRule.parse(text) for text in RULES}
    found = alternate({text: lambda rule=rule: build_bars(trades, rule) for text, rule in rules.items()}, rounds=5)
    for name, times in found.items():
        print(f"bars {name:<21} {spread([len(trades) / one for one in times])} trades/s")
