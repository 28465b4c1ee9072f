"""Portfolio: exact double-entry books of accounts, and the optimisers that say what to hold, for a notebook."""

from nautilus.engines.portfolio.account_book import AccountBook, CurrencyTotals, FillResult
from nautilus.engines.portfolio.conditional_value_at_risk import conditional_value_at_risk, minimum_cvar
from nautilus.engines.portfolio.covariance import correlation_of
from nautilus.engines.portfolio.exchange_rates import ExchangeRates
from nautilus.engines.portfolio.hierarchical_risk_parity import hierarchical_risk_parity
from nautilus.engines.portfolio.ledger import Entry, Ledger, LedgerAccount, Posting
from nautilus.engines.portfolio.limits import Infeasible, Limits, LinearLimit, conflicting
from nautilus.engines.portfolio.lots import ClosedLot, LotMethod, OpenLot, OpenLots
from nautilus.engines.portfolio.mean_variance import (
    efficient_frontier,
    maximum_diversification,
    maximum_sharpe,
    mean_variance,
    minimum_correlation,
    minimum_variance,
)
from nautilus.engines.portfolio.naive_weights import equal_weight, inverse_volatility
from nautilus.engines.portfolio.risk_budgeting import risk_budgeting, risk_contributions

__all__ = [
    "AccountBook",
    "ClosedLot",
    "CurrencyTotals",
    "Entry",
    "ExchangeRates",
    "FillResult",
    "Infeasible",
    "Ledger",
    "LedgerAccount",
    "Limits",
    "LinearLimit",
    "LotMethod",
    "OpenLot",
    "OpenLots",
    "Posting",
    "conditional_value_at_risk",
    "conflicting",
    "correlation_of",
    "efficient_frontier",
    "equal_weight",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "maximum_diversification",
    "maximum_sharpe",
    "mean_variance",
    "minimum_correlation",
    "minimum_cvar",
    "minimum_variance",
    "risk_budgeting",
    "risk_contributions",
]
