"""Where a resting order stands in the queue of its price level, estimated from what a feed without order ids shows.

An order joins behind all that is displayed. Trades at the level serve those in front first; that part needs no model.
What a smaller displayed size means does: cancelled orders stood in front of ours or behind it.
"""

import math
from typing import Protocol


class QueueModel(Protocol):
    """How cancellations move an order forward."""

    def after_change(self, ahead: float, displayed_before: int, displayed_now: int, traded: int) -> float:
        """Lots in front after the level's displayed size changed.

        `traded` lots of the change were trades since the size was last seen; they are in `ahead` already.
        """


class RiskAverseQueue:
    """Cancellations are always behind us, as far as they can be.

    >>> RiskAverseQueue().after_change(ahead=80, displayed_before=100, displayed_now=90, traded=0)
    80
    >>> RiskAverseQueue().after_change(ahead=80, displayed_before=100, displayed_now=50, traded=0)
    50
    """

    def after_change(self, ahead: float, displayed_before: int, displayed_now: int, traded: int) -> float:
        """Never more in front than is displayed."""
        return min(ahead, displayed_now)


class ProbabilisticQueue:
    """A cancellation is in front with a probability that falls with the share of the queue behind.

    With f in front and b behind, the part b^n / (b^n + f^n) of what was cancelled counts as behind us: the power form
    of the probability queue models that hftbacktest documents ("Order Fill"), after E. Rigtorp, "Estimating order
    queue position" (2013). The larger the `exponent`, the more sharply the longer part of the queue bears the change.

    >>> ProbabilisticQueue(exponent=1.0).after_change(ahead=50, displayed_before=100, displayed_now=80, traded=0)
    40.0
    """

    def __init__(self, exponent: float = 2.0) -> None:
        self._exponent = exponent

    def after_change(self, ahead: float, displayed_before: int, displayed_now: int, traded: int) -> float:
        """Cancelled lots are shared out between in front and behind."""
        cancelled = displayed_before - traded - displayed_now
        if cancelled <= 0:
            return min(ahead, displayed_now)
        behind = max(displayed_before - traded - ahead, 0.0)
        front_weight, back_weight = math.pow(ahead, self._exponent), math.pow(behind, self._exponent)
        if front_weight + back_weight == 0.0:
            return min(ahead, displayed_now)
        from_behind = min(behind, cancelled * back_weight / (front_weight + back_weight))
        return max(0.0, min(ahead, ahead - (cancelled - from_behind), displayed_now))
