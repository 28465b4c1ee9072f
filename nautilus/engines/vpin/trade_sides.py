"""Who started a trade: tick rule, quote rule, Lee-Ready and Ellis-Michaely-O'Hara, and how often each is right."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.errors import Invalid

Integers = NDArray[np.int64]
SideRule = Literal["tick", "quote", "lee_ready", "emo"]


def _tick_rule_reference(price: Integers) -> Integers:
    change = np.sign(np.diff(price, prepend=price[:1]))
    latest = np.maximum.accumulate(np.where(change != 0, np.arange(len(price)), 0))
    return np.asarray(change[latest], dtype=np.int64)


@kernel(reference=_tick_rule_reference, example=lambda: (np.array([100, 101, 101, 99], dtype=np.int64),))
def tick_rule(price: Integers) -> Integers:
    """Side of each trade from the last different price: 1 after an uptick, -1 after a downtick, 0 before any change.

    `price` [trades] in ticks, in order of time. Lee and Ready (1991), section I.

    >>> tick_rule(np.array([100, 101, 101, 99]))
    array([ 0,  1,  1, -1])
    """
    side = np.empty(price.size, dtype=np.int64)
    direction = 0
    for i in range(price.size):
        if i > 0:
            if price[i] > price[i - 1]:
                direction = 1
            elif price[i] < price[i - 1]:
                direction = -1
        side[i] = direction
    return side


def prevailing(ts_trade: Integers, ts_quote: Integers, lag_ns: int = 0) -> Integers:
    """Row of the quote in force `lag_ns` before each trade, [trades]; -1 where there was none yet.

    A quote stamped at the very time counts as in force. Both arrays sorted, nanoseconds.
    """
    return np.searchsorted(ts_quote, ts_trade - lag_ns, side="right").astype(np.int64) - 1


def quote_rule(price: Integers, bid: Integers, ask: Integers) -> Integers:
    """Side of each trade from the midpoint: 1 above, -1 below, 0 at it or where there is no two-sided quote.

    All arrays [trades] in ticks; `bid` and `ask` are those in force at the trade, 0 or less where missing.

    >>> quote_rule(np.array([101, 99, 100]), np.array([99, 99, 99]), np.array([101, 101, 101]))
    array([ 1, -1,  0])
    """
    quoted = (bid > 0) & (ask > 0)
    return np.where(quoted, np.sign(2 * price - bid - ask), 0).astype(np.int64)


def lee_ready(price: Integers, bid: Integers, ask: Integers) -> Integers:
    """Quote rule, and the tick rule at the midpoint or without a quote. Lee and Ready (1991), section IV."""
    side = quote_rule(price, bid, ask)
    return np.where(side != 0, side, tick_rule(price))


def emo(price: Integers, bid: Integers, ask: Integers) -> Integers:
    """Buy at the ask, sell at the bid, the tick rule elsewhere. Ellis, Michaely and O'Hara (2000)."""
    at_ask = (ask > 0) & (price == ask)
    at_bid = (bid > 0) & (price == bid)
    return np.where(at_ask, 1, np.where(at_bid, -1, tick_rule(price))).astype(np.int64)


def classify(rule: SideRule, price: Integers, bid: Integers | None = None, ask: Integers | None = None) -> Integers:
    """Sides by a named rule; raises Invalid where the rule needs quotes and there are none."""
    if rule == "tick":
        return tick_rule(price)
    if bid is None or ask is None:
        raise Invalid("rule", f"{rule} needs the bid and ask in force at each trade")
    return {"quote": quote_rule, "lee_ready": lee_ready, "emo": emo}[rule](price, bid, ask)


def accuracy(side: Integers, true_side: Integers, size: Integers | None = None) -> float:
    """Share of trades (of lots, where `size` is given) whose side is right; an unclassified trade counts as wrong.

    Trades whose true side is 0 are left out; raises Invalid where nothing is left.

    >>> accuracy(np.array([1, -1, 0, 1]), np.array([1, 1, 1, 1]))
    0.5
    """
    weight = np.where(true_side != 0, 1 if size is None else size, 0)
    total = int(weight.sum())
    if total == 0:
        raise Invalid("true_side", "must name the side of at least one trade")
    return int(weight[side == true_side].sum()) / total
