"""What a run of quotes, trades or bars says about who is in a hurry: order-flow imbalance and its relatives."""

import math
from typing import Any

from nautilus.engines.features.arithmetic import Arithmetic, Row, Value
from nautilus.engines.features.feature import Feature, Parameter, built_by
from nautilus.engines.features.formula import Formula
from nautilus.engines.features.liquidity import QUOTE

WINDOW_LIMIT = 100_000
TRADE = ("trades.price", "trades.size", "trades.side")


def _event(now: Row, before: Row) -> Value:
    """Contribution of one quote change: what joined the bid less what left it, less the same of the ask."""
    bid, ask, bid_size, ask_size = now
    last_bid, last_ask, last_bid_size, last_ask_size = before
    return (
        (bid >= last_bid) * bid_size
        - (bid <= last_bid) * last_bid_size
        - (ask <= last_ask) * ask_size
        + (ask >= last_ask) * last_ask_size
    )


def order_flow_imbalance(window: int) -> Formula:
    """Sum of the contributions of the last `window` quote changes, in units of size."""
    return Formula(
        lambda a, sums, row: sums[0],
        windows=(window,),
        terms=lambda a, now, before: (_event(now, before),),
        lags=(0, 1),
    )


def order_flow_imbalance_ratio(window: int) -> Formula:
    """Order-flow imbalance over the average depth (bid size + ask size) / 2 of the same quotes."""

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        return _event(now, before), 0.5 * (now[2] + now[3])

    return Formula(
        lambda a, sums, row: a.ratio(sums[0], sums[1] / window), windows=(window, window), terms=terms, lags=(0, 1)
    )


def trade_imbalance(window: int) -> Formula:
    """(bought - sold) / traded over the last `window` trades."""
    return Formula(
        lambda a, sums, row: a.ratio(sums[0], sums[1]),
        windows=(window, window),
        terms=lambda a, row: (row[1] * row[0], row[0]),
    )


def signed_volume(window: int) -> Formula:
    """Bought less sold over the last `window` trades."""
    return Formula(lambda a, sums, row: sums[0], windows=(window,), terms=lambda a, row: (row[1] * row[0],))


def trade_sign_entropy(window: int) -> Formula:
    """Shannon entropy of bought, sold and unknown among the last `window` trades, in bits."""

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        bits = 0.0
        for count in (sums[0], sums[1], window - sums[0] - sums[1]):
            probability = count / window
            bits = bits - probability * a.log(probability + (probability <= 0.0)) / math.log(2.0)
        return bits

    return Formula(combine, windows=(window, window), terms=lambda a, row: ((row[0] > 0.0) * 1.0, (row[0] < 0.0) * 1.0))


def vwap_deviation(window: int) -> Formula:
    """The last price over the volume-weighted average price of the last `window` trades, less one."""
    return Formula(
        lambda a, sums, row: a.ratio(row[0] * sums[1], sums[0]) - 1.0,
        windows=(window, window),
        terms=lambda a, row: (row[0] * row[1], row[1]),
    )


def roll_spread(window: int) -> Formula:
    """Twice the root of minus the covariance of successive price changes; NaN where that is positive."""

    def terms(a: Arithmetic[Any], now: Row, before: Row, earlier: Row) -> Row:
        change, last_change = now[0] - before[0], before[0] - earlier[0]
        return change * last_change, change, last_change

    return Formula(
        lambda a, sums, row: 2.0 * a.sqrt(-(sums[0] - sums[1] * sums[2] / window) / window),
        windows=(window, window, window),
        terms=terms,
        lags=(0, 1, 2),
    )


def kyle_lambda(window: int) -> Formula:
    """Least-squares slope of the close's change on signed volume over the last `window` bars."""

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        change, flow = now[0] - before[0], 2.0 * now[2] - now[1]
        return flow * change, flow * flow, change, flow

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        product, square, change, flow = sums
        return a.ratio(product - change * flow / window, square - flow * flow / window)

    return Formula(combine, windows=(window,) * 4, terms=terms, lags=(0, 1))


