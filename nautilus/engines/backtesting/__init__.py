"""Backtests: the live engines and strategies on recorded or simulated data, under a clock that the data move."""

from nautilus.engines.backtesting.models import BacktestData, BacktestReport, BacktestRequest, StrategyChoice
from nautilus.engines.backtesting.report_page import report_page

__all__ = ["BacktestData", "BacktestReport", "BacktestRequest", "StrategyChoice", "report_page"]
