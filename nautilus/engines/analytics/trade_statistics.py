"""What a number of round trips say about a strategy: how often it wins, how much, and how long it holds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from nautilus.engines.analytics.round_trips import RoundTrip


class TradeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of round trips by net profit. Money in the currency of the trips, times in seconds.

    A trip of exactly zero profit is neither won nor lost. `profit_factor` is gross profit over gross loss,
    `payoff_ratio` the average win over the average loss, `expectancy` the mean profit of a trip. None: not defined.
    """

    trades: int
    won: int
    lost: int
    net_pnl: float
    fees: float
    gross_profit: float
    gross_loss: float
    win_rate: float | None
    profit_factor: float | None
    payoff_ratio: float | None
    expectancy: float | None
    average_win: float | None
    average_loss: float | None
    best: float | None
    worst: float | None
    longest_winning_streak: int
    longest_losing_streak: int
    mean_holding_seconds: float | None
    mean_favorable_excursion: float | None
    mean_adverse_excursion: float | None


def trade_statistics(trips: Sequence[RoundTrip]) -> TradeStatistics:
    """Statistics of round trips of one currency, in the order in which they were closed."""
    profits = [float(trip.net_pnl) for trip in trips]
    wins, losses = [one for one in profits if one > 0], [-one for one in profits if one < 0]
    average_win, average_loss = _mean(wins), _mean(losses)
    return TradeStatistics(
        trades=len(profits),
        won=len(wins),
        lost=len(losses),
        net_pnl=float(sum(trip.net_pnl for trip in trips)),
        fees=float(sum(trip.fees for trip in trips)),
        gross_profit=sum(wins),
        gross_loss=sum(losses),
        win_rate=len(wins) / len(profits) if profits else None,
        profit_factor=sum(wins) / sum(losses) if losses else None,
        payoff_ratio=average_win / average_loss if average_win is not None and average_loss else None,
        expectancy=_mean(profits),
        average_win=average_win,
        average_loss=average_loss,
        best=max(profits, default=None),
        worst=min(profits, default=None),
        longest_winning_streak=_streak([one > 0 for one in profits]),
        longest_losing_streak=_streak([one < 0 for one in profits]),
        mean_holding_seconds=_mean([(trip.ts_exit - trip.ts_entry) / 1e9 for trip in trips]),
        mean_favorable_excursion=_mean([float(trip.favorable_excursion) for trip in trips]),
        mean_adverse_excursion=_mean([float(trip.adverse_excursion) for trip in trips]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _streak(marks: Sequence[bool]) -> int:
    longest = current = 0
    for mark in marks:
        current = current + 1 if mark else 0
        longest = max(longest, current)
    return longest
