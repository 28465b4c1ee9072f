from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import DEFAULT_RULES, Rule, recommend
from nautilus.engines.enhanced_vpin.recommendation import RECOMMENDATIONS

METRICS = st.dictionaries(st.sampled_from([rule.metric for rule in DEFAULT_RULES]), st.none() | st.floats(0, 10))


@given(METRICS, st.sampled_from([rule.metric for rule in DEFAULT_RULES]))
def test_more_toxicity_never_makes_the_advice_milder(metrics, worse):
    before, _ = recommend(metrics)
    after, _ = recommend(metrics | {worse: (metrics.get(worse) or 0.0) + 1.0})
    assert RECOMMENDATIONS.index(after) >= RECOMMENDATIONS.index(before)


def test_the_gravest_evidence_comes_first():
    advice, evidence = recommend({"vpin_cdf": 0.85, "flash_crash_score": 0.95, "pin": 0.1})
    assert advice == "avoid"
    assert evidence == ("flash_crash_score 0.95 >= 0.9: avoid", "vpin_cdf 0.85 >= 0.8: cautious")


def test_nothing_known_is_normal_without_evidence():
    assert recommend({}) == ("normal", ())
    assert recommend({"pin": None}) == ("normal", ())


def test_a_rule_without_a_step_stops_below_it():
    assert recommend({"x": 9.0}, (Rule("x", 1.0),))[0] == "cautious"
