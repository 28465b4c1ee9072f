"""How we measure: two systems in turn, A B A B, so that a drifting machine hits both; medians and their spread."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one run, with the collector emptied before."""
    gc.collect()
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def alternate(systems: dict[str, Callable[[], object]], rounds: int = 7) -> dict[str, list[float]]:
    """Seconds of each run of each system, run in turn after one warm-up round."""
    for run in systems.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, run in systems.items():
            found[name].append(seconds(run))
    return found


def spread(values: Sequence[float]) -> str:
    """Median with the least and the greatest."""
    return f"{statistics.median(values):,.4g} ({min(values):,.4g} to {max(values):,.4g})"


def quantile(values: Sequence[float], probability: float) -> float:
    """The value below which the given share lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(probability * len(ordered)))]
