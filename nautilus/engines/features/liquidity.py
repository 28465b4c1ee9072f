"""What one quote says: spreads, the microprice, the imbalance of the queues, and the slope of the book behind them."""

from typing import Any

from nautilus.engines.features.arithmetic import Arithmetic, Row, Value
from nautilus.engines.features.feature import Feature, Parameter, built_by, fixed
from nautilus.engines.features.formula import Formula

QUOTE = ("quotes.bid", "quotes.ask", "quotes.bid_size", "quotes.ask_size")


def quoted_spread(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """Ask less bid."""
    bid, ask = row
    return ask - bid


def relative_spread(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """Ask less bid as a fraction of the mid price."""
    bid, ask = row
    return a.ratio(ask - bid, 0.5 * (bid + ask))


def mid_price(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """The middle of bid and ask."""
    bid, ask = row
    return 0.5 * (bid + ask)


def microprice(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """Bid and ask, each weighted with the size on the other side."""
    bid, ask, bid_size, ask_size = row
    return a.ratio(bid * ask_size + ask * bid_size, bid_size + ask_size)


def microprice_deviation(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """Microprice over mid price, less one."""
    mid = 0.5 * (row[0] + row[1])
    return a.ratio(microprice(a, _sums, row) - mid, mid)


def queue_imbalance(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """(bid size - ask size) / (bid size + ask size), in [-1, 1]."""
    bid_size, ask_size = row
    return a.ratio(bid_size - ask_size, bid_size + ask_size)


def queue_pressure(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """ln(bid size / ask size)."""
    bid_size, ask_size = row
    return a.log(a.ratio(bid_size, ask_size))


DEPTH_LEVELS = 5
DEPTH = tuple(
    f"depth.{side}_{what}_{level}"
    for side in ("bid", "ask")
    for what in ("price", "size")
    for level in range(1, DEPTH_LEVELS + 1)
)
"""Five levels: bid prices best first, bid sizes, ask prices, ask sizes."""


def _side_slope(a: Arithmetic[Any], mid: Value, prices: Row, sizes: Row) -> Value:
    cumulative = sizes[0]
    logarithm = a.log(cumulative)
    total = a.ratio(logarithm, abs(a.ratio(prices[0], mid) - 1.0))
    for level in range(1, DEPTH_LEVELS):
        cumulative = cumulative + sizes[level]
        deeper = a.log(cumulative)
        volume_step = a.ratio(deeper, logarithm) - 1.0
        total = total + a.ratio(volume_step, abs(a.ratio(prices[level], prices[level - 1]) - 1.0))
        logarithm = deeper
    return total / DEPTH_LEVELS


def depth_slope(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
    """Mean over both sides of the elasticity of log cumulative size to price, level by level."""
    bid_prices, bid_sizes, ask_prices, ask_sizes = (row[i : i + DEPTH_LEVELS] for i in range(0, 20, DEPTH_LEVELS))
    mid = 0.5 * (bid_prices[0] + ask_prices[0])
    return 0.5 * (_side_slope(a, mid, bid_prices, bid_sizes) + _side_slope(a, mid, ask_prices, ask_sizes))


def depth_imbalance(levels: int) -> Formula:
    """(bid size - ask size) / (bid size + ask size) summed over the best `levels` levels."""

    def combine(a: Arithmetic[Any], _sums: Row, row: Row) -> Value:
        bid, ask = row[DEPTH_LEVELS], row[3 * DEPTH_LEVELS]
        for level in range(1, levels):
            bid = bid + row[DEPTH_LEVELS + level]
            ask = ask + row[3 * DEPTH_LEVELS + level]
        return a.ratio(bid - ask, bid + ask)

    return Formula(combine)


FEATURES = (
    Feature("quoted_spread", "Ask less bid.", "currency", "Definition.", QUOTE[:2], fixed(Formula(quoted_spread))),
    Feature(
        "relative_spread",
        "Ask less bid as a fraction of the mid price.",
        "fraction",
        "Definition.",
        QUOTE[:2],
        fixed(Formula(relative_spread)),
    ),
    Feature("mid_price", "The middle of bid and ask.", "currency", "Definition.", QUOTE[:2], fixed(Formula(mid_price))),
    Feature(
        "microprice",
        "Bid and ask, each weighted with the size on the other side.",
        "currency",
        "Gatheral and Oomen (2010), Zero-intelligence realized variance estimation; Stoikov (2018).",
        QUOTE,
        fixed(Formula(microprice)),
    ),
    Feature(
        "microprice_deviation",
        "Microprice over mid price, less one: where the next trade leans.",
        "fraction",
        "Stoikov (2018), The micro-price: a high-frequency estimator of future prices.",
        QUOTE,
        fixed(Formula(microprice_deviation)),
    ),
    Feature(
        "queue_imbalance",
        "(bid size - ask size) / (bid size + ask size) at the best prices.",
        "in [-1, 1]",
        "Gould and Bonart (2016), Queue imbalance as a one-tick-ahead price predictor.",
        QUOTE[2:],
        fixed(Formula(queue_imbalance)),
    ),
    Feature(
        "queue_pressure",
        "ln(bid size / ask size) at the best prices.",
        "log ratio",
        "Log form of the queue imbalance: 2 artanh of it.",
        QUOTE[2:],
        fixed(Formula(queue_pressure)),
    ),
    Feature(
        "depth_slope",
        "Elasticity of log cumulative size to price over five levels, mean of both sides.",
        "log size per unit of relative price",
        "Naes and Skjeltorp (2006), Order book characteristics and the volume-volatility relation.",
        DEPTH,
        fixed(Formula(depth_slope)),
    ),
    Feature(
        "depth_imbalance",
        "(bid size - ask size) / (bid size + ask size) summed over the best levels.",
        "in [-1, 1]",
        "Cao, Hansch and Wang (2009), The information content of an open limit-order book.",
        DEPTH,
        built_by(depth_imbalance),
        (Parameter("levels", DEPTH_LEVELS, 1, DEPTH_LEVELS, "levels on each side"),),
    ),
)
