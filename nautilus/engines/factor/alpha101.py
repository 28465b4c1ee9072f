"""The 101 formulaic alphas of Kakushadze (2016), arXiv:1601.00991, appendix A, in the factor language.

Transcribed literally, with the paper's conventions: a number of days that is not whole is rounded down; `^` is power;
`min` and `max` of a panel and a number of days are `ts_min` and `ts_max`. Where the paper leaves a choice: `ts_rank`
is a fraction in (0, 1]; `ts_argmax` counts from the oldest day (1) to today; adv{d} is the mean of `volume` (the paper
says dollars, but compares it with shares); `indneutralize` subtracts the mean of the group; a correlation that a
further window is taken over counts as 0 where one side is constant (`ts_corr_or_zero`), else ties in ranks would leave
those alphas without values. 82 need prices and volume
only, 18 a grouping (48 58 59 63 67 69 70 76 79 80 82 87 89 90 91 93 97 100) and one market capitalisation (56).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SOURCE = "Kakushadze (2016), 101 Formulaic Alphas, arXiv:1601.00991, alpha"
_PRICE = frozenset({9, 12, 22, 23, 24, 41, 46, 49, 51})
_FLAG = frozenset({21, 27, 61, 62, 64, 65, 68, 74, 75, 79, 81, 86, 95, 99})

_FORMULAS = """
1: rank(ts_argmax(signedpower(returns < 0 ? ts_std(returns, 20) : close, 2), 5)) - 0.5
2: -1 * ts_corr(rank(delta(log(volume), 2)), rank((close - open) / open), 6)
3: -1 * ts_corr(rank(open), rank(volume), 10)
4: -1 * ts_rank(rank(low), 9)
5: rank(open - ts_sum(vwap, 10) / 10) * (-1 * abs(rank(close - vwap)))
6: -1 * ts_corr(open, volume, 10)
7: adv(20) < volume ? -1 * ts_rank(abs(delta(close, 7)), 60) * sign(delta(close, 7)) : -1
8: -1 * rank(ts_sum(open, 5) * ts_sum(returns, 5) - delay(ts_sum(open, 5) * ts_sum(returns, 5), 10))
9: 0 < ts_min(delta(close, 1), 5) ? delta(close, 1) : ts_max(delta(close, 1), 5) < 0 ? delta(close, 1) : -1 *
    delta(close, 1)
10: rank(0 < ts_min(delta(close, 1), 4) ? delta(close, 1) : ts_max(delta(close, 1), 4) < 0 ? delta(close, 1) : -1 *
    delta(close, 1))
11: (rank(ts_max(vwap - close, 3)) + rank(ts_min(vwap - close, 3))) * rank(delta(volume, 3))
12: sign(delta(volume, 1)) * (-1 * delta(close, 1))
13: -1 * rank(ts_cov(rank(close), rank(volume), 5))
14: -1 * rank(delta(returns, 3)) * ts_corr(open, volume, 10)
15: -1 * ts_sum(rank(ts_corr_or_zero(rank(high), rank(volume), 3)), 3)
16: -1 * rank(ts_cov(rank(high), rank(volume), 5))
17: -1 * rank(ts_rank(close, 10)) * rank(delta(delta(close, 1), 1)) * rank(ts_rank(volume / adv(20), 5))
18: -1 * rank(ts_std(abs(close - open), 5) + (close - open) + ts_corr(close, open, 10))
19: -1 * sign(close - delay(close, 7) + delta(close, 7)) * (1 + rank(1 + ts_sum(returns, 250)))
20: -1 * rank(open - delay(high, 1)) * rank(open - delay(close, 1)) * rank(open - delay(low, 1))
21: ts_sum(close, 8) / 8 + ts_std(close, 8) < ts_sum(close, 2) / 2 ? -1 : ts_sum(close, 2) / 2 < ts_sum(close, 8) / 8
    - ts_std(close, 8) ? 1 : 1 < volume / adv(20) || volume / adv(20) == 1 ? 1 : -1
