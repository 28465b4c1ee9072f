"""Market data: order books, bars, LOBSTER and tick files, and a simulated market, all usable without a running node."""

from nautilus.engines.marketdata.bar_builder import BarBuilder
from nautilus.engines.marketdata.bar_columns import build_bars
from nautilus.engines.marketdata.bar_policy import BarCounts, LatePolicy, SessionTimes
from nautilus.engines.marketdata.bar_rule import BarRule
from nautilus.engines.marketdata.book_replay import BookHistory, replay_deltas
from nautilus.engines.marketdata.fundamental import Episode, NewsParameters
from nautilus.engines.marketdata.lobster import LobsterDay, find_days, read_day
from nautilus.engines.marketdata.lobster_book import LevelChanges, WindowReplay, level_changes, rebuild_book
from nautilus.engines.marketdata.matching_book import Match, MatchingBook, RestingOrder
from nautilus.engines.marketdata.order_book import OrderBook
from nautilus.engines.marketdata.order_flow import FlowParameters
from nautilus.engines.marketdata.simulated_market import (
    InstrumentTruth,
    SimulatedInstrument,
    SimulatedMarket,
    invented_instruments,
)
from nautilus.engines.marketdata.tick_files import TickFile, read_bars, read_quotes, read_tick_file, read_trades

__all__ = [
    "BarBuilder",
    "BarCounts",
    "BarRule",
    "BookHistory",
    "Episode",
    "FlowParameters",
    "InstrumentTruth",
    "LatePolicy",
    "LevelChanges",
    "LobsterDay",
    "Match",
    "MatchingBook",
    "NewsParameters",
    "OrderBook",
    "RestingOrder",
    "SessionTimes",
    "SimulatedInstrument",
    "SimulatedMarket",
    "TickFile",
    "WindowReplay",
    "build_bars",
    "find_days",
    "invented_instruments",
    "level_changes",
    "read_bars",
    "read_day",
    "read_quotes",
    "read_tick_file",
    "read_trades",
    "rebuild_book",
    "replay_deltas",
]
