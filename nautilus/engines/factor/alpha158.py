"""The 158 price-volume features known as Alpha158 (Yang et al. 2020, Qlib), in the factor language.

Nine candle shapes, four prices relative to the close, and 29 statistics over windows of 5, 10, 20, 30 and 60 rows.
Unlike Qlib, whose windows may be partial, a window here must be complete.
"""

from __future__ import annotations

from collections.abc import Iterator

_SOURCE = "Yang et al. (2020), Qlib, arXiv:2009.11189, Alpha158"
_WINDOWS = (5, 10, 20, 30, 60)
_RANGE = "(high - low + 0.000000000001)"
_RISE, _FALL = "max(delta(close, 1), 0)", "max(-1 * delta(close, 1), 0)"
_MORE, _LESS = "max(delta(volume, 1), 0)", "max(-1 * delta(volume, 1), 0)"
_MOVE = "ts_sum(abs(delta(close, 1)), {d}) + 0.000000000001"
_SWING = "ts_sum(abs(delta(volume, 1)), {d}) + 0.000000000001"
_FLOW = "abs(returns) * volume"

_CANDLES = (
    ("kmid", "(close - open) / open"),
    ("klen", "(high - low) / open"),
    ("kmid2", f"(close - open) / {_RANGE}"),
    ("kup", "(high - max(open, close)) / open"),
    ("kup2", f"(high - max(open, close)) / {_RANGE}"),
    ("klow", "(min(open, close) - low) / open"),
    ("klow2", f"(min(open, close) - low) / {_RANGE}"),
    ("ksft", "(2 * close - high - low) / open"),
    ("ksft2", f"(2 * close - high - low) / {_RANGE}"),
)

_WINDOWED = (
    ("roc", "momentum", "ratio", "delay(close, {d}) / close"),
    ("ma", "trend", "ratio", "ts_mean(close, {d}) / close"),
    ("std", "volatility", "ratio", "ts_std(close, {d}) / close"),
    ("beta", "trend", "ratio", "ts_slope(close, {d}) / close"),
    ("rsqr", "trend", "fraction", "ts_rsquare(close, {d})"),
    ("resi", "trend", "ratio", "ts_residual(close, {d}) / close"),
    ("max", "trend", "ratio", "ts_max(high, {d}) / close"),
    ("min", "trend", "ratio", "ts_min(low, {d}) / close"),
    ("qtlu", "trend", "ratio", "ts_quantile(close, {d}, 0.8) / close"),
    ("qtld", "trend", "ratio", "ts_quantile(close, {d}, 0.2) / close"),
    ("rank", "momentum", "fraction", "ts_rank(close, {d})"),
    (
        "rsv",
        "momentum",
        "fraction",
        "(close - ts_min(low, {d})) / (ts_max(high, {d}) - ts_min(low, {d}) + 0.000000000001)",
    ),
    ("imax", "momentum", "fraction", "ts_argmax(high, {d}) / {d}"),
    ("imin", "momentum", "fraction", "ts_argmin(low, {d}) / {d}"),
    ("imxd", "momentum", "fraction", "(ts_argmax(high, {d}) - ts_argmin(low, {d})) / {d}"),
    ("corr", "price_volume", "correlation", "ts_corr(close, log(volume + 1), {d})"),
    (
        "cord",
        "price_volume",
        "correlation",
        "ts_corr(close / delay(close, 1), log(volume / delay(volume, 1) + 1), {d})",
    ),
    ("cntp", "momentum", "fraction", "ts_mean(close > delay(close, 1), {d})"),
    ("cntn", "momentum", "fraction", "ts_mean(close < delay(close, 1), {d})"),
    (
        "cntd",
        "momentum",
        "fraction",
        "ts_mean(close > delay(close, 1), {d}) - ts_mean(close < delay(close, 1), {d})",
    ),
    ("sump", "momentum", "fraction", f"ts_sum({_RISE}, {{d}}) / ({_MOVE})"),
    ("sumn", "momentum", "fraction", f"ts_sum({_FALL}, {{d}}) / ({_MOVE})"),
    ("sumd", "momentum", "fraction", f"(ts_sum({_RISE}, {{d}}) - ts_sum({_FALL}, {{d}})) / ({_MOVE})"),
    ("vma", "volume", "ratio", "ts_mean(volume, {d}) / (volume + 0.000000000001)"),
    ("vstd", "volume", "ratio", "ts_std(volume, {d}) / (volume + 0.000000000001)"),
    ("wvma", "price_volume", "ratio", f"ts_std({_FLOW}, {{d}}) / (ts_mean({_FLOW}, {{d}}) + 0.000000000001)"),
    ("vsump", "volume", "fraction", f"ts_sum({_MORE}, {{d}}) / ({_SWING})"),
    ("vsumn", "volume", "fraction", f"ts_sum({_LESS}, {{d}}) / ({_SWING})"),
    ("vsumd", "volume", "fraction", f"(ts_sum({_MORE}, {{d}}) - ts_sum({_LESS}, {{d}})) / ({_SWING})"),
)


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Catalogue rows: name, formula, unit, category, source.

    >>> len(list(rows()))
    158
    """
    for name, formula in _CANDLES:
        yield f"alpha158_{name}", formula, "ratio", "candle", f"{_SOURCE} {name.upper()}"
    for price in ("open", "high", "low", "vwap"):
        yield f"alpha158_{price}0", f"{price} / close", "ratio", "candle", f"{_SOURCE} {price.upper()}0"
    for name, category, unit, formula in _WINDOWED:
        for window in _WINDOWS:
            source = f"{_SOURCE} {name.upper()}{window}"
            yield f"alpha158_{name}{window}", formula.format(d=window), unit, category, source