22: -1 * (delta(ts_corr_or_zero(high, volume, 5), 5) * rank(ts_std(close, 20)))
23: ts_sum(high, 20) / 20 < high ? -1 * delta(high, 2) : 0
24: delta(ts_sum(close, 100) / 100, 100) / delay(close, 100) < 0.05 || delta(ts_sum(close, 100) / 100, 100) /
    delay(close, 100) == 0.05 ? -1 * (close - ts_min(close, 100)) : -1 * delta(close, 3)
25: rank(-1 * returns * adv(20) * vwap * (high - close))
26: -1 * ts_max(ts_corr_or_zero(ts_rank(volume, 5), ts_rank(high, 5), 5), 3)
27: 0.5 < rank(ts_sum(ts_corr_or_zero(rank(volume), rank(vwap), 6), 2) / 2) ? -1 : 1
28: scale(ts_corr(adv(20), low, 5) + (high + low) / 2 - close)
29: ts_min(ts_product(rank(rank(scale(log(ts_sum(ts_min(rank(rank(-1 * rank(delta(close - 1, 5)))), 2), 1))))), 1), 5)
    + ts_rank(delay(-1 * returns, 6), 5)
30: (1 - rank(sign(close - delay(close, 1)) + sign(delay(close, 1) - delay(close, 2)) + sign(delay(close, 2) -
    delay(close, 3)))) * ts_sum(volume, 5) / ts_sum(volume, 20)
31: rank(rank(rank(decay_linear(-1 * rank(rank(delta(close, 10))), 10)))) + rank(-1 * delta(close, 3)) +
    sign(scale(ts_corr(adv(20), low, 12)))
32: scale(ts_sum(close, 7) / 7 - close) + 20 * scale(ts_corr(vwap, delay(close, 5), 230))
33: rank(-1 * (1 - open / close)^1)
34: rank(1 - rank(ts_std(returns, 2) / ts_std(returns, 5)) + (1 - rank(delta(close, 1))))
35: ts_rank(volume, 32) * (1 - ts_rank(close + high - low, 16)) * (1 - ts_rank(returns, 32))
36: 2.21 * rank(ts_corr(close - open, delay(volume, 1), 15)) + 0.7 * rank(open - close) + 0.73 * rank(ts_rank(delay(-1
    * returns, 6), 5)) + rank(abs(ts_corr(vwap, adv(20), 6))) + 0.6 * rank((ts_sum(close, 200) / 200 - open) * (close
    - open))
37: rank(ts_corr(delay(open - close, 1), close, 200)) + rank(open - close)
38: -1 * rank(ts_rank(close, 10)) * rank(close / open)
39: -1 * rank(delta(close, 7) * (1 - rank(decay_linear(volume / adv(20), 9)))) * (1 + rank(ts_sum(returns, 250)))
40: -1 * rank(ts_std(high, 10)) * ts_corr(high, volume, 10)
41: (high * low)^0.5 - vwap
42: rank(vwap - close) / rank(vwap + close)
43: ts_rank(volume / adv(20), 20) * ts_rank(-1 * delta(close, 7), 8)
44: -1 * ts_corr(high, rank(volume), 5)
45: -1 * (rank(ts_sum(delay(close, 5), 20) / 20) * ts_corr(close, volume, 2) * rank(ts_corr(ts_sum(close, 5),
    ts_sum(close, 20), 2)))
46: 0.25 < (delay(close, 20) - delay(close, 10)) / 10 - (delay(close, 10) - close) / 10 ? -1 : (delay(close, 20) -
    delay(close, 10)) / 10 - (delay(close, 10) - close) / 10 < 0 ? 1 : -1 * (close - delay(close, 1))
