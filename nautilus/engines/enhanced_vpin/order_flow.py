"""Order-flow imbalance at the best quotes and the price's response to it. Cont, Kukanov and Stoikov (2014)."""

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.enhanced_vpin.regression import Regression, regress

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def order_flow_events(bid: Integers, bid_size: Integers, ask: Integers, ask_size: Integers) -> Integers:
    """Contribution e(n) of every quote after the first, [quotes - 1], in lots: what demand gained less what supply
    gained.

    e = 1[b' >= b] qb' - 1[b' <= b] qb - 1[a' <= a] qa' + 1[a' >= a] qa, primes the newer quote; equation (2).

    >>> order_flow_events(np.array([99, 99]), np.array([5, 8]), np.array([101, 101]), np.array([4, 2]))
    array([5])
    """
    bid_new, bid_old, ask_new, ask_old = bid[1:], bid[:-1], ask[1:], ask[:-1]
    demand = (bid_new >= bid_old) * bid_size[1:] - (bid_new <= bid_old) * bid_size[:-1]
    supply = (ask_new <= ask_old) * ask_size[1:] - (ask_new >= ask_old) * ask_size[:-1]
    return np.asarray(demand - supply, dtype=np.int64)


def order_flow_event(
    bid: int, bid_size: int, ask: int, ask_size: int, new_bid: int, new_bid_size: int, new_ask: int, new_ask_size: int
) -> int:
    """The same for one pair of quotes.

    >>> order_flow_event(99, 5, 101, 4, 99, 8, 101, 2)
    5
    """
    event = 0
    if new_bid >= bid:
        event += new_bid_size
    if new_bid <= bid:
        event -= bid_size
    if new_ask <= ask:
        event -= new_ask_size
    if new_ask >= ask:
        event += ask_size
    return event


def order_flow_imbalance(
    ts: Integers, bid: Integers, bid_size: Integers, ask: Integers, ask_size: Integers, interval_ns: int
) -> tuple[Integers, Floats]:
    """(OFI, change of the midpoint in ticks) of each interval between the first and last quote, both [intervals].

    Intervals lie on the grid floor(ts / interval_ns); the quote before an interval is where its change starts from,
    equation (6). Arrays [quotes], in order of time, at least one.
    """
    number = (ts // interval_ns).astype(np.int64)
    slot = number - number[0]
    events = order_flow_events(bid, bid_size, ask, ask_size)
    flow = np.zeros(int(slot[-1]) + 1, dtype=np.int64)
    np.add.at(flow, slot[1:], events)
    midpoint = (bid + ask) / 2.0
    last = np.searchsorted(slot, np.arange(flow.size), side="right") - 1
    return flow, np.diff(midpoint[last], prepend=midpoint[0])


def price_response(flow: Integers, midpoint_change: Floats) -> Regression | None:
    """Slope of the midpoint's change (ticks) on OFI (lots), equation (7); its inverse measures depth."""
    return regress(flow.astype(np.float64), midpoint_change)
