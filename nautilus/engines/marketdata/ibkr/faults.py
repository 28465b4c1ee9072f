"""What the gateway's error codes mean for the one subscription that they name."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What is to be done about an error."""

    NONE = "none"
    """It only informs."""
    DEPTH_RESET = "depth_reset"
    """Empty the book: its rows come anew."""
    NO_DATA = "no_data"
    """There is nothing in the time that was asked for."""
    PACING = "pacing"
    """Too much was asked too quickly: ask again later."""
    REFUSED = "refused"
    """Asking again soon would change nothing: an unknown contract, no permission, too many lines."""
    ENDED = "ended"
    """It has been ended or has failed: ask again."""


HISTORY_ERROR = 162
INFORMS = frozenset({165, 300, 366, 10_167, 10_090, 10_091})
REFUSES = frozenset({101, 200, 203, 309, 321, 354, 10_089, 10_092, 10_168, 10_186, 10_187, 10_189, 10_190, 10_197})
WARNINGS = range(2100, 2200)


def fault_of(code: int, text: str) -> Fault:
    """The fault that an error code and its text stand for; an unknown code has ended the subscription.

    >>> fault_of(162, "Historical Market Data Service error message: HMDS query returned no data").value
    'no_data'
    """
    if code == 317:
        return Fault.DEPTH_RESET
    if code in INFORMS or code in WARNINGS:
        return Fault.NONE
    if code in {HISTORY_ERROR, 420} and "pacing" in text.lower():
        return Fault.PACING
    if code == HISTORY_ERROR and "no data" in text.lower():
        return Fault.NO_DATA
    return Fault.REFUSED if code in REFUSES else Fault.ENDED
