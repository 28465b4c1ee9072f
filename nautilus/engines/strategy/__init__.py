"""Strategies, orders and the simulated venue: what a notebook or a plugin may use without a running node."""

from nautilus.engines.strategy.fees import BasisPointFee, FeeModel, PerShareFee
from nautilus.engines.strategy.latency import ConstantLatency, LatencyModel, SampledLatency
from nautilus.engines.strategy.queue_position import ProbabilisticQueue, QueueModel, RiskAverseQueue
from nautilus.engines.strategy.strategies.avellaneda_stoikov import MidVariance, half_spread, reservation_offset
from nautilus.engines.strategy.strategy import Strategy, StrategyConfig

__all__ = [
    "BasisPointFee",
    "ConstantLatency",
    "FeeModel",
    "LatencyModel",
    "MidVariance",
    "PerShareFee",
    "ProbabilisticQueue",
    "QueueModel",
    "RiskAverseQueue",
    "SampledLatency",
    "Strategy",
    "StrategyConfig",
    "half_spread",
    "reservation_offset",
]
