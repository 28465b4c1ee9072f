"""The compiled half of MarketFlow: arrivals by thinning, orders into a ladder of levels, truth beside each row."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BEST, WORST, TOTAL, ORDER = 0, 2, 4, 6
"""Places in the whole-number state: best, worst and lots of bids and of asks, and the last order's number."""
AT, BELIEF, PUBLIC, NEWS, EPISODE_END = range(5)
"""Places in the state of floats: seconds, logs of the makers' belief and of public value in ticks, news, seconds."""
NOISE, INFORMED, CRASH = range(3)
BLOWS_PER_SECOND = 20.0
MOST_LEVELS = 60
OPENING_ORDERS = 120
SPARE_ROWS = OPENING_ORDERS + MOST_LEVELS


@jit
def _sum(excited: Floats) -> float:
    total = 0.0
    for p in range(excited.shape[0]):
        for i in range(excited.shape[1]):
            total += excited[p, i]
    return total


@jit
def _size(draws: np.random.Generator, usual: int) -> int:
    return max(1, min(50 * usual, round(usual * exp(0.7 * draws.standard_normal()))))


@jit
def _write(
    ints: Integers, row: int, kind: int, side: int, price: int, lots: int, level: int, source: int, order: int
) -> int:
    ints[row, 1], ints[row, 2], ints[row, 3], ints[row, 4] = kind, 1 - 2 * side, price, lots
    ints[row, 5], ints[row, 6], ints[row, 7], ints[row, 8] = level, 1, source, order
    return row + 1


@jit
def _price(
    draws: np.random.Generator, laws: Floats, ladder: Integers, state: Integers, side: int, belief: float, far: float
) -> int:
    """A price near the belief, `far` times farther away, that does not cross."""
    scale = max(1.5, belief * laws[1]) * far
    if draws.random() < 0.1:
        scale *= 8.0
    distance = max(0.5, belief * laws[0]) + int(log(1.0 - draws.random()) / log(scale / (1.0 + scale)))
    last = ladder.shape[1] - 2
    if side == 0:
        price = int(belief - distance)
        return int(max(1, min(price, last, state[BEST + 1] - 1)))
    price = int(belief + distance) + 1
    return int(min(last, max(price, 1, state[BEST] + 1)))


@jit
def _rest(ladder: Integers, state: Integers, side: int, price: int, lots: int) -> None:
    ladder[side, price] += lots
    state[TOTAL + side] += lots
    if side == 0:
        state[BEST], state[WORST] = max(state[BEST], price), min(state[WORST], price)
    else:
        state[BEST + 1], state[WORST + 1] = min(state[BEST + 1], price), max(state[WORST + 1], price)


@jit
def _remove(ladder: Integers, state: Integers, side: int, price: int, lots: int) -> None:
    """Take lots from a level; never the last of its side, so that there is always a best."""
    ladder[side, price] -= lots
    state[TOTAL + side] -= lots
    outward = -1 if side == 0 else 1
    while ladder[side, state[BEST + side]] == 0:
        state[BEST + side] += outward
    while ladder[side, state[WORST + side]] == 0:
        state[WORST + side] -= outward


@jit
def _cancelled_price(
    draws: np.random.Generator, laws: Floats, ladder: Integers, state: Integers, side: int, belief: float
) -> int:
    """Where an order is cancelled: what the belief has left behind first, the far end now and then, else anywhere."""
    best, worst, outward = int(state[BEST + side]), int(state[WORST + side]), -1 if side == 0 else 1
    if (belief - best) * outward > 0 and draws.random() < 0.8:
        return best
    if draws.random() < 0.3:
        return worst
    price = _price(draws, laws, ladder, state, side, belief, 1.0)
    if (price - best) * outward <= 0:
        return best
    if (price - worst) * outward >= 0:
        return worst
    while ladder[side, price] == 0:
        price += outward
    return price


