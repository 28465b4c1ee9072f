"""Risk: the gate that every order passes, limits with consequences, and measures of what may be lost."""

from nautilus.engines.risk.breaches import Breach, BreachStatus
from nautilus.engines.risk.contributions import (
    Contributions,
    diversification_ratio,
    historical_contributions,
    incremental_value_at_risk,
    normal_contributions,
)
from nautilus.engines.risk.covariance import (
    correlation,
    ewma_covariance,
    ledoit_wolf_covariance,
    oas_covariance,
    sample_covariance,
)
from nautilus.engines.risk.currency_rates import CurrencyRates
from nautilus.engines.risk.denial import Denial
from nautilus.engines.risk.expected_shortfall import (
    cornish_fisher_expected_shortfall,
    historical_expected_shortfall,
    normal_expected_shortfall,
    student_expected_shortfall,
)
from nautilus.engines.risk.gate import Gate
from nautilus.engines.risk.gate_rules import GateRules
from nautilus.engines.risk.holdings import Holdings
from nautilus.engines.risk.limit_monitor import LimitMonitor
from nautilus.engines.risk.limits import Assessment, Limit, LimitKind, LimitScope, assess
from nautilus.engines.risk.monte_carlo import simulated_returns
from nautilus.engines.risk.return_history import ReturnHistory
from nautilus.engines.risk.tail_risk import TAIL_METHODS, TailRisk, tail_risk
from nautilus.engines.risk.value_at_risk import (
    cornish_fisher_is_monotone,
    cornish_fisher_value_at_risk,
    historical_value_at_risk,
    normal_value_at_risk,
)
from nautilus.engines.risk.var_backtest import (
    LikelihoodRatio,
    TrafficLight,
    VarBacktest,
    acerbi_szekely,
    backtest_value_at_risk,
    christoffersen_independence,
    conditional_coverage,
    kupiec_pof,
    kupiec_tuff,
    time_between_failures,
    traffic_light,
)
from nautilus.engines.risk.volatility import ewma_variance, ewma_volatility, filtered_panel, filtered_returns

__all__ = [
    "TAIL_METHODS",
    "Assessment",
    "Breach",
    "BreachStatus",
    "Contributions",
    "CurrencyRates",
    "Denial",
    "Gate",
    "GateRules",
    "Holdings",
    "LikelihoodRatio",
    "Limit",
    "LimitKind",
    "LimitMonitor",
    "LimitScope",
    "ReturnHistory",
    "TailRisk",
    "TrafficLight",
    "VarBacktest",
    "acerbi_szekely",
    "assess",
    "backtest_value_at_risk",
    "christoffersen_independence",
    "conditional_coverage",
    "cornish_fisher_expected_shortfall",
    "cornish_fisher_is_monotone",
    "cornish_fisher_value_at_risk",
    "correlation",
    "diversification_ratio",
    "ewma_covariance",
    "ewma_variance",
    "ewma_volatility",
    "filtered_panel",
    "filtered_returns",
    "historical_contributions",
    "historical_expected_shortfall",
    "historical_value_at_risk",
    "incremental_value_at_risk",
    "kupiec_pof",
    "kupiec_tuff",
    "ledoit_wolf_covariance",
    "normal_contributions",
    "normal_expected_shortfall",
    "normal_value_at_risk",
    "oas_covariance",
    "sample_covariance",
    "simulated_returns",
    "student_expected_shortfall",
    "tail_risk",
    "time_between_failures",
    "traffic_light",
]
