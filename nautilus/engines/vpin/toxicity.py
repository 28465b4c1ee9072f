"""Toxicity levels with hysteresis: a level is entered at its threshold and left only well below it."""

from typing import Literal

ToxicityLevel = Literal["unknown", "normal", "elevated", "high", "extreme"]
LEVELS: tuple[ToxicityLevel, ...] = ("normal", "elevated", "high", "extreme")


def next_level(
    current: ToxicityLevel, score: float | None, thresholds: tuple[float, float, float], margin: float
) -> ToxicityLevel:
    """The level after a new score, "unknown" where there is no score.

    `thresholds` rise and are those of elevated, high and extreme. A level is entered when the score reaches its
    threshold and left when the score is below threshold - `margin`.

    >>> bounds = (0.5, 0.7, 0.9)
    >>> next_level("normal", 0.7, bounds, 0.05), next_level("high", 0.66, bounds, 0.05)
    ('high', 'high')
    >>> next_level("high", 0.64, bounds, 0.05), next_level("high", None, bounds, 0.05)
    ('elevated', 'unknown')
    """
    if score is None:
        return "unknown"
    held = LEVELS.index(current) if current in LEVELS else 0
    level = sum(score >= threshold for threshold in thresholds)
    while held > level and score < thresholds[held - 1] - margin:
        held -= 1
    return LEVELS[max(level, held)]


def severity(level: ToxicityLevel) -> int:
    """0 for unknown and normal, up to 3 for extreme.

    >>> [severity(level) for level in ("unknown", "normal", "extreme")]
    [0, 0, 3]
    """
    return LEVELS.index(level) if level in LEVELS else 0
