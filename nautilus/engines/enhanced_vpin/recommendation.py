"""From estimates to what to do: every rule that fires leaves its evidence, and the gravest one decides."""

from typing import Literal

import msgspec

Recommendation = Literal["normal", "cautious", "reduce_size", "avoid"]
RECOMMENDATIONS: tuple[Recommendation, ...] = ("normal", "cautious", "reduce_size", "avoid")


class Rule(msgspec.Struct, frozen=True):
    """From which value of a metric on to be cautious, to reduce size, to avoid; None where a step does not exist."""

    metric: str
    cautious: float
    reduce_size: float | None = None
    avoid: float | None = None


DEFAULT_RULES: tuple[Rule, ...] = (
    Rule("vpin_cdf", 0.80, 0.95, 0.99),
    Rule("flash_crash_score", 0.50, 0.70, 0.90),
    Rule("effective_spread_ratio", 1.5, 2.5, 4.0),
    Rule("kyle_lambda_ratio", 1.5, 2.5, 4.0),
    Rule("pin", 0.25, 0.40),
)
"""Percentile of VPIN, crash score, spread and impact relative to their own usual, and PIN."""


def recommend(
    metrics: dict[str, float | None], rules: tuple[Rule, ...] = DEFAULT_RULES
) -> tuple[Recommendation, tuple[str, ...]]:
    """The gravest step that any rule reaches, and one line of evidence for each rule that fired, gravest first.

    >>> recommend({"vpin_cdf": 0.97, "pin": 0.1})
    ('reduce_size', ('vpin_cdf 0.97 >= 0.95: reduce_size',))
    """
    fired: list[tuple[int, str]] = []
    for rule in rules:
        value = metrics.get(rule.metric)
        if value is None:
            continue
        for step in (3, 2, 1):
            bound = (rule.cautious, rule.reduce_size, rule.avoid)[step - 1]
            if bound is not None and value >= bound:
                fired.append((step, f"{rule.metric} {value:.4g} >= {bound:g}: {RECOMMENDATIONS[step]}"))
                break
    fired.sort(key=lambda item: -item[0])
    return RECOMMENDATIONS[fired[0][0] if fired else 0], tuple(text for _, text in fired)