47: rank(1 / close) * volume / adv(20) * (high * rank(high - close) / (ts_sum(high, 5) / 5)) - rank(vwap - delay(vwap,
    5))
48: group_neutralize(ts_corr(delta(close, 1), delta(delay(close, 1), 1), 250) * delta(close, 1) / close, subindustry)
    / ts_sum((delta(close, 1) / delay(close, 1))^2, 250)
49: (delay(close, 20) - delay(close, 10)) / 10 - (delay(close, 10) - close) / 10 < -0.1 ? 1 : -1 * (close -
    delay(close, 1))
50: -1 * ts_max(rank(ts_corr_or_zero(rank(volume), rank(vwap), 5)), 5)
51: (delay(close, 20) - delay(close, 10)) / 10 - (delay(close, 10) - close) / 10 < -0.05 ? 1 : -1 * (close -
    delay(close, 1))
52: (-1 * ts_min(low, 5) + delay(ts_min(low, 5), 5)) * rank((ts_sum(returns, 240) - ts_sum(returns, 20)) / 220) *
    ts_rank(volume, 5)
53: -1 * delta((close - low - (high - close)) / (close - low), 9)
54: -1 * ((low - close) * open^5) / ((low - high) * close^5)
55: -1 * ts_corr(rank((close - ts_min(low, 12)) / (ts_max(high, 12) - ts_min(low, 12))), rank(volume), 6)
56: -(rank(ts_sum(returns, 10) / ts_sum(ts_sum(returns, 2), 3)) * rank(returns * market_cap))
57: -((close - vwap) / decay_linear(rank(ts_argmax(close, 30)), 2))
58: -1 * ts_rank(decay_linear(ts_corr_or_zero(group_neutralize(vwap, sector), volume, 3), 7), 5)
59: -1 * ts_rank(decay_linear(ts_corr_or_zero(group_neutralize(vwap * 0.728317 + vwap * (1 - 0.728317), industry),
    volume, 4), 16), 8)
60: -(2 * scale(rank((close - low - (high - close)) / (high - low) * volume)) - scale(rank(ts_argmax(close, 10))))
61: rank(vwap - ts_min(vwap, 16)) < rank(ts_corr(vwap, adv(180), 17))
62: (rank(ts_corr(vwap, ts_sum(adv(20), 22), 9)) < rank(rank(open) + rank(open) < rank((high + low) / 2) +
    rank(high))) * -1
63: (rank(decay_linear(delta(group_neutralize(close, industry), 2), 8)) - rank(decay_linear(ts_corr_or_zero(vwap *
    0.318108 + open * (1 - 0.318108), ts_sum(adv(180), 37), 13), 12))) * -1
64: (rank(ts_corr(ts_sum(open * 0.178404 + low * (1 - 0.178404), 12), ts_sum(adv(120), 12), 16)) < rank(delta((high +
    low) / 2 * 0.178404 + vwap * (1 - 0.178404), 3))) * -1
65: (rank(ts_corr(open * 0.00817205 + vwap * (1 - 0.00817205), ts_sum(adv(60), 8), 6)) < rank(open - ts_min(open,
    13))) * -1
66: (rank(decay_linear(delta(vwap, 3), 7)) + ts_rank(decay_linear((low * 0.96633 + low * (1 - 0.96633) - vwap) / (open
    - (high + low) / 2), 11), 6)) * -1
67: rank(high - ts_min(high, 2))^rank(ts_corr(group_neutralize(vwap, sector), group_neutralize(adv(20), subindustry),
    6)) * -1
68: (ts_rank(ts_corr_or_zero(rank(high), rank(adv(15)), 8), 13) < rank(delta(close * 0.518371 + low * (1 - 0.518371),
    1))) * -1
69: rank(ts_max(delta(group_neutralize(vwap, industry), 2), 4))^ts_rank(ts_corr_or_zero(close * 0.490655 + vwap * (1 -
    0.490655), adv(20), 4), 9) * -1