@jit
def _sweep(
    ladder: Integers, state: Integers, ints: Integers, row: int, kind: int, lots: int, source: int, order: int
) -> int:
    """A market order: a row for each level that it meets; at most half of a side and MOST_LEVELS levels."""
    side = 1 if kind == 4 else 0
    lots, levels = min(lots, state[TOTAL + side] // 2), 0
    first = row
    while lots > 0 and levels < MOST_LEVELS:
        price = state[BEST + side]
        taken = min(lots, ladder[side, price])
        lots, levels = lots - taken, levels + 1
        _remove(ladder, state, side, price, taken)
        row = _write(ints, row, kind, side, price, taken, ladder[side, price], source, order)
    ints[first : max(first, row - 1), 6] = 0
    return row


@jit
def _turn_episode(draws: np.random.Generator, laws: Floats, numbers: Floats) -> None:
    """Publish the news of the episode that ends, and draw that of the next."""
    numbers[PUBLIC] += numbers[NEWS]
    is_informed = draws.random() < laws[7]
    sign = 1.0 if draws.random() < 0.5 else -1.0
    size = laws[9] + (laws[10] - laws[9]) * draws.random()
    numbers[NEWS] = sign * size if is_informed else 0.0
    numbers[EPISODE_END] += laws[6]


@jit
def run_flow(
    laws: Floats,
    usual: int,
    start_ns: int,
    baseline: Floats,
    excitation: Floats,
    decay: Floats,
    excited: Floats,
    numbers: Floats,
    state: Integers,
    ladder: Integers,
    draws: np.random.Generator,
    ints: Integers,
    truth: Floats,
) -> int:
    """Fill rows until fewer than SPARE_ROWS are free; returns how many were filled.

    `laws`: half spread and placement (of price), impact, seconds of belief, volatility per root second, lots aimed at
    per side, seconds of an episode, its probability of news, informed orders per second, least and largest news (log),
    begin and end of a crash (s), its depth. `excitation` [causing type, decay, type], `excited` [decay, type]. The
    state is changed in place. `ints` [rows, 9]: ns, FLOW_TYPES, side of the book, price, lots, lots left at the level,
    whether last of its order, source, order. `truth` [rows, 2]: value and public value in ticks.
    """
    row, total_baseline, types = 0, baseline.sum(), len(baseline)
    while row + SPARE_ROWS <= len(ints):
        at, first = numbers[AT], row
        if state[ORDER] == 0:
            for number in range(OPENING_ORDERS):
                state[ORDER] += 1
                side, lots = number % 2, _size(draws, usual)
                price = _price(draws, laws, ladder, state, side, exp(numbers[BELIEF]), 1.0)
                _rest(ladder, state, side, price, lots)
                row = _write(ints, row, side, side, price, lots, ladder[side, price], NOISE, state[ORDER])
        else:
            crashing = laws[11] <= at < laws[12]
            extra = laws[8] if numbers[NEWS] != 0.0 else 0.0
            bound = total_baseline + _sum(excited) + extra + (BLOWS_PER_SECOND if crashing else 0.0)
            boundary = numbers[EPISODE_END]
            if at < laws[11]:
                boundary = min(boundary, laws[11])
            elif crashing:
                boundary = min(boundary, laws[12])
            wait = -log(1.0 - draws.random()) / bound
            is_turn = at + wait >= boundary
            if is_turn:
                wait = boundary - at
            at = boundary if is_turn else at + wait
            numbers[AT] = at
            for p in range(len(decay)):
                factor = exp(-decay[p] * wait)
                for i in range(types):
                    excited[p, i] *= factor
            numbers[PUBLIC] += laws[4] * sqrt(wait) * draws.standard_normal()
            if not crashing:
                numbers[BELIEF] += (numbers[PUBLIC] - numbers[BELIEF]) * (1.0 - exp(-wait / laws[3]))
            if is_turn:
                if at >= numbers[EPISODE_END]:
                    _turn_episode(draws, laws, numbers)
                continue
            level, kind, source = draws.random() * bound, 0, NOISE
            hawkes = total_baseline + _sum(excited)
            if level < hawkes:
                while kind < types - 1:
                    rate = baseline[kind]
                    for p in range(len(decay)):
                        rate += excited[p, kind]
                    if level < rate:
                        break
                    level -= rate
                    kind += 1
            elif level < hawkes + extra:
                value, source = exp(numbers[PUBLIC] + numbers[NEWS]), INFORMED
                if state[BEST] <= value <= state[BEST + 1]:
                    continue
                kind = 4 if value > state[BEST + 1] else 5
            elif crashing and level < hawkes + extra + BLOWS_PER_SECOND:
                kind, source = 5, CRASH
                numbers[BELIEF] += log(1.0 - laws[13]) / (BLOWS_PER_SECOND * (laws[12] - laws[11]))
            else:
                continue
            for p in range(len(decay)):
                for i in range(types):
                    excited[p, i] += excitation[kind, p, i]
            state[ORDER] += 1
            side, lots, belief = kind % 2, _size(draws, usual), exp(numbers[BELIEF])
            if kind >= 4:
                if source == CRASH:
                    lots = max(1, state[TOTAL] // 6)
                row = _sweep(ladder, state, ints, row, kind, lots, source, state[ORDER])
                if row > first and source != CRASH:
                    move = laws[2] * sqrt(ints[first:row, 4].sum() / usual)
                    numbers[BELIEF] += move if kind == 4 else -move
            elif kind >= 2 and state[TOTAL + side] > 5 * usual:
                price = _cancelled_price(draws, laws, ladder, state, side, belief)
                # cancellations grow with what rests, so that it stays; what the belief has left behind goes at once
                wished = max(1, round(lots * state[TOTAL + side] / laws[5]))
                if (belief - price) * (1 - 2 * side) < 0:
                    wished = ladder[side, price]
                lots = min(wished, ladder[side, price], state[TOTAL + side] // 2)
                _remove(ladder, state, side, price, lots)
                row = _write(ints, row, kind, side, price, lots, ladder[side, price], source, state[ORDER])
            else:
                price = _price(draws, laws, ladder, state, side, belief, 6.0 if crashing and side == 0 else 1.0)
                _rest(ladder, state, side, price, lots)
                row = _write(ints, row, side, side, price, lots, ladder[side, price], source, state[ORDER])
        ints[first:row, 0] = start_ns + int(at * 1e9)
        truth[first:row, 0], truth[first:row, 1] = exp(numbers[PUBLIC] + numbers[NEWS]), exp(numbers[PUBLIC])
    return row
