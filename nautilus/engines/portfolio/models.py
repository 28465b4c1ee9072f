"""The portfolio engine's configuration, and what its HTTP operations take and give."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.portfolio.account_book import CurrencyTotals
from nautilus.engines.portfolio.lots import LotMethod
from nautilus.model import AccountState
from nautilus.model.orders import Identifier

ASSETS_LIMIT = 500
RETURNS_LIMIT = 500_000
"""Most numbers in the returns of one request; 100,000 where a linear programme of their size is to be solved."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3,5}$", examples=["USD"])]
Amount = Annotated[Decimal, Meta(examples=["2500.00"])]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
Vector = Annotated[list[Number], Meta(max_length=ASSETS_LIMIT)]
Row = Annotated[list[Number], Meta(min_length=1, max_length=ASSETS_LIMIT)]
Rows = Annotated[list[Row], Meta(min_length=1, max_length=10_000)]


class PortfolioConfig(EngineConfig, frozen=True, kw_only=True):
    """The portfolio engine's section of the configuration."""

    accounts: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=100, description="Accounts to open.")] = (
        "main",
    )
    currency: Annotated[Currency, Meta(description="Base currency of the accounts.")] = "USD"
    initial_cash: Annotated[Decimal, Meta(description="Paid into each account when it is first opened.")] = Decimal(
        1_000_000
    )
    lot_method: Annotated[LotMethod, Meta(description="Which open lot a closing trade takes first.")] = LotMethod.FIFO
    update_ms: Annotated[
        int, Meta(ge=1, le=60_000, description="Longest wait before new marks are published, in milliseconds.")
    ] = 250
    ledger_entries: Annotated[int, Meta(ge=100, le=100_000, description="Ledger entries kept for each account.")] = (
        10_000
    )


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account: its state in the base currency (None, with the reason, while a rate is missing) and by currency."""

    account_id: str
    currency: str
    lot_method: LotMethod
    positions: int
    state: AccountState | None
    reason: str | None
    currencies: dict[str, CurrencyTotals]


class NetAssetValue(msgspec.Struct, frozen=True, kw_only=True):
    """NAV of every account and their sum by base currency; accounts without a NAV, with the reason, under `missing`."""

    accounts: list[AccountState]
    totals: dict[str, Decimal]
    missing: dict[str, str]


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """An open lot; `cost` and `unrealized_pnl` in the instrument's currency, signed like the quantity."""

    instrument_id: str
    quantity_lots: int
    cost: Decimal
    average_price_ticks: float
    unrealized_pnl: Decimal | None
    trade_id: str
    ts_event: int


class DepositRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to pay in (positive) or out (negative). The same `deposit_id` again is booked once."""

    amount: Amount
    currency: Currency | None = None
    deposit_id: Identifier | None = None
    reason: Annotated[str, Meta(max_length=200)] = ""


class GroupLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds on the sum of some assets' weights, such as a sector cap; `members` are positions of assets."""

    name: Name
    members: Annotated[list[Annotated[int, Meta(ge=0, lt=ASSETS_LIMIT)]], Meta(min_length=1, max_length=ASSETS_LIMIT)]
    lower: Number | None = None
    upper: Number | None = None


class _Problem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    returns: Rows | None = None
    covariance: Rows | None = None
    expected_returns: Vector | None = None
    estimator: Literal["sample", "ledoit_wolf"] = "sample"
    names: Annotated[list[Name], Meta(max_length=ASSETS_LIMIT)] | None = None
    lower: Number | Vector = 0.0
    upper: Number | Vector = 1.0
    budget: Annotated[float, Meta(ge=-10, le=10)] = 1.0
    groups: Annotated[list[GroupLimit], Meta(max_length=50)] = []


class OptimizeRequest(_Problem, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A portfolio to find. Give `returns` [periods][assets] or `covariance` [assets][assets]; what is missing is
    estimated from the returns. Bounds, budget and groups hold for the quadratic and linear programmes; risk budgeting,
    hierarchical risk parity, inverse volatility and equal weight are long-only and sum to one, and refuse others."""

    method: Literal[
        "minimum_variance",
        "mean_variance",
        "maximum_sharpe",
        "maximum_diversification",
        "minimum_correlation",
        "minimum_cvar",
        "risk_budgeting",
        "hierarchical_risk_parity",
        "inverse_volatility",
        "equal_weight",
    ]
    budgets: Vector | None = None
    risk_free: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    risk_aversion: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1.0
    confidence: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.95
    linkage: Literal["single", "complete", "average", "ward"] = "single"
    distance: Literal["nested", "direct"] = "nested"
    optimal_ordering: bool = False


class FrontierRequest(_Problem, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An efficient frontier: portfolios of least variance from the least to the largest expected return."""

    points: Annotated[int, Meta(ge=2, le=50)] = 20


class OptimalPortfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Weights by asset, and what they mean per period of the returns. None: no expected returns were given."""

    weights: dict[str, float]
    expected_return: float | None
    volatility: float
    sharpe_ratio: float | None
    risk_contributions: dict[str, float | None]
    diversification_ratio: float | None
    effective_assets: float | None