70: rank(delta(vwap, 1))^ts_rank(ts_corr_or_zero(group_neutralize(close, industry), adv(50), 17), 17) * -1
71: max(ts_rank(decay_linear(ts_corr_or_zero(ts_rank(close, 3), ts_rank(adv(180), 12), 18), 4), 15),
    ts_rank(decay_linear(rank(low + open - (vwap + vwap))^2, 16), 4))
72: rank(decay_linear(ts_corr_or_zero((high + low) / 2, adv(40), 8), 10)) /
    rank(decay_linear(ts_corr_or_zero(ts_rank(vwap, 3), ts_rank(volume, 18), 6), 2))
73: max(rank(decay_linear(delta(vwap, 4), 2)), ts_rank(decay_linear(delta(open * 0.147155 + low * (1 - 0.147155), 2) /
    (open * 0.147155 + low * (1 - 0.147155)) * -1, 3), 16)) * -1
74: (rank(ts_corr(close, ts_sum(adv(30), 37), 15)) < rank(ts_corr(rank(high * 0.0261661 + vwap * (1 - 0.0261661)),
    rank(volume), 11))) * -1
75: rank(ts_corr(vwap, volume, 4)) < rank(ts_corr(rank(low), rank(adv(50)), 12))
76: max(rank(decay_linear(delta(vwap, 1), 11)), ts_rank(decay_linear(ts_rank(ts_corr_or_zero(group_neutralize(low,
    sector), adv(81), 8), 19), 17), 19)) * -1
77: min(rank(decay_linear((high + low) / 2 + high - (vwap + high), 20)), rank(decay_linear(ts_corr_or_zero((high +
    low) / 2, adv(40), 3), 5)))
78: rank(ts_corr(ts_sum(low * 0.352233 + vwap * (1 - 0.352233), 19), ts_sum(adv(40), 19), 6))^rank(ts_corr(rank(vwap),
    rank(volume), 5))
79: rank(delta(group_neutralize(close * 0.60733 + open * (1 - 0.60733), sector), 1)) < rank(ts_corr(ts_rank(vwap, 3),
    ts_rank(adv(150), 9), 14))
80: rank(sign(delta(group_neutralize(open * 0.868128 + high * (1 - 0.868128), industry),
    4)))^ts_rank(ts_corr_or_zero(high, adv(10), 5), 5) * -1
81: (rank(log(ts_product(rank(rank(ts_corr_or_zero(vwap, ts_sum(adv(10), 49), 8))^4), 14))) < rank(ts_corr(rank(vwap),
    rank(volume), 5))) * -1
82: min(rank(decay_linear(delta(open, 1), 14)), ts_rank(decay_linear(ts_corr_or_zero(group_neutralize(volume, sector),
    open * 0.634196 + open * (1 - 0.634196), 17), 6), 13)) * -1
83: rank(delay((high - low) / (ts_sum(close, 5) / 5), 2)) * rank(rank(volume)) / ((high - low) / (ts_sum(close, 5) /
    5) / (vwap - close))
84: signedpower(ts_rank(vwap - ts_max(vwap, 15), 20), delta(close, 4))
85: rank(ts_corr(high * 0.876703 + close * (1 - 0.876703), adv(30), 9))^rank(ts_corr(ts_rank((high + low) / 2, 3),
    ts_rank(volume, 10), 7))
86: (ts_rank(ts_corr_or_zero(close, ts_sum(adv(20), 14), 6), 20) < rank(open + close - (vwap + open))) * -1
87: max(rank(decay_linear(delta(close * 0.369701 + vwap * (1 - 0.369701), 1), 2)),
    ts_rank(decay_linear(abs(ts_corr_or_zero(group_neutralize(adv(81), industry), close, 13)), 4), 14)) * -1
