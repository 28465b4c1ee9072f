import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import CrashInputs, CrashScale, crash_score

MAYBE = st.none() | st.floats(-10, 100)


@given(MAYBE, MAYBE, MAYBE, MAYBE)
def test_the_score_lies_between_its_least_and_its_greatest_component(volume, price, volatility, liquidity):
    result = crash_score(
        CrashInputs(volume_deviations=volume, price_fall=price, volatility_ratio=volatility, liquidity_loss=liquidity),
        CrashScale(),
    )
    if result is None:
        return
    known = [value for value in result.components.values() if value is not None]
    assert 0.0 <= min(known) <= result.score + 1e-12
    assert result.score - 1e-12 <= max(known) <= 1.0


def test_a_crash_scores_one_and_a_calm_market_zero():
    crash = CrashInputs(volume_deviations=6, price_fall=0.12, volatility_ratio=4, liquidity_loss=0.9)
    calm = CrashInputs(volume_deviations=-0.5, price_fall=0.0, volatility_ratio=0.9, liquidity_loss=-0.2)
    assert crash_score(crash, CrashScale()).score == pytest.approx(1.0)
    assert crash_score(calm, CrashScale()).score == 0.0


def test_too_little_known_gives_no_score():
    assert crash_score(CrashInputs(volume_deviations=9.0), CrashScale()) is None
    assert crash_score(CrashInputs(price_fall=0.5), CrashScale()) is None
    half = crash_score(CrashInputs(price_fall=0.05, volatility_ratio=2.0), CrashScale())
    assert (half.score, half.weight_known) == (0.5, 0.5)