def amihud_illiquidity(window: int) -> Formula:
    """Mean of |log return| / value traded over the last `window` bars; NaN while one without trades is inside."""
    return Formula(
        lambda a, sums, row: sums[0] / window,
        windows=(window,),
        terms=lambda a, now, before: (a.ratio(abs(a.log(a.ratio(now[0], before[0]))), now[0] * now[1]),),
        lags=(0, 1),
    )


def volume_weighted_rsi(window: int) -> Formula:
    """100 times the volume-weighted rises over the volume-weighted moves of the close, over the last `window` bars."""

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        move = (now[0] - before[0]) * now[1]
        return a.maximum(0.0, move), abs(move)

    return Formula(
        lambda a, sums, row: 100.0 * a.ratio(sums[0], sums[1]), windows=(window, window), terms=terms, lags=(0, 1)
    )


def _window(default: int, of: str, minimum: int = 1) -> tuple[Parameter, ...]:
    return (Parameter("window", default, minimum, WINDOW_LIMIT, f"number of {of}"),)


FEATURES = (
    Feature(
        "order_flow_imbalance",
        "Net size that joined the bid and left the ask over the last quote changes.",
        "units of size",
        "Cont, Kukanov and Stoikov (2014), The price impact of order book events, section 2.",
        QUOTE,
        built_by(order_flow_imbalance),
        _window(100, "quote changes"),
    ),
    Feature(
        "order_flow_imbalance_ratio",
        "Order-flow imbalance in multiples of the average depth.",
        "multiples of depth",
        "Cont, Kukanov and Stoikov (2014): the depth scales the impact of the imbalance.",
        QUOTE,
        built_by(order_flow_imbalance_ratio),
        _window(100, "quote changes"),
    ),
    Feature(
        "trade_imbalance",
        "(bought - sold) / traded over the last trades.",
        "in [-1, 1]",
        "Chordia, Roll and Subrahmanyam (2002), Order imbalance, liquidity, and market returns.",
        TRADE[1:],
        built_by(trade_imbalance),
        _window(100, "trades"),
    ),
    Feature(
        "signed_volume",
        "Bought less sold over the last trades.",
        "units of size",
        "Hasbrouck (1991), Measuring the information content of stock trades.",
        TRADE[1:],
        built_by(signed_volume),
        _window(100, "trades"),
    ),
    Feature(
        "trade_sign_entropy",
        "Shannon entropy of bought, sold and unknown among the last trades.",
        "bits",
        "Shannon (1948), A mathematical theory of communication, section 6.",
        TRADE[2:],
        built_by(trade_sign_entropy),
        _window(100, "trades"),
    ),
    Feature(
        "vwap_deviation",
        "The last price over the volume-weighted average price of the last trades, less one.",
        "fraction",
        "Berkowitz, Logue and Noser (1988), The total cost of transactions on the NYSE.",
        TRADE[:2],
        built_by(vwap_deviation),
        _window(500, "trades"),
    ),
    Feature(
        "roll_spread",
        "The effective spread implied by the bounce of trade prices.",
        "currency",
        "Roll (1984), A simple implicit measure of the effective bid-ask spread.",
        TRADE[:1],
        built_by(roll_spread),
        _window(200, "pairs of price changes", minimum=2),
    ),
    Feature(
        "volume_weighted_rsi",
        "Relative strength with every move weighted by its volume, simple sums.",
        "in [0, 100]",
        "Wilder (1978), New concepts in technical trading systems, in Cutler's form, weighted.",
        ("bars.close", "bars.volume"),
        built_by(volume_weighted_rsi),
        _window(14, "moves"),
    ),
    Feature(
        "kyle_lambda",
        "Price impact: least-squares slope of the close's change on signed volume.",
        "currency per unit of size",
        "Kyle (1985), Continuous auctions and insider trading.",
        ("bars.close", "bars.volume", "bars.buy_volume"),
        built_by(kyle_lambda),
        (Parameter("window", 60, 3, WINDOW_LIMIT, "number of bars"),),
    ),
    Feature(
        "amihud_illiquidity",
        "Mean of |log return| per currency traded.",
        "1 / currency",
        "Amihud (2002), Illiquidity and stock returns, eq. 1.",
        ("bars.close", "bars.volume"),
        built_by(amihud_illiquidity),
        _window(60, "bars"),
    ),
)