88: min(rank(decay_linear(rank(open) + rank(low) - (rank(high) + rank(close)), 8)),
    ts_rank(decay_linear(ts_corr_or_zero(ts_rank(close, 8), ts_rank(adv(60), 20), 8), 6), 2))
89: ts_rank(decay_linear(ts_corr_or_zero(low * 0.967285 + low * (1 - 0.967285), adv(10), 6), 5), 3) -
    ts_rank(decay_linear(delta(group_neutralize(vwap, industry), 3), 10), 15)
90: rank(close - ts_max(close, 4))^ts_rank(ts_corr_or_zero(group_neutralize(adv(40), subindustry), low, 5), 3) * -1
91: (ts_rank(decay_linear(decay_linear(ts_corr_or_zero(group_neutralize(close, industry), volume, 9), 16), 3), 4) -
    rank(decay_linear(ts_corr_or_zero(vwap, adv(30), 4), 2))) * -1
92: min(ts_rank(decay_linear((high + low) / 2 + close < low + open, 14), 18),
    ts_rank(decay_linear(ts_corr_or_zero(rank(low), rank(adv(30)), 7), 6), 6))
93: ts_rank(decay_linear(ts_corr_or_zero(group_neutralize(vwap, industry), adv(81), 17), 19), 7) /
    rank(decay_linear(delta(close * 0.524434 + vwap * (1 - 0.524434), 2), 16))
94: rank(vwap - ts_min(vwap, 11))^ts_rank(ts_corr_or_zero(ts_rank(vwap, 19), ts_rank(adv(60), 4), 18), 2) * -1
95: rank(open - ts_min(open, 12)) < ts_rank(rank(ts_corr_or_zero(ts_sum((high + low) / 2, 19), ts_sum(adv(40), 19),
    12))^5, 11)
96: max(ts_rank(decay_linear(ts_corr_or_zero(rank(vwap), rank(volume), 3), 4), 8),
    ts_rank(decay_linear(ts_argmax(ts_corr_or_zero(ts_rank(close, 7), ts_rank(adv(60), 4), 3), 12), 14), 13)) * -1
97: (rank(decay_linear(delta(group_neutralize(low * 0.721001 + vwap * (1 - 0.721001), industry), 3), 20)) -
    ts_rank(decay_linear(ts_rank(ts_corr_or_zero(ts_rank(low, 7), ts_rank(adv(60), 17), 4), 18), 15), 6)) * -1
98: rank(decay_linear(ts_corr_or_zero(vwap, ts_sum(adv(5), 26), 4), 7)) -
    rank(decay_linear(ts_rank(ts_argmin(ts_corr_or_zero(rank(open), rank(adv(15)), 20), 8), 6), 8))
99: (rank(ts_corr(ts_sum((high + low) / 2, 19), ts_sum(adv(60), 19), 8)) < rank(ts_corr(low, volume, 6))) * -1
100: -((1.5 * scale(group_neutralize(group_neutralize(rank((close - low - (high - close)) / (high - low) * volume),
    subindustry), subindustry)) - scale(group_neutralize(ts_corr(close, rank(adv(20)), 5) - rank(ts_argmin(close,
    30)), subindustry))) * (volume / adv(20)))
101: (close - open) / (high - low + 0.001)
"""


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Catalogue rows: name, formula, unit, category, source.

    >>> next(rows())[0]
    'alpha101_001'
    """
    for number, formula in _formulas():
        unit = "price" if number in _PRICE else "flag" if number in _FLAG else "score"
        grouped = any(group in formula for group in ("sector", "industry"))
        category = "industry_neutral" if grouped else "size" if "market_cap" in formula else "price_volume"
        yield f"alpha101_{number:03d}", formula, unit, category, f"{_SOURCE} {number}"


def _formulas() -> Iterator[tuple[int, str]]:
    for entry in re.split(r"\n(?=\d+: )", _FORMULAS.strip()):
        number, _, formula = entry.partition(": ")
        yield int(number), " ".join(formula.split())
