"""How each kind of limit is measured from what the engine knows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.risk.equity_watch import EquityWatch
from nautilus.engines.risk.exposures import Exposure
from nautilus.engines.risk.holdings import Holdings
from nautilus.engines.risk.limits import Limit, LimitKind, LimitScope
from nautilus.engines.risk.portfolio_risk import (
    PortfolioRisk,
    largest_correlation,
    portfolio_risk,
    portfolio_volatility,
)
from nautilus.engines.risk.return_history import ReturnHistory
from nautilus.engines.risk.tail_risk import TailMethod
from nautilus.errors import Invalid, NotReady

if TYPE_CHECKING:
    from nautilus.engines.risk.models import RiskConfig


@dataclass(frozen=True, slots=True)
class HeldReturns:
    """Instruments held, their signed exposures, and their joint returns."""

    names: tuple[str, ...]
    exposures: tuple[float, ...]
    returns: NDArray[np.float64]
    decay: float

    def risk(self, method: TailMethod, confidence: float, horizon_intervals: float) -> PortfolioRisk:
        """Value at risk and expected shortfall; nothing held has none."""
        if not self.names:
            return PortfolioRisk(
                method=method,
                confidence=confidence,
                horizon_intervals=horizon_intervals,
                value_at_risk=0.0,
                expected_shortfall=0.0,
                observations=0,
                shares=(),
            )
        return portfolio_risk(
            self.names,
            self.exposures,
            self.returns,
            method,
            confidence,
            horizon_intervals=horizon_intervals,
            decay=self.decay,
        )


LEAST_EQUITY = 1.0
"""Equity below one unit of the base currency counts as one, so that a ratio to it stays finite and breaks its limit."""


class Measures:
    """Answers what a limit's kind amounts to now, or None where it cannot be said."""

    def __init__(
        self, config: "RiskConfig", holdings: Holdings, watches: Mapping[str, EquityWatch], history: ReturnHistory
    ) -> None:
        self._config = config
        self._holdings = holdings
        self._watches = watches
        self._history = history

    def measure(self, limit: Limit) -> float | None:
        """The value of a limit's kind in its scope."""
        if limit.scope is LimitScope.INSTRUMENT:
            values = [held.worst for _, held in self._holdings.working() if held.instrument_id == limit.target]
            return max(values, default=0.0)
        group = self._group(limit)
        if limit.kind is LimitKind.POSITION_SIZE:
            return group.largest if group else 0.0
        if limit.kind is LimitKind.GROSS_EXPOSURE:
            return group.gross if group else 0.0
        if limit.kind is LimitKind.NET_EXPOSURE:
            return group.net if group else 0.0
        return self._of_account(limit, group)

    def risk(
        self, account_id: str | None, method: TailMethod, confidence: float, horizon_seconds: float
    ) -> PortfolioRisk:
        """Value at risk of an account's positions, or of all; raises NotReady for too few returns."""
        return self.gather(account_id).risk(method, confidence, horizon_seconds / self._config.return_seconds)

    def gather(self, account_id: str | None) -> "HeldReturns":
        """What is held and its returns, as a copy that another thread may work on; raises NotReady for too few.

        Without positions there is no risk, and that needs no returns.
        """
        exposures = self._exposures(account_id)
        names = sorted(exposures)
        panel = self._returns(names) if names else np.empty((0, 0))
        return HeldReturns(tuple(names), tuple(exposures[name] for name in names), panel, self._config.decay)

    def _returns(self, names: list[str]) -> NDArray[np.float64]:
        panel = self._history.returns(names)
        needed = self._config.minimum_returns
        if panel.shape[0] < needed:
            raise NotReady(f"{panel.shape[0]} joint returns of what is held so far, {needed} are needed")
        return panel

    def _exposures(self, account_id: str | None) -> dict[str, float]:
        exposures: dict[str, float] = {}
        for _, held in self._holdings.positions(account_id):
            exposures[held.instrument_id] = exposures.get(held.instrument_id, 0.0) + held.value
        return exposures

    def _group(self, limit: Limit) -> Exposure | None:
        holdings = self._holdings
        match limit.scope:
            case LimitScope.GLOBAL:
                return holdings.everything
            case LimitScope.ACCOUNT:
                return holdings.accounts.get(limit.target)
            case LimitScope.STRATEGY:
                return holdings.strategies.get(limit.target)
            case LimitScope.SECTOR:
                return holdings.sectors.get(limit.target)
            case _:
                return holdings.currencies.get(limit.target)

    def _of_account(self, limit: Limit, group: Exposure | None) -> float | None:
        if group is None:
            return None
        if limit.kind in {LimitKind.DAILY_LOSS, LimitKind.DRAWDOWN}:
            return self._loss(limit)
        equity = group.equity
        if limit.kind is LimitKind.PORTFOLIO_VALUE:
            return equity
        if limit.kind in {LimitKind.LEVERAGE, LimitKind.CONCENTRATION}:
            if equity is None:
                return None
            amount = group.gross if limit.kind is LimitKind.LEVERAGE else group.largest
            return amount / max(equity, LEAST_EQUITY)
        try:
            return self._statistical(limit, equity)
        except (NotReady, Invalid):
            return None

    def _loss(self, limit: Limit) -> float | None:
        """Daily loss adds up over accounts; of drawdowns the worst account's counts."""
        watches = [
            watch for name, watch in self._watches.items() if limit.scope is LimitScope.GLOBAL or name == limit.target
        ]
        if limit.kind is LimitKind.DAILY_LOSS:
            net = sum(watch.day_start - watch.equity for watch in watches)
            return max(net, 0.0) if watches else None
        return max((watch.drawdown for watch in watches if watch.drawdown is not None), default=None)

    def _statistical(self, limit: Limit, equity: float | None) -> float | None:
        config = self._config
        account = None if limit.scope is LimitScope.GLOBAL else limit.target
        if limit.kind in {LimitKind.VALUE_AT_RISK, LimitKind.EXPECTED_SHORTFALL}:
            risk = self.risk(account, config.method, config.confidence, config.horizon_seconds)
            return risk.value_at_risk if limit.kind is LimitKind.VALUE_AT_RISK else risk.expected_shortfall
        exposures = self._exposures(account)
        if not exposures:
            return 0.0
        panel = self._returns(sorted(exposures))
        if limit.kind is LimitKind.CORRELATION:
            return largest_correlation(panel)
        if equity is None or equity <= 0.0:
            return None
        values = [exposures[name] for name in sorted(exposures)]
        yearly = math.sqrt(config.trading_seconds_per_year / config.return_seconds)
        return yearly * portfolio_volatility(values, panel, equity, config.decay)
