"""Order flow as GOOG had it: the Hawkes process estimated from LOBSTER's sample day.

Data: GOOG on NASDAQ, 2012-06-21, 10:30 to 15:30 in New York, messages that touch the best ten levels: 100,886 events as
`flow_events` reads them. Method: `fit_hawkes` (maximum likelihood by expectation and maximisation) for rates of decay
of 5000, 100, 5 and 0.2 per second, then `mirrored`, rounded to four decimals of branching. The file has only messages
that touch the best ten levels: what happens deeper is not in it. The rates of decay were chosen, not estimated.

Fit of the estimate before it is mirrored: the log-likelihood is 3.1 an event above that of a Poisson process (1.8 with
the single decay of 20). The residuals of all types taken together are at a Kolmogorov-Smirnov distance below 0.02 from
the standard exponential (0.2 with the single decay), those of market orders alone at 0.06: with so many events a test
still rejects it. The branching ratio is 0.88.
"""

from __future__ import annotations

import numpy as np

from nautilus.engines.marketdata.hawkes import HawkesProcess
from nautilus.engines.marketdata.hawkes_fit import MIRROR

DECAY = (5000.0, 100.0, 5.0, 0.2)
_BASELINE = (0.129, 0.14, 0.0265)
# events that one event of each of FLOW_TYPES causes, by decay: of limit orders, cancellations and market orders to buy
_BRANCHING = (
    (
        (0.0873, 0.0437, 0.0117, 0.0206),
        (0.0201, 0.0058, 0.0007, 0.0084),
        (0.2616, 0.1192, 0.03, 0.0707),
        (0.1453, 0.0367, 0.0025, 0.0082),
        (0.1337, 0.3227, 0.0534, 0.1118),
        (0.1183, 0.1037, 0.0288, 0.1313),
    ),
    (
        (0.1219, 0.1753, 0.0162, 0.0396),
        (0.038, 0.0452, 0.0442, 0.0113),
        (0.1182, 0.0461, 0.0368, 0.031),
        (0.0354, 0.0001, 0.0103, 0.0036),
        (0.0729, 0.038, 0.0026, 0.0122),
        (0.111, 0.2373, 0.0963, 0.1667),
    ),
    (
        (0.0015, 0.0029, 0.0005, 0.0001),
        (0.0058, 0.0006, 0.0001, 0.0),
        (0.0003, 0.0008, 0.0, 0.0),
        (0.0021, 0.005, 0.0008, 0.0),
        (0.2701, 0.1963, 0.0403, 0.068),
        (0.0029, 0.0021, 0.0001, 0.0),
    ),
)


def goog_process() -> HawkesProcess:
    """The estimated process over FLOW_TYPES, buying and selling alike.

    >>> process = goog_process()
    >>> round(process.branching_ratio, 2), process.mean_rates.round(1).tolist()
    (0.88, [1.4, 1.4, 1.3, 1.3, 0.1, 0.1])
    """
    other = list(MIRROR)
    branching = np.empty((6, 6, len(DECAY)))
    branching[0::2] = _BRANCHING
    branching[1::2] = np.array(_BRANCHING)[:, other]
    return HawkesProcess(np.repeat(_BASELINE, 2), branching * np.array(DECAY), DECAY)
